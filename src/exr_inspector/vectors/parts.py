"""The tokens of parts and channels: how a file is stored, and which layers it has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from ..exr import Channel
from .codes import UNIT, Token
from .layers import ChannelName, channel_name
from .words import lower

LONGEST_NAME = 255  # characters that count of the name of a channel, part or view; libraries write no longer ones


class PartShape(NamedTuple):
    """How one part is stored; the fields are columns of the table `parts`, but for the window."""

    part_type: str | None
    view_name: str | None
    display_width: int | None
    display_height: int | None
    pixel_aspect_ratio: float | None
    line_order: str | None
    compression: str | None
    is_tiled: bool
    tile_width: int | None
    tile_height: int | None
    level_mode: str | None
    is_deep: bool
    multi_view: bool
    renderer: str | None
    frames_per_second: float | None
    window: str  # of the data against the display: full, crop, overscan or none


class PartChannels(NamedTuple):
    """The channels of one part, and what their names must be read with."""

    part_name: str
    views: frozenset[str]
    channels: tuple[Channel, ...]


def _token(group: str, text: str, weight: float) -> Token:
    return Token(group, text, round(weight * UNIT))


def soft_number(group: str, name: str, value: float, bins_per_octave: float, weight: float) -> Iterator[Token]:
    """A number as its two nearest bins on a logarithmic scale, so that near numbers are alike.

    The bins share the energy as the number lies between them: its length does not depend on where.
    """
    place = round(math.log2(max(value, 1e-6)) * bins_per_octave * 1024)  # the last bits of a logarithm are a library's
    lower, between = divmod(place, 1024)
    for at, share in ((lower, 1024 - between), (lower + 1, between)):
        if share:
            yield _token(group, f"{name}~{at}", weight * math.sqrt(share / 1024))


# Lossless and lossy schemes of one make: near each other, apart from the rest.
_FAMILIES = {
    "ZIP": ("zip", "lossless"), "ZIPS": ("zip", "lossless"), "RLE": ("lossless",), "PIZ": ("lossless",),
    "PXR24": ("lossy",), "B44": ("b44", "lossy"), "B44A": ("b44", "lossy"), "DWAA": ("dwa", "lossy"),
    "DWAB": ("dwa", "lossy"), "HTJ2K256": ("htj2k", "lossless"), "HTJ2K32": ("htj2k", "lossless"),
}  # fmt: skip


def structure_tokens(shapes: Iterable[PartShape]) -> Iterator[Token]:
    """What the parts of a file have in common with others; what two parts share counts once."""
    shapes = tuple(shapes)
    yield from dict.fromkeys(chain.from_iterable(map(_shape_tokens, shapes)))
    yield _token("structure", f"multipart:{len(shapes) > 1}", 0.8)
    yield from soft_number("structure", "parts", len(shapes), 2, 0.5)


def _shape_tokens(part: PartShape) -> Iterator[Token]:
    def token(text: str, weight: float) -> Token:
        return _token("structure", text, weight)

    yield token(f"compression:{part.compression}", 1.6)
    for family in _FAMILIES.get(part.compression or "", ()):
        yield token(f"compressed:{family}", 0.8)
    width, height = part.display_width or 0, part.display_height or 0
    yield token(f"display:{width}x{height}", 1.4)
    if width > 0 and height > 0:
        yield from soft_number("structure", "width", width, 2, 1.0)
        yield from soft_number("structure", "aspect", width / height, 6, 0.7)
    if part.window != "full":
        yield token(f"window:{part.window}", 0.3)
    yield token(f"type:{part.part_type}", 0.8)
    if part.is_tiled:
        yield token(f"tiles:{part.tile_width}x{part.tile_height}", 0.6)
        yield token(f"levels:{part.level_mode}", 0.4)
    yield token(f"lines:{part.line_order}", 0.3)
    if part.is_deep:
        yield token("deep", 1.0)
    if part.pixel_aspect_ratio != 1.0:
        yield token(f"pixels:{part.pixel_aspect_ratio}", 0.4)
    if part.frames_per_second is not None:
        yield token(f"rate:{part.frames_per_second:.3f}", 0.7)
    if part.renderer is not None:
        yield _token("software", f"renderer:{part.renderer}", 1.5)


class Layers(NamedTuple):
    """The channels of a file as the tokens of both vectors."""

    metadata: tuple[Token, ...]
    fingerprint: tuple[Token, ...]


class _Found(NamedTuple):
    """What the channels of a file say, each once: in several views or parts they may say the same."""

    channels: set[tuple[ChannelName, str]]  # with its pixel type
    layers: set[tuple[str, str]]  # with its pixel type
    raw_layers: set[str]
    words: set[str]
    types: Counter[str]  # of how many channels
    views: set[str]
    subsampled: bool


def layer_tokens(parts: Iterable[PartChannels]) -> Layers:
    """The tokens of all channels of a file."""
    channels: dict[tuple[ChannelName, str, bool], None] = {}
    views: set[str] = set()
    for part in parts:
        views |= part.views
        for channel in part.channels:
            name = channel_name(channel.channel_name[:LONGEST_NAME], part.part_name, part.views)
            subsampled = channel.x_sampling != 1 or channel.y_sampling != 1
            channels[name, channel.channel_type or "none", subsampled] = None
    found = _Found(
        channels={(name, pixel_type) for name, pixel_type, _ in channels},
        layers={(name.layer, pixel_type) for name, pixel_type, _ in channels},
        raw_layers={name.raw_layer for name, *_ in channels},
        words={word for name, *_ in channels for word in name.words},
        types=Counter(pixel_type for _, pixel_type, _ in channels),
        views=views,
        subsampled=any(subsampled for *_, subsampled in channels),
    )
    return Layers(tuple(_metadata_tokens(found)), tuple(_fingerprint_tokens(found)))


def _metadata_tokens(found: _Found) -> Iterator[Token]:
    for layer in {layer for layer, _ in found.layers}:
        yield _token("channels", f"l:{layer}", 1.0)
    for layer, pixel_type in found.layers:
        yield _token("channels", f"t:{layer}:{pixel_type}", 0.6)
    for raw_layer in found.raw_layers:
        yield _token("channels", f"r:{raw_layer}", 0.5)
    for word in found.words:
        yield _token("channels", f"w:{word}", 0.35)
    if found.subsampled:
        yield _token("structure", "subsampled", 0.7)
    count = found.types.total()
    for pixel_type, times in found.types.items():
        yield _token("structure", f"pixels:{pixel_type}", math.sqrt(times / count))
    yield from soft_number("structure", "channels", max(count, 0.5), 2, 0.6)
    for view in found.views:
        yield _token("structure", f"view:{lower(view)}", 0.7)


def _fingerprint_tokens(found: _Found) -> Iterator[Token]:
    layers = {name.layer: name.words for name, _ in found.channels}
    for layer in layers:
        yield _token("layers", f"l:{layer}", 1.0)
    for raw_layer in found.raw_layers:
        yield _token("layers", f"r:{raw_layer}", 0.3)
    for word in found.words:
        yield _token("words", word, 1.0)
    joined = ["".join(words) for words in layers.values()]
    for trigram in {text[at : at + 3] for text in joined for at in range(len(text) - 2)}:
        yield _token("words", f"{trigram}~", 0.3)
    for layer, component in {(name.layer, name.component) for name, _ in found.channels}:
        yield _token("components", f"{layer}.{component}", 1.0)
    for layer, component, pixel_type in {(name.layer, name.component, kind) for name, kind in found.channels}:
        yield _token("components", f"{layer}.{component}:{pixel_type}", 0.55)
    if found.subsampled:
        yield _token("shape", "subsampled", 0.6)
    count = found.types.total()
    yield from soft_number("shape", "channels", max(count, 0.5), 2, 0.6)
    yield from soft_number("shape", "layers", max(len(layers), 0.5), 2, 0.6)
    for pixel_type, times in found.types.items():
        yield _token("shape", f"pixels:{pixel_type}", 1.2 * math.sqrt(times / count))
    components = Counter(name.component for name, _ in found.channels)
    for component, times in components.items():
        yield _token("shape", f"component:{component}", 0.8 * math.sqrt(times / components.total()))
