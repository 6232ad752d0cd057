"""The differences between the headers of two files: parts, channels, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..exr import Attribute, Channel
from .json_form import base64_text, json_value
from .model import Inspection, PartFacts

_MAX_SHOWN_CHARACTERS = 200  # longer values, such as manifests, are shown by their size and first characters
_FIRST_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between two headers; `a` and `b` are the two values, None where it is absent."""

    part_index: int | None
    kind: str  # file, part, channel or attribute
    name: str
    a: Any
    b: Any


def diff(a: Inspection, b: Inspection) -> list[Difference]:
    """The differences between two headers, in the order of the parts; paths, sizes, times and pixels are ignored."""
    differences = [
        Difference(part_index=None, kind="file", name=name, a=left, b=right)
        for name, left, right in (
            ("flags", _flags(a), _flags(b)),
            ("parts", len(a.parts), len(b.parts)),
            ("completeness", a.completeness, b.completeness),
        )
        if left != right
    ]
    for left_part, right_part in zip(a.parts, b.parts, strict=False):
        index = left_part.part_index
        differences += _compare(index, "channel", _channels(left_part), _channels(right_part))
        differences += _compare(index, "attribute", _attributes(left_part), _attributes(right_part))
    shared = min(len(a.parts), len(b.parts))
    for part in a.parts[shared:]:
        differences.append(
            Difference(part_index=part.part_index, kind="part", name=_name(part), a=_summary(part), b=None)
        )
    for part in b.parts[shared:]:
        differences.append(
            Difference(part_index=part.part_index, kind="part", name=_name(part), a=None, b=_summary(part))
        )
    return differences


def _compare(part_index: int, kind: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    names = list(a) + [name for name in b if name not in a]
    return [
        Difference(part_index=part_index, kind=kind, name=name, a=_shown(a.get(name)), b=_shown(b.get(name)))
        for name in names
        if a.get(name) != b.get(name)
    ]


def _channels(part: PartFacts) -> dict[str, Channel]:
    return {channel.channel_name: channel for channel in part.channels}


def _attributes(part: PartFacts) -> dict[str, Attribute]:
    """Attributes by name, without the channel list, which is compared channel by channel."""
    attributes: dict[str, Attribute] = {}
    for attribute in part.attributes:
        if attribute.attr_type != "chlist" or attribute.attr_name != "channels":
            attributes.setdefault(attribute.attr_name, attribute)  # readers use the first of two equal names
    return attributes


def _shown(value: Attribute | Channel | None) -> Any:
    if value is None:
        return None
    if isinstance(value, Channel):
        sampling = "" if value.x_sampling == value.y_sampling == 1 else f" {value.x_sampling}×{value.y_sampling}"
        return f"{value.channel_type}{sampling}{' linear' if value.p_linear else ''}"
    shown = json_value(value.attr_type, value.value)
    if shown is None:
        shown = base64_text(value.raw[:_MAX_SHOWN_CHARACTERS])
    if len(str(shown)) > _MAX_SHOWN_CHARACTERS:
        return f"{value.attr_type}, {value.size_bytes} bytes: {str(shown)[:_FIRST_CHARACTERS]}…"
    return shown


def _flags(inspection: Inspection) -> list[str]:
    flags = inspection.flags
    return [name for name in ("tiled", "long_names", "deep", "multipart") if getattr(flags, name)]


def _name(part: PartFacts) -> str:
    return part.part_name or f"part {part.part_index}"


def _summary(part: PartFacts) -> str:
    return f"{part.part_type}, {len(part.channels)} channel{'s' * (len(part.channels) != 1)}"
