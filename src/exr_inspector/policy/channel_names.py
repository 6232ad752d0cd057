"""What the names of channels mean: layers, ids, Cryptomattes, and values that are not colors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from ..exr import Attribute, Channel, split_name
from ..sequence.pixel_faults import is_color

COLORS = ("R", "G", "B")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_EFFECTS = re.compile(r"\b(?:motion blur|depth of field)\b")  # layers of colors
_DATA_WORDS = frozenset(
    "normals position positions pref pworld motion motionvector motionvectors velocity depth zback cryptomatte "
    "crypto".split()
)
_DATA_ENDS = frozenset("normal id vector vectors speed".split())  # data as the last word of a layer
_SHORT_WORDS = frozenset("n p pos st uv z".split())  # data as a whole layer, or the last word of one with axes
_AXES = frozenset("XYZUVWxyzuvw")
_MATTE_LAYER = re.compile(r"(?P<name>.*)[0-9]{2}", re.DOTALL)
_MATTE_COMPONENTS = frozenset("rgbaRGBA")
_IDS = frozenset({"id", "ids", "objectid", "materialid", "instanceid", "primid", "assetid", "indexob", "indexma"})


@lru_cache(maxsize=2048)
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
    """Whether there are red, green and blue that are seen, outside of layers or in one with a usual name."""
    names = {channel[0] for channel in channels}
    return any(
        name[-1:] == red and name[:-1] + green in names and name[:-1] + blue in names and is_color(name)
        for red, green, blue in ("RGB", "rgb")
        for name in names
    )


@lru_cache(maxsize=2048)
def _words(text: str) -> tuple[str, ...]:
    words = " ".join(_WORD.findall(text)).lower()
    return tuple(_EFFECTS.sub("", words).split())


def is_id(channel_name: str) -> bool:
    """Whether a channel holds ids of objects or materials; the X of a layer may be its only value."""
    layer, component = split(channel_name)
    name = layer.rpartition(".")[2] if layer and component == "X" else component
    return name.lower().replace("_", "") in _IDS


@lru_cache(maxsize=2048)
def is_data(channel_name: str) -> bool:
    """Whether a channel holds depth, ids, normals, positions, motion or a Cryptomatte, and no color."""
    layer, component = split(channel_name)
    words, of_layer = _words(layer or component), _words((layer or component).rpartition(".")[2])
    last = of_layer[-1] if of_layer else ""
    return (
        not _DATA_WORDS.isdisjoint(words)
        or last in _DATA_ENDS
        or (last in _SHORT_WORDS and (len(of_layer) == 1 or component in _AXES))
        or component in ("Z", "ZBack")
        or is_id(channel_name)
    )


@lru_cache(maxsize=2048)
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
