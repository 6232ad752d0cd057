"""The header: everything in front of the offset table, attribute by attribute, nothing invented.

Source: "OpenEXR File Layout", sections Magic Number, Version Field, Header. Input is a prefix of the file;
where it ends inside the header, `HeaderCutError` says how many bytes are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from ..errors import ExrFormatError
from .attributes import Attribute, Box2i, LongAttribute, Note, TileDesc, decode, memory_of, objects_of
from .budget import OBJECTS_OF_STRUCTURE, Budget
from .cache import Cache
from .channels import Channel
from .magic import name_format

MAGIC = b"\x76\x2f\x31\x01"
TILED, LONG_NAMES, DEEP, MULTIPART = 0x200, 0x400, 0x800, 0x1000
PART_TYPES = ("scanlineimage", "tiledimage", "deepscanline", "deeptile")

REQUIRED = {
    "channels": "chlist",
    "compression": "compression",
    "dataWindow": "box2i",
    "displayWindow": "box2i",
    "lineOrder": "lineOrder",
    "pixelAspectRatio": "float",
    "screenWindowCenter": "v2f",
    "screenWindowWidth": "float",
}
REQUIRED_OF_DEEP = {"type": "string", "version": "int", "chunkCount": "int"}
REQUIRED_OF_MULTIPART = {"name": "string", "type": "string", "chunkCount": "int"}
REQUIRED_OF_TILED = {"tiles": "tiledesc"}

_U32 = Struct("<I").unpack_from
_I32 = Struct("<i").unpack_from

CACHED_BYTES = 16 << 10  # of an attribute: the channel list of 50 AOVs has 1.5 KB, that of 500 has 16
_LONG_VALUE = 4096  # objects; what is cached has no more
_STRUCTURE, _VALUES = 0, 1  # budgets


# Frames of a sequence repeat nearly all of their attributes, byte for byte: those are decoded once. Beside each
# attribute stand the objects that decoding it took, and from which budget.
_CACHE: Cache[bytes, tuple[Attribute, int, int]] = Cache(16 << 20, lambda key, kept: len(key) + memory_of(kept[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a header may be at most. Nothing is allocated for what lies above."""

    header_bytes: int = 256 << 20
    parts: int = 4096
    attributes: int = 65_536
    chunks: int = 1 << 22
    problems: int = 1000  # the rest is counted


class HeaderCutError(ExrFormatError):
    """The bytes end inside the header; the file must have at least `needed` bytes."""

    def __init__(self, offset: int, message: str, needed: int) -> None:
        super().__init__("truncated", offset, message)
        self.needed = needed
        self.args = (offset, message, needed)


class Problem(NamedTuple):
    """Something wrong or odd that did not stop the reading. Codes are stable."""

    code: str
    message: str
    part_index: int | None = None
    attr_name: str | None = None
    byte_offset: int | None = None


class _Problems(list[Problem]):
    """The first problems of a header: a few thousand empty parts must not make a report of megabytes."""

    def __init__(self, most: int) -> None:
        self.most, self.left_out = most, 0

    def append(self, problem: Problem) -> None:
        if len(self) < self.most:
            super().append(problem)
        else:
            self.left_out += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: its attributes in file order, and what they say. What is not in the bytes is None."""

    part_index: int
    attributes: tuple[Attribute, ...]
    by_name: Mapping[str, Attribute]  # the first of each name
    part_type: str | None  # as the library decides it: from the version flags, else the `type` attribute

    def value(self, attr_name: str, attr_type: str) -> Any:
        """The decoded value of an attribute, None where it is missing or of another type."""
        attribute = self.by_name.get(attr_name)
        return attribute.value if attribute is not None and attribute.attr_type == attr_type else None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channel list in file order; empty where there is none."""
        return self.value("channels", "chlist") or ()

    @property
    def data_window(self) -> Box2i | None:
        """Inclusive bounds of the pixels that are stored."""
        return self.value("dataWindow", "box2i")  # type: ignore[no-any-return]

    @property
    def tiles(self) -> TileDesc | None:
        """Tile size and level modes of a tiled part."""
        return self.value("tiles", "tiledesc")  # type: ignore[no-any-return]

    @property
    def is_tiled(self) -> bool:
        """Whether chunks are tiles."""
        return self.part_type in ("tiledimage", "deeptile")

    @property
    def is_deep(self) -> bool:
        """Whether pixels hold lists of samples."""
        return self.part_type in ("deepscanline", "deeptile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All headers of one file."""

    version: int
    flags: int
    parts: tuple[Part, ...]
    header_bytes: int  # from the magic number to the end of the last header; the offset table follows
    problems: tuple[Problem, ...]

    @property
    def is_multipart(self) -> bool:
        """The multipart flag of the version field."""
        return bool(self.flags & MULTIPART)


def read_header(data: bytes, limits: Limits = Limits()) -> Header:
    """The header at the start of `data`, which may end anywhere behind it.

    Raises HeaderCutError where the bytes end too early, ExrFormatError where they are no header that can be walked.
    Odd values, missing and repeated attributes and contradictions do not raise: see `Header.problems`.
    """
    version, flags = _read_version(data)
    problems = _Problems(limits.problems)
    if flags & ~(TILED | LONG_NAMES | DEEP | MULTIPART):
        problems.append(Problem("unknown_flags", f"unknown bits in the version field: {flags:#x}", byte_offset=4))
    multipart = bool(flags & MULTIPART)
    parts: list[Part] = []
    reading = _Reading(data, limits, flags, problems)
    at = 8
    while True:
        if len(parts) == limits.parts:
            raise ExrFormatError("too_many_parts", at, f"more than {limits.parts} parts")
        attributes, at = _read_attributes(reading, at, len(parts))
        if multipart and parts and not attributes:
            break  # an empty header ends the list of headers
        reading.attributes_left -= len(attributes)
        parts.append(_make_part(len(parts), attributes, flags, problems))
        if not multipart:
            break
    _check_long_values(reading)
    if problems.left_out:
        more = Problem("more_problems", f"{problems.left_out} more problems are left out")
        list.append(problems, more)
    return Header(version=version, flags=flags, parts=tuple(parts), header_bytes=at, problems=tuple(problems))


def _read_version(data: bytes) -> tuple[int, int]:
    if data[:4] != MAGIC[: len(data)]:
        raise ExrFormatError("not_exr", 0, f"not an EXR file: {name_format(data)}")
    if not data:
        raise ExrFormatError("empty_file", 0, "empty file (0 bytes)")
    if len(data) < 8:
        raise HeaderCutError(len(data), "the file ends inside the version field", 8)
    (word,) = _U32(data, 4)
    version, flags = word & 0xFF, word & ~0xFF
    if version != 2:
        raise ExrFormatError("unsupported_version", 4, f"format version {version}; only version 2 exists")
    return version, flags


class _Reading:
    """What the parts of one header share while it is read."""

    __slots__ = ("attributes_left", "budgets", "data", "flags", "limits", "long_values", "problems")

    def __init__(self, data: bytes, limits: Limits, flags: int, problems: list[Problem]) -> None:
        self.data, self.limits, self.flags, self.problems = data, limits, flags, problems
        self.attributes_left = limits.attributes
        self.budgets = Budget(OBJECTS_OF_STRUCTURE), Budget()
        self.long_values: list[tuple[LongAttribute, int, int]] = []  # not decoded yet; with its part and position


def _read_attributes(reading: _Reading, at: int, part_index: int) -> tuple[list[Attribute], int]:
    """One header: its attributes, and the position behind the zero byte that ends it."""
    data, limits, problems, budgets = reading.data, reading.limits, reading.problems, reading.budgets
    attributes: list[Attribute] = []
    seen: set[str] = set()
    find, length, known = data.find, len(data), _CACHE.new.get
    while True:
        if at >= length:
            raise HeaderCutError(length, "the header does not end", at + 1)
        if data[at] == 0:
            return attributes, at + 1
        name_end = find(b"\0", at, at + 256)
        if name_end < 0:
            raise _unterminated(data, at, "name of an attribute")
        type_end = find(b"\0", name_end + 1, name_end + 257)
        if type_end < 0:
            raise _unterminated(data, name_end + 1, "type of an attribute")
        value_at = type_end + 5
        if value_at > length:
            raise HeaderCutError(length, "the size of an attribute is cut off", value_at)
        (size,) = _I32(data, type_end + 1)
        end = value_at + size
        if size < 0 or type_end == name_end + 1:
            what = f"size {size}" if size < 0 else "no type"
            raise ExrFormatError("bad_attribute", at, f"attribute {_text(data[at:name_end])!r} has {what}")
        if end > limits.header_bytes:
            raise ExrFormatError(
                "header_too_large",
                value_at,
                f"attribute {_text(data[at:name_end])!r} claims {size} bytes, headers may have {limits.header_bytes}",
            )
        if end > length:
            raise HeaderCutError(
                length,
                f"attribute {_text(data[at:name_end])!r} needs {size} bytes, {length - value_at} are left",
                end + 1,
            )
        if len(attributes) == reading.attributes_left:
            raise ExrFormatError("too_many_attributes", at, f"more than {limits.attributes} attributes")
        cached = known(data[at:end]) if size < CACHED_BYTES else None
        if cached is not None and cached[1] <= (budget := budgets[cached[2]]).left:
            attribute = cached[0]
            budget.left -= cached[1]
        else:
            attribute = _attribute(reading, at, name_end, type_end, end, part_index)
        attributes.append(attribute)
        name = attribute.attr_name
        if attribute.note is not None:
            problems.append(Problem(*attribute.note, part_index, name, value_at))
        if name in seen:
            message = f"attribute {name!r} is there more than once; the first one counts"
            problems.append(Problem("duplicate_attribute", message, part_index, name, at))
        seen.add(name)
        if name_end - at > 31 and not reading.flags & LONG_NAMES:
            message = f"a name of {name_end - at} bytes without the long-names flag"
            problems.append(Problem("long_name", message, part_index, name, at))
        at = end


def _unterminated(data: bytes, at: int, what: str) -> ExrFormatError:
    if len(data) < at + 256:
        return HeaderCutError(len(data), f"the {what} is cut off", len(data) + 1)
    return ExrFormatError("bad_attribute", at, f"the {what} is longer than 255 bytes")


def _attribute(reading: _Reading, at: int, name_end: int, type_end: int, end: int, part_index: int) -> Attribute:
    """An attribute from its bytes (name, type, size, value), kept for the next files when it is small.

    A long value is left to _check_long_values().
    """
    data = reading.data
    key = data[at:end] if end - at <= CACHED_BYTES else None
    cached = None if key is None else _CACHE.get(key)
    if cached is not None and cached[1] <= reading.budgets[cached[2]].left:
        reading.budgets[cached[2]].left -= cached[1]
        return cached[0]
    note = None
    try:
        name = data[at:name_end].decode()
    except UnicodeDecodeError:
        name = data[at:name_end].decode("latin-1")
        note = Note("text_encoding", "a name that is not UTF-8 was read as Latin-1")
    attr_type, raw = _text(data[name_end + 1 : type_end]), data[type_end + 5 : end]
    if objects_of(attr_type, raw) > _LONG_VALUE and attr_type != "chlist":
        long = LongAttribute(name, attr_type, raw, note)
        reading.long_values.append((long, part_index, type_end + 5))
        return long
    which = _STRUCTURE if attr_type in ("chlist", "string") else _VALUES
    budget = reading.budgets[which]
    before = budget.left
    value, note_of_value = decode(attr_type, raw, budget)
    note = note_of_value or note
    attribute, objects = Attribute(name, attr_type, raw, value, note), before - budget.left
    if key is not None and objects <= _LONG_VALUE and (note is None or note.code != "value_too_large"):
        _CACHE.put(key, (attribute, objects, which))
    return attribute


def _check_long_values(reading: _Reading) -> None:
    """Whether long values decode, now that the header is known to be whole: one that is cut is read again."""
    for attribute, part_index, value_at in reading.long_values:
        note = attribute.check(reading.budgets[_VALUES])
        if note is not None:
            reading.problems.append(Problem(*note, part_index, attribute.attr_name, value_at))


def _text(raw: bytes) -> str:
    """Bytes as text for names; never fails."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _make_part(part_index: int, attributes: list[Attribute], flags: int, problems: list[Problem]) -> Part:
    by_name = {a.attr_name: a for a in reversed(attributes)}
    part_type = _part_type(part_index, by_name, flags, problems)
    part = Part(part_index=part_index, attributes=tuple(attributes), by_name=by_name, part_type=part_type)
    _check_required(part, flags, problems)
    _check_geometry(part, problems)
    return part


def _part_type(part_index: int, by_name: Mapping[str, Attribute], flags: int, problems: list[Problem]) -> str | None:
    """How the part is stored. Flags decide for single-part flat files, as in the library, else `type` does."""
    attribute = by_name.get("type")
    said = attribute.value if attribute is not None and attribute.attr_type == "string" else None
    if flags & MULTIPART:
        part_type = said
        contradiction = flags & TILED or (said in ("deepscanline", "deeptile") and not flags & DEEP)
    elif flags & DEEP:
        from_tiles = "deeptile" if "tiles" in by_name else "deepscanline"
        part_type = said if said in ("deepscanline", "deeptile") else from_tiles
        contradiction = flags & TILED or (said is not None and said != part_type)
    else:
        part_type = "tiledimage" if flags & TILED else "scanlineimage"
        contradiction = said is not None and said != part_type
    if contradiction:
        message = f"version flags {flags:#x} and type {said!r} contradict each other; read as {part_type}"
        problems.append(Problem("flags_type_mismatch", message, part_index, "type", 4))
    if part_type is not None and part_type not in PART_TYPES:
        problems.append(Problem("unknown_part_type", f"part type {part_type!r} is not known", part_index, "type"))
    return part_type


@lru_cache
def _required_of(tiled: bool, deep: bool, multipart: bool) -> tuple[tuple[str, str], ...]:
    """Name and type of the attributes that a part must have."""
    required = {
        **REQUIRED,
        **(REQUIRED_OF_TILED if tiled else {}),
        **(REQUIRED_OF_DEEP if deep else {}),
        **(REQUIRED_OF_MULTIPART if multipart else {}),
    }
    return tuple(required.items())


def _check_required(part: Part, flags: int, problems: list[Problem]) -> None:
    get = part.by_name.get
    for name, attr_type in _required_of(part.is_tiled, part.is_deep, bool(flags & MULTIPART)):
        attribute = get(name)
        if attribute is None:
            message = f"required attribute {name!r} is missing"
            problems.append(Problem("missing_attribute", message, part.part_index, name))
        elif attribute.attr_type != attr_type:
            message = f"attribute {name!r} has type {attribute.attr_type!r}, not {attr_type!r}"
            problems.append(Problem("attribute_type", message, part.part_index, name))


def _check_geometry(part: Part, problems: list[Problem]) -> None:
    for name in ("dataWindow", "displayWindow"):
        box = part.value(name, "box2i")
        if box is not None and (box.xMax < box.xMin or box.yMax < box.yMin):
            message = f"{name} {list(box)} is empty"
            problems.append(Problem("empty_window", message, part.part_index, name))
    _check_channels(part, problems)
    tiles = part.tiles if part.is_tiled else None
    if tiles is not None and (0 in (tiles.xSize, tiles.ySize) or tiles.levelMode is None or tiles.roundingMode is None):
        message = f"tile description {list(tiles)} cannot be"
        problems.append(Problem("bad_tiles", message, part.part_index, "tiles"))


def _check_channels(part: Part, problems: list[Problem]) -> None:
    def report(code: str, message: str) -> None:
        problems.append(Problem(code, message, part.part_index, "channels"))

    window = part.data_window
    names = set()
    for channel in part.channels:
        name, channel_type, x, y, _ = channel  # unpacked, as this runs for every channel of every file
        if channel_type is None:
            report("unknown_pixel_type", f"channel {name!r} has an unknown pixel type")
        if x != 1 or y != 1:
            if x < 1 or y < 1:
                report("bad_sampling", f"channel {name!r} has sampling {x} × {y}")
            elif window is not None and not _fits(channel, window):
                report("bad_sampling", f"channel {name!r}: the data window is no multiple of its sampling, {x} × {y}")
        if name in names:
            report("duplicate_channel", f"channel {name!r} is there more than once")
        names.add(name)


def _fits(channel: Channel, window: Box2i) -> bool:
    """Whether a window begins and ends with whole samples, as the library demands."""
    x, y = channel.x_sampling, channel.y_sampling
    return not (window.xMin % x or (window.xMax + 1) % x or window.yMin % y or (window.yMax + 1) % y)
