"""The header: everything before the offset table, attribute by attribute, each with its bytes.

In comes a prefix of a file, out comes a `Header`; a prefix that ends inside the header gives `HeaderCutError` with the
number of bytes that are needed. Source: "OpenEXR File Layout", sections Magic Number, Version Field, Header.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from ..errors import ExrFormatError
from .attributes import SKIPPED, WITHOUT_VALUE, Attribute, LongAttribute, Note, decode, memory_of, objects_of
from .budget import OBJECTS_OF_STRUCTURE, Budget
from .cache import Cache
from .channels import SHORT_NAME_BYTES
from .checks import RECOMPUTED, REPLACED, check_flags, check_part, check_parts
from .magic import name_format
from .part import DEEP, LONG_NAMES, MULTIPART, TILED, Part, make_part
from .problems import Problem, ProblemList

MAGIC = b"\x76\x2f\x31\x01"

_U32 = Struct("<I").unpack_from
_I32 = Struct("<i").unpack_from

CACHED_BYTES = 16 << 10  # of an attribute: the channel list of 50 AOVs has 1.5 KB, that of 500 has 16
_LONG_VALUE = 4096  # objects; cached values have no more
_STRUCTURE, _VALUES = 0, 1  # indexes of the budgets


# Frames of a sequence repeat nearly all of their attributes, byte for byte: those are decoded once. An entry has the
# attribute, the objects that decoding it took, and the index of their budget.
_CACHE: Cache[bytes, tuple[Attribute, int, int]] = Cache(8 << 20, lambda key, kept: len(key) + memory_of(kept[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper limits for one file. Nothing is allocated for values above them."""

    header_bytes: int = 256 << 20
    parts: int = 4096
    attributes: int = 65_536
    chunks: int = 1 << 22
    problems: int = 1000  # listed problems; the others are counted


class HeaderCutError(ExrFormatError):
    """The bytes end inside the header; the file must have at least `needed` bytes."""

    def __init__(self, offset: int, message: str, needed: int) -> None:
        super().__init__("truncated", offset, message)
        self.needed = needed
        self.args = (offset, message, needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The version field and the parts of one file."""

    version: int
    flags: int
    parts: tuple[Part, ...]
    header_bytes: int  # from the magic number to the end of the last header; the offset table follows
    problems: tuple[Problem, ...]

    @property
    def is_multipart(self) -> bool:
        """Whether the version field has the multipart flag."""
        return bool(self.flags & MULTIPART)


def read_header(data: bytes, limits: Limits = Limits()) -> Header:
    """The header at the start of `data`; bytes after it are ignored.

    Raises HeaderCutError if `data` ends inside the header, and ExrFormatError if the attributes cannot be separated.
    Invalid values, missing or repeated attributes and contradictions do not raise: see `Header.problems`.
    """
    version, flags = _read_version(data)
    reader = _HeaderReader(data, limits, flags)
    check_flags(flags, reader.problems)
    multipart = bool(flags & MULTIPART)
    parts: list[Part] = []
    at = 8
    while True:
        begin = at
        attributes, by_name, at = reader.read_attributes(at, len(parts))
        if multipart and parts and not attributes:
            break  # an empty header ends the list of headers
        if len(parts) == limits.parts:
            raise ExrFormatError("too_many_parts", begin, f"more parts than the limit of {limits.parts}")
        parts.append(make_part(len(parts), attributes, by_name, flags))
        check_part(parts[-1], flags, reader.problems)
        if not multipart:
            break
    if multipart:
        check_parts(parts, reader.problems)
    reader.check_long_values()
    return Header(version=version, flags=flags, parts=tuple(parts), header_bytes=at, problems=reader.problems.all())


class _Source(Protocol):
    @property
    def size_bytes(self) -> int: ...
    @property
    def prefix_bytes(self) -> int: ...


class PrefixReader(Protocol):
    """The first bytes of a source, of which more can be read."""

    @property
    def source(self) -> _Source:
        """The source, with its size and the recommended size of a read."""

    @property
    def prefix(self) -> bytes:
        """The bytes that were read."""

    def grow_prefix(self, length: int) -> bytes:
        """Read more, up to `length` bytes from the start."""


def fetch_header(reader: PrefixReader, limits: Limits) -> Header:
    """The header; reads more of the file until the header is complete. Raises ExrFormatError."""
    while True:
        try:
            return read_header(reader.prefix, limits)
        except HeaderCutError as cut:
            have, size = len(reader.prefix), reader.source.size_bytes
            if cut.needed > size or have >= size:
                message = f"{cut.message}; the file ends at byte {size}, inside its header"
                raise ExrFormatError(cut.code, cut.offset, message) from None
            reader.grow_prefix(max(cut.needed + max(4096, reader.source.prefix_bytes), 2 * have))


def _read_version(data: bytes) -> tuple[int, int]:
    """Version and flags, after checking the magic number."""
    if data[:4] != MAGIC[: len(data)]:
        raise ExrFormatError("not_exr", 0, f"not an EXR file: {name_format(data)}")
    if not data:
        raise ExrFormatError("empty_file", 0, "empty file (0 bytes)")
    if len(data) < 8:
        raise HeaderCutError(len(data), "the version field is cut off", 8)
    (word,) = _U32(data, 4)
    version, flags = word & 0xFF, word & ~0xFF
    if version != 2:
        raise ExrFormatError("unsupported_version", 4, f"format version {version}, expected 2")
    return version, flags


class _HeaderReader:
    """Reads the attributes of all parts; the parts share the limits, the budgets and the problems."""

    __slots__ = (
        "_attributes_left",
        "_budgets",
        "_data",
        "_is_scan_lines",
        "_limits",
        "_long_names",
        "_long_values",
        "problems",
    )

    def __init__(self, data: bytes, limits: Limits, flags: int) -> None:
        self._data, self._limits, self._long_names = data, limits, bool(flags & LONG_NAMES)
        self._is_scan_lines = not flags & (TILED | DEEP | MULTIPART)  # otherwise parts may be tiled
        self._attributes_left = limits.attributes
        self._budgets = Budget(OBJECTS_OF_STRUCTURE), Budget()
        self._long_values: list[tuple[LongAttribute, int, int]] = []  # with part index and position of the value
        self.problems = ProblemList(limits.problems)

    def read_attributes(self, at: int, part_index: int) -> tuple[list[Attribute], dict[str, Attribute], int]:
        """The attributes of one part, the first of each name, and the position after the zero byte behind them."""
        data, budgets, header_bytes = self._data, self._budgets, self._limits.header_bytes
        attributes: list[Attribute] = []
        by_name: dict[str, Attribute] = {}
        find, length, cached = data.find, len(data), _CACHE.new.get
        while True:
            if at >= length:
                raise HeaderCutError(length, "the header is not terminated", at + 1)
            if data[at] == 0:
                self._attributes_left -= len(attributes)
                return attributes, by_name, at + 1
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
            if size < 0 or type_end == name_end + 1 or end > header_bytes or end > length:
                raise self._size_error(at, name_end, type_end, size)
            if len(attributes) == self._attributes_left:
                raise ExrFormatError(
                    "too_many_attributes", at, f"more attributes than the limit of {self._limits.attributes}"
                )
            entry = cached(data[at:end]) if size < CACHED_BYTES else None
            if entry is not None and entry[1] <= (budget := budgets[entry[2]]).left:
                attribute = entry[0]
                budget.left -= entry[1]
            else:
                attribute = self._read_attribute(at, name_end, type_end, end, part_index)
            attributes.append(attribute)
            name = attribute.attr_name
            if attribute.note is not None:
                self._add_note(attribute, attribute.note, part_index, value_at)
            if name in by_name:
                self._add_repeated(attribute, by_name[name], part_index, at)
            else:
                by_name[name] = attribute
            if type_end - at > SHORT_NAME_BYTES and not self._long_names:
                self._check_lengths(name, name_end - at, type_end - name_end - 1, part_index, at)
            at = end

    def _add_note(self, attribute: Attribute, note: Note, part_index: int, value_at: int) -> None:
        """Add the problem of a value; libraries skip some values, but not those that they need."""
        code, name = note.code, attribute.attr_name
        if code in WITHOUT_VALUE and name in RECOMPUTED:
            code = "no_version_or_count"
        elif name == "tiles" and self._is_scan_lines:
            code = "skipped_value"
        elif name in REPLACED and (code in SKIPPED or code == "value_too_large"):
            code = "attribute_value"  # nothing that depends on it can be checked
        self.problems.add(Problem(code, f"attribute {name!r}: {note.message}", part_index, name, value_at))

    def _add_repeated(self, attribute: Attribute, first: Attribute, part_index: int, at: int) -> None:
        if attribute != first:
            code, message = "conflicting_attribute", "is repeated with another type or value; the first one is used"
        elif attribute.attr_type == "string":  # the libraries take its bytes for the next attribute
            code, message = "conflicting_attribute", "is a string that is repeated"
        else:
            code, message = "duplicate_attribute", "is repeated with the same value"
        self.problems.add(
            Problem(code, f"attribute {attribute.attr_name!r} {message}", part_index, attribute.attr_name, at)
        )

    def _check_lengths(self, name: str, name_bytes: int, type_bytes: int, part_index: int, at: int) -> None:
        for what, size in (("name", name_bytes), ("type", type_bytes)):
            if size > SHORT_NAME_BYTES:
                message = (
                    f"attribute {name!r}: {what} of {size} bytes without the long-names flag, expected at most "
                    f"{SHORT_NAME_BYTES}"
                )
                self.problems.add(Problem("long_name", message, part_index, name, at))

    def _size_error(self, at: int, name_end: int, type_end: int, size: int) -> ExrFormatError:
        """The error of an attribute without a type, or whose size is negative, above the limit or cut off."""
        data, limit, value_at = self._data, self._limits.header_bytes, type_end + 5
        attribute = f"attribute {_text(data[at:name_end])!r}"
        if size < 0 or type_end == name_end + 1:
            fault = f"has size {size}, expected 0 or more" if size < 0 else "has an empty type"
            return ExrFormatError("bad_attribute", at, f"{attribute} {fault}")
        if value_at + size > limit:
            message = f"{attribute} declares {size} bytes, so the header would end beyond the limit of {limit} bytes"
            return ExrFormatError("header_too_large", value_at, message)
        message = f"{attribute} declares {size} bytes, but {len(data) - value_at} are left"
        return HeaderCutError(len(data), message, value_at + size + 1)

    def _read_attribute(self, at: int, name_end: int, type_end: int, end: int, part_index: int) -> Attribute:
        """An attribute from its bytes (name, type, size, value); cached if it is small.

        A long value is left to check_long_values().
        """
        data = self._data
        key = data[at:end] if end - at <= CACHED_BYTES else None
        entry = None if key is None else _CACHE.get(key)
        if entry is not None and entry[1] <= self._budgets[entry[2]].left:
            self._budgets[entry[2]].left -= entry[1]
            return entry[0]
        note = None
        try:
            name = data[at:name_end].decode()
        except UnicodeDecodeError:
            name = data[at:name_end].decode("latin-1")
            note = Note("text_encoding", "its name is not UTF-8 and was decoded as Latin-1")
        attr_type, raw = _text(data[name_end + 1 : type_end]), data[type_end + 5 : end]
        if objects_of(attr_type, raw) > _LONG_VALUE and attr_type != "chlist":
            long = LongAttribute(name, attr_type, raw, note)
            self._long_values.append((long, part_index, type_end + 5))
            return long
        budget_index = _STRUCTURE if attr_type in ("chlist", "string") else _VALUES
        budget = self._budgets[budget_index]
        before = budget.left
        value, note_of_value = decode(attr_type, raw, budget)
        note = note_of_value or note
        attribute, objects = Attribute(name, attr_type, raw, value, note), before - budget.left
        if key is not None and objects <= _LONG_VALUE and (note is None or note.code != "value_too_large"):
            _CACHE.put(key, (attribute, objects, budget_index))
        return attribute

    def check_long_values(self) -> None:
        """Decode long values once to get their notes.

        Only called when the header is complete: a header that is cut is read again from its start.
        """
        for attribute, part_index, value_at in self._long_values:
            note = attribute.check(self._budgets[_VALUES])
            if note is not None:
                self._add_note(attribute, note, part_index, value_at)


def _unterminated(data: bytes, at: int, field: str) -> ExrFormatError:
    """The error of a name or type at `at` without its zero byte."""
    if len(data) < at + 256:
        return HeaderCutError(len(data), f"the {field} is cut off", len(data) + 1)
    return ExrFormatError("bad_attribute", at, f"the {field} is longer than 255 bytes")


def _text(raw: bytes) -> str:
    """A name as text: UTF-8, else Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
