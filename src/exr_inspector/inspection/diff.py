"""What differs between the headers of two files: parts, channels, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..exr import Attribute, Channel
from .json_form import base64_text, json_value
from .model import Inspection, PartFacts

# Long values are told by their size: a manifest of a megabyte is no line of a report.
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not the same: where (part and name), and how each side has it (None: not at all)."""

    part_index: int | None
    kind: str  # file, part, channel or attribute
    name: str
    a: Any
    b: Any


def diff(a: Inspection, b: Inspection) -> list[Difference]:
    """All differences between the headers, in the order of the parts. Paths, sizes, times and pixels do not count."""
    found = [
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
        found += _compare(index, "channel", _channels(left_part), _channels(right_part))
        found += _compare(index, "attribute", _attributes(left_part), _attributes(right_part))
    shared = min(len(a.parts), len(b.parts))
    for part in a.parts[shared:]:
        found.append(Difference(part_index=part.part_index, kind="part", name=_name(part), a=_summary(part), b=None))
    for part in b.parts[shared:]:
        found.append(Difference(part_index=part.part_index, kind="part", name=_name(part), a=None, b=_summary(part)))
    return found


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
    """Attributes by name; the channel list is compared channel by channel instead."""
    found: dict[str, Attribute] = {}
    for attribute in part.attributes:
        if attribute.attr_type != "chlist" or attribute.attr_name != "channels":
            found.setdefault(attribute.attr_name, attribute)  # of two of a name the first one counts
    return found


def _shown(value: Attribute | Channel | None) -> Any:
    if value is None:
        return None
    if isinstance(value, Channel):
        sampling = "" if value.x_sampling == value.y_sampling == 1 else f" {value.x_sampling}×{value.y_sampling}"
        return f"{value.channel_type}{sampling}{' linear' if value.p_linear else ''}"
    shown = json_value(value.attr_type, value.value)
    if shown is None:
        shown = base64_text(value.raw[:_SHOWN_CHARACTERS])
    if len(str(shown)) > _SHOWN_CHARACTERS:
        return f"{value.attr_type}, {value.size_bytes} bytes: {str(shown)[:60]}…"
    return shown


def _flags(inspection: Inspection) -> list[str]:
    flags = inspection.flags
    return [name for name in ("tiled", "long_names", "deep", "multipart") if getattr(flags, name)]


def _name(part: PartFacts) -> str:
    return part.part_name or f"part {part.part_index}"


def _summary(part: PartFacts) -> str:
    return f"{part.part_type}, {len(part.channels)} channels"
