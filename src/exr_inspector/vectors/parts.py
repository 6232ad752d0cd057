"""The tokens of parts and channels: how a file is stored, and its layers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from ..exr import Channel
from ..inspection.text import lower
from .codes import Token, token
from .layers import ChannelName, channel_name

LONGEST_NAME = 255  # characters of the name of a channel, part or view that count; libraries write no longer names


class PartShape(NamedTuple):
    """How a part is stored; all fields but `window` are columns of the table `parts`."""

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
    window: str  # the data window relative to the display window: full, crop, overscan or none


class PartChannels(NamedTuple):
    """The channels of a part, and the names that their layers depend on."""

    part_name: str
    views: frozenset[str]
    channels: tuple[Channel, ...]


def soft_number(group: str, name: str, value: float, bins_per_octave: float, weight: float) -> Iterator[Token]:
    """A number as its two nearest bins on a logarithmic scale, so that similar numbers have similar tokens.

    The squares of the two weights always have the same sum, so the group's length does not depend on the number.
    """
    # Rounded, because the last bits of a logarithm differ between C libraries.
    scaled = round(math.log2(max(value, 1e-6)) * bins_per_octave * 1024)
    below, fraction = divmod(scaled, 1024)
    for bin_number, share in ((below, 1024 - fraction), (below + 1, fraction)):
        if share:
            yield token(group, f"{name}~{bin_number}", weight * math.sqrt(share / 1024))


# Tokens that related compressions share.
_FAMILIES = {
    "ZIP": ("zip", "lossless"), "ZIPS": ("zip", "lossless"), "RLE": ("lossless",), "PIZ": ("lossless",),
    "PXR24": ("lossy",), "B44": ("b44", "lossy"), "B44A": ("b44", "lossy"), "DWAA": ("dwa", "lossy"),
    "DWAB": ("dwa", "lossy"), "HTJ2K256": ("htj2k", "lossless"), "HTJ2K32": ("htj2k", "lossless"),
    "LJ2K": ("lossy",), "ZSTD": ("lossless",),
}  # fmt: skip


def structure_tokens(shapes: Iterable[PartShape]) -> Iterator[Token]:
    """The tokens of the storage of all parts; a token of several parts counts once."""
    shapes = tuple(shapes)
    yield from dict.fromkeys(chain.from_iterable(map(_shape_tokens, shapes)))
    yield token("structure", f"multipart:{len(shapes) > 1}", 0.8)
    yield from soft_number("structure", "parts", len(shapes), 2, 0.5)


def _shape_tokens(part: PartShape) -> Iterator[Token]:
    yield token("structure", f"compression:{part.compression}", 1.6)
    for family in _FAMILIES.get(part.compression or "", ()):
        yield token("structure", f"compressed:{family}", 0.8)
    width, height = part.display_width or 0, part.display_height or 0
    yield token("structure", f"display:{width}x{height}", 1.4)
    if width > 0 and height > 0:
        yield from soft_number("structure", "width", width, 2, 1.0)
        yield from soft_number("structure", "aspect", width / height, 6, 0.7)
    if part.window != "full":
        yield token("structure", f"window:{part.window}", 0.3)
    yield token("structure", f"type:{part.part_type}", 0.8)
    if part.is_tiled:
        yield token("structure", f"tiles:{part.tile_width}x{part.tile_height}", 0.6)
        yield token("structure", f"levels:{part.level_mode}", 0.4)
    yield token("structure", f"lines:{part.line_order}", 0.3)
    if part.is_deep:
        yield token("structure", "deep", 1.0)
    if part.pixel_aspect_ratio != 1.0:
        yield token("structure", f"pixels:{part.pixel_aspect_ratio}", 0.4)
    if part.frames_per_second is not None:
        yield token("structure", f"rate:{part.frames_per_second:.3f}", 0.7)
    if part.renderer is not None:
        yield token("software", f"renderer:{part.renderer}", 1.5)


class LayerTokens(NamedTuple):
    """The tokens of a file's channels in each of the two vectors."""

    metadata: tuple[Token, ...]
    fingerprint: tuple[Token, ...]


class _ChannelSummary(NamedTuple):
    """The distinct channels and layers of a file; views and parts can repeat them."""

    channels: set[tuple[ChannelName, str]]  # with pixel type
    layers: set[tuple[str, str]]  # with pixel type
    raw_layers: set[str]
    words: set[str]
    pixel_types: Counter[str]  # number of channels
    views: set[str]
    subsampled: bool


def layer_tokens(parts: Iterable[PartChannels]) -> LayerTokens:
    """The tokens of all channels of a file."""
    channels: dict[tuple[ChannelName, str, bool], None] = {}
    views: set[str] = set()
    for part in parts:
        views |= part.views
        for channel in part.channels:
            name = channel_name(channel.channel_name[:LONGEST_NAME], part.part_name, part.views)
            subsampled = channel.x_sampling != 1 or channel.y_sampling != 1
            channels[name, channel.channel_type or "none", subsampled] = None
    summary = _ChannelSummary(
        channels={(name, pixel_type) for name, pixel_type, _ in channels},
        layers={(name.layer, pixel_type) for name, pixel_type, _ in channels},
        raw_layers={name.raw_layer for name, *_ in channels},
        words={word for name, *_ in channels for word in name.words},
        pixel_types=Counter(pixel_type for _, pixel_type, _ in channels),
        views=views,
        subsampled=any(subsampled for *_, subsampled in channels),
    )
    return LayerTokens(tuple(_metadata_tokens(summary)), tuple(_fingerprint_tokens(summary)))


def _metadata_tokens(summary: _ChannelSummary) -> Iterator[Token]:
    for layer in {layer for layer, _ in summary.layers}:
        yield token("channels", f"l:{layer}", 1.0)
    for layer, pixel_type in summary.layers:
        yield token("channels", f"t:{layer}:{pixel_type}", 0.6)
    for raw_layer in summary.raw_layers:
        yield token("channels", f"r:{raw_layer}", 0.5)
    for word in summary.words:
        yield token("channels", f"w:{word}", 0.35)
    if summary.subsampled:
        yield token("structure", "subsampled", 0.7)
    total = summary.pixel_types.total()
    for pixel_type, count in summary.pixel_types.items():
        yield token("structure", f"pixels:{pixel_type}", math.sqrt(count / total))
    yield from soft_number("structure", "channels", max(total, 0.5), 2, 0.6)
    for view in summary.views:
        yield token("structure", f"view:{lower(view)}", 0.7)


def _fingerprint_tokens(summary: _ChannelSummary) -> Iterator[Token]:
    words_of_layer = {name.layer: name.words for name, _ in summary.channels}
    for layer in words_of_layer:
        yield token("layers", f"l:{layer}", 1.0)
    for raw_layer in summary.raw_layers:
        yield token("layers", f"r:{raw_layer}", 0.3)
    for word in summary.words:
        yield token("words", word, 1.0)
    joined = ["".join(words) for words in words_of_layer.values()]
    for trigram in {text[start : start + 3] for text in joined for start in range(len(text) - 2)}:
        yield token("words", f"{trigram}~", 0.3)
    for layer, component in {(name.layer, name.component) for name, _ in summary.channels}:
        yield token("components", f"{layer}.{component}", 1.0)
    for layer, component, pixel_type in {(name.layer, name.component, kind) for name, kind in summary.channels}:
        yield token("components", f"{layer}.{component}:{pixel_type}", 0.55)
    if summary.subsampled:
        yield token("shape", "subsampled", 0.6)
    total = summary.pixel_types.total()
    yield from soft_number("shape", "channels", max(total, 0.5), 2, 0.6)
    yield from soft_number("shape", "layers", max(len(words_of_layer), 0.5), 2, 0.6)
    for pixel_type, count in summary.pixel_types.items():
        yield token("shape", f"pixels:{pixel_type}", 1.2 * math.sqrt(count / total))
    components = Counter(name.component for name, _ in summary.channels)
    for component, count in components.items():
        yield token("shape", f"component:{component}", 0.8 * math.sqrt(count / components.total()))
