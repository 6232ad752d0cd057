"""Two vectors of each header for similarity search, and explanations of their differences.

In: an inspection, or its rows. Out: `metadata_vector` (384 dimensions, the whole header) and `channel_vector` (128, the
layers), of unit length, identical on every platform. Must not know: paths, sizes, times, pixels, the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import EmbeddingError
from ..inspection.volatility import LONGEST_VALUE
from . import features
from .codes import CHANNEL_GROUPS, METADATA_GROUPS, VERSION, Vector
from .encoder import Embedding, Encoder
from .explanation import GroupSimilarity, explain

if TYPE_CHECKING:
    from ..inspection.model import Inspection

__all__ = [
    "CHANNEL_GROUPS",
    "LONGEST_VALUE",
    "METADATA_GROUPS",
    "VERSION",
    "Embedding",
    "GroupSimilarity",
    "Vector",
    "channel_vector",
    "embed",
    "embed_rows",
    "explain",
    "metadata_vector",
]

_encoder = Encoder()


def _current_encoder() -> Encoder:
    global _encoder
    encoder = _encoder
    if encoder.is_full:
        _encoder = encoder = Encoder()
    return encoder


def embed(inspection: Inspection) -> Embedding:
    """Both vectors of an inspection. Every header has vectors; EmbeddingError reports a bug in this package."""
    encoder = _current_encoder()
    try:
        return encoder.embedding(features.from_inspection(inspection, encoder))
    except Exception as error:
        raise EmbeddingError(inspection.file.file_path_normalized, f"{type(error).__name__}: {error}") from error


def embed_rows(
    parts: Iterable[features.Row], channels: Iterable[features.Row], attributes: Iterable[features.Row]
) -> Embedding:
    """Both vectors of one file from its rows of the tables `parts`, `channels` and `attributes`; equal to `embed`."""
    encoder = _current_encoder()
    parts = list(parts)
    path = str(parts[0].get("file_path", "")) if parts else ""
    try:
        return encoder.embedding(features.from_rows(parts, channels, attributes, encoder))
    except Exception as error:
        raise EmbeddingError(path, f"{type(error).__name__}: {error}") from error


def metadata_vector(inspection: Inspection) -> Vector:
    """The vector of the whole header: 384 32-bit floats, of unit length."""
    return embed(inspection).metadata


def channel_vector(inspection: Inspection) -> Vector:
    """The vector of the layers and channels: 128 32-bit floats, of unit length."""
    return embed(inspection).channels
