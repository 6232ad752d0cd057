"""Rules 2xx: channels and layers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..cryptomatte import cryptomattes, file_channels
from ..exr.channels import ChannelList, is_depth
from ..inspection.model import Inspection, PartFacts
from ..sequence.channel_lists import listed_names
from .channel_names import COLORS, is_id, layers_of, matte_names, matte_of, split
from .rule import (
    Globs,
    Natural,
    Outcome,
    Parameters,
    Texts,
    Violation,
    channels_rule,
    file_rule,
    matches_any,
    one_of,
    part_rule,
)

_ACCEPTED = re.compile(r"[A-Za-z0-9_.:-]*[A-Za-z0-9_:-]")
_LOST_LAYERS = frozenset({"RGBA", "RGB", "rgba", "rgb"})
_LONG_COMPONENTS = {"red": "R", "green": "G", "blue": "B", "alpha": "A"}
_STEREO = ("left", "right")
_SEPARATORS = re.compile("[._ -]")  # in the name of a part


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers(Parameters):
    """All layers of a file, as shell patterns."""

    layers: Texts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelTypes(Parameters):
    """Pixel types that are allowed, and the channels that must have one."""

    types: tuple[Literal["HALF", "FLOAT", "UINT"], ...] = ("HALF",)
    channels: Texts = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets(Parameters):
    """Sets of channels, of which a part must have one."""

    sets: tuple[Texts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MostChannels(Parameters):
    """The largest number of channels."""

    max: Natural = 100


@file_rule(201, "error", "common practice", Globs, needs=("channels",), reads=())
def channels_required(inspection: Inspection, given: Globs) -> Iterator[Outcome]:
    """Some part has each channel."""
    for glob in given.channels:
        if not any(matches_any((glob,), channel[0]) for part in inspection.parts for channel in part.channels):
            yield Violation(glob, None, channel_name=glob)


@channels_rule(202, "error", "common practice; alpha in deliveries", Globs, needs=("channels",))
def channels_forbidden(channels: ChannelList, given: Globs) -> Iterator[Outcome]:
    """The part has none of these channels."""
    for name, *_ in channels:
        if matches_any(given.channels, name):
            yield Violation("no such channel", name, name, text=f"the channel {name} is forbidden")


@channels_rule(203, "error", "ACES container, for other sets", Sets, needs=("sets",))
def channels_exactly(channels: ChannelList, given: Sets) -> Iterator[Outcome]:
    """The part has one of these sets of channels."""
    names = {channel[0] for channel in channels}
    if not any(names == set(allowed) for allowed in given.sets):
        yield Violation(one_of("/".join(allowed) for allowed in given.sets), "/".join(sorted(names)))


@channels_rule(204, "error", "Netflix VFX delivery, Fox A11", PixelTypes, needs=("types", "channels"))
def pixel_type(channels: ChannelList, given: PixelTypes) -> Iterator[Outcome]:
    """The channels have allowed pixel types."""
    for name, channel_type, *_ in channels:
        if channel_type not in given.types and matches_any(given.channels, name):
            yield Violation(one_of(given.types), channel_type or "unknown", name)


@channels_rule(205, "warning", "OpenEXR: Technical Introduction")
def depth_type(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """Depth is FLOAT."""
    names = {channel[0] for channel in channels}
    for name, channel_type, *_rest in channels:
        if channel_type == "HALF" and is_depth(name, names):
            yield Violation("FLOAT", "HALF", name)


@part_rule(206, "error", "Cryptomatte specification 1.2", reads=("cryptomatte/*/name",))
def id_type(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Ids and Cryptomattes are FLOAT or UINT."""
    mattes = set(matte_names(part.attributes))
    for name, channel_type, *_rest in part.channels:
        if channel_type == "HALF" and (is_id(name) or (mattes and matte_of(name) in mattes)):
            yield Violation("FLOAT or UINT", "HALF", name)


@channels_rule(207, "warning", "OpenEXR: Technical Introduction")
def layer_colour(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """R, G and B of a layer are alike, and none is missing."""
    for layer, components in layers_of(channels).items():
        colors = [components[name] for name in COLORS if name in components]
        if len(colors) == 2:
            absent = next(name for name in COLORS if name not in components)
            name = f"{layer}.{absent}" if layer else absent
            yield Violation("R, G and B", "/".join(channel[0] for channel in colors), name)
        elif len(colors) == 3 and len({channel[1:4] for channel in colors}) > 1:
            shown = ", ".join(f"{name} {kind} {x}×{y}" for name, kind, x, y, _linear in colors)
            yield Violation("the same type and sampling of R, G and B", shown)


@channels_rule(208, "warning", "reports about Nuke and Arnold")
def layer_name(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """No layer has a name that compositing software loses."""
    layers = dict.fromkeys(split(channel[0])[0] for channel in channels)
    for layer in layers:
        if layer in _LOST_LAYERS or "0" <= layer[:1] <= "9":
            yield Violation("a name that begins with a letter, other than RGBA and RGB", layer)


@channels_rule(209, "warning", "common practice")
def channel_characters(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """Names consist of letters, digits and a few other characters."""
    for name, *_rest in channels:
        if not _ACCEPTED.fullmatch(name):
            yield Violation("letters, digits, _, ., : and -", name, name)


@channels_rule(210, "info", "OpenEXR: Technical Introduction")
def standard_components(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """Components are R, G, B and A."""
    for name, *_rest in channels:
        component = split(name)[1]
        if standard := _LONG_COMPONENTS.get(component.lower()):
            yield Violation(standard, component, name)


@channels_rule(211, "warning", "common practice")
def case_twins(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """No two names differ in case only."""
    seen: dict[str, str] = {}
    for name, *_rest in channels:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            yield Violation("names that differ in more than case", f"{first}, {name}", name)


@file_rule(212, "warning", "Cryptomatte specification 1.2", reads=("name", "cryptomatte/*/name"))
def cryptomatte_attributes(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """Cryptomattes have attributes and channels; these may be in other parts."""
    declared = {name: part.part_index for part in inspection.parts for name in matte_names(part.attributes)}
    stored: dict[str, int] = {}
    for part in inspection.parts:
        for channel in file_channels([part]):
            if name := matte_of(channel[0]):
                stored.setdefault(name, part.part_index)
    for name, part_index in stored.items():
        if name not in declared and "crypto" in name.lower():
            yield Violation("attributes cryptomatte/KEY/…", name, part_index=part_index)
    for name, part_index in declared.items():
        if name not in stored:
            yield Violation("channels NAME00.r, …", name, part_index=part_index)


@part_rule(213, "warning", "Cryptomatte specification 1.2", reads=("cryptomatte/*",))
def cryptomatte_manifest(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """Manifests are valid."""
    if any(matte_names(part.attributes)):
        for matte in cryptomattes(part.attributes):
            if matte.manifest_error:
                name = f"cryptomatte/{matte.key}/manifest"
                yield Violation("a JSON object of ids", matte.manifest_error, attr_name=name)


@channels_rule(214, "info", "common practice", MostChannels)
def channel_count(channels: ChannelList, given: MostChannels) -> Iterator[Outcome]:
    """There are not too many channels."""
    if len(channels) > given.max:
        yield Violation(f"at most {given.max} channels", str(len(channels)))


@file_rule(215, "error", "common practice", Layers, needs=("layers",), reads=("name",))
def aov_set(inspection: Inspection, given: Layers) -> Iterator[Outcome]:
    """Each pattern has a layer, and each layer a pattern.

    Of files with several parts, those whose channels have no layer are a layer with the name of the part.
    """
    is_named = len(inspection.parts) > 1
    layers = {
        split(channel[0])[0] or (part.part_name if is_named and part.part_name else "")
        for part in inspection.parts
        for channel in part.channels
    } - {""}
    for pattern in given.layers:
        if not any(matches_any((pattern,), layer) for layer in layers):
            yield Violation(f"the layer {pattern}", None)
    for layer in sorted(layers):
        if not matches_any(given.layers, layer):
            yield Violation(one_of(given.layers), layer)


@file_rule(217, "error", "OpenEXR: Multi-View", reads=("multiView", "view", "name"))
def views_equal(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """All views have the same channels."""
    views = _views(inspection)
    all_names = frozenset().union(*views.values())
    for view, names in views.items():
        if missing := all_names - names:
            yield Violation("the same channels in all views", f"{view} without {listed_names(missing)}")


def _views(inspection: Inspection) -> dict[str, set[str]]:
    """The channels of each view, without its name; of a file with views in parts, or of the first part."""
    views: dict[str, set[str]] = {}
    if any(part.view_name for part in inspection.parts):
        for part in inspection.parts:
            if view := part.view_name:
                words = _SEPARATORS.split(part.part_name or "")
                layer = ".".join(word for word in words if word != view) if view in words else ""
                views.setdefault(view, set()).update(
                    f"{layer}.{each[0]}" if layer else each[0] for each in part.channels
                )
        return views
    part = inspection.parts[0]
    listed = part.get("multiView")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, tuple | list) else list(_STEREO)
    default = names[0] if isinstance(listed, tuple | list) and names else "default"
    for channel_name, *_ in part.channels:
        *layers, component = channel_name.split(".")
        view = layers.pop() if layers and layers[-1] in names else default
        views.setdefault(view, set()).add(".".join((*layers, component)))
    return views if len(views.keys() & set(names)) > 0 and len(views) > 1 else {}


@channels_rule(216, "error", "common practice")
def subsampled(channels: ChannelList, _: Parameters) -> Iterator[Outcome]:
    """Channels have a sample for every pixel."""
    for name, _type, x, y, _linear in channels:
        if x != 1 or y != 1:
            yield Violation("1×1", f"{x}×{y}", name)
