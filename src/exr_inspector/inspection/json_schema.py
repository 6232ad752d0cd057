"""The JSON Schema of an inspection, generated from its dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..exr import Problem
from ..exr.codes import COMPLETENESS, SEVERITIES
from ..pixels.model import DECODE_ERRORS, DecodeError, LayerStats
from .model import SCHEMA_VERSION, AttributeRow, ChannelRow, FileFacts, Flags, PartFacts
from .pixel_rows import ChannelStatsRow, PartStatsRow

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
}
# Constraints that a Python type does not express.
_DETAILS: dict[str, dict[str, Any]] = {
    "completeness": {"enum": [*COMPLETENESS]},
    "problem_severity": {"enum": ["none", *SEVERITIES]},
    "channel_type": {"enum": ["UINT", "HALF", "FLOAT", None]},
    "header_hash": {"pattern": "^[0-9a-f]{64}$"},
    "structure_hash": {"pattern": "^[0-9a-f]{64}$"},
    "file_id": {"pattern": "^[0-9a-f]{32}$"},
    "data_window": {"pattern": r"^\[-?\d+(,-?\d+){3}\]$"},
    "display_window": {"pattern": r"^\[-?\d+(,-?\d+){3}\]$"},
    "used_window": {"pattern": r"^\[(-?\d+(,-?\d+){3})?\]$"},
    "empty_regions": {"pattern": r"^\[(\[-?\d+(,-?\d+){3}\],?)*\]$"},
    "raw": {"contentEncoding": "base64"},
}


def inspection_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the output of `Inspection.to_json`.

    Objects have exactly the listed keys. An attribute's `value` is any JSON; its form depends on the attribute's type.
    """
    return {
        "$schema": DIALECT,
        "title": "exr-inspector inspection",
        "description": f"The complete header of one OpenEXR file. Schema version {SCHEMA_VERSION}.",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "inspector_version": {"type": "string"},
                "file": _with(_record(FileFacts), flags=_record(Flags), bytes_read=_COUNT, reads=_COUNT),
                "parts": _array(_record(PartFacts)),
                "channels": _array(_record(ChannelRow)),
                "attributes": _array(_record(AttributeRow)),
                "stats": _array_or_null(_with(_record(ChannelStatsRow), histogram=_array_or_null(_COUNT))),
                "part_stats": _array_or_null(_PART_STATS),
                "stats_errors": _array_or_null(_with(_record(DecodeError), code={"enum": list(DECODE_ERRORS)})),
                "validation": {"type": ["object", "null"]},
                "problems": _array(_PROBLEM),
            }
        ),
    }


def output_schema() -> dict[str, Any]:
    """The JSON Schema of an object in the JSON of `inspect`: an inspection, or the error of a file without one."""
    inspection = {key: value for key, value in inspection_schema().items() if key != "$schema"}
    error = {"path": _schema(str), "code": _schema(str), "message": _schema(str), "byte_offset": _schema(int | None)}
    return {
        "$schema": DIALECT,
        "title": "exr-inspector inspect",
        "oneOf": [
            inspection,
            {"title": "file that could not be inspected", **_object({"error": _object(error)})},
        ],
    }


_COUNT = {"type": "integer", "minimum": 0}


def _object(properties: Mapping[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _array_or_null(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": items}


def _with(schema: dict[str, Any], optional: tuple[str, ...] = (), **more: dict[str, Any]) -> dict[str, Any]:
    return _object({**schema["properties"], **more}, optional)


def _record(kind: type, optional: tuple[str, ...] = (), excluded: tuple[str, ...] = ()) -> dict[str, Any]:
    """An object with the fields of a dataclass or NamedTuple, without `excluded` and fields that are not columns."""
    hints = get_type_hints(kind)
    if is_dataclass(kind):
        excluded += tuple(field.name for field in fields(kind) if not field.metadata.get("row", True))
    return _object({name: _field(name, hint) for name, hint in hints.items() if name not in excluded}, optional)


def _field(name: str, hint: Any) -> dict[str, Any]:
    return {**_schema(hint), **_DETAILS.get(name, {})}


def _schema(hint: Any) -> dict[str, Any]:
    if get_origin(hint) in (Union, UnionType):
        members = [_schema(member) for member in get_args(hint)]
        merged = {key: value for member in members for key, value in member.items() if key != "type"}
        return {"type": [member["type"] for member in members], **merged}
    return dict(_TYPES[hint])


_PART_STATS = _with(
    _record(PartStatsRow, excluded=("errors",)),
    layers=_array(_record(LayerStats)),
    samples_histogram=_array_or_null(_COUNT),
)
_PROBLEM = _with(
    _record(Problem, optional=tuple(Problem._field_defaults)),
    optional=tuple(Problem._field_defaults),
    severity={"type": "string", "enum": list(SEVERITIES)},
)
