"""Checks of chunks in file order: chunks that overlap, and chunks whose end is zero-filled."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from .leaders import BROKEN, ZERO_FILLED, PartLeaders, Read, file_order

_SlotInFile = tuple[int, int, PartLeaders]  # offset, slot, and the part it belongs to


def mark_overlaps_and_zero_tails(parts: list[PartLeaders], table: array[int], read: Read) -> None:
    """Mark chunks that reach into another chunk as BROKEN, and chunks whose end is zero-filled as ZERO_FILLED.

    A chunk that another chunk reaches into has a valid leader, and libraries read it. The end is checked where a writer
    may have stopped: in each chunk before a zero-filled leader.
    """
    end = 0
    widest: tuple[int, PartLeaders] | None = None  # of the chunks so far, the chunk that ends last
    last: tuple[int, PartLeaders] | None = None
    for offset, slot, part in in_file_order(parts, table):
        if not part.ends[slot]:  # a zero-filled leader
            if last is not None:
                last[1].mark_zero_tail(last[0], read)
            last = None
            continue
        if offset < end and widest is not None:
            widest[1].states[widest[0]] = BROKEN
        last = slot, part
        if part.ends[slot] > end:
            end, widest = part.ends[slot], last


def in_file_order(parts: list[PartLeaders], table: array[int]) -> Iterator[_SlotInFile]:
    """The chunks of all parts whose leader is valid or zero-filled, by offset."""
    listed = b"".join(
        bytes(end > 0 or state == ZERO_FILLED for end, state in zip(part.ends, part.states, strict=True))
        for part in parts
    )
    first_numbers = list(accumulate((len(part.states) for part in parts), initial=0))
    for number in file_order(parts, table, listed):
        index = bisect_right(first_numbers, number) - 1
        yield table[number], number - first_numbers[index], parts[index]
