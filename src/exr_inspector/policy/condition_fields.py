"""The fields that conditions test: columns of the tables `files`, `parts` and `channels`, and what paths say."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..exr.attributes import COMPRESSIONS, LEVEL_MODES, LINE_ORDERS, ROUNDING_MODES
from ..exr.channels import PIXEL_TYPES
from ..exr.codes import COMPLETENESS, SEVERITIES

Table = Literal["files", "parts", "channels"]
Kind = Literal["path", "text", "integer", "number", "flag"]


class Field(NamedTuple):
    """A field: its name in policies, where its value is, and what kind of value that is."""

    name: str
    table: Table
    column: str  # empty: a field of the path template
    kind: Kind
    values: tuple[str, ...] = ()  # all values that it can have; empty: any


_OF_FILES: dict[str, Kind] = {
    "frame_number": "integer",
    "size_bytes": "integer",
    "header_bytes": "integer",
    "multipart_count": "integer",
    "channel_count": "integer",
    "completeness": "text",
    "problem_severity": "text",
}
_OF_PARTS: dict[str, Kind] = {
    "part_index": "integer",
    "part_name": "text",
    "part_type": "text",
    "width": "integer",
    "height": "integer",
    "display_width": "integer",
    "display_height": "integer",
    "data_x_offset": "integer",
    "data_y_offset": "integer",
    "pixel_aspect_ratio": "number",
    "line_order": "text",
    "compression": "text",
    "is_tiled": "flag",
    "tile_width": "integer",
    "tile_height": "integer",
    "level_mode": "text",
    "rounding_mode": "text",
    "is_deep": "flag",
    "multi_view": "flag",
    "color_space": "text",
    "render_software": "text",
    "renderer": "text",
    "frames_per_second": "number",
    "timecode": "text",
    "packed_bytes": "integer",
}
_OF_CHANNELS: dict[str, Kind] = {"channel_type": "text", "x_sampling": "integer", "y_sampling": "integer"}
_VALUES = {
    "completeness": COMPLETENESS,
    "problem_severity": ("none", *SEVERITIES),
    "line_order": LINE_ORDERS,
    "compression": COMPRESSIONS,
    "level_mode": LEVEL_MODES,
    "rounding_mode": ROUNDING_MODES,
    "channel_type": PIXEL_TYPES,
}
TEMPLATE_FIELDS = ("show", "shot", "task")
URI_FIELDS = ("path", "sequence", "frame_number", *TEMPLATE_FIELDS)  # known without reading the file

FIELDS = {
    field.name: field
    for field in (
        Field("path", "files", "file_path_normalized", "path"),
        Field("sequence", "files", "sequence", "path"),
        *(Field(name, "files", "", "text") for name in TEMPLATE_FIELDS),
        *(Field(name, "files", name, kind, _VALUES.get(name, ())) for name, kind in _OF_FILES.items()),
        Field("view", "parts", "view_name", "text"),
        *(Field(name, "parts", name, kind, _VALUES.get(name, ())) for name, kind in _OF_PARTS.items()),
        Field("channel", "channels", "channel_name", "text"),
        Field("layer", "channels", "layer_name", "text"),
        *(Field(name, "channels", name, kind, _VALUES.get(name, ())) for name, kind in _OF_CHANNELS.items()),
    )
}
