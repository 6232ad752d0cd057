"""The value of an `idmanifest` attribute: which object, material or asset an id in a channel stands for.

ImfIDManifest.h of OpenEXR tells what it is for; the layout is what its ImfIDManifest.cpp writes and reads:

    value    u64 size of the payload, then the payload as one zlib stream
    payload  u32 version (0), strings, ranks, u32 number of groups, groups
    strings  a list of all texts, sorted, each less what it has in common with the one before it
    ranks    u32 n, n × (u32 first, u32 last): positions in the list of strings, the commonest string first
    group    list of channels, list of components, u8 lifetime, text hash scheme, text encoding scheme,
             u8 way of storing ids, u32 n, n × (id less the id before it, a rank per component)
    list     u32 n, n × varint size, the n texts;   text: u32 size, bytes

All of it is little-endian; a varint has seven bits per byte, lowest first, the top bit says that more follow.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import iter_unpack
from typing import Literal

from .budget import Budget, ValueTooLargeError

Lifetime = Literal["frame", "shot", "stable"]

_LIFETIMES: tuple[Lifetime, ...] = ("frame", "shot", "stable")
_ID_SIZES = (8, 4, None)  # by the group's way of storing ids; None is a varint
_MAX_ID = (1 << 64) - 1

MAX_BYTES = 16 << 20  # of the payload, and of all texts together
_BYTES_PER_OBJECT = 256  # of the payload and of texts, which cost little
_RUNS_PER_OBJECT = 4
_TEXTS_PER_OBJECT = 4  # of an id, which shares them with others
_OBJECTS_PER_GROUP = 8  # its tuples, texts and dict
_PIECE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """The ids of some channels. Each id stands for one text per component."""

    channels: tuple[str, ...]  # in full, with layer: "cryptomatte.id"
    components: tuple[str, ...]  # what the texts are: "model", "material"
    lifetime: Lifetime  # for how long an id keeps its meaning
    hash_scheme: str  # how ids were made of texts: "none", "unknown", "MurmurHash3_32"
    encoding_scheme: str  # how ids are laid out in channels: "id", "id2"
    entries: dict[int, tuple[str, ...]]  # in ascending order of ids, which have 64 bits


@dataclass(frozen=True, slots=True)
class IdManifest:
    """The channel groups of one part, in the order of the file."""

    groups: tuple[ChannelGroup, ...]


def decode_idmanifest(raw: bytes, budget: Budget | None = None) -> IdManifest:
    """The manifest in an attribute's value. Anything that breaks the format is a ValueError.

    A manifest that takes more than MAX_BYTES or the budget is a ValueTooLargeError; the work until then is counted.
    """
    budget = budget or Budget()
    cursor = _Cursor(_inflate(raw, budget), budget)
    version = cursor.u32("version")
    if version != 0:
        raise ValueError(f"idmanifest version 0 was expected, {version} found")
    texts = _read_ranks(cursor, _read_strings(cursor))
    group_count = cursor.count("channel groups", 22)
    budget.take(group_count * _OBJECTS_PER_GROUP)
    return IdManifest(tuple([_read_group(cursor, texts) for _ in range(group_count)]))


class _Cursor:
    """Owns the position in the payload: no slice, no loop before its size was checked."""

    def __init__(self, payload: bytes, budget: Budget) -> None:
        self._payload = payload
        self._position = 0
        self.budget = budget

    def take(self, size: int, what: str) -> bytes:
        begin, left = self._position, len(self._payload) - self._position
        if size > left:
            raise ValueError(f"idmanifest is cut short: {what} needs {size} bytes, {left} are left")
        self._position = begin + size
        return self._payload[begin : begin + size]

    def u8(self, what: str) -> int:
        return self.take(1, what)[0]

    def u32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def varints(self, count: int, what: str) -> list[int]:
        """So many numbers, one behind the other."""
        values = []
        for _ in range(count):
            value, self._position = _varint(self._payload, self._position, what)
            values.append(value)
        return values

    def rows(self, count: int, id_size: int | None, ranks: int) -> Iterator[tuple[int, list[int]]]:
        """An id, or how much it is above the one before it, and so many ranks; count times."""
        payload, at = self._payload, self._position
        for _ in range(count):
            if id_size:
                step, at = int.from_bytes(payload[at : at + id_size], "little"), at + id_size
            else:
                step, at = _varint(payload, at, "an id")
            row = []
            for _ in range(ranks):
                rank, at = _varint(payload, at, "a rank")
                row.append(rank)
            yield step, row
        self._position = at

    def count(self, what: str, least_size: int) -> int:
        """How many of something follow, each of least_size bytes or more."""
        count, left = self.u32(f"the number of {what}"), len(self._payload) - self._position
        if count * least_size > left:
            raise ValueError(f"idmanifest is cut short: {count} {what} cannot be in the {left} bytes left")
        return count

    def blocks(self, what: str) -> list[bytes]:
        """A list of texts as stored: all sizes come first."""
        count, one = self.count(what, 1), f"one of the {what}"
        self.budget.take(count)
        return [self.take(size, one) for size in self.varints(count, f"the size of {one}")]

    def names(self, what: str) -> tuple[str, ...]:
        return tuple([_text(block) for block in self.blocks(what)])

    def name(self, what: str) -> str:
        return _text(self.take(self.u32(f"the size of {what}"), what))


def _inflate(raw: bytes, budget: Budget) -> bytes:
    """The payload; at most one byte more than it declares is ever inflated."""
    if len(raw) < 8:
        raise ValueError(f"an idmanifest needs 8 bytes for its size, {len(raw)} are there")
    size = int.from_bytes(raw[:8], "little")
    if not size:
        raise ValueError("an idmanifest of at least 1 byte was expected, it declares 0")
    if size > MAX_BYTES:
        raise ValueTooLargeError(f"it declares {size} bytes, {MAX_BYTES} are read")
    budget.take(size // _BYTES_PER_OBJECT)
    stream, stored = zlib.decompressobj(), memoryview(raw)
    pieces: list[bytes] = []
    left, at = size, 8
    try:
        while at < len(raw) and not stream.eof and left >= 0:  # in pieces: zlib copies what it has not used
            pieces.append(stream.decompress(stored[at : at + _PIECE_BYTES], left + 1))
            left -= len(pieces[-1])
            at += _PIECE_BYTES
    except zlib.error as error:
        raise ValueError(f"idmanifest is not a sound zlib stream: {error}") from error
    if left > 0:
        raise ValueError(f"idmanifest declares {size} bytes, its zlib stream holds {size - left}")
    if left < 0:
        raise ValueError(f"idmanifest declares {size} bytes, its zlib stream holds more")
    if not stream.eof:
        raise ValueError("idmanifest is cut short in the end of its zlib stream")
    unused = len(stream.unused_data) + max(len(raw) - at, 0)
    if unused:
        raise ValueError(f"idmanifest has {unused} bytes after its zlib stream")
    return b"".join(pieces)


def _read_strings(cursor: _Cursor) -> list[str]:
    """The sorted texts in full; each begins with the number of bytes to take over from the one before it."""
    texts: list[str] = []
    previous, uncounted = b"", 0
    for block in cursor.blocks("strings"):
        prefix_size = 0 if not texts else 2 if len(previous) > 255 else 1  # the first has none
        if len(block) < prefix_size:
            raise ValueError("idmanifest has a string too short for the size of its common prefix")
        common = int.from_bytes(block[:prefix_size], "big")  # the one big-endian number of the format
        if common > len(previous):
            raise ValueError(f"idmanifest has a string that shares {common} of {len(previous)} bytes")
        previous = previous[:common] + block[prefix_size:]
        uncounted += len(previous)
        if uncounted >= _BYTES_PER_OBJECT:
            cursor.budget.take(uncounted // _BYTES_PER_OBJECT)
            uncounted %= _BYTES_PER_OBJECT
        texts.append(_text(previous))
    return texts


def _read_ranks(cursor: _Cursor, strings: list[str]) -> list[str]:
    """The strings in the order of their ranks. A run (first, last) passes over what earlier runs took."""
    ranked: list[str] = []
    # following[i] leads, step by step, to the first position from i on that is still free. Walking halves the
    # steps, so a file that repeats its longest run again and again costs no more than one that does not.
    following = list(range(len(strings) + 1))
    count = cursor.count("runs of ranks", 8)
    cursor.budget.take(count // _RUNS_PER_OBJECT)
    for first, last in iter_unpack("<II", cursor.take(8 * count, "runs of ranks")):
        position = first
        if not position <= last < len(strings):
            raise ValueError(f"idmanifest has a run from {position} to {last} in {len(strings)} strings")
        while True:
            while following[position] != position:
                following[position] = following[following[position]]
                position = following[position]
            if position > last:
                break
            ranked.append(strings[position])
            following[position] = position + 1
    return ranked


def _read_group(cursor: _Cursor, texts: list[str]) -> ChannelGroup:
    channels, components = cursor.names("channels"), cursor.names("components")
    lifetime, hash_scheme = cursor.u8("a lifetime"), cursor.name("a hash scheme")
    encoding_scheme, storage = cursor.name("an encoding scheme"), cursor.u8("a way of storing ids")
    if lifetime >= len(_LIFETIMES):
        raise ValueError(f"idmanifest lifetimes are 0, 1 and 2, {lifetime} found")
    if storage >= len(_ID_SIZES):
        raise ValueError(f"idmanifest stores ids in way 0, 1 or 2, {storage} found")
    entries = _read_entries(cursor, texts, _ID_SIZES[storage], len(components))
    return ChannelGroup(channels, components, _LIFETIMES[lifetime], hash_scheme, encoding_scheme, entries)


def _read_entries(
    cursor: _Cursor, texts: list[str], id_size: int | None, component_count: int
) -> dict[int, tuple[str, ...]]:
    entries: dict[int, tuple[str, ...]] = {}
    current = 0
    count = cursor.count("ids", (id_size or 1) + component_count)
    cursor.budget.take(count + count * component_count // _TEXTS_PER_OBJECT)
    for step, ranks in cursor.rows(count, id_size, component_count):
        current += step
        if (not step and entries) or current > _MAX_ID:
            raise ValueError("idmanifest ids must ascend within 64 bits")
        try:
            entries[current] = tuple([texts[rank] for rank in ranks])
        except IndexError:
            raise ValueError(f"idmanifest refers to string {max(ranks)} of {len(texts)}") from None
    # Many ids may stand for one long text: in JSON each of them has it.
    cursor.budget.take(sum([len(text) for row in entries.values() for text in row]) // _BYTES_PER_OBJECT)
    return entries


def _varint(payload: bytes, position: int, what: str) -> tuple[int, int]:
    """The number at a position, and the position behind it."""
    value = shift = 0
    while position < len(payload):
        byte = payload[position]
        position += 1
        if byte < 0x80:
            value |= byte << shift
            if value > _MAX_ID:
                break
            return value, position
        value |= (byte & 0x7F) << shift
        shift += 7
        if shift > 63:
            break
    else:
        raise ValueError(f"idmanifest is cut short in the number for {what}")
    raise ValueError(f"idmanifest has a number of more than 64 bits for {what}")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
