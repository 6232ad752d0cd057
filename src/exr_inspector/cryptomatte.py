"""Cryptomattes of a part: their attributes, manifests, and channels.

Source: Psyop's Cryptomatte specification 1.2. Attributes are called `cryptomatte/KEY/FIELD`; the channels of a matte
called NAME are NAME00.r … NAME00.a, NAME01.r and so on, with two ranks (id, coverage) in each layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .exr import Attribute, Channel

_LAYER_NAME = re.compile(r".*\d\d", re.DOTALL)
_LAYER = re.compile(r"(?P<name>.*)(?P<layer>\d\d)\.[^.]+", re.DOTALL)
_ID = re.compile(r"[0-9A-Fa-f]{8}")
_MEMBER = re.compile(rf'" *: *"{_ID.pattern}"')
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 100  # characters of a name in a message
_RANKS_IN_A_LAYER = 2  # (r, g) and (b, a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cryptomatte:
    """One Cryptomatte. Fields without an attribute are None; `manifest_error` describes an invalid manifest."""

    key: str  # by convention the first seven hex digits of the hash of its name
    name: str | None
    hash: str | None
    conversion: str | None
    manifest: dict[str, str] | None  # object name → id, eight hex digits in lower case
    manifest_error: str | None
    manifest_bytes: int
    manif_file: str | None  # path of a sidecar manifest; it is not opened
    layers: tuple[str, ...]  # "CryptoObject00", …
    channels: tuple[str, ...]

    @property
    def object_count(self) -> int | None:
        """Number of names in the manifest."""
        return None if self.manifest is None else len(self.manifest)

    @property
    def ranks(self) -> int:
        """Number of ids that a pixel can have."""
        return _RANKS_IN_A_LAYER * len(self.layers)


class CryptomattePart(Protocol):
    """A part with its name and channels, such as `PartFacts`."""

    @property
    def part_name(self) -> str | None:
        """The attribute `name`."""

    @property
    def channels(self) -> Sequence[Channel]:
        """The channel list."""


def file_channels(parts: Iterable[CryptomattePart]) -> list[Channel]:
    """The channels of all parts; in a part called as a layer (`CryptoObject00`), channels without a layer get its name.

    Writers put the attributes of a Cryptomatte in one part, often the beauty, and each layer in a part of its own.
    """
    return [
        channel._replace(channel_name=f"{part.part_name}.{channel.channel_name}")
        if part.part_name and _LAYER_NAME.fullmatch(part.part_name) and "." not in channel.channel_name
        else channel
        for part in parts
        for channel in part.channels
    ]


def cryptomattes(attributes: Iterable[Attribute], channels: Sequence[Channel] | None = None) -> list[Cryptomatte]:
    """The Cryptomattes among the attributes of one part, in the order of the header.

    Layers are searched in `channels`, by default those of the `channels` attribute; pass `file_channels()` to find
    those in other parts. Never raises: an invalid manifest sets `manifest_error`.
    """
    fields: dict[str, dict[str, Attribute]] = {}
    for attribute in attributes:
        if channels is None and attribute.attr_name == "channels" and attribute.attr_type == "chlist":
            channels = attribute.value
        prefix, _, name = attribute.attr_name.partition("/")
        key, slash, field = name.partition("/")
        if prefix == "cryptomatte" and slash:
            fields.setdefault(key, {}).setdefault(field, attribute)
    if not fields:
        return []
    layers_by_name = _layers(channels or ())
    return [_cryptomatte(key, attributes_of, layers_by_name) for key, attributes_of in fields.items()]


def _layers(channels: Iterable[Channel]) -> dict[str, dict[str, list[str]]]:
    """Channels by layer, by the name that a Cryptomatte with these layers would have."""
    by_name: dict[str, dict[str, list[str]]] = {}
    for channel in channels:
        match = _LAYER.fullmatch(channel.channel_name)
        if match:
            layers = by_name.setdefault(match["name"], {})
            layers.setdefault(match["name"] + match["layer"], []).append(channel.channel_name)
    return by_name


def _cryptomatte(
    key: str, fields: dict[str, Attribute], layers_by_name: dict[str, dict[str, list[str]]]
) -> Cryptomatte:
    def text(field: str) -> str | None:
        attribute = fields.get(field)
        return attribute.value if attribute is not None and isinstance(attribute.value, str) else None

    name, manifest = text("name"), fields.get("manifest")
    entries, error = (None, None) if manifest is None else _manifest_of(manifest)
    layers = layers_by_name.get(name, {}) if name else {}
    return Cryptomatte(
        key=key,
        name=name,
        hash=text("hash"),
        conversion=text("conversion"),
        manifest=entries,
        manifest_error=error,
        manifest_bytes=0 if manifest is None else manifest.size_bytes,
        manif_file=text("manif_file"),
        layers=tuple(sorted(layers)),
        channels=tuple(channel for layer in sorted(layers) for channel in layers[layer]),
    )


def _manifest_of(attribute: Attribute) -> tuple[dict[str, str] | None, str | None]:
    """Names and ids, or the error in the attribute."""
    text, note = attribute.value, attribute.note
    if note is not None and note.code == "value_too_large":
        return None, f"manifest too large: {note.message}"
    if not isinstance(text, str):
        return None, "invalid manifest: expected an attribute of type string"
    return read_manifest(text)


def read_manifest(text: str) -> tuple[dict[str, str] | None, str | None]:
    """Object names and their ids in lower case, or the error in the manifest."""
    try:
        pairs = json.loads(text, object_pairs_hook=tuple)  # keeps repeated names; arrays are lists
    except RecursionError:
        return None, "invalid manifest: not JSON: nested too deeply"
    except ValueError as error:
        return None, f"invalid manifest: not JSON: {error}"
    if not isinstance(pairs, tuple):
        return None, "invalid manifest: not a JSON object"
    manifest: dict[str, str] = {}
    for name, identifier in pairs:
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            return None, f"invalid manifest: id of {name[:_SHOWN]!r} is not eight hexadecimal digits"
        if _SURROGATE.search(name):
            return None, f"invalid manifest: name {name[:_SHOWN]!r} is not valid Unicode"
        if manifest.setdefault(name, identifier.lower()) != identifier.lower():
            return None, f"invalid manifest: {name[:_SHOWN]!r} has two ids, {manifest[name]} and {identifier.lower()}"
    return manifest, None


def estimate_objects(beginning: str, size_bytes: int) -> int | None:
    """The number of names in a manifest of which only the beginning is known; None if nothing is.

    The names in the beginning are counted; the rest is assumed to have as many per byte.
    """
    if not beginning:
        return None
    return round(len(_MEMBER.findall(beginning)) * size_bytes / len(beginning.encode()))
