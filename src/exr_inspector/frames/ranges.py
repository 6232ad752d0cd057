"""Frame ranges, gaps and padding of the frames of a sequence."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

_MAX_MISSING = 1_000_000


def padding(frames: Iterable[str]) -> int:
    """The padded width of a sequence's frames, that of the shortest frame; 1 for no frames.

    001, 100, 101 have a padding of 3, and so have 998, 999, 1000.
    """
    widths = {len(frame.split(".")[0].lstrip("-")) for frame in frames}
    return min(widths) if widths else 1


def padding_changes(frames: Iterable[str]) -> bool:
    """Whether frames have different paddings: 01 and 002 do, 0999 and 1000 do not."""
    digits = [frame.split(".")[0].lstrip("-") for frame in frames]
    padded = {len(frame) for frame in digits if frame.startswith("0") and len(frame) > 1}
    width = min((len(frame) for frame in digits), default=1)
    return len(padded) > 1 or (len(padded) == 1 and width not in padded)


def display_pattern(sequence: str, frames: Sequence[str]) -> str:
    """The sequence with one # per padded digit: `plate.####.exr`."""
    head, _, tail = sequence.rpartition("#")
    return f"{head}{'#' * padding(frames)}{tail}"


def frame_range(numbers: Iterable[int]) -> str:
    """Frame numbers in fileseq notation: `1001-1010`, `1-9x2`, `1-3,7`."""
    import fileseq  # takes 60 ms, and few commands need it

    ordered = sorted(set(numbers))
    return str(fileseq.framesToFrameRange(ordered)) if ordered else ""


def missing_numbers(numbers: Iterable[int]) -> list[int]:
    """The numbers missing between the first and the last frame.

    None are missing if all frames are a constant step apart, such as every second frame. With more than a million gaps
    the result is empty too: the numbers are dates, seeds or job numbers, not frames.
    """
    present = sorted(set(numbers))
    if len(present) < 2:
        return []
    steps = Counter(b - a for a, b in itertools.pairwise(present))
    step, times = steps.most_common(1)[0]
    if step == 1 or times < 2 or any(gap % step for gap in steps):
        step = 1
    if (present[-1] - present[0]) // step - len(present) > _MAX_MISSING:
        return []
    have = set(present)
    return [n for n in range(present[0], present[-1] + 1, step) if n not in have]
