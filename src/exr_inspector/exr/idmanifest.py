"""The value of an `idmanifest` attribute: the names of the objects, materials or assets of the ids in channels.

Sources: ImfIDManifest.h of OpenEXR for the purpose, ImfIDManifest.cpp for the layout:

    value    u64 size of the payload, then the payload as one zlib stream
    payload  u32 version (0), strings, ranks, u32 number of groups, groups
    strings  a list of all texts, sorted, each without the prefix that it shares with the previous one
    ranks    u32 n, n × (u32 first, u32 last): positions in the list of strings, the most frequent string first
    group    list of channels, list of components, u8 lifetime, text hash scheme, text encoding scheme,
             u8 id storage, u32 n, n × (difference from the previous id, a rank per component)
    list     u32 n, n × varint size, the n texts;   text: u32 size, bytes

All numbers are little-endian, but for the size of a shared prefix. A varint has seven bits per byte, lowest first; its
top bit is set if more follow.
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
_ID_SIZES = (8, 4, None)  # bytes, by id storage; None is a varint
_MAX_ID = (1 << 64) - 1

MAX_BYTES = 16 << 20  # of the payload, and of all texts together
_BYTES_PER_OBJECT = 256  # of the payload and of texts
_RUNS_PER_OBJECT = 4
_TEXTS_PER_OBJECT = 4  # of an id; ids share the texts
_OBJECTS_PER_GROUP = 8  # its tuples, texts and dict
_PIECE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """The ids of some channels. Each id has one text per component."""

    channels: tuple[str, ...]  # full names, with layer: "cryptomatte.id"
    components: tuple[str, ...]  # meaning of the texts: "model", "material"
    lifetime: Lifetime  # how long an id keeps its meaning
    hash_scheme: str  # how ids were computed from texts: "none", "unknown", "MurmurHash3_32"
    encoding_scheme: str  # how ids are stored in channels: "id", "id2"
    entries: dict[int, tuple[str, ...]]  # by 64-bit id, ascending


@dataclass(frozen=True, slots=True)
class IdManifest:
    """The channel groups of one part, in file order."""

    groups: tuple[ChannelGroup, ...]


def decode_idmanifest(raw: bytes, budget: Budget | None = None) -> IdManifest:
    """The manifest in an attribute's value. Raises ValueError for invalid bytes.

    Raises ValueTooLargeError for a manifest above MAX_BYTES or the budget; the work until then is counted.
    """
    budget = budget or Budget()
    cursor = _Cursor(_inflate(raw, budget), budget)
    version = cursor.u32("version")
    if version != 0:
        raise ValueError(f"idmanifest has version {version}, expected 0")
    texts = _read_ranks(cursor, _read_strings(cursor))
    group_count = cursor.count("channel groups", 22)
    budget.take(group_count * _OBJECTS_PER_GROUP)
    return IdManifest(tuple([_read_group(cursor, texts) for _ in range(group_count)]))


class _Cursor:
    """The position in the payload. Checks every size before it slices or loops."""

    def __init__(self, payload: bytes, budget: Budget) -> None:
        self._payload = payload
        self._position = 0
        self.budget = budget

    def take(self, size: int, field: str) -> bytes:
        begin, left = self._position, len(self._payload) - self._position
        if size > left:
            raise ValueError(f"idmanifest is truncated: {field} needs {size} bytes, but {left} are left")
        self._position = begin + size
        return self._payload[begin : begin + size]

    def u8(self, field: str) -> int:
        return self.take(1, field)[0]

    def u32(self, field: str) -> int:
        return int.from_bytes(self.take(4, field), "little")

    def varints(self, count: int, field: str) -> list[int]:
        """`count` consecutive numbers."""
        values = []
        for _ in range(count):
            value, self._position = _varint(self._payload, self._position, field)
            values.append(value)
        return values

    def rows(self, count: int, id_size: int | None, ranks: int) -> Iterator[tuple[int, list[int]]]:
        """`count` rows: the difference from the previous id, and the ranks."""
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

    def count(self, items: str, min_size: int) -> int:
        """The number of items that follow, each of at least `min_size` bytes."""
        count, left = self.u32(f"the number of {items}"), len(self._payload) - self._position
        if count * min_size > left:
            raise ValueError(f"idmanifest is truncated: {count} {items} do not fit in the {left} bytes that are left")
        return count

    def blocks(self, items: str) -> list[bytes]:
        """The bytes of a list of texts, which is stored as all sizes and then all texts."""
        count, item = self.count(items, 1), f"one of the {items}"
        self.budget.take(count)
        return [self.take(size, item) for size in self.varints(count, f"the size of {item}")]

    def names(self, items: str) -> tuple[str, ...]:
        return tuple([_text(block) for block in self.blocks(items)])

    def name(self, field: str) -> str:
        return _text(self.take(self.u32(f"the size of {field}"), field))


def _inflate(raw: bytes, budget: Budget) -> bytes:
    """The inflated payload. Inflates at most one byte more than the declared size."""
    if len(raw) < 8:
        raise ValueError(f"idmanifest has {len(raw)} bytes, expected at least 8 bytes")
    size = int.from_bytes(raw[:8], "little")
    if not size:
        raise ValueError("idmanifest declares 0 bytes, expected at least 1")
    if size > MAX_BYTES:
        raise ValueTooLargeError(f"it declares {size} bytes, more than the limit of {MAX_BYTES}")
    budget.take(size // _BYTES_PER_OBJECT)
    stream, stored = zlib.decompressobj(), memoryview(raw)
    pieces: list[bytes] = []
    left, at = size, 8
    try:
        while at < len(raw) and not stream.eof and left >= 0:  # in pieces: zlib copies its unused input
            pieces.append(stream.decompress(stored[at : at + _PIECE_BYTES], left + 1))
            left -= len(pieces[-1])
            at += _PIECE_BYTES
    except zlib.error as error:
        raise ValueError(f"idmanifest is not a valid zlib stream: {error}") from error
    if left > 0:
        raise ValueError(f"idmanifest declares {size} bytes, but its zlib stream has {size - left}")
    if left < 0:
        raise ValueError(f"idmanifest declares {size} bytes, but its zlib stream has more")
    if not stream.eof:
        raise ValueError("idmanifest is truncated inside the end of its zlib stream")
    unused = len(stream.unused_data) + max(len(raw) - at, 0)
    if unused:
        raise ValueError(f"idmanifest has {unused} bytes after its zlib stream")
    return b"".join(pieces)


def _read_strings(cursor: _Cursor) -> list[str]:
    """The sorted texts in full. Each is stored after the number of bytes that it shares with the previous one."""
    texts: list[str] = []
    previous, uncounted = b"", 0
    for block in cursor.blocks("strings"):
        prefix_size = 0 if not texts else 2 if len(previous) > 255 else 1  # the first text has no prefix
        if len(block) < prefix_size:
            raise ValueError("idmanifest has a string that is too short for the size of its prefix")
        common = int.from_bytes(block[:prefix_size], "big")  # the only big-endian number of the format
        if common > len(previous):
            raise ValueError(f"idmanifest has a string that shares {common} bytes with one of {len(previous)} bytes")
        previous = previous[:common] + block[prefix_size:]
        uncounted += len(previous)
        if uncounted >= _BYTES_PER_OBJECT:
            cursor.budget.take(uncounted // _BYTES_PER_OBJECT)
            uncounted %= _BYTES_PER_OBJECT
        texts.append(_text(previous))
    return texts


def _read_ranks(cursor: _Cursor, strings: list[str]) -> list[str]:
    """The strings in the order of their ranks. A run (first, last) skips the positions of earlier runs."""
    ranked: list[str] = []
    # following[i] leads, step by step, to the first unused position from i on. Walking halves the steps (path
    # halving), so that repeated long runs do not take quadratic time.
    following = list(range(len(strings) + 1))
    count = cursor.count("runs of ranks", 8)
    cursor.budget.take(count // _RUNS_PER_OBJECT)
    for first, last in iter_unpack("<II", cursor.take(8 * count, "runs of ranks")):
        position = first
        if not position <= last < len(strings):
            raise ValueError(f"idmanifest has a run of ranks from {position} to {last} in {len(strings)} strings")
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
    encoding_scheme, storage = cursor.name("an encoding scheme"), cursor.u8("the id storage")
    if lifetime >= len(_LIFETIMES):
        raise ValueError(f"idmanifest has lifetime {lifetime}, expected 0, 1 or 2")
    if storage >= len(_ID_SIZES):
        raise ValueError(f"idmanifest has id storage {storage}, expected 0, 1 or 2")
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
            raise ValueError("idmanifest has ids that do not ascend within 64 bits")
        try:
            entries[current] = tuple([texts[rank] for rank in ranks])
        except IndexError:
            raise ValueError(f"idmanifest refers to string {max(ranks)} of {len(texts)}") from None
    # Many ids may share one long text, which JSON repeats for each of them.
    cursor.budget.take(sum([len(text) for row in entries.values() for text in row]) // _BYTES_PER_OBJECT)
    return entries


def _varint(payload: bytes, position: int, field: str) -> tuple[int, int]:
    """The number at a position, and the position after it."""
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
        raise ValueError(f"idmanifest is truncated inside the number for {field}")
    raise ValueError(f"idmanifest has a number of more than 64 bits for {field}")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
