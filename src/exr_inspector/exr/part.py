"""Parts: the attributes of one header, and how the part is stored.

In come attributes in file order and the version flags, out comes a `Part`. Values that the file does not contain are
None, never defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .attributes import Attribute, Box2i, TileDesc
from .channels import NO_CHANNELS, ChannelList

TILED, LONG_NAMES, DEEP, MULTIPART = 0x200, 0x400, 0x800, 0x1000  # flags of the version field
FLAT_TYPES, DEEP_TYPES = ("scanlineimage", "tiledimage"), ("deepscanline", "deeptile")
PART_TYPES = FLAT_TYPES + DEEP_TYPES


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
    def channels(self) -> ChannelList:
        """The channel list in file order."""
        return self.value("channels", "chlist") or NO_CHANNELS

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
        return self.part_type in DEEP_TYPES


def make_part(part_index: int, attributes: Sequence[Attribute], by_name: Mapping[str, Attribute], flags: int) -> Part:
    """A part from its attributes, the first of each name, and the version flags."""
    part_type = _part_type(by_name, flags)
    return Part(part_index=part_index, attributes=tuple(attributes), by_name=by_name, part_type=part_type)


def _part_type(by_name: Mapping[str, Attribute], flags: int) -> str | None:
    """How the part is stored. As in the library, flags decide for single-part flat files, else `type` does."""
    attribute = by_name.get("type")
    declared = attribute.value if attribute is not None and attribute.attr_type == "string" else None
    if flags & MULTIPART:
        return declared
    if flags & DEEP:
        from_tiles = "deeptile" if "tiles" in by_name else "deepscanline"
        return declared if declared in DEEP_TYPES else from_tiles
    return "tiledimage" if flags & TILED else "scanlineimage"
