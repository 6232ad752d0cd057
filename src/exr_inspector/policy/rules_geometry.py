"""Rules 7xx: windows, aspect ratio, tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ..exr.attributes import Box2i
from ..inspection.model import Inspection, PartFacts
from .rule import Finite, Natural, Outcome, Parameters, Positive, Undecided, Violation, file_rule, one_of, part_rule

_WINDOWS = ("dataWindow", "displayWindow")
_NO_WINDOW = Undecided("a window is missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes(Parameters):
    """Width and height of the display windows that are allowed."""

    sizes: tuple[tuple[Positive, Positive], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MinWidth(Parameters):
    """The least width in pixels."""

    width: Positive = 3840


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation(Parameters):
    """What the data window is to the display window."""

    relation: Literal["equal", "inside", "contains"] = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Percent(Parameters):
    """The largest overscan of a side, in percent of the display window."""

    percent: Annotated[Finite, Field(ge=0)] = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio(Parameters):
    """The pixel aspect ratio."""

    ratio: Annotated[Finite, Field(gt=0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels(Parameters):
    """The number of pixels up to which a data window is tiny."""

    pixels: Natural = 4


def _windows(part: PartFacts) -> tuple[Box2i, Box2i] | None:
    """The data and the display window; None if one is missing or empty."""
    data, display = part.get("dataWindow"), part.get("displayWindow")
    if not (isinstance(data, Box2i) and isinstance(display, Box2i)):
        return None
    is_empty = (
        data.xMin > data.xMax or data.yMin > data.yMax or display.xMin > display.xMax or display.yMin > display.yMax
    )
    return None if is_empty else (data, display)


@part_rule(701, "error", "common practice", Sizes, needs=("sizes",), reads=("displayWindow",))
def display_size(part: PartFacts, given: Sizes) -> Iterator[Outcome]:
    """The display window has an allowed size."""
    if part.display_width is None or part.display_height is None:
        yield _NO_WINDOW
    elif (part.display_width, part.display_height) not in given.sizes:
        expected = one_of(f"{width}×{height}" for width, height in given.sizes)
        yield Violation(expected, f"{part.display_width}×{part.display_height}")


@part_rule(702, "error", "Netflix VFX delivery", MinWidth, reads=("displayWindow",))
def min_width(part: PartFacts, given: MinWidth) -> Iterator[Outcome]:
    """The display window is wide enough."""
    if part.display_width is None:
        yield _NO_WINDOW
    elif part.display_width < given.width:
        yield Violation(f"at least {given.width}", str(part.display_width))


@part_rule(703, "error", "common practice in deliveries", Relation, reads=_WINDOWS)
def window_relation(part: PartFacts, given: Relation) -> Iterator[Outcome]:
    """The data window is equal to, inside of, or contains the display window."""
    windows = _windows(part)
    if windows is None:
        yield _NO_WINDOW
        return
    data, display = windows
    if data == display:
        return
    inner, outer = (data, display) if given.relation == "inside" else (display, data)
    if given.relation == "equal":
        yield Violation(f"equal to the display window {part.display_window}", part.data_window)
    elif not (outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]):
        word = "inside of" if given.relation == "inside" else "around"
        yield Violation(f"{word} the display window {part.display_window}", part.data_window)


@part_rule(704, "warning", "OpenEXR: Technical Introduction", Percent, reads=_WINDOWS)
def overscan(part: PartFacts, given: Percent) -> Iterator[Outcome]:
    """The data window extends not too far."""
    windows = _windows(part)
    if windows is None:
        yield _NO_WINDOW
        return
    data, display = windows
    width, height = display.xMax - display.xMin + 1, display.yMax - display.yMin + 1
    beyond_x = max(display.xMin - data.xMin, data.xMax - display.xMax) / width
    beyond_y = max(display.yMin - data.yMin, data.yMax - display.yMax) / height
    if (worst := 100 * max(beyond_x, beyond_y)) > given.percent:
        yield Violation(f"at most {given.percent:g} %", f"{worst:.0f} %")


@part_rule(705, "warning", "OpenEXR: Technical Introduction", reads=_WINDOWS)
def window_outside(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The windows have common pixels."""
    windows = _windows(part)
    if windows is None:
        yield _NO_WINDOW
        return
    data, display = windows
    if data[0] > display[2] or data[2] < display[0] or data[1] > display[3] or data[3] < display[1]:
        yield Violation(f"common pixels with {part.display_window}", part.data_window)


@part_rule(706, "warning", "common practice", reads=("displayWindow",))
def display_origin(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The display window begins at 0,0."""
    display = part.get("displayWindow")
    if not isinstance(display, Box2i):
        yield _NO_WINDOW
    elif display.xMin or display.yMin:
        yield Violation("0,0", f"{display.xMin},{display.yMin}")


@part_rule(707, "error", "Netflix VFX delivery", Ratio, reads=("pixelAspectRatio",))
def pixel_aspect(part: PartFacts, given: Ratio) -> Iterator[Outcome]:
    """Pixels have the expected shape."""
    if part.pixel_aspect_ratio is None:
        yield Undecided("the pixel aspect ratio is unknown")
    elif abs(part.pixel_aspect_ratio - given.ratio) > 1e-6 * given.ratio:
        yield Violation(f"{given.ratio:g}", str(part.pixel_aspect_ratio))


@part_rule(708, "info", "encoders of video", reads=("displayWindow",))
def even_size(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Width and height of the display window are even."""
    if part.display_width is None or part.display_height is None:
        yield _NO_WINDOW
    elif part.display_width % 2 or part.display_height % 2:
        yield Violation("even numbers", f"{part.display_width}×{part.display_height}")


@part_rule(709, "warning", "renderers that crop empty frames", Pixels, reads=_WINDOWS)
def tiny_window(part: PartFacts, given: Pixels) -> Iterator[Outcome]:
    """The data window is not that of an empty frame."""
    width, height = part.width, part.height
    if width is None or height is None or part.display_width is None or part.display_height is None:
        yield _NO_WINDOW
    elif 0 < width * height <= given.pixels < part.display_width * part.display_height:
        yield Violation(f"more than {given.pixels} pixels", part.data_window)


@file_rule(
    710,
    "warning",
    "johannesvollmer/exrs#247, Autodesk/arnold-usd#2448",
    reads=(
        "dataWindow",
        "view",
    ),
)
def part_windows(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """Parts of a view have one data window."""
    if len(inspection.parts) < 2:
        return
    first: dict[str | None, str | None] = {}
    for part in inspection.parts:
        expected = first.setdefault(part.view_name, part.data_window)
        if part.data_window != expected:
            yield Violation(expected or "unknown", part.data_window, part_index=part.part_index)


@part_rule(711, "info", "texture caches", reads=("tiles",))
def tile_size(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Tiles have sizes that are powers of 2."""
    width, height = part.tile_width, part.tile_height
    if width is not None and height is not None and (width & (width - 1) or height & (height - 1)):
        yield Violation("powers of 2", f"{width}×{height}")


@part_rule(712, "info", "texture caches", reads=("tiles",))
def mip_levels(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """A texture has mip levels."""
    if part.level_mode != "MIPMAP_LEVELS":
        yield Violation("MIPMAP_LEVELS", part.level_mode)
