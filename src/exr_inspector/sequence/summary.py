"""Summary of each sequence in a catalog: frame range, missing and damaged frames, fields that differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ..catalog import OPEN_ERRORS, Catalog
from ..frames.ranges import Number, display_pattern, frame_range, frame_value, missing_numbers, padding, padding_changes
from ..inspection.model import status_of
from ..inspection.volatility import STABLE_NAMES, Volatility, stored_value, volatility
from ..sources.uris import local_path

_FRAMES = """
    SELECT sequence, frame, frame_number, file_id, file_path_normalized, completeness, problem_severity, structure_hash,
           chunk_count, chunks_present
    FROM files WHERE is_current AND deleted_at IS NULL AND sequence IS NOT NULL
    ORDER BY sequence, frame_number, frame
"""
_ERRORS = f"""
    SELECT sequence, frame, frame_number, file_path_normalized, message
    FROM ingest_errors WHERE {OPEN_ERRORS} AND sequence IS NOT NULL ORDER BY file_path_normalized
"""  # noqa: S608
_MISSING = "SELECT file_id, part_index, missing FROM parts WHERE missing IS NOT NULL ORDER BY file_id, part_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFrame:
    """A frame that is incomplete, damaged, invalid or unreadable."""

    frame: str
    file_path_normalized: str
    status: str  # a completeness other than "complete", "invalid" (see status_of), or "unreadable"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOutlier:
    """A field with a value that differs from most frames of the sequence, and the frames that have this value."""

    part_index: int
    field: str  # name of an attribute
    frames: str  # in fileseq notation
    value: str | None  # None: the attribute is absent
    usual: str | None

    def __str__(self) -> str:
        part = f" (part {self.part_index})" if self.part_index else ""
        value, usual = ("absent" if text is None else text for text in (self.value, self.usual))
        return f"{self.field}{part}: {value}, usually {usual}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSummary:
    """One sequence: its frames, the missing and the damaged ones, and the fields that differ between frames."""

    sequence: str  # with # for the frame, as in the column `sequence`
    pattern: str  # with one # for each digit of the padding
    frames: str  # in fileseq notation
    frame_count: int
    missing: str
    missing_count: int
    gaps_judged: bool  # False: the numbers span more than a million frames
    padding: int
    padding_changes: bool
    bad: tuple[DamagedFrame, ...]
    outliers: tuple[FieldOutlier, ...]

    @property
    def is_sound(self) -> bool:
        """Whether no frame is missing, damaged or an outlier."""
        return not (self.missing or self.bad or self.outliers)


@dataclass(slots=True)
class _Frame:
    frame: str
    number: Number
    uri: str
    file_id: str | None = None  # None: the file is unreadable
    status: str = "unreadable"
    structure_hash: str | None = None
    reason: str = ""


def sequences(catalog: Catalog, pattern: str | None = None) -> list[SequenceSummary]:
    """The sequences of the catalog, sorted by URI.

    `pattern` selects sequences whose URI contains it or matches it as a shell pattern (`*`, `?`, `[…]`). A single file
    with a number at the end of its name is a sequence of one frame, and is left out unless it is damaged.
    """
    frames = _frames(catalog)
    summaries = [
        _summary(catalog, sequence, frames[sequence]) for sequence in sorted(frames) if _matches(sequence, pattern)
    ]
    return [summary for summary in summaries if summary.frame_count > 1 or not summary.is_sound]


def _matches(sequence: str, pattern: str | None) -> bool:
    return (
        pattern is None
        or pattern in sequence
        or fnmatchcase(sequence, pattern)
        or fnmatchcase(local_path(sequence) or sequence, pattern)
    )


def _frames(catalog: Catalog) -> dict[str, list[_Frame]]:
    """Current files and unreadable files, by sequence."""
    missing = _missing_chunks(catalog)
    frames: dict[str, list[_Frame]] = defaultdict(list)
    for row in _rows(catalog, _FRAMES):
        frames[row["sequence"]].append(
            _Frame(
                row["frame"],
                frame_value(row["frame"]),
                row["file_path_normalized"],
                row["file_id"],
                status_of(row["completeness"], row["problem_severity"]),
                row["structure_hash"],
                _reason(row, missing.get(row["file_id"])),
            )
        )
    for row in _rows(catalog, _ERRORS):
        frames[row["sequence"]].append(
            _Frame(row["frame"], frame_value(row["frame"]), row["file_path_normalized"], reason=row["message"])
        )
    return frames


def _missing_chunks(catalog: Catalog) -> dict[str, str]:
    """The missing lines and tiles of each incomplete file, all parts in one text."""
    missing: dict[str, list[str]] = defaultdict(list)
    for row in _rows(catalog, _MISSING):
        part = f"part {row['part_index']}: " if row["part_index"] else ""
        missing[row["file_id"]].append(f"{part}{row['missing']}")
    return {file_id: "; ".join(parts) for file_id, parts in missing.items()}


def _reason(row: dict[str, Any], missing: str | None) -> str:
    if row["completeness"] == "complete":
        return "the header has errors; `exr-inspector inspect` lists them" if row["problem_severity"] == "error" else ""
    chunks = f"{row['chunks_present']} of {row['chunk_count']} chunks"
    return f"{chunks}; missing {missing}" if missing else chunks


def _summary(catalog: Catalog, sequence: str, frames: list[_Frame]) -> SequenceSummary:
    frames.sort(key=lambda f: (f.number, f.frame))
    numbers = [f.number for f in frames]
    texts = [f.frame for f in frames]
    gaps = missing_numbers(numbers)
    return SequenceSummary(
        sequence=sequence,
        pattern=display_pattern(sequence, texts),
        frames=frame_range(numbers),
        frame_count=len(frames),
        missing=frame_range(gaps or ()),
        missing_count=len(gaps or ()),
        gaps_judged=gaps is not None,
        padding=padding(texts),
        padding_changes=padding_changes(texts),
        bad=tuple(
            DamagedFrame(frame=f.frame, file_path_normalized=f.uri, status=f.status, reason=f.reason)
            for f in frames
            if f.status != "complete"
        ),
        outliers=tuple(_field_outliers(catalog, frames)),
    )


def _field_outliers(catalog: Catalog, frames: list[_Frame]) -> Iterator[FieldOutlier]:
    """The fields in which some frames differ from the majority; no query if all structure hashes are equal.

    A field without a majority value changes from frame to frame, so it has no outliers. Attributes that the format
    defines as constant are the exception: there the most frequent value counts as usual if values repeat enough.
    """
    numbers = {f.file_id: f.number for f in frames if f.file_id is not None}
    if len({f.structure_hash for f in frames if f.file_id is not None}) < 2:
        return
    values: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
    for row in _attribute_rows(catalog, list(numbers)):
        value = stored_value(row["value_json"], row["size_bytes"])
        if volatility(row["attr_name"], row["attr_type"], value) is Volatility.CONSTANT:
            values[row["part_index"], row["attr_name"]][row["file_id"]] = row["value"]
    for (part_index, name), by_file in values.items():
        counts: Counter[str | None] = Counter(by_file.get(file_id) for file_id in numbers)
        usual, count = counts.most_common(1)[0]
        has_usual = 2 * count > len(numbers) or (name in STABLE_NAMES and 4 * len(counts) <= len(numbers))
        if len(counts) == 1 or not has_usual:
            continue
        for value in counts:
            if value != usual:
                frames_with_value = [number for file_id, number in numbers.items() if by_file.get(file_id) == value]
                yield FieldOutlier(
                    part_index=part_index, field=name, frames=frame_range(frames_with_value), value=value, usual=usual
                )


def _attribute_rows(catalog: Catalog, file_ids: list[str]) -> Iterable[dict[str, Any]]:
    placeholders = ", ".join("?" * len(file_ids))
    return _rows(
        catalog,
        f"""SELECT file_id, part_index, attr_name, attr_type, size_bytes, value_json,
                   coalesce(value_json, value_text, size_bytes || ' bytes') AS value
            FROM attributes WHERE file_id IN ({placeholders})
            ORDER BY part_index, attr_index""",  # noqa: S608 (only placeholders)
        file_ids,
    )


def _rows(catalog: Catalog, query: str, params: list[str] | None = None) -> Iterator[dict[str, Any]]:
    for batch in catalog.sql(query, params).to_batches():
        yield from batch.to_pylist()


def as_arrow(summaries: Iterable[SequenceSummary]) -> Any:
    """The summaries as an Arrow table; damaged frames and field outliers are lists of structs."""
    import pyarrow as pa

    bad = pa.struct([(f.name, pa.string()) for f in fields(DamagedFrame)])
    outlier = pa.struct([(f.name, pa.int32() if f.name == "part_index" else pa.string()) for f in fields(FieldOutlier)])
    types = {"frame_count": pa.int64(), "missing_count": pa.int64(), "padding": pa.int32()}
    types |= {"padding_changes": pa.bool_(), "gaps_judged": pa.bool_()}
    types |= {"bad": pa.list_(bad), "outliers": pa.list_(outlier)}
    schema = pa.schema([(f.name, types.get(f.name, pa.string())) for f in fields(SequenceSummary)])
    return pa.Table.from_pylist([asdict(summary) for summary in summaries], schema)
