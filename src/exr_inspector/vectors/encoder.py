"""From features to vectors, remembering what was seen: frames of a sequence differ in little."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, cast

from ..exr import Attribute
from ..exr.attributes import memory_of
from ..exr.cache import Cache
from .attributes import AttributeTokens, Kind, kind_of, tokens_of, value_of
from .codes import CHANNEL_GROUPS, METADATA_GROUPS, Codes, Sums, Vector
from .parts import PartChannels, PartShape, layer_tokens, structure_tokens

_MOST_TOKENS = 50_000
_MOST_NAMES = 16_384
_MOST_BYTES = 16 << 20  # of what is remembered of attributes, of outlines, and of vectors
_KEPT_ATTRIBUTE_BYTES = 1024  # a cache must not keep manifests of megabytes


class Embedding(NamedTuple):
    """Both vectors of a file: 32-bit floats of unit length, read-only."""

    metadata: Vector
    channels: Vector


class Trait:
    """One attribute as far as it counts: the numbers of its tokens. Attributes that say the same share it."""

    __slots__ = ("counted", "once")

    def __init__(self, once: tuple[int, ...], counted: tuple[int, ...]) -> None:
        self.once, self.counted = once, counted


@dataclass(frozen=True, slots=True)
class Features:
    """What counts of one file: how its parts are stored, their channels, and its attributes, each once."""

    shapes: tuple[PartShape, ...]
    channels: tuple[PartChannels, ...]
    traits: frozenset[Trait]


class _Outline:
    """How a file is stored and its channels: what they add to the metadata vector, and the channel vector."""

    __slots__ = ("channels", "sums")

    def __init__(self, sums: Sums, channels: Vector) -> None:
        self.sums, self.channels = sums, channels


_Stored = tuple[tuple[PartShape, ...], tuple[PartChannels, ...]]


class Encoder:
    """The codes of all tokens seen, and what attributes, channels and whole headers came to. Any thread may use it.

    Replaced as a whole when it is full, so that a run over any number of files has bounded memory.
    """

    def __init__(self) -> None:
        self._metadata, self._fingerprint = Codes(METADATA_GROUPS), Codes(CHANNEL_GROUPS)
        # By identity, as the reader shares the Attribute objects of equal attributes: hashing bytes costs more than
        # all the rest. The entry keeps the object alive, so its id cannot come to mean another one.
        self._attributes: Cache[int, tuple[Attribute, Trait | None]] = Cache(
            _MOST_BYTES, lambda _, kept: memory_of(kept[0])
        )
        self._by_name: dict[str, tuple[str, Trait | None]] = {}  # of attributes whose value does not count
        self._traits: dict[AttributeTokens, Trait] = {}  # never emptied: a trait's identity is its meaning
        self._outlines: Cache[_Stored, _Outline] = Cache(_MOST_BYTES, _outline_bytes)
        self._vectors: Cache[tuple[_Outline, frozenset[Trait]], Vector] = Cache(_MOST_BYTES, _vector_bytes)

    @property
    def is_full(self) -> bool:
        """Whether it is time for a new one."""
        return len(self._metadata) + len(self._fingerprint) + len(self._traits) > _MOST_TOKENS

    def traits(self, attributes: Iterable[Attribute]) -> set[Trait]:
        """The traits of these attributes; of those that say nothing there is none."""
        known, by_name = self._attributes.get, self._by_name.get
        found = set()
        for attribute in attributes:
            if (entry := known(id(attribute))) is not None and entry[0] is attribute:
                found.add(entry[1])
            elif (named := by_name(attribute.attr_name)) is not None and named[0] == attribute.attr_type:
                found.add(named[1])
            else:
                found.add(self._trait(attribute))
        found.discard(None)
        return cast("set[Trait]", found)

    def _trait(self, attribute: Attribute) -> Trait | None:
        kind = kind_of(attribute.attr_name, attribute.attr_type)
        if kind is None or not kind.value_counts:
            trait = self._said(kind, None)
            if len(self._by_name) >= _MOST_NAMES:
                self._by_name.clear()
            self._by_name[attribute.attr_name] = attribute.attr_type, trait
            return trait
        trait = self._said(kind, value_of(attribute))
        if len(attribute.raw) <= _KEPT_ATTRIBUTE_BYTES:
            self._attributes.put(id(attribute), (attribute, trait))
        return trait

    def trait_of(self, attr_name: str, attr_type: str, value: Any) -> Trait | None:
        """The trait of an attribute with this value in its JSON form; None when it says nothing."""
        return self._said(kind_of(attr_name, attr_type), value)

    def _said(self, kind: Kind | None, value: Any) -> Trait | None:
        if kind is None:
            return None
        tokens = tokens_of(kind, value)
        trait = self._traits.get(tokens)
        if trait is None:
            number = self._metadata.number
            made = Trait(tuple(map(number, tokens.once)), tuple(map(number, tokens.counted)))
            trait = self._traits.setdefault(tokens, made)  # another thread may have been first
        return trait

    def embedding(self, features: Features) -> Embedding:
        """Both vectors of a file."""
        stored = features.shapes, features.channels
        outline = self._outlines.get(stored) or self._outline(*stored)
        key = outline, features.traits
        vector = self._vectors.get(key)
        if vector is None:
            once: set[int] = set()
            counted: list[int] = []
            for trait in features.traits:
                once.update(trait.once)
                if trait.counted:
                    counted += trait.counted
            counted += once
            vector = _frozen(self._metadata.vector(self._metadata.sums(counted) + outline.sums))
            self._vectors.put(key, vector)
        return Embedding(vector, outline.channels)

    def _outline(self, shapes: tuple[PartShape, ...], channels: tuple[PartChannels, ...]) -> _Outline:
        layers = layer_tokens(channels)
        sums = self._metadata.sums([*map(self._metadata.number, (*structure_tokens(shapes), *layers.metadata))])
        fingerprint = self._fingerprint.sums([*map(self._fingerprint.number, layers.fingerprint)])
        outline = _Outline(sums, _frozen(self._fingerprint.vector(fingerprint)))
        self._outlines.put((shapes, channels), outline)
        return outline


def _outline_bytes(key: _Stored, _: _Outline) -> int:
    channels = chain.from_iterable([part.channels for part in key[1]])
    return 8192 + 1024 * len(key[0]) + sum([256 + len(channel.channel_name) for channel in channels])


def _vector_bytes(key: tuple[_Outline, frozenset[Trait]], _: Vector) -> int:
    return 2048 + 64 * len(key[1])


def _frozen(vector: Vector) -> Vector:
    vector.flags.writeable = False
    return vector
