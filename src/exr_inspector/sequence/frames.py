"""The frames of each sequence in a catalog, by one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from ..catalog import OPEN_ERRORS, Catalog
from ..findings.files import chunk_counts, damage
from ..frames.ranges import Number, frame_value
from ..inspection.model import status_of
from ..sources.patterns import uri_condition

# Without a pattern, all files.
MATCHES = "($pattern IS NULL OR regexp_matches(file_path_normalized, $pattern))"
CURRENT = "is_current AND deleted_at IS NULL"
# By whether the table `named` selects sequences.
IS_NAMED = {False: "true", True: "sequence IN (SELECT sequence FROM named)"}

MISSING = """
        SELECT file_id, string_agg(if(part_index > 0, 'part ' || part_index || ': ', '') || missing, '; '
                                   ORDER BY part_index) AS missing
        FROM parts WHERE missing IS NOT NULL GROUP BY file_id"""  # the missing lines and tiles of each file

MIP_MODES = ("MIPMAP_LEVELS", "RIPMAP_LEVELS")
TEXTURE_ATTRIBUTES = ("textureformat", "wrapmodes")

_FRAMES = f"""
    WITH missing AS ({MISSING}), textures AS (
        SELECT file_id FROM parts WHERE level_mode IN {MIP_MODES}
        UNION ALL
        SELECT file_id FROM attributes {{of_named}} WHERE attr_name IN {TEXTURE_ATTRIBUTES}
    ), frames AS (
        SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, frame_number, file_id, structure_hash,
               file_id IN (SELECT file_id FROM textures) AS is_texture,
               file_path_normalized, completeness, problem_severity, chunk_count, chunks_present, missing,
               NULL AS message
        FROM files LEFT JOIN missing USING (file_id)
        WHERE {CURRENT} AND (sequence IS NOT NULL OR completeness <> 'complete' OR problem_severity = 'error')
              AND {{is_named}}
        UNION ALL
        SELECT coalesce(sequence, file_path_normalized), frame, frame_number, NULL, NULL, NULL,
               file_path_normalized, 'unreadable', NULL, NULL, NULL, NULL, message
        FROM ingest_errors WHERE {OPEN_ERRORS} AND {{is_named}}
    )
    SELECT *, completeness <> 'complete' OR coalesce(problem_severity = 'error', false) AS is_suspect,
           completeness = 'complete' AND problem_severity = 'warning' AS is_warned
    FROM frames WHERE {MATCHES} ORDER BY sequence, frame_number, frame, file_path_normalized
"""  # noqa: S608 (constants)

# With their batches, few row groups of DuckDB's tables are read.
_OF_NAMED = f"""
        JOIN (SELECT file_id AS id, batch_id AS batch FROM files WHERE {IS_NAMED[True]})
        ON file_id = id AND batch_id IS NOT DISTINCT FROM batch"""  # noqa: S608 (constants)

_NAMES = f"""
    SELECT sequence FROM files WHERE {CURRENT} AND sequence IS NOT NULL AND {MATCHES}
    UNION
    SELECT sequence FROM ingest_errors WHERE {OPEN_ERRORS} AND sequence IS NOT NULL AND {MATCHES}
"""  # noqa: S608 (constants)


_ANY = f"""
    SELECT 1 FROM files WHERE {CURRENT} AND {MATCHES}
    UNION ALL
    SELECT 1 FROM ingest_errors WHERE {OPEN_ERRORS} AND {MATCHES}
    LIMIT 1
"""  # noqa: S608 (constants)

_UNREADABLE = f"SELECT file_path_normalized FROM ingest_errors WHERE {OPEN_ERRORS} AND {MATCHES}"  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFrame:
    """A frame, or a file without a frame number, that is incomplete, damaged, invalid or unreadable."""

    frame: str  # empty without a frame number
    file_path_normalized: str
    status: str  # a completeness other than "complete", "invalid" (see status_of), or "unreadable"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """The frames of a sequence in order, in parallel lists, and the damaged ones; or one file without a frame."""

    sequence: str
    texts: list[str]
    numbers: list[Number]
    file_ids: list[str | None]  # None: the file is unreadable
    hashes: list[str | None]  # of the structure
    are_textures: bool  # all readable ones
    damaged: tuple[DamagedFrame, ...]
    warned: list[Number]  # frames of sound files whose headers have problems of severity `warning`


def sequence_condition(pattern: str | None) -> str | None:
    """A pattern of URIs or local paths, with any notation of frames, as the parameter of `MATCHES`."""
    return None if pattern is None else uri_condition([pattern]).regex


def sequence_names(catalog: Catalog, pattern: str | None) -> list[str]:
    """The sequences that the pattern selects."""
    return [str(name) for name in catalog.sql(_NAMES, {"pattern": sequence_condition(pattern)})["sequence"].to_pylist()]


def has_files(catalog: Catalog, pattern: str | None) -> bool:
    """Whether the pattern selects a file, or a path with an open error."""
    return bool(catalog.sql(_ANY, {"pattern": sequence_condition(pattern)}).num_rows)


def unreadable_paths(catalog: Catalog, pattern: str | None) -> list[str]:
    """The paths with an open error that the pattern selects."""
    return catalog.sql(_UNREADABLE, {"pattern": sequence_condition(pattern)})["file_path_normalized"].to_pylist()  # type: ignore[no-any-return]


def frames_by_sequence(catalog: Catalog, pattern: str | None, named: pa.Table | None = None) -> Iterator[Frames]:
    """The frames of each sequence that the pattern selects, sorted by URI, and damaged files without a frame.

    With `named`, a table of the column `sequence`, only those of these sequences.
    """
    query = _FRAMES.format(is_named=IS_NAMED[named is not None], of_named="" if named is None else _OF_NAMED)
    table = catalog.sql(query, {"pattern": sequence_condition(pattern)}, {} if named is None else {"named": named})
    suspects = dict(_suspects(table))
    warned = set(np.flatnonzero(table["is_warned"].fill_null(False).to_numpy()).tolist())
    names, texts, file_ids, hashes, textures = (
        table[name].to_numpy().tolist()  # eight times as fast as to_pylist
        for name in ("sequence", "frame", "file_id", "structure_hash", "is_texture")
    )
    numbers = table["frame_number"].fill_null(0).to_numpy().tolist()
    start = 0
    for name, group in groupby(names):
        end = start + sum(1 for _ in group)
        damaged = tuple(suspects[row] for row in range(start, end) if row in suspects) if suspects else ()
        if texts[start] is not None:
            of_sequence = _numbers(texts[start:end], numbers[start:end])
            yield Frames(
                sequence=name,
                texts=texts[start:end],
                numbers=of_sequence,
                file_ids=file_ids[start:end],
                hashes=hashes[start:end],
                are_textures=True in textures[start:end] and False not in textures[start:end],
                damaged=damaged,
                warned=[of_sequence[row - start] for row in range(start, end) if row in warned] if warned else [],
            )
        elif damaged:
            yield alone(name, damaged)
        start = end


def alone(path: str, damaged: tuple[DamagedFrame, ...] = ()) -> Frames:
    """A name that has no frames."""
    return Frames(
        sequence=path, texts=[], numbers=[], file_ids=[], hashes=[], are_textures=False, damaged=damaged, warned=[]
    )


def _numbers(texts: Sequence[str], numbers: list[int]) -> list[Number]:
    if any("." in text for text in texts):
        return [frame_value(text) for text in texts]
    return [*numbers]


def _suspects(table: pa.Table) -> Iterator[tuple[int, DamagedFrame]]:
    """The row and status of each frame that is not sound."""
    rows = np.flatnonzero(table["is_suspect"].to_numpy())
    for index, row in zip(rows.tolist(), table.take(pa.array(rows)).to_pylist(), strict=True):
        status = status_of(row["completeness"], row["problem_severity"])
        if status != "complete":
            yield (
                index,
                DamagedFrame(
                    frame=row["frame"] or "",
                    file_path_normalized=row["file_path_normalized"],
                    status=status,
                    reason=_reason(row, status),
                ),
            )


def _reason(row: dict[str, Any], status: str) -> str:
    if row["message"] is not None:
        return str(row["message"])
    return damage(status, chunk_counts(row["chunks_present"], row["chunk_count"], row["missing"]))
