"""What the names of channels mean: layers, depth, ids, Cryptomattes, and values that are not colors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..exr import Attribute, Channel, split_name

COLORS = ("R", "G", "B")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_DATA_WORDS = frozenset(
    "n normal normals p pos position positions pref pworld motion motionvector motionvectors velocity depth z zback id "
    "uv st cryptomatte crypto".split()
)
_MATTE_LAYER = re.compile(r"(?P<name>.*)[0-9]{2}", re.DOTALL)
_MATTE_COMPONENTS = frozenset("rgbaRGBA")
_IDS = frozenset({"id", "ids", "objectid", "materialid", "instanceid", "primid", "assetid"})


@lru_cache(maxsize=8192)
def split(channel_name: str) -> tuple[str, str]:
    """Layer and component, as `split_name`, of names that occur again and again."""
    return split_name(channel_name)


def layers_of(channels: Iterable[Channel]) -> dict[str, dict[str, Channel]]:
    """The channels by layer and component."""
    layers: dict[str, dict[str, Channel]] = {}
    for channel in channels:
        layer, component = split(channel[0])
        layers.setdefault(layer, {})[component] = channel
    return layers


def has_colors(channels: Iterable[Channel]) -> bool:
    """Whether there are R, G and B outside of layers."""
    names = {channel[0] for channel in channels}
    return "R" in names and "G" in names and "B" in names


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


def is_depth(channel_name: str, layer: Iterable[str]) -> bool:
    """Whether a channel is depth; `layer` are the components of its layer. The Z of a vector is not."""
    name, component = split(channel_name)
    if component in ("Z", "ZBack"):
        components = frozenset(layer)
        return not {"X", "Y"} & components and not name.lower().endswith(("normals", "normal"))
    return "depth" in _words(channel_name)


def is_id(channel_name: str) -> bool:
    """Whether a channel holds ids of objects or materials."""
    return split(channel_name)[1].lower().replace("_", "") in _IDS


@lru_cache(maxsize=8192)
def is_data(channel_name: str) -> bool:
    """Whether a channel holds depth, ids, normals, positions, motion or a Cryptomatte, and no color."""
    layer, component = split(channel_name)
    words = _words(layer) if layer else _words(component)
    return bool(words & _DATA_WORDS) or component in ("Z", "ZBack") or is_id(channel_name)


@lru_cache(maxsize=8192)
def matte_of(channel_name: str) -> str:
    """The name that the Cryptomatte of a channel would have; empty if it cannot be of one."""
    layer, component = split(channel_name)
    match = _MATTE_LAYER.fullmatch(layer) if component in _MATTE_COMPONENTS else None
    return match["name"] if match else ""


def matte_names(attributes: Iterable[Attribute]) -> Iterator[str]:
    """The names of the Cryptomattes that attributes declare, without their manifests."""
    for attribute in attributes:
        name = attribute.attr_name
        if name[:12] == "cryptomatte/" and name.endswith("/name") and isinstance(attribute.value, str):
            yield attribute.value
