"""Features to vectors, with caches: the frames of a sequence differ in few attributes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, cast

from ..exr import Attribute
from ..exr.attributes import memory_of
from ..exr.cache import Cache
from ..inspection.volatility import value_of
from .attributes import AttributeTokens, Kind, kind_of, tokens_of
from .codes import CHANNEL_GROUPS, METADATA_GROUPS, Codes, Sums, Vector
from .parts import PartChannels, PartShape, layer_tokens, structure_tokens

_MAX_TOKENS = 20_000
_MAX_NAMES = 2048
_MAX_CACHE_BYTES = 8 << 20  # for each of: attributes, layouts
_MAX_VECTORS_BYTES = 4 << 20
_MAX_CACHED_ATTRIBUTE_BYTES = 1024  # manifests can have megabytes


class Embedding(NamedTuple):
    """Both vectors of a file: read-only arrays of 32-bit floats, of unit length."""

    metadata: Vector
    channels: Vector


class TokenSet:
    """The token numbers of an attribute; shared by attributes with the same tokens, and compared by identity."""

    __slots__ = ("counted", "once")

    def __init__(self, once: tuple[int, ...], counted: tuple[int, ...]) -> None:
        self.once, self.counted = once, counted


@dataclass(frozen=True, slots=True)
class Features:
    """The input of the vectors: the storage of each part, its channels, and the distinct attributes of the file."""

    shapes: tuple[PartShape, ...]
    channels: tuple[PartChannels, ...]
    token_sets: frozenset[TokenSet]


class _Layout:
    """Storage and channels: their sums for the metadata vector, and the channel vector."""

    __slots__ = ("channels", "sums")

    def __init__(self, sums: Sums, channels: Vector) -> None:
        self.sums, self.channels = sums, channels


_LayoutKey = tuple[tuple[PartShape, ...], tuple[PartChannels, ...]]


class Encoder:
    """Computes vectors; caches the codes of tokens, and results for attributes, layouts and headers. Thread-safe.

    Memory is bounded if the encoder is replaced when `is_full`.
    """

    def __init__(self) -> None:
        self._metadata, self._fingerprint = Codes(METADATA_GROUPS), Codes(CHANNEL_GROUPS)
        # By identity, as the reader shares the Attribute objects of equal attributes: hashing bytes would take longer
        # than everything else. The entry keeps the object alive, so its id is not reused.
        self._attributes: Cache[int, tuple[Attribute, TokenSet | None]] = Cache(
            _MAX_CACHE_BYTES, lambda _, entry: memory_of(entry[0])
        )
        self._by_name: dict[str, tuple[str, TokenSet | None]] = {}  # attributes whose value does not count
        self._token_sets: dict[AttributeTokens, TokenSet] = {}  # never cleared, as token sets are compared by identity
        self._layouts: Cache[_LayoutKey, _Layout] = Cache(_MAX_CACHE_BYTES, _layout_bytes)
        self._vectors: Cache[tuple[_Layout, frozenset[TokenSet]], Vector] = Cache(_MAX_VECTORS_BYTES, _vector_bytes)

    @property
    def is_full(self) -> bool:
        """Whether the encoder should be replaced."""
        return len(self._metadata) + len(self._fingerprint) + len(self._token_sets) > _MAX_TOKENS

    def token_sets(self, attributes: Iterable[Attribute]) -> set[TokenSet]:
        """The token sets of these attributes; attributes without tokens have none."""
        cached, by_name = self._attributes.new.get, self._by_name.get
        token_sets = set()
        for attribute in attributes:
            if (entry := cached(id(attribute))) is not None and entry[0] is attribute:
                token_sets.add(entry[1])
            elif (named := by_name(attribute.attr_name)) is not None and named[0] == attribute.attr_type:
                token_sets.add(named[1])
            else:
                token_sets.add(self._encode(attribute))
        token_sets.discard(None)
        return cast("set[TokenSet]", token_sets)

    def _encode(self, attribute: Attribute) -> TokenSet | None:
        entry = self._attributes.get(id(attribute))
        if entry is not None and entry[0] is attribute:
            return entry[1]
        kind = kind_of(attribute.attr_name, attribute.attr_type)
        if kind is None or not kind.value_counts:
            token_set = self._token_set(kind, None)
            if len(self._by_name) >= _MAX_NAMES:
                self._by_name.clear()
            self._by_name[attribute.attr_name] = attribute.attr_type, token_set
            return token_set
        token_set = self._token_set(kind, value_of(attribute))
        if len(attribute.raw) <= _MAX_CACHED_ATTRIBUTE_BYTES:
            self._attributes.put(id(attribute), (attribute, token_set))
        return token_set

    def token_set_of(self, attr_name: str, attr_type: str, value: Any) -> TokenSet | None:
        """The token set of an attribute with this value in its JSON form; None for attributes without tokens."""
        return self._token_set(kind_of(attr_name, attr_type), value)

    def _token_set(self, kind: Kind | None, value: Any) -> TokenSet | None:
        if kind is None:
            return None
        tokens = tokens_of(kind, value)
        token_set = self._token_sets.get(tokens)
        if token_set is None:
            number = self._metadata.number
            new = TokenSet(tuple(map(number, tokens.once)), tuple(map(number, tokens.counted)))
            token_set = self._token_sets.setdefault(tokens, new)  # another thread may have been faster
        return token_set

    def embedding(self, features: Features) -> Embedding:
        """Both vectors of a file."""
        layout_key = features.shapes, features.channels
        layout = self._layouts.get(layout_key) or self._layout(*layout_key)
        key = layout, features.token_sets
        vector = self._vectors.get(key)
        if vector is None:
            once: set[int] = set()
            counted: list[int] = []
            for token_set in features.token_sets:
                once.update(token_set.once)
                if token_set.counted:
                    counted += token_set.counted
            counted += once
            vector = _read_only(self._metadata.vector(self._metadata.sums(counted) + layout.sums))
            self._vectors.put(key, vector)
        return Embedding(vector, layout.channels)

    def _layout(self, shapes: tuple[PartShape, ...], channels: tuple[PartChannels, ...]) -> _Layout:
        layers = layer_tokens(channels)
        sums = self._metadata.sums([*map(self._metadata.number, (*structure_tokens(shapes), *layers.metadata))])
        fingerprint = self._fingerprint.sums([*map(self._fingerprint.number, layers.fingerprint)])
        layout = _Layout(sums, _read_only(self._fingerprint.vector(fingerprint)))
        self._layouts.put((shapes, channels), layout)
        return layout


def _layout_bytes(key: _LayoutKey, _: _Layout) -> int:
    channels = chain.from_iterable([part.channels for part in key[1]])
    return 8192 + 1024 * len(key[0]) + sum([256 + len(channel.channel_name) for channel in channels])


def _vector_bytes(key: tuple[_Layout, frozenset[TokenSet]], _: Vector) -> int:
    return 2048 + 64 * len(key[1])


def _read_only(vector: Vector) -> Vector:
    vector.flags.writeable = False
    return vector
