"""Attributes: name, type and bytes as stored, and the decoded value.

The table `DECODERS` has all types of "OpenEXR File Layout", section Predefined Attribute Types, and the newer types
that the OpenEXR library reads (`bytes`, `idmanifest`, `deepImageState`). A value that does not decode is None and has
a note; its bytes are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct, unpack_from
from typing import Any, Literal, NamedTuple, get_args

from .budget import Budget, ValueTooLargeError
from .channels import decode_channels
from .idmanifest import decode_idmanifest
from .short_repr import short_repr

Compression = Literal[
    "NONE", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB", "HTJ2K256", "HTJ2K32", "LJ2K", "ZSTD"
]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
LINE_ORDERS = ("INCREASING_Y", "DECREASING_Y", "RANDOM_Y")
LEVEL_MODES = ("ONE_LEVEL", "MIPMAP_LEVELS", "RIPMAP_LEVELS")
ROUNDING_MODES = ("ROUND_DOWN", "ROUND_UP")
ENVMAPS = ("ENVMAP_LATLONG", "ENVMAP_CUBE")
DEEP_IMAGE_STATES = ("MESSY", "SORTED", "NON_OVERLAPPING", "TIDY")

SKIPPED = frozenset({"empty_value", "skipped_value"})  # codes of notes on values that libraries skip
WITHOUT_VALUE = SKIPPED | {"value_too_large", "attribute_size", "attribute_value"}
_SKIPPED_TYPES = frozenset({"envmap", "deepImageState", "lineOrder", "compression", "stringvector"})


class Note(NamedTuple):
    """Why a value is missing or uncertain: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of a header. Immutable; files with the same attribute share the object."""

    attr_name: str
    attr_type: str
    raw: bytes
    value: Any  # None if the bytes are not a value of the type
    note: Note | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the stored value."""
        return len(self.raw)

    def __repr__(self) -> str:
        has_text = self.value is not None and self.attr_type not in ("bytes", "idmanifest", "preview")
        shown = short_repr(self.value) if has_text else f"{self.size_bytes} bytes"
        return f"<Attribute {short_repr(self.attr_name)}: {short_repr(self.attr_type)[1:-1]} {shown}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attribute):
            return NotImplemented
        return (self.attr_name, self.attr_type, self.raw) == (other.attr_name, other.attr_type, other.raw)

    def __hash__(self) -> int:
        return hash((self.attr_name, self.attr_type, self.raw))


class LongAttribute(Attribute):
    """An attribute with a long value, which is decoded on each access and not kept."""

    __slots__ = ()

    def __init__(self, attr_name: str, attr_type: str, raw: bytes, note: Note | None) -> None:
        for name, field in (("attr_name", attr_name), ("attr_type", attr_type), ("raw", raw), ("note", note)):
            object.__setattr__(self, name, field)

    @property
    def value(self) -> Any:
        """The value, decoded on each access."""
        if self.note is not None and self.note.code in WITHOUT_VALUE:
            return None
        return decode(self.attr_type, self.raw)[0]

    def check(self, budget: Budget) -> Note | None:
        """Decode the value within a budget, set and return the note. Call it before the attribute is shared."""
        note = decode(self.attr_type, self.raw, budget)[1]
        if note is not None:
            object.__setattr__(self, "note", note)
        return note

    def __reduce__(self) -> tuple[Any, ...]:
        return LongAttribute, (self.attr_name, self.attr_type, self.raw, self.note)


class Box2i(NamedTuple):
    """Inclusive integer bounds, as of the data and display windows."""

    xMin: int
    yMin: int
    xMax: int
    yMax: int


class Box2f(NamedTuple):
    """Inclusive float bounds."""

    xMin: float
    yMin: float
    xMax: float
    yMax: float


class Chromaticities(NamedTuple):
    """CIE (x, y) of the primaries and the white point."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]


class KeyCode(NamedTuple):
    """SMPTE 254 motion picture film edge code, seven integers."""

    filmMfcCode: int
    filmType: int
    prefix: int
    count: int  # type: ignore[assignment]
    perfOffset: int
    perfsPerFrame: int
    perfsPerCount: int


class Rational(NamedTuple):
    """A fraction as stored: not reduced; the denominator may be 0."""

    numerator: int
    denominator: int


class TileDesc(NamedTuple):
    """Tile size in pixels, level mode and rounding mode. An unknown mode is None."""

    xSize: int
    ySize: int
    levelMode: str | None
    roundingMode: str | None


class TimeCode(NamedTuple):
    """SMPTE 12M time code in the TV60 packing; `timeAndFlags` is the stored word of the fields before it."""

    hours: int
    minutes: int
    seconds: int
    frame: int
    dropFrame: bool
    colorFrame: bool
    fieldPhase: bool
    bgf0: bool
    bgf1: bool
    bgf2: bool
    timeAndFlags: int
    userData: int

    def __str__(self) -> str:
        separator = ";" if self.dropFrame else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{separator}{self.frame:02}"


class Preview(NamedTuple):
    """A small RGBA image, 8 bits per component, top row first."""

    width: int
    height: int
    pixels: bytes


class Bytes(NamedTuple):
    """Bytes with a hint of their type."""

    typeHint: str
    data: bytes


Decoder = Callable[[bytes], Any]


class _SizeError(ValueError):
    """A value has another size than its type."""


def _identity(value: Any) -> Any:
    return value


def _tuple(*values: Any) -> tuple[Any, ...]:
    return values


def _fixed(layout: str, build: Callable[..., Any] = _identity) -> Decoder:
    """A decoder for a type of fixed size: unpacks the numbers and passes them to `build`."""
    fields = Struct("<" + layout)  # EXR is little-endian throughout
    unpack = fields.unpack

    def decode_fixed(raw: bytes) -> Any:
        try:
            numbers = unpack(raw)
        except struct.error:
            raise _SizeError(f"expected {fields.size} bytes, found {len(raw)}") from None
        return build(*numbers)

    return decode_fixed


def _enum(names: tuple[str, ...]) -> Decoder:
    """A decoder for one byte that is an index into `names`."""

    def name_of(code: int) -> str:
        if code >= len(names):
            raise ValueError(f"expected 0 to {len(names) - 1}, found {code}")
        return names[code]

    return _fixed("B", name_of)


def _matrix(layout: str, size: int) -> Decoder:
    """A decoder for a square matrix, row by row."""

    def rows(*values: float) -> tuple[tuple[float, ...], ...]:
        return tuple(values[at : at + size] for at in range(0, size * size, size))

    return _fixed(f"{size * size}{layout}", rows)


def _chromaticities(*v: float) -> Chromaticities:
    return Chromaticities(v[0:2], v[2:4], v[4:6], v[6:8])  # type: ignore[arg-type]


def _tiledesc(x_size: int, y_size: int, mode: int) -> TileDesc:
    level, rounding = mode & 15, mode >> 4
    return TileDesc(
        x_size,
        y_size,
        LEVEL_MODES[level] if level < len(LEVEL_MODES) else None,
        ROUNDING_MODES[rounding] if rounding < len(ROUNDING_MODES) else None,
    )


def _timecode(time: int, user: int) -> TimeCode:
    def bcd(shift: int, tens_mask: int) -> int:
        return (time >> shift & 15) + 10 * (time >> shift + 4 & tens_mask)

    def bit(number: int) -> bool:
        return bool(time >> number & 1)

    return TimeCode(
        hours=bcd(24, 3), minutes=bcd(16, 7), seconds=bcd(8, 7), frame=bcd(0, 3),
        dropFrame=bit(6), colorFrame=bit(7), fieldPhase=bit(15),
        bgf0=bit(23), bgf1=bit(30), bgf2=bit(31),
        timeAndFlags=time, userData=user,
    )  # fmt: skip


def _floatvector(raw: bytes) -> tuple[float, ...]:
    if len(raw) % 4:
        raise _SizeError(f"expected a multiple of 4 bytes, found {len(raw)}")
    return Struct(f"<{len(raw) // 4}f").unpack(raw)


def _stringvector(raw: bytes, encoding: str = "utf-8") -> tuple[str, ...]:
    strings: list[str] = []
    at = 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise ValueError(f"string {len(strings)} needs 4 bytes for its size, but {len(raw) - at} are left")
        (length,) = unpack_from("<i", raw, at)
        at += 4
        if not 0 <= length <= len(raw) - at:
            raise ValueError(f"string {len(strings)} declares {length} bytes, but {len(raw) - at} are left")
        strings.append(raw[at : at + length].decode(encoding))
        at += length
    return tuple(strings)


def _preview(raw: bytes) -> Preview:
    if len(raw) < 8:
        raise _SizeError(f"expected at least 8 bytes, found {len(raw)}")
    width, height = unpack_from("<II", raw)
    if width * height * 4 != len(raw) - 8:
        raise ValueError(f"{width} × {height} pixels need {width * height * 4} bytes, found {len(raw) - 8}")
    return Preview(width, height, raw[8:])


def _bytes(raw: bytes) -> Bytes:
    if len(raw) < 4:
        raise _SizeError(f"expected at least 4 bytes, found {len(raw)}")
    (length,) = unpack_from("<i", raw)
    if not 0 <= length <= len(raw) - 4:
        raise ValueError(f"the type hint declares {length} bytes, but {len(raw) - 4} are left")
    return Bytes(raw[4 : 4 + length].rstrip(b"\0").decode("latin-1"), raw[4 + length :])


# By type: first those of the file layout document in its order, then newer ones.
DECODERS: dict[str, Decoder] = {
    "box2i": _fixed("4i", Box2i),
    "box2f": _fixed("4f", Box2f),
    "chlist": decode_channels,
    "chromaticities": _fixed("8f", _chromaticities),
    "compression": _enum(COMPRESSIONS),
    "double": _fixed("d"),
    "envmap": _enum(ENVMAPS),
    "float": _fixed("f"),
    "int": _fixed("i"),
    "keycode": _fixed("7i", KeyCode),
    "lineOrder": _enum(LINE_ORDERS),
    "m33f": _matrix("f", 3),
    "m44f": _matrix("f", 4),
    "preview": _preview,
    "rational": _fixed("iI", Rational),  # numerator signed, denominator not
    "string": bytes.decode,
    "stringvector": _stringvector,
    "tiledesc": _fixed("IIB", _tiledesc),
    "timecode": _fixed("II", _timecode),
    "v2i": _fixed("2i", _tuple),
    "v2f": _fixed("2f", _tuple),
    "v3i": _fixed("3i", _tuple),
    "v3f": _fixed("3f", _tuple),
    "bytes": _bytes,
    "deepImageState": _enum(DEEP_IMAGE_STATES),
    "floatvector": _floatvector,
    "idmanifest": decode_idmanifest,
    "m33d": _matrix("d", 3),
    "m44d": _matrix("d", 4),
    "v2d": _fixed("2d", _tuple),
    "v3d": _fixed("3d", _tuple),
}


# Decoders of the types with text, for bytes that are not UTF-8.
LATIN_1: dict[str, Decoder] = {
    "chlist": partial(decode_channels, encoding="latin-1"),
    "string": partial(str, encoding="latin-1"),
    "stringvector": partial(_stringvector, encoding="latin-1"),
}

# Stored bytes per object of a budget, see Budget. Types that are not listed have a fixed size.
_BYTES_PER_OBJECT = {"floatvector": 3, "stringvector": 4, "chlist": 8, "string": 256, "preview": 256, "bytes": 256}
_BYTES_PER_OBJECT_OF_WIDE_TEXT = 64  # one non-ASCII character makes Python use up to four bytes for each


def objects_of(attr_type: str, raw: bytes) -> int:
    """How many objects a value takes at most; for an idmanifest, whose decoder counts them, its inflated size."""
    if attr_type == "string" and not raw.isascii():
        return len(raw) // _BYTES_PER_OBJECT_OF_WIDE_TEXT
    if attr_type == "idmanifest":
        return int.from_bytes(raw[:8], "little")
    per_object = _BYTES_PER_OBJECT.get(attr_type)
    return len(raw) // per_object if per_object else 0


def memory_of(attribute: Attribute) -> int:
    """Estimated memory of an attribute and its value, in bytes."""
    return 512 + 3 * attribute.size_bytes + 200 * objects_of(attribute.attr_type, attribute.raw)


def decode(attr_type: str, raw: bytes, budget: Budget | None = None) -> tuple[Any, Note | None]:
    """The value of `raw` as `attr_type`, and a note if it is missing or uncertain.

    Never raises: invalid bytes, unknown types and values that take more than the budget give None and a note.
    """
    decoder = DECODERS.get(attr_type)
    if decoder is None:
        return None, Note("unknown_type", f"unknown attribute type {attr_type!r}; its bytes are kept")
    budget = budget or Budget()
    try:
        if attr_type == "idmanifest":
            return decode_idmanifest(raw, budget), None
        budget.take(objects_of(attr_type, raw))
        try:
            value, note = decoder(raw), None
        except UnicodeDecodeError:
            value = LATIN_1[attr_type](raw)
            note = Note("text_encoding", "text is not UTF-8 and was decoded as Latin-1")
        if attr_type == "chlist" and value.end:
            note = Note("channel_list_end", value.end)
        return value, note
    except ValueTooLargeError as error:
        return None, Note("value_too_large", f"{len(raw)} bytes of type {attr_type!r} were not decoded: {error}")
    except _SizeError as error:
        code = "attribute_size" if raw else "empty_value"
        return None, Note(code, f"not a value of type {attr_type!r}: {error}")
    except ValueError as error:
        code = "skipped_value" if attr_type in _SKIPPED_TYPES else "attribute_value"
        return None, Note(code, f"not a value of type {attr_type!r}: {error}")
