"""Cryptomatte: the id mattes that a part's attributes announce, their manifests, and the channels that hold them.

Source: Psyop's Cryptomatte specification 1.2. Attributes are called `cryptomatte/KEY/FIELD`; the channels of a matte
called NAME are NAME00.r … NAME00.a, NAME01.r and so on, two ranks (id, coverage) in each layer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .exr import Attribute, Channel

_LAYER = re.compile(r"(?P<name>.*)(?P<layer>\d\d)\.[^.]+", re.DOTALL)
_ID = re.compile(r"[0-9A-Fa-f]{8}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_RANKS_IN_A_LAYER = 2  # (r, g) and (b, a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cryptomatte:
    """One matte. What the header does not say is None; a manifest that cannot be read says why."""

    key: str  # the first seven hex digits of the hash of its name, by convention
    name: str | None
    hash: str | None
    conversion: str | None
    manifest: dict[str, str] | None  # name of an object → its id, eight hex digits in lower case
    manifest_error: str | None
    manifest_bytes: int
    manif_file: str | None  # a manifest beside the file; it is not opened
    layers: tuple[str, ...]  # "CryptoObject00", …
    channels: tuple[str, ...]

    @property
    def object_count(self) -> int | None:
        """Names in the manifest."""
        return None if self.manifest is None else len(self.manifest)

    @property
    def ranks(self) -> int:
        """Ids that a pixel can have."""
        return _RANKS_IN_A_LAYER * len(self.layers)


def cryptomattes(attributes: Iterable[Attribute], channels: Sequence[Channel] | None = None) -> list[Cryptomatte]:
    """The mattes of one part in the order of the header; without `channels`, those of the part's channel list.

    Never raises: a manifest that is no JSON, or no object of names and ids, gives `manifest_error`.
    """
    fields: dict[str, dict[str, Attribute]] = {}
    for attribute in attributes:
        if channels is None and attribute.attr_name == "channels" and attribute.attr_type == "chlist":
            channels = attribute.value
        words = attribute.attr_name.split("/", 2)
        if words[0] == "cryptomatte" and len(words) == 3:
            fields.setdefault(words[1], {}).setdefault(words[2], attribute)
    if not fields:
        return []
    by_name = _layers(channels or ())
    return [_cryptomatte(key, found, by_name) for key, found in fields.items()]


def _layers(channels: Iterable[Channel]) -> dict[str, dict[str, list[str]]]:
    """For each name that a matte could have, its layers and their channels."""
    by_name: dict[str, dict[str, list[str]]] = {}
    for channel in channels:
        match = _LAYER.fullmatch(channel.channel_name)
        if match:
            layers = by_name.setdefault(match["name"], {})
            layers.setdefault(match["name"] + match["layer"], []).append(channel.channel_name)
    return by_name


def _cryptomatte(key: str, fields: dict[str, Attribute], by_name: dict[str, dict[str, list[str]]]) -> Cryptomatte:
    def text(field: str) -> str | None:
        attribute = fields.get(field)
        return attribute.value if attribute is not None and isinstance(attribute.value, str) else None

    name, manifest = text("name"), fields.get("manifest")
    entries, problem = (None, None) if manifest is None else _read_manifest(manifest)
    layers = by_name.get(name or "", {}) if name else {}
    return Cryptomatte(
        key=key,
        name=name,
        hash=text("hash"),
        conversion=text("conversion"),
        manifest=entries,
        manifest_error=problem,
        manifest_bytes=0 if manifest is None else manifest.size_bytes,
        manif_file=text("manif_file"),
        layers=tuple(sorted(layers)),
        channels=tuple(channel for layer in sorted(layers) for channel in layers[layer]),
    )


def _read_manifest(attribute: Attribute) -> tuple[dict[str, str] | None, str | None]:
    """Names and ids, or why there are none."""
    text, note = attribute.value, attribute.note
    if note is not None and note.code == "value_too_large":
        return None, f"the manifest is too large: {note.message}"
    if not isinstance(text, str):
        return None, "the manifest is no text"
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as problem:
        reason = "it is nested too deeply" if isinstance(problem, RecursionError) else str(problem)
        return None, f"the manifest is not JSON: {reason}"
    if not isinstance(pairs, _Pairs):
        return None, "the manifest is JSON, but no object"
    manifest: dict[str, str] = {}
    for name, identifier in pairs:
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            return None, f"the id of {name!r} is not eight hexadecimal digits"
        if _SURROGATE.search(name):
            return None, f"the name {name!r} is no text"
        if manifest.setdefault(name, identifier.lower()) != identifier.lower():
            return None, f"{name!r} has two ids, {manifest[name]} and {identifier.lower()}"
    return manifest, None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object that keeps a name which is there twice."""
