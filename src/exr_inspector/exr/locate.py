"""The offset table and where the chunks of each part are, without checks beyond those that reading them needs."""

from __future__ import annotations

from array import array
from functools import lru_cache
from sys import byteorder
from typing import NamedTuple

from .fast_check import accept_leaders
from .geometry import chunk_counts
from .header import Header, Limits
from .layout import layout_of
from .leaders import PRESENT, PartLeaders, Read, file_order, mark_last_zero_tail
from .overlaps import mark_overlaps_and_zero_tails
from .recovery import find_unlisted_chunks
from .sampling import rooms_of

_BLOCK_BYTES = 1 << 20  # read at once where many leaders are read


class OffsetTable(NamedTuple):
    """The offset table of a file: its bytes, its entries, and the chunks of each part by the table alone."""

    raw: bytes
    offsets: array[int]
    parts: list[PartLeaders]


class LocatedPart(NamedTuple):
    """The chunks of one part, and by slot the bytes from the end of a leader to the next chunk in the file."""

    leaders: PartLeaders
    rooms: memoryview[int]


def locate_chunks(header: Header, read: Read, size: int, limits: Limits = Limits()) -> list[LocatedPart] | None:  # noqa: B008 (frozen)
    """Where the chunks of each part are; None if the header does not define their number, or the table is cut.

    Reads the offset table only, if all its entries are inside the file. Otherwise reads all leaders, to find chunks
    that the table does not list. Leaders are not checked in the first case.
    """
    counts = chunk_counts(header.parts)
    known = [count for count in counts if count is not None]
    if len(known) < len(counts) or sum(known) > limits.chunks or size < header.header_bytes + 8 * sum(known):
        return None
    table = read_table(header, known, read, size)
    if any(leaders.states.count(PRESENT) < len(leaders.states) for leaders in table.parts):
        check_all(table, _read_blocks(read))
    order = file_order(table.parts, table.offsets)
    rooms = rooms_of(table.parts, table.offsets, order)
    return [LocatedPart(leaders, room) for leaders, room in zip(table.parts, rooms, strict=True)]


def read_table(header: Header, counts: list[int], read: Read, size: int) -> OffsetTable:
    """The offset table of a file whose parts have `counts` chunks; it must end inside the file."""
    raw = read(header.header_bytes, 8 * sum(counts))
    offsets = array("Q", raw)
    if byteorder == "big":
        offsets.byteswap()
    data_start = header.header_bytes + len(raw)
    parts, at = [], 0
    for part, count in zip(header.parts, counts, strict=True):
        layout = layout_of(part, header.is_multipart, count)
        leaders = PartLeaders(part, layout, memoryview(offsets)[at : at + count], data_start, size)
        leaders.check_offsets()
        parts.append(leaders)
        at += count
    return OffsetTable(raw, offsets, parts)


def check_all(table: OffsetTable, read: Read) -> None:
    """Read leader and first bytes of each chunk, and find chunks that the table does not list."""
    parts = table.parts
    order = accept_leaders(parts, table.offsets, read)
    if order is None:
        for leaders in parts:
            leaders.read_leaders(read, range(len(leaders.offsets)))
        find_unlisted_chunks(parts, table.offsets, read)
        mark_overlaps_and_zero_tails(parts, table.offsets, read)
        order = file_order(parts, table.offsets)
    mark_last_zero_tail(parts, order, read)


def _read_blocks(read: Read) -> Read:
    """A `read` of small ranges that reads whole blocks and keeps the last ones."""

    @lru_cache(maxsize=2)
    def block(number: int) -> bytes:
        return read(number * _BLOCK_BYTES, _BLOCK_BYTES)

    def read_range(offset: int, length: int) -> bytes:
        number, begin = divmod(offset, _BLOCK_BYTES)
        if begin + length <= _BLOCK_BYTES:
            return block(number)[begin : begin + length]
        return read(offset, length)

    return read_range
