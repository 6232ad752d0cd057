"""Frame ranges, gaps and padding of the frames of a sequence."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias

from .names import name_of

_RANGE = re.compile(r"[-0-9.,xy:]+")
_BOUNDS = re.compile(r"(?:^|,)(-?[0-9]+(?:\.[0-9]+)?)-(-?[0-9]+(?:\.[0-9]+)?)")  # first and last of each part
MAX_SPAN = 1_000_000  # steps

Number: TypeAlias = int | Decimal  # of a frame or a sub-frame


def padding(frames: Iterable[str]) -> int:
    """The padded width of a sequence's frames, that of the shortest frame; 1 for no frames.

    001, 100, 101 have a padding of 3, and so have 998, 999, 1000.
    """
    return min((len(frame_digits(frame)) for frame in frames), default=1)


def padding_changes(frames: Iterable[str]) -> bool:
    """Whether frames have different paddings: 01 and 002 do, 0999 and 1000 do not."""
    digits = [frame_digits(frame) for frame in frames]
    padded = {len(frame) for frame in digits if frame.startswith("0") and len(frame) > 1}
    width = min(map(len, digits), default=1)
    return len(padded) > 1 or (len(padded) == 1 and width not in padded)


def frame_digits(frame: str) -> str:
    """The digits of a frame without sign and sub-frame, with leading zeros: 002 of -002.5."""
    return frame if frame.isdigit() else frame.partition(".")[0].lstrip("-")


def display_pattern(sequence: str, frames: Sequence[str]) -> str:
    """The sequence with one # per padded digit: `plate.####.exr`."""
    return name_of(sequence, "#" * padding(frames))


def frame_value(frame: str) -> Number:
    """The number of a frame; that of a sub-frame is not whole."""
    return int(frame) if frame.isdecimal() else _simplest(Decimal(frame))  # usual, and five times as fast


def _simplest(value: Number) -> Number:
    if isinstance(value, int):
        return value
    return int(value) if value == value.to_integral_value() else value.normalize()


def frame_range(numbers: Iterable[Number]) -> str:
    """Frame numbers in fileseq notation: `1001-1010`, `1-9x2`, `1-3,7`."""
    ordered = sorted(set(numbers))
    is_whole = len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1
    if is_whole and all(isinstance(number, int) for number in ordered):
        return f"{ordered[0]}-{ordered[-1]}"  # usual, and twenty times as fast
    if not ordered:
        return ""
    if not all(isinstance(number, int) for number in ordered):
        return ",".join(_sub_frame_ranges(ordered))
    import fileseq  # takes 60 ms, and few commands need it

    return str(fileseq.framesToFrameRange(ordered))


def _sub_frame_ranges(ordered: Sequence[Number]) -> Iterator[str]:
    """The ranges of sorted numbers. fileseq fails for some sub-frames, and writes 1003.0 for whole frames with them."""
    first = 0
    while first < len(ordered):
        last, step = first, 1 if first + 1 == len(ordered) else ordered[first + 1] - ordered[first]
        while last + 1 < len(ordered) and ordered[last + 1] - ordered[last] == step:
            last += 1
        if last > first and step == 1:
            yield f"{ordered[first]}-{ordered[last]}"
        elif last > first + 1:
            yield f"{ordered[first]}-{ordered[last]}x{_simplest(step)}"
        else:
            last = first
            yield str(ordered[first])
        first = last + 1


def parse_range(text: str) -> frozenset[Number]:
    """The numbers of a frame range in fileseq notation: the inverse of `frame_range`. Raises ValueError."""
    numbers = parse_long_range(text)
    if len(numbers) > MAX_SPAN:
        raise ValueError(_too_many(text))
    return numbers


def _too_many(text: str) -> str:
    return f"{text!r} has more than a million frames"


def parse_long_range(text: str) -> frozenset[Number]:
    """As `parse_range`, for a range of any size, such as that of a sequence. Raises ValueError."""
    import fileseq

    message = f"{text!r} is not a frame range such as 1001-1100, 1-9x2 or 1-3,7"
    if not _RANGE.fullmatch(text):
        raise ValueError(message)
    for first, last in _BOUNDS.findall(text):
        if float(last) < float(first):
            raise ValueError(f"{text!r} is reversed; the smaller frame comes first: {last}-{first}")
    try:
        numbers = frozenset(_simplest(number) for number in fileseq.FrameSet(text))
    except fileseq.ParseException:
        raise ValueError(message) from None
    except fileseq.exceptions.MaxSizeException:
        raise ValueError(_too_many(text)) from None
    if not numbers:
        raise ValueError(f"{text!r} has no frames; give some, such as 1001-1100 or 1-9x2")
    return numbers


def missing_numbers(numbers: Iterable[Number]) -> list[Number] | None:
    """The numbers missing between the first and the last frame; None if that cannot be judged.

    None are missing if all frames are a constant step apart, such as every second frame or every quarter of a frame, or
    if each whole frame has the same sub-frames. Of sub-frames without a step only the whole frames are judged. A span
    of more than a million frames is not judged: its numbers are seeds or job numbers.
    """
    present = sorted(set(numbers))
    if all(isinstance(number, int) for number in present):
        return _gaps(present, _step(present) or 1)
    whole: dict[int, set[Number]] = defaultdict(set)
    for number in present:
        whole[math.floor(number)].add(number - math.floor(number))
    first, *others = whole.values()
    if others and all(fractions == first for fractions in others):
        gaps = _gaps(sorted(whole), 1)
        if gaps is None or len(gaps) * len(first) > MAX_SPAN:
            return None
        return [_simplest(number + fraction) for number in gaps for fraction in sorted(first)]
    step = _step(present)
    return _gaps(present, step) if step else _gaps(sorted(whole), 1)


def _step(present: Sequence[Number]) -> Number | None:
    """The most frequent distance, if it occurs twice and all distances are multiples of it."""
    distances = Counter(b - a for a, b in itertools.pairwise(present))
    if not distances:
        return None
    step, times = distances.most_common(1)[0]
    return step if times > 1 and not any(distance % step for distance in distances) else None


def _gaps(present: Sequence[Number], step: Number) -> list[Number] | None:
    if not present:
        return []
    steps = (present[-1] - present[0]) // step
    if steps > MAX_SPAN:
        return None
    have = set(present)
    return [_simplest(number) for i in range(int(steps)) if (number := present[0] + i * step) not in have]
