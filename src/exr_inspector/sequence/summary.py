"""What a wrangler wants to know of a catalog's sequences: ranges, gaps, damaged and odd frames, and in which field."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ..catalog import OPEN_ERRORS, Catalog
from ..frames.names import parse_name
from ..frames.ranges import display_pattern, frame_range, missing_numbers, padding, padding_changes
from ..inspection.volatility import STABLE_NAMES, is_volatile

_FRAMES = """
    SELECT sequence, frame, frame_number, file_id, file_path_normalized, completeness, structure_hash,
           chunk_count, chunks_present
    FROM files WHERE is_current AND deleted_at IS NULL AND sequence IS NOT NULL
    ORDER BY sequence, frame_number, frame
"""
_ERRORS = f"SELECT file_path_normalized, code, message FROM ingest_errors WHERE {OPEN_ERRORS} ORDER BY 1"  # noqa: S608
_MISSING = "SELECT file_id, part_index, missing FROM parts WHERE missing IS NOT NULL ORDER BY file_id, part_index"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """A frame that is there and not whole, or not readable at all."""

    frame: str
    file_path_normalized: str
    status: str  # a completeness, or "unreadable"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OddFrames:
    """Frames in which one field differs from what most frames of the sequence have."""

    part_index: int
    field: str
    frames: str
    value: str | None  # None: the attribute is not there
    usual: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceReport:
    """One sequence: which frames there are, which are missing, and what is wrong with the others."""

    sequence: str  # with # for the frame, as in the column of the catalog
    pattern: str  # with one # for each digit of the padding
    frames: str  # in fileseq notation
    frame_count: int
    missing: str
    missing_count: int
    padding: int
    padding_changes: bool
    bad: tuple[BadFrame, ...]
    odd: tuple[OddFrames, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is missing, bad or odd."""
        return not (self.missing or self.bad or self.odd)


@dataclass(slots=True)
class _Frame:
    frame: str
    number: int
    uri: str
    file_id: str | None = None
    completeness: str = "unreadable"
    structure_hash: str | None = None
    reason: str = ""


def sequence_reports(catalog: Catalog, pattern: str | None = None) -> list[SequenceReport]:
    """The sequences of the catalog, in the order of their names.

    `pattern` keeps those whose URI contains it, or matches it as a shell pattern (`*`, `?`, `[…]`). A single file whose
    name ends in a number is a sequence of one frame and is left out, unless it is bad.
    """
    frames = _frames(catalog)
    reports = [
        _report(catalog, sequence, frames[sequence]) for sequence in sorted(frames) if _matches(sequence, pattern)
    ]
    return [report for report in reports if report.frame_count > 1 or not report.is_sound]


def _matches(sequence: str, pattern: str | None) -> bool:
    return (
        pattern is None
        or pattern in sequence
        or fnmatchcase(sequence, pattern)
        or fnmatchcase(sequence.removeprefix("file://"), pattern)
    )


def _frames(catalog: Catalog) -> dict[str, list[_Frame]]:
    missing: dict[str, str] = {}
    for row in _rows(catalog, _MISSING):
        words = f"part {row['part_index']}: {row['missing']}" if row["part_index"] else row["missing"]
        missing[row["file_id"]] = "; ".join(filter(None, (missing.get(row["file_id"]), words)))
    frames: dict[str, list[_Frame]] = defaultdict(list)
    for row in _rows(catalog, _FRAMES):
        reason = ""
        if row["completeness"] != "complete":
            lost = missing.get(row["file_id"])
            reason = f"{row['chunks_present']} of {row['chunk_count']} chunks" + (f"; missing {lost}" if lost else "")
        frames[row["sequence"]].append(
            _Frame(
                row["frame"],
                row["frame_number"],
                row["file_path_normalized"],
                row["file_id"],
                row["completeness"],
                row["structure_hash"],
                reason,
            )
        )
    for row in _rows(catalog, _ERRORS):
        name = parse_name(row["file_path_normalized"])
        if name is not None:
            frames[name.sequence].append(
                _Frame(name.frame, name.frame_number, row["file_path_normalized"], reason=row["message"])
            )
    return frames


def _report(catalog: Catalog, sequence: str, frames: list[_Frame]) -> SequenceReport:
    frames.sort(key=lambda f: (f.number, f.frame))
    numbers = [f.number for f in frames]
    texts = [f.frame for f in frames]
    gaps = missing_numbers(numbers)
    return SequenceReport(
        sequence=sequence,
        pattern=display_pattern(sequence, texts),
        frames=frame_range(numbers),
        frame_count=len(frames),
        missing=frame_range(gaps),
        missing_count=len(gaps),
        padding=padding(texts),
        padding_changes=padding_changes(texts),
        bad=tuple(
            BadFrame(frame=f.frame, file_path_normalized=f.uri, status=f.completeness, reason=f.reason)
            for f in frames
            if f.completeness != "complete"
        ),
        odd=tuple(_odd_frames(catalog, frames)),
    )


def _odd_frames(catalog: Catalog, frames: list[_Frame]) -> Iterator[OddFrames]:
    """The fields in which some frames differ from the majority, where their structure hashes say so.

    A field without a majority value is one that changes with the frame, whatever its name says; but for those of which
    the format says what they are: there the most frequent value is the usual one, as soon as values repeat well.
    """
    numbers = {f.file_id: f.number for f in frames if f.file_id is not None}
    if len({f.structure_hash for f in frames if f.file_id is not None}) < 2:
        return
    values: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
    for row in _structure_rows(catalog, list(numbers)):
        if not is_volatile(row["attr_name"], row["attr_type"], row["value_text"]):
            values[row["part_index"], row["attr_name"]][row["file_id"]] = row["value"]
    for (part_index, name), by_file in values.items():
        counts: Counter[str | None] = Counter(by_file.get(file_id) for file_id in numbers)
        usual, count = counts.most_common(1)[0]
        has_usual = 2 * count > len(numbers) or (name in STABLE_NAMES and 4 * len(counts) <= len(numbers))
        if len(counts) == 1 or not has_usual:
            continue
        for value in counts:
            if value != usual:
                odd = [number for file_id, number in numbers.items() if by_file.get(file_id) == value]
                yield OddFrames(part_index=part_index, field=name, frames=frame_range(odd), value=value, usual=usual)


def _structure_rows(catalog: Catalog, file_ids: list[str]) -> Iterable[dict[str, Any]]:
    marks = ", ".join("?" * len(file_ids))
    return _rows(
        catalog,
        f"""SELECT file_id, part_index, attr_name, attr_type, value_text,
                   coalesce(value_json, value_text, size_bytes || ' bytes') AS value
            FROM attributes WHERE file_id IN ({marks}) ORDER BY part_index, attr_index""",  # noqa: S608 (only marks)
        file_ids,
    )


def _rows(catalog: Catalog, query: str, params: list[str] | None = None) -> Iterator[dict[str, Any]]:
    for batch in catalog.sql(query, params).to_batches():
        yield from batch.to_pylist()


def as_arrow(reports: Iterable[SequenceReport]) -> Any:
    """The reports as an Arrow table; bad and odd frames as lists of structs."""
    import pyarrow as pa

    bad = pa.struct([(f.name, pa.string()) for f in fields(BadFrame)])
    odd = pa.struct([(f.name, pa.int32() if f.name == "part_index" else pa.string()) for f in fields(OddFrames)])
    special = {"frame_count": pa.int64(), "missing_count": pa.int64(), "padding": pa.int32()}
    special |= {"padding_changes": pa.bool_(), "bad": pa.list_(bad), "odd": pa.list_(odd)}
    schema = pa.schema([(f.name, special.get(f.name, pa.string())) for f in fields(SequenceReport)])
    return pa.Table.from_pylist([asdict(report) for report in reports], schema)
