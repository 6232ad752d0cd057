"""The EXR writer: headers and packed chunks in, the bytes of a file out. It packs no pixels.

Source: "OpenEXR File Layout".
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
    Box2i,
    Chromaticities,
    Rational,
    TileDesc,
    TimeCode,
)
from .channels import PIXEL_TYPES, Channel

_MAGIC, _VERSION = 20000630, 2
_TILED, _LONG_NAMES, _DEEP, _MULTIPART = 0x200, 0x400, 0x800, 0x1000
_LONGEST_SHORT_NAME = 31  # bytes

Header = Mapping[str, Any]  # values as the decoders return them


class NewPart(NamedTuple):
    """A part to write: its header, and its chunks in the order of the offset table, without part numbers."""

    header: Header
    chunks: Sequence[bytes]


def file_bytes(parts: Sequence[NewPart]) -> bytes:
    """The bytes of a file. `chunkCount` is added where the format demands it; attributes are sorted by name."""
    multipart = len(parts) > 1
    headers = [dict(part.header) for part in parts]
    for header, part in zip(headers, parts, strict=True):
        if multipart or _is_deep(header):
            header["chunkCount"] = len(part.chunks)
    head = pack("<2I", _MAGIC, _VERSION | _flags(headers)) + b"".join(map(_header_bytes, headers))
    if multipart:
        head += b"\0"
    bodies = [pack("<i", number) * multipart + chunk for number, part in enumerate(parts) for chunk in part.chunks]
    position, offsets = len(head) + 8 * len(bodies), []
    for body in bodies:
        offsets.append(position)
        position += len(body)
    return b"".join([head, pack(f"<{len(offsets)}Q", *offsets), *bodies])


def required(
    channels: Iterable[Channel], data_window: Box2i, display_window: Box2i, compression: str, line_order: str
) -> dict[str, Any]:
    """The attributes that every header must have."""
    return {
        "channels": tuple(channels),
        "compression": compression,
        "dataWindow": data_window,
        "displayWindow": display_window,
        "lineOrder": line_order,
        "pixelAspectRatio": 1.0,
        "screenWindowCenter": (0.0, 0.0),
        "screenWindowWidth": 1.0,
    }


def flat_chunk(place: Iterable[int], packed: bytes) -> bytes:
    """A chunk of a flat part; its place is the first line, or the tile's two coordinates and two level numbers."""
    return b"".join(pack("<i", number) for number in (*place, len(packed))) + packed


def deep_chunk(line: int, table: bytes, samples: bytes, unpacked_size: int) -> bytes:
    """A chunk of a deep scan line part: the packed sample counts and the packed samples."""
    return pack("<i3Q", line, len(table), len(samples), unpacked_size) + table + samples


def _is_deep(header: Header) -> bool:
    return str(header.get("type", "")).startswith("deep")


def _flags(headers: Sequence[Header]) -> int:
    names = chain.from_iterable(
        (*header, *(channel.channel_name for channel in header["channels"])) for header in headers
    )
    flags = _LONG_NAMES if any(len(name.encode()) > _LONGEST_SHORT_NAME for name in names) else 0
    if any(map(_is_deep, headers)):
        flags |= _DEEP
    if len(headers) > 1:
        return flags | _MULTIPART
    return flags | _TILED if "tiles" in headers[0] and not flags & _DEEP else flags


def _header_bytes(header: Header) -> bytes:
    return b"".join(attribute_bytes(name, value) for name, value in sorted(header.items())) + b"\0"


def attribute_bytes(name: str, value: Any) -> bytes:
    """One attribute as stored. The type follows from the name where the format fixes it, else from the value."""
    attr_type = _TYPE_OF_NAME.get(name) or _TYPE_OF_VALUE[type(value)]
    raw = _ENCODERS[attr_type](value)
    return f"{name}\0{attr_type}\0".encode() + pack("<i", len(raw)) + raw


def _fixed(layout: str) -> Callable[[Any], bytes]:
    return lambda value: pack(f"<{layout}", *value)


def _chlist(channels: Iterable[Channel]) -> bytes:
    """The entries in the order of their names' bytes, as readers expect them."""
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
