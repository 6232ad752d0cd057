"""Parts: the attributes of one header, how the part is stored, and the checks of its header.

In come attributes in file order and the version flags, out comes a `Part`; irregularities become problems. Values that
the file does not contain are None, never defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .attributes import Attribute, Box2i, TileDesc
from .channels import Channel
from .problems import Problem, ProblemList

TILED, LONG_NAMES, DEEP, MULTIPART = 0x200, 0x400, 0x800, 0x1000  # flags of the version field
PART_TYPES = ("scanlineimage", "tiledimage", "deepscanline", "deeptile")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part. Properties are None, or empty, where the attribute is missing or does not decode."""

    part_index: int
    attributes: tuple[Attribute, ...]  # in file order
    by_name: Mapping[str, Attribute]  # the first attribute of each name
    part_type: str | None  # as the OpenEXR library determines it: from the version flags, else from `type`

    def value(self, attr_name: str, attr_type: str) -> Any:
        """The decoded value of an attribute; None if it is missing or has another type."""
        attribute = self.by_name.get(attr_name)
        return attribute.value if attribute is not None and attribute.attr_type == attr_type else None

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channel list in file order."""
        return self.value("channels", "chlist") or ()

    @property
    def data_window(self) -> Box2i | None:
        """Inclusive bounds of the stored pixels."""
        return self.value("dataWindow", "box2i")  # type: ignore[no-any-return]

    @property
    def tiles(self) -> TileDesc | None:
        """Tile size and level modes of a tiled part."""
        return self.value("tiles", "tiledesc")  # type: ignore[no-any-return]

    @property
    def is_tiled(self) -> bool:
        """Whether chunks are tiles."""
        return self.part_type in ("tiledimage", "deeptile")

    @property
    def is_deep(self) -> bool:
        """Whether pixels hold lists of samples."""
        return self.part_type in ("deepscanline", "deeptile")


def make_part(part_index: int, attributes: Sequence[Attribute], flags: int, problems: ProblemList) -> Part:
    """A part from its attributes and the version flags; adds the problems of its header."""
    by_name = {a.attr_name: a for a in reversed(attributes)}
    part_type = _part_type(part_index, by_name, flags, problems)
    part = Part(part_index=part_index, attributes=tuple(attributes), by_name=by_name, part_type=part_type)
    _check_required(part, flags, problems)
    _check_windows(part, problems)
    _check_channels(part, problems)
    _check_tiles(part, problems)
    return part


def _part_type(part_index: int, by_name: Mapping[str, Attribute], flags: int, problems: ProblemList) -> str | None:
    """How the part is stored. As in the library, flags decide for single-part flat files, else `type` does."""
    attribute = by_name.get("type")
    declared = attribute.value if attribute is not None and attribute.attr_type == "string" else None
    if flags & MULTIPART:
        part_type = declared
        contradiction = flags & TILED or (declared in ("deepscanline", "deeptile") and not flags & DEEP)
    elif flags & DEEP:
        from_tiles = "deeptile" if "tiles" in by_name else "deepscanline"
        part_type = declared if declared in ("deepscanline", "deeptile") else from_tiles
        contradiction = flags & TILED or (declared is not None and declared != part_type)
    else:
        part_type = "tiledimage" if flags & TILED else "scanlineimage"
        contradiction = declared is not None and declared != part_type
    if contradiction:
        message = f"version flags {flags:#x} and type {declared!r} contradict each other; read as {part_type}"
        problems.add(Problem("flags_type_mismatch", message, part_index, "type", 4))
    if part_type is not None and part_type not in PART_TYPES:
        problems.add(Problem("unknown_part_type", f"unknown part type {part_type!r}", part_index, "type"))
    return part_type


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
            message = f"required attribute {name!r} is missing"
            problems.add(Problem("missing_attribute", message, part.part_index, name))
        elif attribute.attr_type != attr_type:
            message = f"attribute {name!r} has type {attribute.attr_type!r}, expected {attr_type!r}"
            problems.add(Problem("attribute_type", message, part.part_index, name))


def _check_windows(part: Part, problems: ProblemList) -> None:
    for name in ("dataWindow", "displayWindow"):
        box = part.value(name, "box2i")
        if box is not None and (box.xMax < box.xMin or box.yMax < box.yMin):
            message = f"{name} {list(box)} is empty: a maximum is below its minimum"
            problems.add(Problem("empty_window", message, part.part_index, name))


def _check_tiles(part: Part, problems: ProblemList) -> None:
    tiles = part.tiles if part.is_tiled else None
    if tiles is not None and (0 in (tiles.xSize, tiles.ySize) or tiles.levelMode is None or tiles.roundingMode is None):
        message = f"invalid tiles {list(tiles)}: expected sizes of 1 or more and known modes"
        problems.add(Problem("bad_tiles", message, part.part_index, "tiles"))


def _check_channels(part: Part, problems: ProblemList) -> None:
    def report(code: str, message: str) -> None:
        problems.add(Problem(code, message, part.part_index, "channels"))

    window = part.data_window
    names = set()
    for channel in part.channels:
        name, channel_type, x, y, _ = channel  # unpacked, as this runs for every channel of every file
        if channel_type is None:
            report("unknown_pixel_type", f"channel {name!r} has an unknown pixel type, expected UINT, HALF or FLOAT")
        if x != 1 or y != 1:
            if x < 1 or y < 1:
                report("bad_sampling", f"channel {name!r} has sampling {x} × {y}, expected 1 or more")
            elif window is not None and not _fits(channel, window):
                report("bad_sampling", f"channel {name!r}: the data window is not a multiple of its sampling {x} × {y}")
        if name in names:
            report("duplicate_channel", f"channel {name!r} is repeated")
        names.add(name)


def _fits(channel: Channel, window: Box2i) -> bool:
    """Whether a window begins and ends with whole samples, as the library requires."""
    x, y = channel.x_sampling, channel.y_sampling
    return not (window.xMin % x or (window.xMax + 1) % x or window.yMin % y or (window.yMax + 1) % y)
