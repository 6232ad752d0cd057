"""The cells of an attribute: its value as JSON, and as text, integer or float for comparisons in queries."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from ..defaults import CELL_LIMIT
from ..exr import Attribute
from ..exr.attributes import TimeCode, memory_of
from ..exr.cache import Cache
from ..exr.header import CACHED_BYTES
from ..inspection.json_form import FLOAT32_TYPES, json_float, json_value
from ..inspection.model import RAW_TYPES

# One encoder: json.dumps creates one per call with options, which took a third of the time of a cell.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Cells(NamedTuple):
    """The columns of the table `attributes` that do not depend on the file."""

    attr_name: str
    attr_type: str
    size_bytes: int
    value_json: str | None
    value_text: str | None
    value_int: int | None
    value_float: float | None
    raw: bytes | None  # of opaque, unknown and undecodable values only
    truncated: bool


def cells_of(attribute: Attribute, cell_limit: int = CELL_LIMIT) -> Cells:
    """The cells of an attribute; above the limit it keeps its size and the first part of its text or bytes."""
    key = id(attribute)
    entry = _CACHE.get(key)
    if entry is not None and entry[0] is attribute and entry[1] == cell_limit:
        return entry[2]
    cells = _make_cells(attribute, cell_limit)
    if attribute.size_bytes <= CACHED_BYTES:
        _CACHE.put(key, (attribute, cell_limit, cells))
    return cells


def _kept_bytes(_: int, kept: tuple[Attribute, int, Cells]) -> int:
    attribute, _, cells = kept
    return memory_of(attribute) + 256 + len(cells.value_json or "")


# Frames of a sequence share Attribute objects (the reader keeps those of up to 16 KiB), so their cells are cached.
# By identity: hashing the bytes of an attribute costs more than the rest of its row. The entry keeps the object
# alive, so that its id is not reused.
_CACHE: Cache[int, tuple[Attribute, int, Cells]] = Cache(8 << 20, _kept_bytes)


def _make_cells(attribute: Attribute, cell_limit: int) -> Cells:
    attr_type, size = attribute.attr_type, attribute.size_bytes
    value = attribute.value if size <= cell_limit or attr_type == "string" else None  # other values are not cut
    text = _text(value)
    raw = attribute.raw if attribute.note is not None or attr_type in RAW_TYPES else None
    value_json = None
    if value is not None and size <= cell_limit:  # JSON is rarely shorter than the bytes
        value_json = _json(attr_type, value)
    truncated = size > cell_limit or any(_too_long(cell, cell_limit) for cell in (value_json, text))
    if truncated:
        value_json = None
        text = text and cut_text(text, cell_limit)
        raw = raw and raw[:cell_limit]
    return Cells(
        attribute.attr_name,
        attr_type,
        size,
        value_json,
        text,
        int(value) if isinstance(value, int) else None,
        _float(attr_type, value),
        raw,
        truncated,
    )


def _json(attr_type: str, value: Any) -> str:
    return _encode(json_value(attr_type, value))


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, TimeCode) else None


def _float(attr_type: str, value: Any) -> float | None:
    if isinstance(value, int):
        return float(value)
    if not isinstance(value, float):
        return None
    number = json_float(value, single=attr_type in FLOAT32_TYPES)
    return None if isinstance(number, str) else number  # NaN and infinities are strings


def _too_long(text: str | None, limit: int) -> bool:
    return text is not None and (len(text) > limit or len(text.encode()) > limit)


def cut_text(text: str, limit: int) -> str:
    """The first part of a text, at most `limit` bytes of UTF-8."""
    return text[:limit].encode()[:limit].decode(errors="ignore")
