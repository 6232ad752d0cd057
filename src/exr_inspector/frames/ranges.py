"""Frame ranges, gaps and padding of a list of frames."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

_MOST_MISSING = 1_000_000


def padding(frames: Iterable[str]) -> int:
    """The width that a sequence's frames are padded to; 1 when they are not.

    The shortest one decides: 001, 100, 101 are padded to 3, and so are 998, 999, 1000 (the width overflows).
    """
    widths = {len(frame.split(".")[0].lstrip("-")) for frame in frames}
    return min(widths) if widths else 1


def padding_changes(frames: Iterable[str]) -> bool:
    """Whether some frames are padded and others not, or differently: 0999 beside 1000 is not, 01 beside 002 is."""
    whole = [frame.split(".")[0].lstrip("-") for frame in frames]
    padded = {len(frame) for frame in whole if frame.startswith("0") and len(frame) > 1}
    width = min((len(frame) for frame in whole), default=1)
    return len(padded) > 1 or (len(padded) == 1 and width not in padded)


def display_pattern(sequence: str, frames: Sequence[str]) -> str:
    """The sequence with one # for each digit of its padding: `plate.####.exr`."""
    head, _, tail = sequence.rpartition("#")
    return f"{head}{'#' * padding(frames)}{tail}"


def frame_range(numbers: Iterable[int]) -> str:
    """Frame numbers in the field's notation: `1001-1010`, `1-9x2`, `1-3,7`."""
    import fileseq  # costs 60 ms to import, and few commands need it

    ordered = sorted(set(numbers))
    return str(fileseq.framesToFrameRange(ordered)) if ordered else ""


def missing_numbers(numbers: Iterable[int]) -> list[int]:
    """The gaps between the first and the last frame.

    A sequence whose frames are all a fixed step apart (every second one) has none. Nor have numbers that would leave
    out more than a million: those are dates, seeds or job numbers, no frames.
    """
    present = sorted(set(numbers))
    if len(present) < 2:
        return []
    steps = Counter(b - a for a, b in itertools.pairwise(present))
    step, times = steps.most_common(1)[0]
    if step == 1 or times < 2 or any(gap % step for gap in steps):
        step = 1
    if (present[-1] - present[0]) // step - len(present) > _MOST_MISSING:
        return []
    have = set(present)
    return [n for n in range(present[0], present[-1] + 1, step) if n not in have]
