"""Frames that differ from the rest of their sequence by the vectors and fields of their headers, or by their pixels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ..catalog import Catalog, expect_catalog
from ..frames.ranges import Number, frame_value, parse_long_range
from ..search.similar import differing_groups
from ..vectors import VERSION
from .fields import FieldOutlier
from .frames import MATCHES, sequence_condition
from .pixel_outliers import pixel_outliers, statistics_extent
from .summary import SequenceSummary, sequences

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

_MIN_FRAMES = 3  # of two frames that differ, neither is the outlier
# A frame is an outlier if its similarity is below the median of its sequence by this many median absolute deviations,
# and by at least _MIN_DISTANCE: per-frame values hardly change a vector, a lost channel or another compression does.
_DEVIATIONS = 6.0
_MIN_DISTANCE = 0.002
_FRAMES_PER_QUERY = 100_000  # 150 MB of vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A frame that differs from the rest of its sequence."""

    sequence: str
    frame: str
    file_path_normalized: str
    similarity: float  # cosine of its metadata vector and the mean of the other frames' vectors, -1 to 1
    usual: float  # the median similarity in this sequence
    differs: tuple[str, ...]  # fields first, then vector groups
    pixels: tuple[str, ...] = ()  # such as `R mean 0.41, neighbours 0.18–0.19`, where the catalog has statistics


def outliers(catalog: Catalog, pattern: str | os.PathLike[str] | None = None) -> Iterator[Outlier]:
    """The outliers of each sequence, the least similar first; sequences are sorted by URI.

    >>> from exr_inspector import open_catalog, outliers
    >>> with open_catalog("shows.duckdb", read_only=True) as catalog:
    ...     for frame in outliers(catalog):
    ...         print(frame.file_path_normalized, frame.differs[0])
    file:///.../shows/beauty.1002.exr compression: "ZIP", usually "NONE"

    `pattern` selects sequences as in `sequences()`. Frames whose vectors have another version are left out.
    """
    expect_catalog(catalog)
    summaries = sequences(catalog, pattern)
    condition = sequence_condition(None if pattern is None else os.fspath(pattern))
    pixels: dict[str, list[str]] = defaultdict(list)
    selected = MATCHES, {"pattern": condition}
    row_count = statistics_extent(catalog, *selected).row_count
    for outlier in pixel_outliers(catalog, *selected, row_count):
        pixels[outlier.file_path_normalized] += outlier.texts()
    return outliers_of(catalog, summaries, pixels)


def outliers_of(
    catalog: Catalog, summaries: Iterable[SequenceSummary], pixels: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Iterator[Outlier]:
    """The outliers of sequences that are summarised already, as `outliers()` gives them.

    `pixels` has what differs in the pixels of files, by normalized path.
    """
    for page in _pages(summaries):
        by_sequence = {summary.sequence: summary for summary in page}
        for name, frames in _frames(catalog, list(by_sequence)):
            yield from _outliers_in(by_sequence[name], frames, pixels)


def _pages(summaries: Iterable[SequenceSummary]) -> Iterator[list[SequenceSummary]]:
    """The sequences of several frames in lists of at most _FRAMES_PER_QUERY frames, or of one sequence."""
    page: list[SequenceSummary] = []
    frames = 0
    for summary in summaries:
        if summary.frame_count < _MIN_FRAMES:
            continue
        if page and frames + summary.frame_count > _FRAMES_PER_QUERY:
            yield page
            page, frames = [], 0
        page.append(summary)
        frames += summary.frame_count
    if page:
        yield page


def as_arrow(frames: Iterable[Outlier]) -> pa.Table:
    """The outliers as an Arrow table."""
    import pyarrow as pa

    texts = pa.list_(pa.string())
    types = {"similarity": pa.float64(), "usual": pa.float64(), "differs": texts, "pixels": texts}
    schema = pa.schema([(f.name, types.get(f.name, pa.string())) for f in fields(Outlier)])
    return pa.Table.from_pylist([asdict(frame) for frame in frames], schema)


def _frames(catalog: Catalog, names: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """The current frames of each of these sequences, with their vectors."""
    placeholders = ", ".join("?" * len(names))  # a VAST Database filters by a list, but not by a joined table
    query = f"""
        SELECT sequence, frame, file_path_normalized, metadata_embedding AS vector FROM files
        WHERE is_current AND deleted_at IS NULL AND embedding_version = ? AND sequence IN ({placeholders})
        ORDER BY sequence, frame_number, frame"""  # noqa: S608 (only placeholders)
    frames = catalog.sql(query, [VERSION, *names])
    start = 0
    for name, rows in groupby(frames["sequence"].to_pylist()):
        count = sum(1 for _ in rows)
        yield name, frames.slice(start, count)
        start += count


def _outliers_in(summary: SequenceSummary, frames: pa.Table, pixels: Mapping[str, Sequence[str]]) -> list[Outlier]:
    if frames.num_rows < _MIN_FRAMES:
        return []
    vectors = frames["vector"].combine_chunks().flatten().to_numpy().reshape(frames.num_rows, -1).astype(np.float64)
    means = vectors.sum(axis=0) - vectors  # of the other frames
    means /= np.maximum(np.sqrt((means * means).sum(axis=1, keepdims=True)), 1e-12)
    similarities = (vectors * means).sum(axis=1).round(6)
    usual = round(float(np.median(similarities)), 6)
    fields_of = _fields_by_frame(summary.outliers)
    is_distant = _distant(similarities, usual)
    paths = frames["file_path_normalized"].to_pylist()
    pixels = {} if summary.is_udim else {path: pixels[path] for path in paths if path in pixels}
    if not fields_of and not pixels and not is_distant.any():
        return []
    found = []
    for row, (frame, path) in enumerate(zip(frames["frame"].to_pylist(), paths, strict=True)):
        fields = fields_of.get(frame_value(frame), [])
        if is_distant[row] or path in pixels or fields:
            groups = differing_groups(vectors[row], means[row]) if is_distant[row] else []
            found.append(
                Outlier(
                    sequence=summary.sequence,
                    frame=frame,
                    file_path_normalized=path,
                    similarity=float(similarities[row]),
                    usual=usual,
                    differs=(*map(str, fields), *groups),
                    pixels=tuple(pixels.get(path, ())),
                )
            )
    return sorted(found, key=lambda outlier: outlier.similarity)


def _distant(similarities: npt.NDArray[np.float64], usual: float) -> npt.NDArray[np.bool_]:
    deviation = float(np.median(np.abs(similarities - usual)))
    return similarities < usual - max(_DEVIATIONS * deviation, _MIN_DISTANCE)


def _fields_by_frame(field_outliers: Iterable[FieldOutlier]) -> dict[Number, list[FieldOutlier]]:
    by_frame: dict[Number, list[FieldOutlier]] = defaultdict(list)
    for outlier in field_outliers:
        for number in parse_long_range(outlier.frames):
            by_frame[number].append(outlier)
    return by_frame
