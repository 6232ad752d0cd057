"""Rules 6xx: attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from ..exr.attributes import Preview, Rational, TimeCode
from ..inspection.model import Inspection, PartFacts
from ..inspection.value_text import shortened
from .rule import (
    OF_HEADER,
    STRINGS,
    Allowed,
    Finite,
    Natural,
    Outcome,
    Parameters,
    Text,
    Texts,
    Undecided,
    Violation,
    file_rule,
    matcher,
    matches_any,
    one_of,
    part_rule,
    parts_without,
)
from .standard_attributes import POSITIVE, TEXTS, TYPES

_CAPTURE_DATE = re.compile(r"[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_PRIVATE_PATH = re.compile(r"/[^/\s]+/|[A-Za-z]:[\\/]|\\\\[^\\\s]+\\|file:", re.IGNORECASE)
_NTSC_BASES = (24, 30, 48, 60, 120)
_NTSC_TOLERANCE = 0.01  # rates are rounded, or cut, to two decimals: 23.98 and 23.97
_DROP_FRAME_BASES = (30, 60)
_SHOWN = 100  # characters of a text
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?(/[0-9]{1,9}(\.[0-9]{1,9})?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeNeed:
    """An attribute that must be there; a type, a shell pattern of its text, and limits of its number if given."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(pattern=r"\S")]
    type: Text | None = None
    glob: Text | None = None
    min: Finite | None = None
    max: Finite | None = None

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is more than max {self.max:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs(Parameters):
    """The attributes that each part must have."""

    attributes: tuple[AttributeNeed, ...] = ()


def _ntsc_base(rate: float) -> int | None:
    """The whole rate that an NTSC rate is 1000/1001 of, such as 24 for 23.976; None for other rates."""
    return next((base for base in _NTSC_BASES if abs(rate - base * 1000 / 1001) < _NTSC_TOLERANCE), None)


def _is_rate(text: str) -> str:
    """The text, if it is a frame rate. Raises ValueError."""
    if not _RATE.fullmatch(text) or not 0 < (rate := _number(text)) < inf:
        raise ValueError(f"{text[:20]}: expected a frame rate as 24 or 24000/1001")
    base = _ntsc_base(rate)
    if base is not None and "/" not in text:
        raise ValueError(f"{text[:20]}: rounded; expected {base * 1000}/1001")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates(Parameters):
    """Frame rates that are allowed, as 24 or 24000/1001."""

    allowed: tuple[Annotated[Text, AfterValidator(_is_rate)], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Names(Parameters):
    """Names of attributes, as shell patterns."""

    attributes: Texts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner(Parameters):
    """The owner, as a shell pattern."""

    value: Text = "?*"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewBytes(Parameters):
    """The largest size of a preview in KB."""

    kb: Natural = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateTexts(Parameters):
    """Further texts that must not occur, as shell patterns of whole values."""

    also: Texts = ()


@part_rule(601, "error", "common practice", Needs, needs=("attributes",))
def attribute_required(part: PartFacts, given: Needs) -> Iterator[Outcome]:
    """The attributes are there, and as required."""
    types = {attribute.attr_name: attribute.attr_type for attribute in reversed(part.attributes)}
    for need in given.attributes:
        if need.name not in part:
            yield Violation(need.name, None, attr_name=need.name)
            continue
        value, attr_type = part.get(need.name), types[need.name]
        if need.type is not None and attr_type != need.type:
            yield Violation(f"type {need.type}", attr_type, attr_name=need.name)
        if need.glob is not None and not (isinstance(value, str) and matches_any((need.glob,), value)):
            yield Violation(need.glob, shortened(str(value), _SHOWN), attr_name=need.name)
        low, high = -inf if need.min is None else need.min, inf if need.max is None else need.max
        limits = [f"{words} {limit:g}" for words, limit in (("at least", low), ("at most", high)) if isfinite(limit)]
        if limits and not (isinstance(value, (int, float)) and low <= value <= high):
            yield Violation(f"a number of {' and '.join(limits)}", shortened(str(value), _SHOWN), attr_name=need.name)


@part_rule(602, "warning", "common practice", Names, needs=("attributes",), reads=())
def attribute_forbidden(part: PartFacts, given: Names) -> Iterator[Outcome]:
    """No attribute has one of these names."""
    is_forbidden = matcher(given.attributes)
    for name in part:
        if is_forbidden(name):
            yield Violation("no such attribute", name, attr_name=name, text=f"the attribute {name} is forbidden")


@file_rule(603, "error", "common practice in deliveries", reads=("timeCode",))
def timecode(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """There is a time code, that of the first part if a later one has none."""
    for part in parts_without(inspection, lambda each: each.timecode):
        yield Violation("a time code", None, attr_name="timeCode", part_index=part.part_index)


@part_rule(
    604,
    "error",
    "ST 12-1",
    reads=(
        "timeCode",
        "framesPerSecond",
    ),
)
def timecode_range(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The time code exists at the frame rate."""
    code, rate = part.get("timeCode"), part.frames_per_second
    if not isinstance(code, TimeCode):
        return
    if code.hours > 23 or code.minutes > 59 or code.seconds > 59:
        yield Violation("at most 23:59:59", part.timecode, attr_name="timeCode")
    elif rate is None or not 0 < rate < 1e6:
        if code.dropFrame or code.frame >= 24:
            yield Undecided("the frame rate is unknown")
    elif code.frame >= ceil(rate - 1e-3):
        yield Violation(f"a frame below {ceil(rate - 1e-3)}", part.timecode, attr_name="timeCode")
    elif code.dropFrame:
        base = _ntsc_base(rate)
        if base not in _DROP_FRAME_BASES:
            yield Violation("drop frame at 30000/1001 or 60000/1001 only", part.timecode, attr_name="timeCode")
        elif code.seconds == 0 and code.minutes % 10 and code.frame < base // 15:
            yield Violation("a frame number that is not dropped", part.timecode, attr_name="timeCode")


def _rate(part: PartFacts) -> float | None:
    return part.frames_per_second


@file_rule(605, "error", "OpenEXR: Standard Attributes", reads=("framesPerSecond",))
def fps_missing(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """There is a frame rate, that of the first part if a later one has none."""
    for part in parts_without(inspection, _rate):
        yield Violation("a frame rate", None, attr_name="framesPerSecond", part_index=part.part_index)


@file_rule(606, "error", "common practice", Rates, needs=("allowed",), reads=("framesPerSecond",))
def fps_allowed(inspection: Inspection, given: Allowed) -> Iterator[Outcome]:
    """The frame rate is allowed, as 24 or 24000/1001."""
    if next(parts_without(inspection, _rate), None) is not None:
        yield Undecided("the frame rate is unknown")
    allowed = list(map(_number, given.allowed))
    for part in inspection.parts:
        rate = part.frames_per_second
        if rate is not None and not any(abs(rate - each) < 1e-6 for each in allowed):
            expected, actual = one_of(given.allowed), _rate_text(part)
            yield Violation(expected, actual, attr_name="framesPerSecond", part_index=part.part_index)


def _number(text: str) -> float:
    """The number of a frame rate; 0 if its denominator is."""
    numerator, _, denominator = text.partition("/")
    return float(numerator) / (float(denominator or 1) or inf)


def _rate_text(part: PartFacts) -> str:
    rate = part.get("framesPerSecond")
    return f"{rate.numerator}/{rate.denominator}" if isinstance(rate, Rational) else str(part.frames_per_second)


@part_rule(607, "warning", "OpenEXR: Standard Attributes", reads=("framesPerSecond",))
def fps_exact(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The frame rate is not rounded."""
    rate = part.frames_per_second
    if rate is None:
        return
    base = _ntsc_base(rate)
    value = part.get("framesPerSecond")
    if base is None or not isinstance(value, Rational):
        return
    if value.numerator * 1001 != base * 1000 * value.denominator:
        yield Violation(f"{base * 1000}/1001", _rate_text(part), attr_name="framesPerSecond")


@part_rule(608, "info", "OpenEXR: Standard Attributes", reads=tuple(TEXTS), by_attribute=True)
def empty_text(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Standard texts are not empty."""
    for attribute in part.attributes:
        if attribute.attr_name in TEXTS and attribute.attr_type == "string" and not attribute.raw:
            name = attribute.attr_name
            yield Violation("a string that is not empty", name, attr_name=name, text=f"the attribute {name} is empty")


@part_rule(609, "info", "OpenEXR: Standard Attributes", reads=("capDate",))
def capdate(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The capture date has the standard form."""
    date = part.get("capDate")
    if isinstance(date, str) and not _CAPTURE_DATE.fullmatch(date):
        yield Violation("YYYY:MM:DD hh:mm:ss", shortened(date, _SHOWN), attr_name="capDate")


@part_rule(610, "info", "OpenEXR: Standard Attributes", reads=POSITIVE, by_attribute=True)
def positive_number(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Values of the camera are positive."""
    for name in POSITIVE:
        value = part.get(name)
        if isinstance(value, Rational):
            if value.numerator <= 0 or value.denominator <= 0:
                yield Violation("a positive number", f"{value.numerator}/{value.denominator}", attr_name=name)
        elif isinstance(value, float) and not (value > 0 and (isfinite(value) or name == "focus")):
            yield Violation("a positive number", f"{value:g}", attr_name=name)


@part_rule(611, "warning", "common practice", Allowed, needs=("allowed",), reads=OF_HEADER)
def software_allowed(part: PartFacts, given: Allowed) -> Iterator[Outcome]:
    """The software is allowed."""
    software = [text for text in (part.render_software, part.renderer) if text]
    if not software:
        yield Undecided("the software is unknown")
    elif not any(matches_any(given.allowed, text) for text in software):
        yield Violation(one_of(given.allowed), shortened(software[0], _SHOWN))


@part_rule(612, "warning", "common practice", Owner, reads=("owner",))
def owner(part: PartFacts, given: Owner) -> Iterator[Outcome]:
    """The owner is the expected one."""
    text = part.get("owner")
    if not (isinstance(text, str) and matches_any((given.value,), text)):
        actual = shortened(text, _SHOWN) if isinstance(text, str) else None
        yield Violation("an owner" if given.value == "?*" else given.value, actual, attr_name="owner")


@part_rule(614, "warning", "OpenEXR: Standard Attributes", reads=())
def standard_type(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Standard attributes have their standard types."""
    for attribute in part.attributes:
        expected = TYPES.get(attribute.attr_name)
        if expected is not None and attribute.attr_type != expected:
            name = attribute.attr_name
            yield Violation(f"{name} of type {expected}", attribute.attr_type, attr_name=name)


@part_rule(616, "info", "common practice", PreviewBytes, reads=("preview",))
def preview_size(part: PartFacts, given: PreviewBytes) -> Iterator[Outcome]:
    """The preview is not too large."""
    if "preview" not in part:
        return
    preview = part.get("preview")
    if isinstance(preview, Preview) and (size := 4 * preview.width * preview.height) > given.kb * 1000:
        yield Violation(f"at most {given.kb} KB", f"{size} bytes", attr_name="preview")


@part_rule(617, "warning", "common practice", PrivateTexts, reads=(STRINGS,), by_attribute=True)
def private_path(part: PartFacts, given: PrivateTexts) -> Iterator[Outcome]:
    """No text is an absolute path."""
    for attribute in part.attributes:
        if attribute.attr_type != "string" or not isinstance(text := attribute.value, str):
            continue
        if _PRIVATE_PATH.match(text) or (given.also and matches_any(given.also, text)):
            yield Violation("no paths of the studio", shortened(text, _SHOWN), attr_name=attribute.attr_name)


@part_rule(618, "info", "OpenEXR: Standard Attributes", reads=OF_HEADER)
def camera_data(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Images of renderers have the matrices of their camera."""
    if part.renderer is None:
        return
    for name in ("worldToCamera", "worldToNDC"):
        if name not in part:
            yield Violation(name, None, attr_name=name)
