"""Rules 4xx: color spaces and chromaticities, other than those of ACES containers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..inspection.inspector import COLOR_SPACES
from ..inspection.model import Inspection, PartFacts
from .channel_names import has_colors
from .gamuts import INTEROP_ID, chromaticities_of, gamut_of, gamut_of_id, is_degenerate
from .rule import Allowed, Outcome, Parameters, Texts, Undecided, Violation, file_rule, matches_any, one_of, part_rule

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

    gamuts: Texts = ()


@part_rule(401, "error", "Netflix VFX delivery", reads=("chromaticities",))
def chromaticities(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """R, G and B have chromaticities."""
    if chromaticities_of(part) is None and has_colors(part.channels):
        yield Violation("chromaticities", None, attr_name="chromaticities")


@part_rule(402, "error", "Netflix VFX delivery", Gamuts, needs=("gamuts",), reads=("chromaticities",))
def gamut(part: PartFacts, given: Gamuts) -> Iterator[Outcome]:
    """The chromaticities are those of an allowed gamut."""
    values = chromaticities_of(part)
    if values is None:
        if has_colors(part.channels):
            yield Undecided("there are no chromaticities")
    elif (name := gamut_of(values)) not in given.gamuts:
        yield Violation(one_of(given.gamuts), name or part.chromaticities, attr_name="chromaticities")


@part_rule(403, "error", "OpenEXR: Standard Attributes; Netflix VFX delivery", reads=COLOR_SPACES)
def colour_space(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The color space has a name."""
    if part.color_space is None and has_colors(part.channels):
        yield Violation("the name of the color space", None, attr_name="colorInteropID")


@part_rule(404, "error", "Netflix VFX delivery", Allowed, needs=("allowed",), reads=COLOR_SPACES)
def colour_space_allowed(part: PartFacts, given: Allowed) -> Iterator[Outcome]:
    """The color space is allowed."""
    if part.color_space is None:
        if has_colors(part.channels):
            yield Undecided("the color space is unknown")
    elif not matches_any(given.allowed, part.color_space):
        yield Violation(one_of(given.allowed), part.color_space)


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


@part_rule(407, "error", "Netflix VFX delivery", reads=COLOR_SPACES)
def not_scene_linear(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The color space is scene-linear."""
    if part.color_space is None:
        if has_colors(part.channels):
            yield Undecided("the color space is unknown")
        return
    is_linear = _is_scene_linear(part.color_space)
    if is_linear is None:
        yield Undecided(f"whether the color space {part.color_space[:_SHOWN]} is scene-linear is unknown")
    elif not is_linear:
        yield Violation("a scene-linear color space", part.color_space)


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
    """Parts with colors have one color space."""
    if len(inspection.parts) < 2:
        return
    colored = [part for part in inspection.parts if has_colors(part.channels)]
    for part in colored[1:]:
        if part.color_space != colored[0].color_space:
            expected = colored[0].color_space or "no color space"
            yield Violation(expected, part.color_space, part_index=part.part_index)
