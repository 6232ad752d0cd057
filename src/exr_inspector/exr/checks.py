"""The checks of headers: what OpenEXR and OpenImageIO reject, misread or tolerate. `codes.py` has the codes.

In come parts, out come problems. Source: what OpenEXR 3.5 and OpenImageIO 3.2 do with headers with one value changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from .attributes import Box2i
from .channels import MAX_SHOWN, ChannelList
from .part import DEEP, FLAT_TYPES, LONG_NAMES, MULTIPART, PART_TYPES, TILED, Part
from .problems import Problem, ProblemList

# Attribute types by name.
REQUIRED = {
    "channels": "chlist",
    "compression": "compression",
    "dataWindow": "box2i",
    "displayWindow": "box2i",
    "lineOrder": "lineOrder",
    "pixelAspectRatio": "float",
    "screenWindowCenter": "v2f",
    "screenWindowWidth": "float",
}
_REQUIRED_IF_DEEP = {"type": "string", "version": "int", "chunkCount": "int"}
_REQUIRED_IF_MULTIPART = {"name": "string", "type": "string", "chunkCount": "int"}
_REQUIRED_IF_TILED = {"tiles": "tiledesc"}
RECOMPUTED = frozenset({"version", "chunkCount"})  # the libraries do without them
REPLACED = frozenset(REQUIRED) | {"tiles"}  # without a value, the libraries use a default or reject the file

_DEEP_COMPRESSIONS = ("NONE", "RLE", "ZIPS", "ZSTD")
_DEEP_VERSION = 1
_WINDOW_LIMIT = 2**30 - 1
_LOWEST_ASPECT, _HIGHEST_ASPECT = 9.999999974752427e-07, 1e6  # the 32-bit floats 1e-6 and 1e6
_LARGEST_TILE = (2**31 - 1) // 4
_SHARED = ("displayWindow", "pixelAspectRatio", "timeCode", "chromaticities")


def check_flags(flags: int, problems: ProblemList) -> None:
    """Check the flags of the version field."""
    if flags & ~(TILED | LONG_NAMES | DEEP | MULTIPART):
        problems.add(Problem("unknown_flags", f"unknown bits in the version field: {flags:#x}", byte_offset=4))
    if flags & TILED and flags & (DEEP | MULTIPART):
        message = f"version flags {flags:#x} have the tiled flag, which is only for files with one flat part"
        problems.add(Problem("contradicting_flags", message, byte_offset=4))


def check_part(part: Part, flags: int, problems: ProblemList) -> None:
    """Check the header of one part."""
    _check_type(part, flags, problems)
    _check_required(part, flags, problems)
    _check_windows(part, problems)
    _check_view(part, problems)
    _check_channels(part, flags, problems)
    if part.is_tiled:
        _check_tiles(part, problems)
    elif part.value("lineOrder", "lineOrder") == "RANDOM_Y":
        message = "lineOrder is RANDOM_Y, which is only for tiles"
        problems.add(Problem("bad_line_order", message, part.part_index, "lineOrder"))
    if part.is_deep:
        _check_deep(part, problems)


def check_parts(parts: Sequence[Part], problems: ProblemList) -> None:
    """Check the parts of a multi-part file against each other."""
    names: set[str] = set()
    for part in parts:
        name = part.value("name", "string")
        if name is not None and name in names:
            message = f"several parts are named {name!r}; names must be unique"
            problems.add(Problem("duplicate_part_name", message, part.part_index, "name"))
        names.add(name)
        for shared in _SHARED:
            value = part.by_name.get(shared)
            if value is not None and value != parts[0].by_name.get(shared):
                message = f"{shared} differs from that of part 0; expected the same in all parts"
                problems.add(Problem("parts_disagree", message, part.part_index, shared))


def _check_type(part: Part, flags: int, problems: ProblemList) -> None:
    declared = part.value("type", "string")
    if declared is None:
        return
    if declared not in PART_TYPES and flags & (DEEP | MULTIPART):
        code, message = "unknown_part_type", f"unknown part type {declared!r}"
    elif declared in FLAT_TYPES and flags & DEEP and not flags & MULTIPART:
        code, message = "flat_type_in_deep_file", f"the version flags {flags:#x} say deep, but type is {declared!r}"
    elif declared != part.part_type or (part.is_deep and not flags & DEEP):
        message = f"version flags {flags:#x} and type {declared!r} contradict each other; read as {part.part_type}"
        code = "flags_type_mismatch"
    else:
        return
    problems.add(Problem(code, message, part.part_index, "type"))


@lru_cache
def _required_of(tiled: bool, deep: bool, multipart: bool) -> tuple[tuple[str, str], ...]:
    """Name and type of the attributes that a part must have."""
    required = {
        **REQUIRED,
        **(_REQUIRED_IF_TILED if tiled else {}),
        **(_REQUIRED_IF_DEEP if deep else {}),
        **(_REQUIRED_IF_MULTIPART if multipart else {}),
    }
    return tuple(required.items())


def _check_required(part: Part, flags: int, problems: ProblemList) -> None:
    get = part.by_name.get
    for name, attr_type in _required_of(part.is_tiled, part.is_deep, bool(flags & MULTIPART)):
        attribute = get(name)
        if attribute is None:
            code = "no_version_or_count" if name in RECOMPUTED else "missing_attribute"
            problems.add(Problem(code, f"required attribute {name!r} is missing", part.part_index, name))
        elif attribute.attr_type != attr_type:
            code = "no_version_or_count" if name in RECOMPUTED else "attribute_type"
            message = f"attribute {name!r} has type {attribute.attr_type!r}, expected {attr_type!r}"
            problems.add(Problem(code, message, part.part_index, name))


def _check_windows(part: Part, problems: ProblemList) -> None:
    for name in ("dataWindow", "displayWindow"):
        box = part.value(name, "box2i")
        if box is None:
            continue
        x_min, y_min, x_max, y_max = box
        if -_WINDOW_LIMIT < x_min <= x_max < _WINDOW_LIMIT and -_WINDOW_LIMIT < y_min <= y_max < _WINDOW_LIMIT:
            continue
        if x_max < x_min or y_max < y_min:
            code, message = "empty_window", f"{name} {list(box)} is empty: a maximum is below its minimum"
        else:
            code = "window_range"
            message = f"{name} {list(box)} is out of range, expected coordinates within ±{_WINDOW_LIMIT - 1}"
        problems.add(Problem(code, message, part.part_index, name))


def _check_view(part: Part, problems: ProblemList) -> None:
    aspect, width = part.value("pixelAspectRatio", "float"), part.value("screenWindowWidth", "float")
    if aspect is not None and not _LOWEST_ASPECT <= aspect <= _HIGHEST_ASPECT:
        message = f"pixelAspectRatio is {aspect:g}, expected 1e-06 to 1e+06"
        problems.add(Problem("bad_pixel_aspect_ratio", message, part.part_index, "pixelAspectRatio"))
    if width is not None and width < 0:
        message = f"screenWindowWidth is {width:g}, expected 0 or more"
        problems.add(Problem("bad_screen_window", message, part.part_index, "screenWindowWidth"))


def _check_channels(part: Part, flags: int, problems: ProblemList) -> None:
    channels = part.value("channels", "chlist")
    if channels is None:
        return
    if not channels.faults and not channels.samplings:
        return
    for code, message in chain(channels.faults, _sampling_problems(part, channels)):
        if code != "long_name" or not flags & LONG_NAMES:
            problems.add(Problem(code, message, part.part_index, "channels"))


def _sampling_problems(part: Part, channels: ChannelList) -> Iterator[tuple[str, str]]:
    for fault in sampling_faults(channels, part.data_window, is_tiled=part.is_tiled, is_deep=part.is_deep):
        name, x, y, expected, _ = fault
        yield "bad_sampling", f"channel {name[:MAX_SHOWN]!r} has sampling {x} × {y}, expected {expected}"


class SamplingFault(NamedTuple):
    """A channel with a sampling that the kind of its part or the data window forbids."""

    channel_name: str
    x_sampling: int
    y_sampling: int
    expected: str
    actual: str  # the value that does not fit


def sampling_faults(
    channels: ChannelList, window: Box2i | None, *, is_tiled: bool, is_deep: bool
) -> Iterator[SamplingFault]:
    """The samplings other than 1 that the kind of the part or its data window forbids."""
    for name, x, y in channels.samplings:
        actual = f"{x} × {y}"
        if x < 1 or y < 1:
            expected = "1 or more"
        elif is_tiled or is_deep:
            expected = f"1 × 1 in a {'deep' if is_deep else 'tiled'} part"
        elif window and (misfit := _misfit(window, x, y)):
            expected, actual = "a divisor of the origin and size of the data window", misfit
        else:
            continue
        yield SamplingFault(name, x, y, expected, actual)


def _misfit(window: Box2i, x: int, y: int) -> str:
    """The first coordinate of a data window that is not a multiple of the sampling: `x 1 of 2`."""
    bounds = (("x", window.xMin, x), ("x", window.xMax + 1, x), ("y", window.yMin, y), ("y", window.yMax + 1, y))
    return next((f"{axis} {bound} of {step}" for axis, bound, step in bounds if bound % step), "")


def _check_tiles(part: Part, problems: ProblemList) -> None:
    tiles = part.tiles
    if tiles is None:
        return
    sizes_fit = 1 <= tiles.xSize <= _LARGEST_TILE and 1 <= tiles.ySize <= _LARGEST_TILE
    if not sizes_fit or tiles.levelMode is None or tiles.roundingMode is None:
        message = f"invalid tiles {list(tiles)}: expected sizes of 1 to {_LARGEST_TILE} and known modes"
        problems.add(Problem("bad_tiles", message, part.part_index, "tiles"))


def _check_deep(part: Part, problems: ProblemList) -> None:
    compression, version = part.value("compression", "compression"), part.value("version", "int")
    if compression is not None and compression not in _DEEP_COMPRESSIONS:
        message = f"compression {compression} in a deep part, expected {', '.join(_DEEP_COMPRESSIONS)}"
        problems.add(Problem("deep_compression", message, part.part_index, "compression"))
    if version is not None and version != _DEEP_VERSION:
        message = f"version {version} of the deep part is unknown, expected {_DEEP_VERSION}"
        problems.add(Problem("unknown_part_version", message, part.part_index, "version"))
