"""Frames that stand apart from the rest of their sequence: by the vectors of their headers, and by their fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any

import fileseq
import numpy as np

from ..catalog import Catalog
from ..search.similar import differs
from ..vectors import VERSION
from .summary import OddFrames, SequenceReport, sequence_reports

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

# Below three frames nobody can say which one is odd.
_FEWEST = 3
# How far below the median of its sequence, in median absolute deviations and at least, a frame stands apart: what
# changes from frame to frame hardly moves a vector, a lost channel or another compression does.
_DEVIATIONS = 6.0
_LEAST = 0.002
_SEQUENCES_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OddFrame:
    """A frame that stands apart: how like it is to the other frames, and in what it differs from them."""

    sequence: str
    frame: str
    file_path_normalized: str
    similarity: float  # the cosine of its metadata vector and the mean of the others', -1 to 1
    usual: float  # the median of that among the frames
    differs: tuple[str, ...]  # fields first, then groups of the vector


def odd_frames(catalog: Catalog, pattern: str | None = None) -> Iterator[OddFrame]:
    """The frames that stand apart, the oddest of each sequence first, in the order of the sequences' names.

    `pattern` is that of `sequence_reports`. Frames whose vectors are of another version are left out.
    """
    reports = iter(sequence_reports(catalog, pattern))
    while some := list(islice(reports, _SEQUENCES_AT_ONCE)):
        frames = _frames(catalog, [report.sequence for report in some])
        for report in some:
            yield from _odd_of(report, frames[report.sequence])


def as_arrow(found: Iterable[OddFrame]) -> pa.Table:
    """The frames as an Arrow table."""
    import pyarrow as pa

    special = {"similarity": pa.float64(), "usual": pa.float64(), "differs": pa.list_(pa.string())}
    schema = pa.schema([(f.name, special.get(f.name, pa.string())) for f in fields(OddFrame)])
    return pa.Table.from_pylist([asdict(frame) for frame in found], schema)


def _frames(catalog: Catalog, sequences: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    marks = ", ".join("?" * len(sequences))
    query = f"""
        SELECT sequence, frame, frame_number, file_path_normalized, metadata_embedding AS vector FROM files
        WHERE is_current AND deleted_at IS NULL AND embedding_version = ? AND sequence IN ({marks})
        ORDER BY sequence, frame_number, frame"""  # noqa: S608 (only marks)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in catalog.sql(query, [VERSION, *sequences]).to_batches():
        vectors = batch["vector"].flatten().to_numpy().reshape(batch.num_rows, -1)  # lists take eight times as much
        for row, vector in zip(batch.drop_columns("vector").to_pylist(), vectors, strict=True):
            found[row["sequence"]].append(row | {"vector": vector})
    return found


def _odd_of(report: SequenceReport, frames: list[dict[str, Any]]) -> list[OddFrame]:
    if len(frames) < _FEWEST:
        return []
    vectors = np.asarray([frame["vector"] for frame in frames], np.float64)
    others = vectors.sum(axis=0) - vectors
    others /= np.maximum(np.sqrt((others * others).sum(axis=1, keepdims=True)), 1e-12)
    likeness = (vectors * others).sum(axis=1)
    usual = float(np.median(likeness))
    fields_of = _fields_by_frame(report.odd)
    apart = _apart(likeness, usual)
    found = [
        OddFrame(
            sequence=report.sequence,
            frame=frame["frame"],
            file_path_normalized=frame["file_path_normalized"],
            similarity=round(float(likeness[row]), 6),
            usual=round(usual, 6),
            differs=(*map(_in_words, odd), *(differs(vectors[row], others[row]) if apart[row] else ())),
        )
        for row, frame in enumerate(frames)
        if (odd := fields_of.get(frame["frame_number"], [])) or apart[row]
    ]
    return sorted(found, key=lambda frame: frame.similarity)


def _apart(likeness: npt.NDArray[np.float64], usual: float) -> npt.NDArray[np.bool_]:
    deviation = float(np.median(np.abs(likeness - usual)))
    return likeness < usual - max(_DEVIATIONS * deviation, _LEAST)


def _fields_by_frame(odd: Iterable[OddFrames]) -> dict[int, list[OddFrames]]:
    found: dict[int, list[OddFrames]] = defaultdict(list)
    for one in odd:
        for number in fileseq.FrameSet(one.frames):
            found[int(number)].append(one)
    return found


def _in_words(odd: OddFrames) -> str:
    where = f" (part {odd.part_index})" if odd.part_index else ""
    value, usual = ("not there" if text is None else text for text in (odd.value, odd.usual))
    return f"{odd.field}{where}: {value}, the others {usual}"
