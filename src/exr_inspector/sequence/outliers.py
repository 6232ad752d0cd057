"""Frames that differ from the rest of their sequence, by the vectors and by the fields of their headers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any

import fileseq
import numpy as np

from ..catalog import Catalog
from ..frames.ranges import Number, frame_value
from ..search.similar import differing_groups
from ..vectors import VERSION
from .summary import FieldOutlier, SequenceSummary, sequences

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

_MIN_FRAMES = 3  # of two frames that differ, neither is the outlier
# A frame is an outlier if its similarity is below the median of its sequence by this many median absolute deviations,
# and by at least _MIN_DISTANCE: per-frame values hardly change a vector, a lost channel or another compression does.
_DEVIATIONS = 6.0
_MIN_DISTANCE = 0.002
_SEQUENCES_PER_QUERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A frame that differs from the rest of its sequence."""

    sequence: str
    frame: str
    file_path_normalized: str
    similarity: float  # cosine of its metadata vector and the mean of the other frames' vectors, -1 to 1
    usual: float  # the median similarity in this sequence
    differs: tuple[str, ...]  # fields first, then vector groups


def outliers(catalog: Catalog, pattern: str | None = None) -> Iterator[Outlier]:
    """The outliers of each sequence, the least similar first; sequences are sorted by URI.

    `pattern` selects sequences as in `sequences()`. Frames whose vectors have another version are left out.
    """
    summaries = iter(sequences(catalog, pattern))
    while batch := list(islice(summaries, _SEQUENCES_PER_QUERY)):
        frames = _frames(catalog, [summary.sequence for summary in batch])
        for summary in batch:
            yield from _outliers_of(summary, frames[summary.sequence])


def as_arrow(frames: Iterable[Outlier]) -> pa.Table:
    """The outliers as an Arrow table."""
    import pyarrow as pa

    types = {"similarity": pa.float64(), "usual": pa.float64(), "differs": pa.list_(pa.string())}
    schema = pa.schema([(f.name, types.get(f.name, pa.string())) for f in fields(Outlier)])
    return pa.Table.from_pylist([asdict(frame) for frame in frames], schema)


def _frames(catalog: Catalog, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The current frames of these sequences with their vectors, by sequence."""
    placeholders = ", ".join("?" * len(names))
    query = f"""
        SELECT sequence, frame, frame_number, file_path_normalized, metadata_embedding AS vector FROM files
        WHERE is_current AND deleted_at IS NULL AND embedding_version = ? AND sequence IN ({placeholders})
        ORDER BY sequence, frame_number, frame"""  # noqa: S608 (only placeholders)
    frames: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in catalog.sql(query, [VERSION, *names]).to_batches():
        vectors = batch["vector"].flatten().to_numpy().reshape(batch.num_rows, -1)  # lists take eight times the memory
        for row, vector in zip(batch.drop_columns("vector").to_pylist(), vectors, strict=True):
            frames[row["sequence"]].append(row | {"vector": vector})
    return frames


def _outliers_of(summary: SequenceSummary, frames: list[dict[str, Any]]) -> list[Outlier]:
    if len(frames) < _MIN_FRAMES:
        return []
    vectors = np.asarray([frame["vector"] for frame in frames], np.float64)
    means = vectors.sum(axis=0) - vectors  # of the other frames
    means /= np.maximum(np.sqrt((means * means).sum(axis=1, keepdims=True)), 1e-12)
    similarities = (vectors * means).sum(axis=1)
    usual = float(np.median(similarities))
    fields_of = _fields_by_frame(summary.outliers)
    is_distant = _distant(similarities, usual)
    found = [
        Outlier(
            sequence=summary.sequence,
            frame=frame["frame"],
            file_path_normalized=frame["file_path_normalized"],
            similarity=round(float(similarities[row]), 6),
            usual=round(usual, 6),
            differs=(
                *map(str, fields_of.get(frame_value(frame["frame"]), ())),
                *(differing_groups(vectors[row], means[row]) if is_distant[row] else ()),
            ),
        )
        for row, frame in enumerate(frames)
        if frame_value(frame["frame"]) in fields_of or is_distant[row]
    ]
    return sorted(found, key=lambda frame: frame.similarity)


def _distant(similarities: npt.NDArray[np.float64], usual: float) -> npt.NDArray[np.bool_]:
    deviation = float(np.median(np.abs(similarities - usual)))
    return similarities < usual - max(_DEVIATIONS * deviation, _MIN_DISTANCE)


def _fields_by_frame(field_outliers: Iterable[FieldOutlier]) -> dict[Number, list[FieldOutlier]]:
    by_frame: dict[Number, list[FieldOutlier]] = defaultdict(list)
    for outlier in field_outliers:
        for number in fileseq.FrameSet(outlier.frames):
            by_frame[frame_value(str(number))].append(outlier)
    return by_frame
