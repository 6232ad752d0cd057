"""Rules 1xx: the structure of files. Most are problems of the reader; severities are those of the problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..exr.part import PART_TYPES
from ..findings.rules import NOT_WHOLE, RULE_OF_PROBLEM, RULES, UNREADABLE, WHOLENESS_UNKNOWN
from ..inspection.model import Inspection, PartFacts
from ..inspection.value_text import plural
from .rule import (
    FILE,
    OF_HEADER,
    REGISTRY,
    Natural,
    Outcome,
    Parameters,
    PolicyRule,
    Undecided,
    Violation,
    file_rule,
    one_of,
    part_rule,
)

_DEPRECATED = ("dwaCompressionLevel", "renderingTransform", "lookModTransform", "maxSamplesPerPixel")
_LIBRARY = "OpenEXR: validation.c, ImfHeader.cpp"
_LONG_NAME = "EXR109"  # an error, as some software cuts the name

_NUMBERS = sorted(set(RULE_OF_PROBLEM.values()) - {103})
for _rule in (UNREADABLE, NOT_WHOLE, WHOLENESS_UNKNOWN, *(RULES[f"EXR{number}"] for number in _NUMBERS)):
    REGISTRY[_rule.rule_id] = PolicyRule(
        rule=_rule,
        scope="problem",
        check=None,
        severity="error" if _rule.rule_id == _LONG_NAME else None,
        source=_LIBRARY,
        reads=(FILE, "dataWindow", "pixelAspectRatio", "screenWindowWidth"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Types(Parameters):
    """Types of parts that are allowed."""

    types: tuple[Literal["scanlineimage", "tiledimage", "deepscanline", "deeptile"], ...] = ("scanlineimage",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts(Parameters):
    """A number that is allowed, with both ends."""

    min: Natural = 1
    max: Natural = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSize(Parameters):
    """The largest size in bytes."""

    max: Natural = 1 << 20


@part_rule(
    122,
    "error",
    "common practice; publishers convert tiles",
    Types,
    needs=("types",),
    by_name_only=True,
    reads=("type",),
)
def part_type(part: PartFacts, given: Types) -> Iterator[Outcome]:
    """The part has an allowed type."""
    if part.part_type not in PART_TYPES:
        yield Undecided("the type of the part is unknown")
    elif part.part_type not in given.types:
        yield Violation(one_of(given.types), part.part_type)


@file_rule(123, "error", "common practice", Counts, by_name_only=True, reads=())
def part_count(inspection: Inspection, given: Counts) -> Iterator[Outcome]:
    """The file has an allowed number of parts."""
    count = len(inspection.parts)
    if not given.min <= count <= given.max:
        expected = str(given.max) if given.min == given.max else f"{given.min} to {given.max}"
        yield Violation(f"{expected} {plural(given.max, 'part')}", str(count))


@file_rule(124, "warning", "ACES container (maxAcesHeaderSize)", HeaderSize, reads=OF_HEADER)
def header_size(inspection: Inspection, given: HeaderSize) -> Iterator[Outcome]:
    """The header is not too large."""
    if inspection.file.header_bytes > given.max:
        yield Violation(f"at most {given.max} bytes", str(inspection.file.header_bytes))


@part_rule(126, "info", "OpenEXR: Standard Attributes", reads=("type",))
def deprecated_attribute(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """No attribute is deprecated; deep parts need maxSamplesPerPixel."""
    for name in _DEPRECATED:
        if name in part and not (part.is_deep and name == "maxSamplesPerPixel"):
            yield Violation("no such attribute", name, attr_name=name, text=f"the attribute {name} is deprecated")


@file_rule(
    128,
    "warning",
    "OpenEXR: Multi-View",
    reads=(
        "multiView",
        "view",
    ),
)
def multi_part_view(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """Several parts name their view in `view`, the first one too."""
    parts = inspection.parts
    if len(parts) < 2:
        return
    for part in parts:
        if part.multi_view:
            yield Violation("the attribute view in each part", "multiView", part_index=part.part_index)
    if parts[0].view_name is None and any(part.view_name is not None for part in parts):
        yield Violation("the attribute view in each part", None, attr_name="view", part_index=0)
