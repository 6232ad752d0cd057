"""The EXR writer: header values and packed chunks in, the bytes of a file out. It does not compress pixels.

Values have the types that the reader's decoders return, see `attributes.py`; an `Attribute` is written with its own
type and bytes, so values of any type can be written. Source: "OpenEXR File Layout".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from struct import pack
from typing import Any, NamedTuple

from .attributes import (
    COMPRESSIONS,
    LEVEL_MODES,
    LINE_ORDERS,
    ROUNDING_MODES,
    Attribute,
    Box2i,
    Chromaticities,
    Rational,
    TileDesc,
    TimeCode,
)
from .channels import PIXEL_TYPES, SHORT_NAME_BYTES, Channel
from .header import MAGIC
from .part import DEEP, LONG_NAMES, MULTIPART, TILED

_VERSION = 2

Values = Mapping[str, Any]  # by attribute name
Pieces = Sequence[bytes | memoryview]  # bytes that follow one another


class NewPart(NamedTuple):
    """A part to write: its attributes, and its chunks in the order of the offset table."""

    values: Values
    chunks: Sequence[Pieces]  # from flat_chunk() or deep_chunk(); part numbers are added by file_pieces()


def file_bytes(parts: Sequence[NewPart]) -> bytes:
    """The bytes of a file, see `file_pieces`."""
    return b"".join(file_pieces(parts))


def file_pieces(parts: Sequence[NewPart]) -> Pieces:
    """A file, without copies of the chunks' data.

    Several parts make a multipart file, whose parts need a `name` and a `type`.

    The version flags follow from the parts. `chunkCount` is added where the format requires it. Attributes are sorted
    by name.
    """
    multipart = len(parts) > 1
    headers = [dict(part.values) for part in parts]
    for header, part in zip(headers, parts, strict=True):
        if multipart or _is_deep(header):
            header["chunkCount"] = len(part.chunks)
    head = MAGIC + pack("<I", _VERSION | _flags(headers)) + b"".join(map(_header_bytes, headers))
    if multipart:
        head += b"\0"  # an empty header ends the list of headers
    bodies = [(pack("<i", number) * multipart, *chunk) for number, part in enumerate(parts) for chunk in part.chunks]
    position, offsets = len(head) + 8 * len(bodies), []
    for body in bodies:
        offsets.append(position)
        position += sum(map(len, body))
    return [head + pack(f"<{len(offsets)}Q", *offsets), *chain.from_iterable(bodies)]


def required_values(
    channels: Iterable[Channel],
    data_window: Box2i,
    *,
    display_window: Box2i | None = None,  # the data window if None
    compression: str = "NONE",
    line_order: str = "INCREASING_Y",
) -> dict[str, Any]:
    """The attributes that every header must have. Windows are inclusive bounds in pixels."""
    return {
        "channels": tuple(channels),
        "compression": compression,
        "dataWindow": data_window,
        "displayWindow": display_window or data_window,
        "lineOrder": line_order,
        "pixelAspectRatio": 1.0,
        "screenWindowCenter": (0.0, 0.0),
        "screenWindowWidth": 1.0,
    }


def flat_chunk(coordinates: Iterable[int], packed: bytes | memoryview) -> Pieces:
    """A chunk of a flat part with its leader.

    `coordinates` are (y,) of the first scan line, or (tile x, tile y, level x, level y).
    """
    leader = (*coordinates, len(packed))
    return pack(f"<{len(leader)}i", *leader), packed


def deep_chunk(y: int, packed_counts: bytes, packed_samples: bytes, sample_bytes: int) -> Pieces:
    """A chunk of a deep scan line part with its leader; `sample_bytes` is the size of the unpacked samples."""
    return pack("<i3Q", y, len(packed_counts), len(packed_samples), sample_bytes), packed_counts, packed_samples


def _attribute_bytes(name: str, value: Any) -> bytes:
    """One attribute as stored. Its type follows from the name where the format fixes it, else from the value."""
    if isinstance(value, Attribute):
        attr_type, raw = value.attr_type, value.raw
    else:
        attr_type = _TYPE_OF_NAME.get(name) or _TYPE_OF_VALUE[type(value)]
        raw = _ENCODERS[attr_type](value)
    return f"{name}\0{attr_type}\0".encode() + pack("<i", len(raw)) + raw


def _value(value: Any) -> Any:
    return value.value if isinstance(value, Attribute) else value


def _is_deep(header: Values) -> bool:
    return str(header.get("type", "")).startswith("deep")


def _flags(headers: Sequence[Values]) -> int:
    names = chain.from_iterable(
        (*header, *(channel.channel_name for channel in _value(header["channels"]))) for header in headers
    )
    flags = LONG_NAMES if any(len(name.encode()) > SHORT_NAME_BYTES for name in names) else 0
    if any(map(_is_deep, headers)):
        flags |= DEEP
    if len(headers) > 1:
        return flags | MULTIPART
    return flags | TILED if "tiles" in headers[0] and not flags & DEEP else flags


def _header_bytes(header: Values) -> bytes:
    return b"".join(_attribute_bytes(name, value) for name, value in sorted(header.items())) + b"\0"


def _fixed(layout: str) -> Callable[[Any], bytes]:
    return lambda value: pack(f"<{layout}", *value)


def _chlist(channels: Iterable[Channel]) -> bytes:
    """The entries sorted by the bytes of their names, as readers expect them."""
    entries = [
        name.encode() + b"\0" + pack("<iB3x2i", PIXEL_TYPES.index(pixel_type or ""), p_linear, x_sampling, y_sampling)
        for name, pixel_type, x_sampling, y_sampling, p_linear in channels
    ]
    return b"".join(sorted(entries)) + b"\0"


def _tiledesc(tiles: TileDesc) -> bytes:
    level, rounding = LEVEL_MODES.index(tiles.levelMode or ""), ROUNDING_MODES.index(tiles.roundingMode or "")
    return pack("<2IB", tiles.xSize, tiles.ySize, level | rounding << 4)


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "box2i": _fixed("4i"),
    "chlist": _chlist,
    "chromaticities": lambda value: pack("<8f", *chain.from_iterable(value)),
    "compression": lambda name: bytes([COMPRESSIONS.index(name)]),
    "float": lambda value: pack("<f", value),
    "int": lambda value: pack("<i", value),
    "lineOrder": lambda name: bytes([LINE_ORDERS.index(name)]),
    "m44f": lambda rows: pack("<16f", *chain.from_iterable(rows)),
    "rational": _fixed("iI"),
    "string": str.encode,
    "tiledesc": _tiledesc,
    "timecode": lambda value: pack("<2I", value.timeAndFlags, value.userData),
    "v2f": _fixed("2f"),
}
_TYPE_OF_NAME = {
    "channels": "chlist",
    "compression": "compression",
    "lineOrder": "lineOrder",
    "screenWindowCenter": "v2f",
}
_TYPE_OF_VALUE: dict[type, str] = {
    Box2i: "box2i",
    Chromaticities: "chromaticities",
    Rational: "rational",
    TileDesc: "tiledesc",
    TimeCode: "timecode",
    float: "float",
    int: "int",
    str: "string",
    tuple: "m44f",
}
