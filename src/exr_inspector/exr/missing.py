"""Description of the missing chunks of a part, for people: "lines 540-1079", "tiles (3,2) level 0", "all"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from .attributes import Box2i
from .geometry import Level
from .leaders import CUT, PRESENT, ZERO_FILLED

_MAX_RANGES = 8


def describe_missing(
    states: bytes | bytearray, window: Box2i | None, lines: int | None, levels: Sequence[Level]
) -> str | None:
    """A description of the chunks whose state is not PRESENT; None if all are."""
    absent = len(states) - states.count(PRESENT)
    if not absent:
        return None
    if absent == len(states) and CUT not in states:
        return "all" + (" (zero-filled)" if ZERO_FILLED in states else "")
    if levels:
        text = _tiles(states, levels)
    elif window is not None and lines is not None:
        text = _lines(states, window, lines)
    else:
        text = _join_ranges((_range("", first, last) for first, last in _runs(states)), "chunks ")
    return text + (" (zero-filled)" if ZERO_FILLED in states else "")


def _runs(states: bytes | bytearray, begin: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """First and last slot of each run of chunks that are not present."""
    first = None
    stop = len(states) if end is None else end
    for slot in range(begin, stop):
        if states[slot] == PRESENT:
            if first is not None:
                yield first, slot - 1
            first = None
        elif first is None:
            first = slot
    if first is not None:
        yield first, stop - 1


def _range(prefix: str, first: int, last: int) -> str:
    return f"{prefix}{first}" if first == last else f"{prefix}{first}-{last}"


def _join_ranges(ranges: Iterable[str], noun: str) -> str:
    """The first ranges, and the number of the others: there may be a million."""
    remaining = iter(ranges)
    text = noun + ", ".join(islice(remaining, _MAX_RANGES))
    more = sum(1 for _ in remaining)
    return f"{text} and {more} more ranges" if more else text


def _lines(states: bytes | bytearray, window: Box2i, lines: int) -> str:
    def line_range(first: int, last: int) -> str:
        return _range("", window.yMin + first * lines, min(window.yMin + (last + 1) * lines - 1, window.yMax))

    runs = _runs(states)
    first = line_range(*next(runs))
    second = next(runs, None)
    one_line = second is None and "-" not in first.removeprefix("-")
    rest = () if second is None else (line_range(*run) for run in chain([second], runs))
    text = _join_ranges(chain([first], rest), "line " if one_line else "lines ")
    cut = states.find(CUT)
    return f"{text} ({line_range(cut, cut)} in part)" if cut >= 0 else text


def _tiles(states: bytes | bytearray, levels: Sequence[Level]) -> str:
    texts, at = [], 0
    rip = any(level.level_x != level.level_y for level in levels)
    for level in levels:
        count = level.tiles_x * level.tiles_y
        name = f"level ({level.level_x},{level.level_y})" if rip else f"level {level.level_x}"
        present = states.count(PRESENT, at, at + count)
        if not present and count > 1:
            texts.append(f"all tiles {name}")
        elif present < count:
            texts.append(f"{_join_ranges(_tile_ranges(states, at, level), 'tiles ')} {name}")
        at += count
    more = len(texts) - _MAX_RANGES
    return "; ".join(texts[:_MAX_RANGES]) + (f" and tiles of {more} more levels" if more > 0 else "")


def _tile_ranges(states: bytes | bytearray, at: int, level: Level) -> Iterator[str]:
    """Rectangles of tiles: those of a run in its first row, in whole rows, and in its last row."""
    width = level.tiles_x
    for start, end in _runs(states, at, at + width * level.tiles_y):
        first, stop = start - at, end - at + 1
        whole, last = -(-first // width) * width, stop // width * width
        for begin, after in ((first, min(whole, stop)), (whole, last), (max(whole, last), stop)):
            if begin < after:
                (top, left), (bottom, right) = divmod(begin, width), divmod(after - 1, width)
                corner = f"({left},{top})"
                yield corner if after - begin == 1 else f"{corner}-({right},{bottom})"
