"""Frames and sequences: what a file's name says, and what a list of frames says about its sequence.

The frame is the last number before the extension. A number behind a `v` is a version, never a frame; a minus sign
counts where a separator or nothing stands before it (`c.-001.exr` is frame -1, `shot-001.exr` frame 1).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

_NAME = re.compile(
    r"""(?P<base>.*?)
        (?P<frame>(?:(?<![^._\s/])-)?(?<![0-9])[0-9]{1,9}
            (?:(?<=[-._\s][0-9]{4})\.[0-9]{1,3}|(?<=[-._\s][0-9]{3})\.[0-9]{1,2})?)
        (?P<ext>(?:\.[A-Za-z]\w*)+)""",
    re.VERBOSE | re.DOTALL,
)
_MOST_MISSING = 1_000_000
_VERSION = re.compile(r"(?:^|[^A-Za-z])[vV]$")


class FrameName(NamedTuple):
    """A name taken apart: `sequence` has # in place of the frame; `frame` is the text as written."""

    sequence: str
    frame: str
    frame_number: int


@lru_cache(maxsize=1024)
def _prefix_is_version(base: str) -> bool:
    return _VERSION.search(base) is not None


def parse_name(path: str) -> FrameName | None:
    """The sequence and frame that a path or URI names, None where it names no frame."""
    folder, slash, name = path.rpartition("/")
    # File systems allow 255 bytes, object stores 1024; the time of a match can grow with the square of the length.
    match = _NAME.fullmatch(name) if len(name) <= 1024 else None
    if match is None:
        return None
    base, frame, extension = match["base"], match["frame"], match["ext"]
    if _prefix_is_version(base):
        return None
    number = int(frame.split(".")[0])
    return FrameName(f"{folder}{slash}{base}#{extension}", frame, number)


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
