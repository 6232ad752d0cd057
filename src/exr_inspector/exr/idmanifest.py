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
from dataclasses import dataclass
from typing import Literal

Lifetime = Literal["frame", "shot", "stable"]

_LIFETIMES: tuple[Lifetime, ...] = ("frame", "shot", "stable")
_ID_SIZES = (8, 4, None)  # by the group's way of storing ids; None is a varint
_MAX_ID = (1 << 64) - 1

# Two stored bytes can make a string or an id that costs a hundred or more as an object.
_BYTES_PER_OBJECT = 16
_OBJECTS_PER_GROUP = 8  # its tuples, texts and dict


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


def decode_idmanifest(raw: bytes, *, max_bytes: int = 16 << 20) -> IdManifest:
    """The manifest in an attribute's value. Anything that breaks the format is a ValueError.

    Neither the payload nor all texts together may be larger than max_bytes, and no more than a sixteenth of it
    in texts, names and ids (a million by default; a group counts as eight). Time grows linearly with max_bytes.
    """
    cursor = _Cursor(_inflate(raw, max_bytes), max_bytes // _BYTES_PER_OBJECT)
    version = cursor.u32("version")
    if version != 0:
        raise ValueError(f"idmanifest version 0 was expected, {version} found")
    texts = _read_ranks(cursor, _read_strings(cursor, max_bytes))
    group_count = cursor.count("channel groups", 22, objects=_OBJECTS_PER_GROUP)
    return IdManifest(tuple([_read_group(cursor, texts) for _ in range(group_count)]))


class _Cursor:
    """Owns the position in the payload: no slice, no loop before its size was checked."""

    def __init__(self, payload: bytes, objects_left: int) -> None:
        self._payload = payload
        self._position = 0
        self._objects_left = objects_left

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

    def varint(self, what: str) -> int:
        payload, position, value = self._payload, self._position, 0
        for shift in range(0, 64, 7):
            if position == len(payload):
                raise ValueError(f"idmanifest is cut short in the number for {what}")
            byte = payload[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80 and value <= _MAX_ID:
                self._position = position
                return value
        raise ValueError(f"idmanifest has a number of more than 64 bits for {what}")

    def count(self, what: str, least_size: int, *, objects: int = 1) -> int:
        """How many of something follow, each of least_size bytes or more, and worth so many objects."""
        count, left = self.u32(f"the number of {what}"), len(self._payload) - self._position
        if count * least_size > left:
            raise ValueError(f"idmanifest is cut short: {count} {what} cannot be in the {left} bytes left")
        self._objects_left -= count * objects
        if self._objects_left < 0:
            raise ValueError(f"idmanifest has more objects than its limit allows, at {count} {what}")
        return count

    def blocks(self, what: str) -> list[bytes]:
        """A list of texts as stored: all sizes come first."""
        sizes = [self.varint(f"the size of one of the {what}") for _ in range(self.count(what, 1))]
        return [self.take(size, f"one of the {what}") for size in sizes]

    def names(self, what: str) -> tuple[str, ...]:
        return tuple([_text(block) for block in self.blocks(what)])

    def name(self, what: str) -> str:
        return _text(self.take(self.u32(f"the size of {what}"), what))


def _inflate(raw: bytes, max_bytes: int) -> bytes:
    """The payload; no byte more than it declares is ever inflated, and that at most max_bytes."""
    if len(raw) < 8:
        raise ValueError(f"an idmanifest needs 8 bytes for its size, {len(raw)} are there")
    size = int.from_bytes(raw[:8], "little")
    if not 0 < size <= max_bytes:
        raise ValueError(f"an idmanifest of 1 to {max_bytes} bytes was expected, it declares {size}")
    stream = zlib.decompressobj()
    try:
        payload = stream.decompress(raw[8:], size)
        # With the last byte out, zlib may not have looked at the end mark and checksum yet.
        excess = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise ValueError(f"idmanifest is not a sound zlib stream: {error}") from error
    if len(payload) < size:
        raise ValueError(f"idmanifest declares {size} bytes, its zlib stream holds {len(payload)}")
    if excess:
        raise ValueError(f"idmanifest declares {size} bytes, its zlib stream holds more")
    if not stream.eof:
        raise ValueError("idmanifest is cut short in the end of its zlib stream")
    if stream.unused_data:
        raise ValueError(f"idmanifest has {len(stream.unused_data)} bytes after its zlib stream")
    return payload


def _read_strings(cursor: _Cursor, max_bytes: int) -> list[str]:
    """The sorted texts in full; each begins with the number of bytes to take over from the one before it."""
    texts: list[str] = []
    previous, total = b"", 0
    for block in cursor.blocks("strings"):
        prefix_size = 0 if not texts else 2 if len(previous) > 255 else 1  # the first has none
        if len(block) < prefix_size:
            raise ValueError("idmanifest has a string too short for the size of its common prefix")
        common = int.from_bytes(block[:prefix_size], "big")  # the one big-endian number of the format
        if common > len(previous):
            raise ValueError(f"idmanifest has a string that shares {common} of {len(previous)} bytes")
        total += common + len(block) - prefix_size
        if total > max_bytes:
            raise ValueError(f"idmanifest has strings of more than {max_bytes} bytes in all")
        previous = previous[:common] + block[prefix_size:]
        texts.append(_text(previous))
    return texts


def _read_ranks(cursor: _Cursor, strings: list[str]) -> list[str]:
    """The strings in the order of their ranks. A run (first, last) passes over what earlier runs took."""
    ranked: list[str] = []
    # following[i] leads, step by step, to the first position from i on that is still free. Walking halves the
    # steps, so a file that repeats its longest run again and again costs no more than one that does not.
    following = list(range(len(strings) + 1))
    for _ in range(cursor.count("runs of ranks", 8, objects=0)):
        position, last = cursor.u32("a run"), cursor.u32("a run")
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
    for _ in range(cursor.count("ids", (id_size or 1) + component_count)):
        current += int.from_bytes(cursor.take(id_size, "an id"), "little") if id_size else cursor.varint("an id")
        if current in entries or current > _MAX_ID:
            raise ValueError("idmanifest ids must ascend within 64 bits")
        ranks = [cursor.varint("a rank") for _ in range(component_count)]
        if ranks and max(ranks) >= len(texts):
            raise ValueError(f"idmanifest refers to string {max(ranks)} of {len(texts)}")
        entries[current] = tuple([texts[rank] for rank in ranks])
    return entries


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
