"""Decoded attribute values as strict JSON: exact numbers, NaN and infinities as strings, bytes in base64."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from struct import Struct
from typing import Any

from ..errors import ExrInspectorError, cause_of
from ..exr.attributes import Box2f, Box2i, Bytes, Chromaticities, KeyCode, Preview, Rational, TileDesc, TimeCode
from ..exr.channels import Channel, ChannelList
from ..exr.idmanifest import IdManifest
from ..sources.uris import path_as_text

# Types of 32-bit floats; those of 64-bit floats ("double", "v2d", …) need no conversion.
FLOAT32_TYPES = frozenset(
    {"float", "floatvector", "v2f", "v3f", "box2f", "m33f", "m44f", "chromaticities"}
)  # fmt: skip

_F32 = Struct("<f")
_SMALLEST_NORMAL, _TOO_LARGE = 2.0**-126, 2.0**128 - 2.0**103


def json_value(attr_type: str, value: Any) -> Any:
    """The value as JSON types. NamedTuples become objects; windows and vectors become arrays."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return json_float(value, single=attr_type in FLOAT32_TYPES)
    if isinstance(value, bytes):
        return base64_text(value)
    if isinstance(value, IdManifest):
        return _manifest(value)
    if hasattr(value, "_asdict") and not isinstance(value, (Box2i, Box2f)):
        return {key: json_value(attr_type, item) for key, item in value._asdict().items()}
    return [json_value(attr_type, item) for item in value]


def value_of_json(attr_type: str, value: Any) -> Any:
    """The inverse of `json_value` for JSON types that were read again; None and id manifests stay as they are."""
    if attr_type in _RECORDS:
        record = _RECORDS[attr_type]
        fields = value if isinstance(value, list) else [value[name] for name in record._fields]
        return record(*(_plain(attr_type, field) for field in fields))
    if attr_type in ("preview", "bytes"):
        return Preview(**value | {"pixels": b64decode(value["pixels"])}) if attr_type == "preview" else _bytes(value)
    if attr_type == "chlist":
        return ChannelList(Channel(**channel) for channel in value or ())
    return value if attr_type == "idmanifest" else _plain(attr_type, value)


_RECORDS: dict[str, Any] = {
    "box2i": Box2i, "box2f": Box2f, "chromaticities": Chromaticities, "keycode": KeyCode, "rational": Rational,
    "tiledesc": TileDesc, "timecode": TimeCode,
}  # fmt: skip
_FLOAT_TYPES = FLOAT32_TYPES | {"double", "v2d", "v3d", "m33d", "m44d"}


def _bytes(value: dict[str, str]) -> Bytes:
    return Bytes(value["typeHint"], b64decode(value["data"]))


def _plain(attr_type: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(attr_type, item) for item in value)
    if attr_type not in _FLOAT_TYPES or value is None:
        return value
    return _F32.unpack(_F32.pack(float(value)))[0] if attr_type in FLOAT32_TYPES else float(value)


def _manifest(manifest: IdManifest) -> list[dict[str, Any]]:
    return [
        {
            "channels": list(group.channels),
            "components": list(group.components),
            "lifetime": group.lifetime,
            "hashScheme": group.hash_scheme,
            "encodingScheme": group.encoding_scheme,
            "entries": {str(key): list(texts) for key, texts in group.entries.items()},
        }
        for group in manifest.groups
    ]


def json_float(value: float, *, single: bool) -> float | str:
    """A number that prints as the shortest decimal with the same bits, or "NaN", "Infinity" or "-Infinity"."""
    if math.isfinite(value):
        return shortest_single(value) if single else value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def shortest_single(value: float) -> float:
    """The double that prints as the shortest decimal of a 32-bit float.

    Decimals of up to six digits have different normal 32-bit floats, so the search begins at six.
    """
    if value.is_integer() and abs(value) < 1e6:
        return value
    stored = _F32.pack(value)
    for digits in range(6 if abs(value) >= _SMALLEST_NORMAL else 1, 9):
        candidate = float(f"{value:.{digits}g}")
        try:
            if _F32.pack(candidate) == stored:
                return candidate
        except OverflowError:  # rounded up beyond the largest 32-bit float
            continue
    # Above a power of two floats are twice as far apart as below it, so another decimal of eight digits can have the
    # same bits when the nearest one does not (2**-96).
    outward = float(f"{value * (1 + 2**-25):.8g}")
    return outward if abs(outward) < _TOO_LARGE and _F32.pack(outward) == stored else float(f"{value:.9g}")


def error_row(path: str, error: ExrInspectorError) -> dict[str, Any]:
    """The object for a file that could not be inspected."""
    return {"error": {"path": path_as_text(path), **cause_of(error)._asdict()}}


def base64_text(raw: bytes) -> str:
    """Bytes in base64."""
    return b64encode(raw).decode("ascii")
