"""Two vectors for a header: like files have near ones, and a difference can be explained group by group.

In comes an inspection or its rows, out come `metadata_vector` (384 dimensions: what the whole header says) and
`channel_vector` (128: which layers it has), of unit length and never NaN. The same header gives the same bits in
every process and on every platform; path, size, time and the order of attributes, channels and parts do not matter.
What changes from frame to frame (dates, clocks, memory, matrices, cropped windows) hardly moves them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import EmbeddingError
from . import features
from .attributes import LONGEST_VALUE
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


def _current() -> Encoder:
    global _encoder
    encoder = _encoder
    if encoder.is_full:
        _encoder = encoder = Encoder()
    return encoder


def embed(inspection: Inspection) -> Embedding:
    """Both vectors of a file. Raises EmbeddingError, which would be a fault of this package, never of the file."""
    encoder = _current()
    try:
        return encoder.embedding(features.of_inspection(inspection, encoder))
    except Exception as error:
        raise EmbeddingError(inspection.file.file_path_normalized, f"{type(error).__name__}: {error}") from error


def embed_rows(
    parts: Iterable[features.Row], channels: Iterable[features.Row], attributes: Iterable[features.Row]
) -> Embedding:
    """Both vectors of one file from its rows of the tables `parts`, `channels` and `attributes`: those of `embed`."""
    encoder = _current()
    parts = list(parts)
    place = str(parts[0].get("file_path", "")) if parts else ""
    try:
        return encoder.embedding(features.of_rows(parts, channels, attributes, encoder))
    except Exception as error:
        raise EmbeddingError(place, f"{type(error).__name__}: {error}") from error


def metadata_vector(inspection: Inspection) -> Vector:
    """What the whole header says, as 384 32-bit floats of unit length."""
    return embed(inspection).metadata


def channel_vector(inspection: Inspection) -> Vector:
    """Which layers and channels a file has, as 128 32-bit floats of unit length."""
    return embed(inspection).channels
