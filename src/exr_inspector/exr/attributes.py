"""Attributes: name, type name and bytes as stored, and the value that the bytes say.

One table decodes all types of "OpenEXR File Layout", section Predefined Attribute Types, and the newer ones
that the OpenEXR library reads (`bytes`, `idmanifest`, `deepImageState`). A value that does not decode is None with
a note; its bytes are never lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from struct import Struct, error, unpack_from
from typing import Any, NamedTuple

from .budget import Budget, ValueTooLargeError
from .channels import decode_channels
from .idmanifest import decode_idmanifest

COMPRESSIONS = (
    "NONE", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB",
    "HTJ2K256", "HTJ2K32", "LJ2K", "ZSTD",
)  # fmt: skip
LINE_ORDERS = ("INCREASING_Y", "DECREASING_Y", "RANDOM_Y")
LEVEL_MODES = ("ONE_LEVEL", "MIPMAP_LEVELS", "RIPMAP_LEVELS")
ROUNDING_MODES = ("ROUND_DOWN", "ROUND_UP")
ENVMAPS = ("ENVMAP_LATLONG", "ENVMAP_CUBE")
DEEP_IMAGE_STATES = ("MESSY", "SORTED", "NON_OVERLAPPING", "TIDY")


_WITHOUT_VALUE = ("value_too_large", "attribute_size", "attribute_value")


class Note(NamedTuple):
    """Something about the bytes that a person should know; a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of a header, as stored. Immutable and shared between files that hold the same one."""

    attr_name: str
    attr_type: str
    raw: bytes
    value: Any  # None when the bytes say no value of the type
    note: Note | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the value in the file."""
        return len(self.raw)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attribute):
            return NotImplemented
        return (self.attr_name, self.attr_type, self.raw) == (other.attr_name, other.attr_type, other.raw)

    def __hash__(self) -> int:
        return hash((self.attr_name, self.attr_type, self.raw))


class LongAttribute(Attribute):
    """An attribute that does not hold its value: a long one is decoded each time it is asked for."""

    __slots__ = ()

    def __init__(self, attr_name: str, attr_type: str, raw: bytes, note: Note | None) -> None:
        for name, fact in (("attr_name", attr_name), ("attr_type", attr_type), ("raw", raw), ("note", note)):
            object.__setattr__(self, name, fact)

    @property
    def value(self) -> Any:
        """The value, decoded anew."""
        if self.note is not None and self.note.code in _WITHOUT_VALUE:
            return None
        return decode(self.attr_type, self.raw)[0]

    def check(self, budget: Budget) -> Note | None:
        """Decode the value within a budget and keep the note; to be called before anybody else has the attribute."""
        note = decode(self.attr_type, self.raw, budget)[1]
        if note is not None:
            object.__setattr__(self, "note", note)
        return note

    def __reduce__(self) -> tuple[Any, ...]:
        return LongAttribute, (self.attr_name, self.attr_type, self.raw, self.note)


class Box2i(NamedTuple):
    """Inclusive integer bounds; also the data and display windows."""

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
    """CIE (x, y) of the primaries and of white."""

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
    """A fraction as stored, never reduced; the denominator may be 0."""

    numerator: int
    denominator: int


class TileDesc(NamedTuple):
    """Size of the tiles and how levels shrink. A mode that is not known is None."""

    xSize: int
    ySize: int
    levelMode: str | None
    roundingMode: str | None


class TimeCode(NamedTuple):
    """SMPTE 12M time code in the TV60 packing; `timeAndFlags` is the word that all but `userData` come from."""

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
        mark = ";" if self.dropFrame else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{mark}{self.frame:02}"


class Preview(NamedTuple):
    """A small RGBA picture, 8 bits a component, rows from the top."""

    width: int
    height: int
    pixels: bytes


class Bytes(NamedTuple):
    """Bytes with a hint of what they are."""

    typeHint: str
    data: bytes


Decoder = Callable[[bytes], Any]


def _same(value: Any) -> Any:
    return value


def _tuple(*values: Any) -> tuple[Any, ...]:
    return values


def fixed(layout: str, build: Callable[..., Any] = _same) -> Decoder:
    """A decoder for a type of one fixed size; bytes of any other size are refused."""
    unpack = Struct("<" + layout).unpack  # EXR is little-endian throughout
    return lambda raw: build(*unpack(raw))


def enum(names: tuple[str, ...]) -> Decoder:
    """A decoder for one byte that stands for a name."""

    byte = Struct("B").unpack

    def decode_enum(raw: bytes) -> str:
        code: int = byte(raw)[0]
        if code >= len(names):
            raise ValueError(f"{code} is none of the {len(names)} known values")
        return names[code]

    return decode_enum


def matrix(layout: str, size: int) -> Decoder:
    """A decoder for a square matrix, row by row."""

    def rows(*values: float) -> tuple[tuple[float, ...], ...]:
        return tuple(values[at : at + size] for at in range(0, size * size, size))

    return fixed(f"{size * size}{layout}", rows)


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
    return Struct(f"<{len(raw) // 4}f").unpack(raw)


def _stringvector(raw: bytes, encoding: str = "utf-8") -> tuple[str, ...]:
    strings: list[str] = []
    at = 0
    while at < len(raw):
        (length,) = unpack_from("<i", raw, at)
        at += 4
        if not 0 <= length <= len(raw) - at:
            raise ValueError(f"string {len(strings)} claims {length} bytes, {len(raw) - at} are left")
        strings.append(raw[at : at + length].decode(encoding))
        at += length
    return tuple(strings)


def _preview(raw: bytes) -> Preview:
    width, height = unpack_from("<II", raw)
    if width * height * 4 != len(raw) - 8:
        raise ValueError(f"{width} × {height} pixels need {width * height * 4} bytes, {len(raw) - 8} are there")
    return Preview(width, height, raw[8:])


def _bytes(raw: bytes) -> Bytes:
    (length,) = unpack_from("<i", raw)
    if not 0 <= length <= len(raw) - 4:
        raise ValueError(f"the type hint claims {length} bytes, {len(raw) - 4} are there")
    return Bytes(raw[4 : 4 + length].rstrip(b"\0").decode("latin-1"), raw[4 + length :])


# In the order of the OpenEXR file layout document; then what came later.
DECODERS: dict[str, Decoder] = {
    "box2i": fixed("4i", Box2i),
    "box2f": fixed("4f", Box2f),
    "chlist": decode_channels,
    "chromaticities": fixed("8f", _chromaticities),
    "compression": enum(COMPRESSIONS),
    "double": fixed("d"),
    "envmap": enum(ENVMAPS),
    "float": fixed("f"),
    "int": fixed("i"),
    "keycode": fixed("7i", KeyCode),
    "lineOrder": enum(LINE_ORDERS),
    "m33f": matrix("f", 3),
    "m44f": matrix("f", 4),
    "preview": _preview,
    "rational": fixed("iI", Rational),  # numerator signed, denominator not
    "string": bytes.decode,
    "stringvector": _stringvector,
    "tiledesc": fixed("IIB", _tiledesc),
    "timecode": fixed("II", _timecode),
    "v2i": fixed("2i", _tuple),
    "v2f": fixed("2f", _tuple),
    "v3i": fixed("3i", _tuple),
    "v3f": fixed("3f", _tuple),
    "bytes": _bytes,
    "deepImageState": enum(DEEP_IMAGE_STATES),
    "floatvector": _floatvector,
    "idmanifest": decode_idmanifest,
    "m33d": matrix("d", 3),
    "m44d": matrix("d", 4),
    "v2d": fixed("2d", _tuple),
    "v3d": fixed("3d", _tuple),
}


# Types that hold text: the same decoders for bytes that are not UTF-8.
LATIN_1: dict[str, Decoder] = {
    "chlist": partial(decode_channels, encoding="latin-1"),
    "string": partial(str, encoding="latin-1"),
    "stringvector": partial(_stringvector, encoding="latin-1"),
}


# Stored bytes that make up one object of a budget. Types without a number here are of one fixed size.
_BYTES_PER_OBJECT = {"floatvector": 3, "stringvector": 4, "chlist": 8, "string": 256, "preview": 256, "bytes": 256}
_BYTES_PER_OBJECT_OF_WIDE_TEXT = 64  # one character beyond ASCII makes all of them take up to four bytes


def objects_of(attr_type: str, raw: bytes) -> int:
    """How many objects a value takes at most; of an idmanifest, which counts them as it goes, the bytes to inflate."""
    if attr_type == "string" and not raw.isascii():
        return len(raw) // _BYTES_PER_OBJECT_OF_WIDE_TEXT
    if attr_type == "idmanifest":
        return int.from_bytes(raw[:8], "little")
    per_object = _BYTES_PER_OBJECT.get(attr_type)
    return len(raw) // per_object if per_object else 0


def memory_of(attribute: Attribute) -> int:
    """About how many bytes an attribute takes together with its value."""
    return 512 + 3 * attribute.size_bytes + 200 * objects_of(attribute.attr_type, attribute.raw)


def decode(attr_type: str, raw: bytes, budget: Budget | None = None) -> tuple[Any, Note | None]:
    """The value that `raw` says as `attr_type`, and a note where that is not the whole truth.

    Never raises: bytes that are no value of the type, types that are not known, and values that take more than the
    budget give None and a note.
    """
    decoder = DECODERS.get(attr_type)
    if decoder is None:
        return None, Note("unknown_type", f"attribute type {attr_type!r} is not known; its bytes are kept")
    budget = budget or Budget()
    try:
        if attr_type == "idmanifest":
            return decode_idmanifest(raw, budget), None
        budget.take(objects_of(attr_type, raw))
        try:
            return decoder(raw), None
        except UnicodeDecodeError:
            value = LATIN_1[attr_type](raw)
            return value, Note("text_encoding", "text that is not UTF-8 was read as Latin-1")
    except ValueTooLargeError as problem:
        return None, Note("value_too_large", f"{len(raw)} bytes of type {attr_type!r} are not decoded: {problem}")
    except error:
        return None, Note("attribute_size", f"{len(raw)} bytes are no value of type {attr_type!r}")
    except ValueError as problem:
        return None, Note("attribute_value", f"not a value of type {attr_type!r}: {problem}")
