"""Checks of chunks in file order: chunks that overlap, and chunks whose end is zero-filled."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from heapq import merge
from operator import itemgetter

from .leaders import BROKEN, ZERO_FILLED, PartLeaders, Read
from .zero_fill import mark_zero_tail

_SORTED_AT_ONCE = 1 << 13
_SlotInFile = tuple[int, int, PartLeaders]  # offset, slot, and the part it belongs to


def mark_overlaps_and_zero_tails(parts: list[PartLeaders], read: Read) -> None:
    """Mark chunks that reach into another chunk as BROKEN, and chunks whose end is zero-filled as ZERO_FILLED.

    A chunk that another chunk reaches into has a valid leader, and libraries read it. The end is checked where a writer
    may have stopped: in each chunk before a zero-filled leader.
    """
    end = 0
    widest: tuple[int, PartLeaders] | None = None  # of the chunks so far, the chunk that ends last
    last: tuple[int, PartLeaders] | None = None
    for offset, slot, part in in_file_order(parts):
        if not part.ends[slot]:  # a zero-filled leader
            if last is not None:
                mark_zero_tail(last[1], last[0], read)
            last = None
            continue
        if offset < end and widest is not None:
            widest[1].states[widest[0]] = BROKEN
        last = slot, part
        if part.ends[slot] > end:
            end, widest = part.ends[slot], last


def in_file_order(parts: list[PartLeaders]) -> Iterator[_SlotInFile]:
    """The chunks of all parts whose leader is valid or zero-filled, by offset.

    Sorts pieces and merges them: a list of millions of tuples would take more memory than the file.
    """

    def in_order(part: PartLeaders, slots: array[int]) -> Iterator[_SlotInFile]:
        return ((part.offsets[slot], slot, part) for slot in slots)

    pieces = []
    for part in parts:
        for first in range(0, len(part.states), _SORTED_AT_ONCE):
            piece = range(first, min(first + _SORTED_AT_ONCE, len(part.states)))
            slots = [slot for slot in piece if part.ends[slot] or part.states[slot] == ZERO_FILLED]
            slots.sort(key=part.offsets.__getitem__)
            pieces.append(in_order(part, array("Q", slots)))
    return merge(*pieces, key=itemgetter(0))
