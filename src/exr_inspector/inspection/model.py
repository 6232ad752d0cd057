"""The result of inspecting one file, as plain values, and its JSON form.

A field here, a JSON field and a catalog column with the same meaning have the same name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..exr import Attribute, Channel, Problem, split_name
from ..exr.part import DEEP, LONG_NAMES, MULTIPART, TILED
from ..exr.short_repr import short_repr
from .json_form import base64_text, json_value
from .value_text import plural

if TYPE_CHECKING:
    from ..pixels.model import PixelReport

SCHEMA_VERSION = 2

# Types whose bytes are always in the JSON, as are those of unknown and undecodable values.
RAW_TYPES = frozenset({"bytes", "idmanifest"})

_NAMES_COMPARED = 1000  # with a name that is not there: a header may have far more, and long ones


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """The file as a whole: one row of the table `files`. Sizes are bytes, times UTC."""

    file_id: str
    file_path: str  # as given; bytes that are not UTF-8 as %XX
    file_path_normalized: str  # s3://bucket/key or file:///absolute/path
    size_bytes: int
    mtime: datetime | None
    etag: str | None
    header_hash: str  # SHA-256 of the header's bytes
    structure_hash: str  # SHA-256 of the header without values that change per frame
    chunk_hash: str | None  # SHA-256 of offset table and chunk states; None where the table was not read
    header_bytes: int
    inode: int | None  # of a local file, as a signed 64-bit number
    version_flags: int  # the version field: number and flags
    multipart_count: int  # number of parts
    is_deep: bool  # any part is
    is_tiled: bool
    channel_count: int
    sequence: str | None
    frame_number: int | None
    frame: str | None  # as written in the name: "1001", "-0005", "1001.5"
    completeness: str  # complete, incomplete, truncated, corrupt or unknown
    chunk_count: int | None
    chunks_present: int | None
    chunks_checked: int  # whose leader was read
    problem_severity: str  # of the worst problem: error, warning or info; none without problems

    @property
    def status(self) -> str:
        """The completeness; `invalid` for a complete file with a problem of severity `error`."""
        return status_of(self.completeness, self.problem_severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The version field: its version number and flags."""

    version: int
    tiled: bool
    long_names: bool
    deep: bool
    multipart: bool


@lru_cache(maxsize=64)
def version_flags(version_field: int) -> Flags:
    """The version number and flags in a version field."""
    return Flags(
        version=version_field & 0xFF,
        tiled=bool(version_field & TILED),
        long_names=bool(version_field & LONG_NAMES),
        deep=bool(version_field & DEEP),
        multipart=bool(version_field & MULTIPART),
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class PartFacts(Mapping[str, Any]):
    """One part: one row of the table `parts`. Values that are absent from the header are None.

    As a mapping, the values of its attributes by name, in file order; None for a value that cannot be decoded. Of
    several attributes with one name, readers use the first. `attributes` has all of them, with type and bytes.

    Windows are text, [xMin,yMin,xMax,yMax], inclusive; width and height are those of the data window.
    """

    part_index: int
    part_name: str | None
    part_type: str | None
    view_name: str | None
    width: int | None
    height: int | None
    display_width: int | None
    display_height: int | None
    data_x_offset: int | None
    data_y_offset: int | None
    data_window: str | None
    display_window: str | None
    pixel_aspect_ratio: float | None
    line_order: str | None
    compression: str | None
    is_tiled: bool
    tile_width: int | None
    tile_height: int | None
    level_mode: str | None
    rounding_mode: str | None
    is_deep: bool
    multi_view: bool  # the part lists several views
    color_space: str | None
    chromaticities: str | None
    render_software: str | None
    renderer: str | None
    frames_per_second: float | None
    timecode: str | None
    chunk_count: int | None
    chunks_present: int | None
    missing: str | None
    packed_bytes: int | None
    channels: tuple[Channel, ...] = field(metadata={"row": False})
    attributes: tuple[Attribute, ...] = field(metadata={"row": False})

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in self.attributes:
            values.setdefault(attribute.attr_name, attribute.value)
        return values

    def __getitem__(self, attr_name: str) -> Any:
        try:
            return self._values[attr_name]
        except KeyError:
            names = [name for name in islice(self._values, _NAMES_COMPARED) if len(name) < 2 * len(attr_name) + 8]
            closest = ", ".join(map(short_repr, get_close_matches(attr_name, names)))
            message = f"part {self.part_index} has no attribute {short_repr(attr_name)}"
            raise KeyError(f"{message}; closest names: {closest}" if closest else message) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, attr_name: object) -> bool:
        return attr_name in self._values

    def get(self, attr_name: str, default: Any = None) -> Any:
        """The value of an attribute, or the default if the part does not have it."""
        return self._values.get(attr_name, default)

    def __repr__(self) -> str:
        name = "" if self.part_name is None else f" {short_repr(self.part_name)}"
        size = "" if self.width is None else f", {self.width}×{self.height}"
        kind = short_repr(self.part_type)[1:-1] if self.part_type else "unknown type"
        counts = f"{_count(len(self.channels), 'channel')}, {_count(len(self.attributes), 'attribute')}"
        return f"<Part {self.part_index}{name}: {kind}, {self.compression or 'unknown compression'}{size}, {counts}>"


class ChannelRow(NamedTuple):
    """One row of the table `channels`."""

    part_index: int
    channel_index: int
    channel_name: str
    layer_name: str
    component_name: str
    channel_type: str | None
    x_sampling: int
    y_sampling: int
    p_linear: bool


class AttributeRow(NamedTuple):
    """One attribute of one part in its JSON form."""

    part_index: int
    attr_index: int
    attr_name: str
    attr_type: str
    size_bytes: int
    value: Any
    raw: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Inspection:
    """The header of one file, its completeness and its problems; if requested, the figures of its pixels."""

    schema_version: int
    inspector_version: str
    file: FileFacts
    flags: Flags
    bytes_read: int
    reads: int
    parts: tuple[PartFacts, ...]
    problems: tuple[Problem, ...]
    pixels: PixelReport | None = None  # None if statistics were not requested

    @property
    def completeness(self) -> str:
        """`complete`, `incomplete`, `truncated`, `corrupt` or `unknown`."""
        return self.file.completeness

    @property
    def problem_severity(self) -> str:
        """The severity of the worst problem: `error`, `warning` or `info`; `none` without problems."""
        return self.file.problem_severity

    @property
    def is_sound(self) -> bool:
        """Whether the file is complete and has no problem of severity `error`."""
        return self.file.status == "complete"

    def channels(self) -> Iterator[ChannelRow]:
        """The channels of all parts, in file order."""
        for part in self.parts:
            for index, channel in enumerate(part.channels):
                layer, component = split_name(channel.channel_name)
                yield ChannelRow(
                    part.part_index,
                    index,
                    channel.channel_name,
                    layer,
                    component,
                    channel.channel_type,
                    channel.x_sampling,
                    channel.y_sampling,
                    bool(channel.p_linear),
                )

    def attributes(self, *, raw: bool = False) -> Iterator[AttributeRow]:
        """The attributes of all parts, in file order; with `raw`, all of them have their bytes in base64."""
        for part in self.parts:
            for index, attribute in enumerate(part.attributes):
                keep = raw or attribute.note is not None or attribute.attr_type in RAW_TYPES
                yield AttributeRow(
                    part.part_index,
                    index,
                    attribute.attr_name,
                    attribute.attr_type,
                    attribute.size_bytes,
                    json_value(attribute.attr_type, attribute.value),
                    base64_text(attribute.raw) if keep else None,
                )

    def to_dict(self, *, raw: bool = False) -> dict[str, Any]:
        """The JSON form as Python values, with a fixed order of keys; it has no vectors, which are derived from it."""
        return {
            "schema_version": self.schema_version,
            "inspector_version": self.inspector_version,
            "file": {
                **row_of(self.file),
                "flags": row_of(self.flags),
                "bytes_read": self.bytes_read,
                "reads": self.reads,
            },
            "parts": [row_of(part) for part in self.parts],
            "channels": [row._asdict() for row in self.channels()],
            "attributes": [row._asdict() for row in self.attributes(raw=raw)],
            **self._stats(),
            "validation": None,
            "problems": [_problem_row(problem) for problem in self.problems],
        }

    def _stats(self) -> dict[str, Any]:
        if self.pixels is None:
            return {"stats": None, "part_stats": None, "stats_errors": None}
        from .pixel_rows import stats_json  # only if statistics were requested

        return stats_json(self.parts, self.pixels)

    def to_json(self, *, raw: bool = False, indent: int | None = None) -> str:
        """The JSON text, strict and deterministic. `raw` adds the bytes of every attribute."""
        return json.dumps(self.to_dict(raw=raw), ensure_ascii=False, allow_nan=False, indent=indent)

    def __repr__(self) -> str:
        counts = [_count(len(self.parts), "part"), _count(self.file.channel_count, "channel")]
        if self.problems:
            counts.append(_count(len(self.problems), "problem"))
        return f"<Inspection {short_repr(self.file.file_path)}: {self.file.status}, {', '.join(counts)}>"

    def _repr_html_(self) -> str:
        """A small table, which notebooks show."""
        from .html_form import html_table

        return html_table(self)


def _count(number: int, noun: str) -> str:
    return f"{number} {plural(number, noun)}"


def status_of(completeness: str, problem_severity: str | None) -> str:
    """The verdict on a file in one word: `complete` for a sound file, `invalid` for a complete one with an error.

    Other files have their completeness. `problem_severity` is None in rows that older versions stored.
    """
    return "invalid" if completeness == "complete" and problem_severity == "error" else completeness


def row_of(facts: Any) -> dict[str, Any]:
    """The fields of a dataclass, such as FileFacts, that are columns, as JSON values."""
    row = {name: getattr(facts, name) for name in _columns(facts.__class__)}
    for name, value in row.items():
        if isinstance(value, datetime):
            row[name] = timestamp_text(value)
    return row


@lru_cache
def _columns(facts: type) -> tuple[str, ...]:
    return tuple(column.name for column in fields(facts) if column.metadata.get("row", True))


def timestamp_text(moment: datetime) -> str:
    """A UTC time in ISO 8601, to the microsecond."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _problem_row(problem: Problem) -> dict[str, Any]:
    row = {"code": problem.code, "severity": problem.severity, **problem._asdict()}
    return {key: value for key, value in row.items() if value is not None}
