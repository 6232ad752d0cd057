"""Rules 4xx: color spaces and chromaticities, other than those of ACES containers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ..inspection.inspector import COLOR_SPACES
from ..inspection.model import Inspection, PartFacts
from .channel_names import has_colors
from .gamuts import INTEROP_ID, chromaticities_of, gamut_of, gamut_of_id, is_degenerate
from .rule import (
    Allowed,
    Outcome,
    Parameters,
    Undecided,
    Violation,
    file_rule,
    matches_any,
    one_of,
    part_rule,
    parts_without,
)

# Names of color spaces: those with a word for linear are linear, unless a transfer function is a word of its own.
_LINEAR = re.compile(r"(?<![a-z])(?:scene)?lin(?:ear|(?![a-z]))|(?<![a-z])aces(?:cg|2065)", re.IGNORECASE)
_ENCODED = re.compile(r"(?<![a-z])(?:log|pq|hlg|st[ -]?2084)(?![a-z])|non[-_ ]?linear", re.IGNORECASE)
_ENCODED_WITHOUT_LINEAR = re.compile(
    r"(?<!ana)log|acescct?(?![a-z])|(?<![a-z])(?:gamma|g[12][0-9]|output|camera[-_ ]?rec)(?![a-z])"
    r"|srgb|display|(?:bt|rec)[. ]?1886|cineon|adx",
    re.IGNORECASE,
)
_SHOWN = 100  # characters of a name


@dataclass(frozen=True, slots=True, kw_only=True)
class Gamuts(Parameters):
    """Gamuts that are allowed: AP0, AP1, Rec.709, P3-D65, Rec.2020."""

    gamuts: tuple[Literal["AP0", "AP1", "Rec.709", "P3-D65", "Rec.2020"], ...] = ()


def _colored_without(inspection: Inspection, value: Callable[[PartFacts], Any]) -> Iterator[int]:
    """The parts with colors that have no value, neither their own nor that of the first part."""
    for part in parts_without(inspection, value):
        if has_colors(part.channels):
            yield part.part_index


@file_rule(401, "error", "Netflix VFX delivery", reads=("chromaticities",))
def chromaticities(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """R, G and B have chromaticities, those of the first part if a later one has none."""
    for index in _colored_without(inspection, chromaticities_of):
        yield Violation("chromaticities", None, attr_name="chromaticities", part_index=index)


@file_rule(402, "error", "Netflix VFX delivery", Gamuts, needs=("gamuts",), reads=("chromaticities",))
def gamut(inspection: Inspection, given: Gamuts) -> Iterator[Outcome]:
    """The chromaticities are those of an allowed gamut."""
    if next(_colored_without(inspection, chromaticities_of), None) is not None:
        yield Undecided("there are no chromaticities")
    for part in inspection.parts:
        values = chromaticities_of(part)
        if values is not None and (name := gamut_of(values)) not in given.gamuts:
            actual = name or part.chromaticities
            yield Violation(one_of(given.gamuts), actual, attr_name="chromaticities", part_index=part.part_index)


@file_rule(403, "error", "OpenEXR: Standard Attributes; Netflix VFX delivery", reads=COLOR_SPACES)
def colour_space(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """The color space has a name, that of the first part if a later one has none."""
    for index in _colored_without(inspection, _color_space):
        yield Violation("the name of the color space", None, attr_name="colorInteropID", part_index=index)


def _color_space(part: PartFacts) -> str | None:
    return part.color_space


@file_rule(404, "error", "Netflix VFX delivery", Allowed, needs=("allowed",), reads=COLOR_SPACES)
def colour_space_allowed(inspection: Inspection, given: Allowed) -> Iterator[Outcome]:
    """The color space is allowed."""
    yield from _unknown_color_space(inspection)
    for part in inspection.parts:
        if part.color_space is not None and not matches_any(given.allowed, part.color_space):
            yield Violation(one_of(given.allowed), part.color_space, part_index=part.part_index)


def _unknown_color_space(inspection: Inspection) -> Iterator[Undecided]:
    if next(_colored_without(inspection, _color_space), None) is not None:
        yield Undecided("the color space is unknown")


@part_rule(
    405,
    "error",
    "OpenEXR: Standard Attributes",
    reads=(
        *COLOR_SPACES,
        "chromaticities",
    ),
)
def colour_contradicts(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The color interop id and the chromaticities name the same gamut."""
    space = part.color_space
    declared = gamut_of_id(space) if space is not None else None
    values = chromaticities_of(part)
    if declared is not None and values is not None and (stored := gamut_of(values)) != declared:
        yield Violation(f"{space} with {declared}", f"{space} with {stored or 'other primaries'}")


@lru_cache(maxsize=256)
def _is_scene_linear(color_space: str) -> bool | None:
    """Whether the name of a color space is that of a scene-linear one; None if it does not tell."""
    match = INTEROP_ID.fullmatch(color_space)
    if match:
        return match["encoding"] == "lin" and match["state"] == "scene"
    if _ENCODED.search(color_space):
        return False
    if _LINEAR.search(color_space):
        return True
    return False if _ENCODED_WITHOUT_LINEAR.search(color_space) else None


@file_rule(407, "error", "Netflix VFX delivery", reads=COLOR_SPACES)
def not_scene_linear(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """The color space is scene-linear."""
    yield from _unknown_color_space(inspection)
    for part in inspection.parts:
        if part.color_space is None:
            continue
        is_linear = _is_scene_linear(part.color_space)
        if is_linear is None:
            yield Undecided(f"whether the color space {part.color_space[:_SHOWN]} is scene-linear is unknown")
        elif not is_linear:
            yield Violation("a scene-linear color space", part.color_space, part_index=part.part_index)


@part_rule(
    408,
    "warning",
    "OpenEXR: Standard Attributes",
    reads=(
        "adoptedNeutral",
        "chromaticities",
    ),
)
def adopted_neutral(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The adopted neutral is the white point."""
    neutral, values = part.get("adoptedNeutral"), chromaticities_of(part)
    if isinstance(neutral, tuple) and len(neutral) == 2 and values is not None and tuple(neutral) != values.white:
        x, y = neutral
        yield Violation(f"{values.white[0]:g}, {values.white[1]:g}", f"{x:g}, {y:g}", attr_name="adoptedNeutral")


@part_rule(410, "warning", "arithmetic: no matrix to XYZ exists", reads=("chromaticities",))
def chromaticities_degenerate(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The chromaticities span a gamut."""
    values = chromaticities_of(part)
    if values is not None and is_degenerate(values):
        yield Violation(
            "primaries that span a gamut, and a white point", part.chromaticities, attr_name="chromaticities"
        )


@file_rule(411, "warning", "common practice", reads=COLOR_SPACES)
def parts_colour(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """Parts with colors have one color space, that of the first part if a later one has none."""
    if len(inspection.parts) < 2:
        return
    shared = inspection.parts[0].color_space
    spaces = [(part, part.color_space or shared) for part in inspection.parts if has_colors(part.channels)]
    for part, color_space in spaces[1:]:
        if color_space != spaces[0][1]:
            yield Violation(spaces[0][1] or "no color space", color_space, part_index=part.part_index)
