"""`check`: everything in a catalog that is known to be wrong with files and sequences."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .catalog import OPEN_ERRORS, Catalog
from .exr.codes import SEVERITIES
from .findings import files
from .findings.model import FileFrame, Finding, grouped
from .frames.ranges import Number, frame_range, numbers_of
from .sequence.findings import findings_of
from .sequence.frames import CURRENT, MATCHES, bound
from .sequence.summary import SequenceSummary, sequences

# The newest rows of `problems` of each file count.
_FILES = f"""
    WITH missing AS (
        SELECT file_id, string_agg(if(part_index > 0, 'part ' || part_index || ': ', '') || missing, '; '
                                   ORDER BY part_index) AS missing
        FROM parts WHERE missing IS NOT NULL GROUP BY file_id
    ), newest AS (
        SELECT * FROM problems QUALIFY batch_id = max(batch_id) OVER (PARTITION BY file_id)
    ), suspects AS (
        SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, frame_number, file_path_normalized, file_id,
               completeness, problem_severity, chunk_count, chunks_present, NULL AS reason
        FROM files
        WHERE {CURRENT} AND (completeness <> 'complete' OR problem_severity IN ('error', 'warning'))
        UNION ALL
        SELECT coalesce(sequence, file_path_normalized), frame, frame_number, file_path_normalized, NULL,
               NULL, NULL, NULL, NULL, message || ' (' || code || ')'
        FROM ingest_errors WHERE {OPEN_ERRORS}
    )
    SELECT suspects.* EXCLUDE (file_id, problem_severity), missing, code, severity, message, part_index, attr_name,
           row_number() OVER (PARTITION BY file_path_normalized) = 1 AS is_first
    FROM suspects LEFT JOIN missing USING (file_id)
    LEFT JOIN newest ON newest.file_id = suspects.file_id AND severity IN ('error', 'warning')
                        AND problem_severity IN ('error', 'warning')
    WHERE {{matches}}
    ORDER BY sequence, frame_number, frame, file_path_normalized, severity, part_index, code, attr_name
"""  # noqa: S608 (constants)

_COUNT = f"""
    WITH all_files AS (
        SELECT coalesce(sequence, file_path_normalized) AS sequence FROM files WHERE {CURRENT}
        UNION ALL
        SELECT coalesce(sequence, file_path_normalized) FROM ingest_errors WHERE {OPEN_ERRORS}
    )
    SELECT count(*) FILTER ({{matches}}), {{counts}} FROM all_files
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The findings of severity `error` and `warning`, sorted by pattern, and what was checked."""

    findings: tuple[Finding, ...]
    sequences: tuple[SequenceSummary, ...]
    file_count: int
    unmatched: tuple[str, ...]  # patterns that select no file


def check(
    catalog: Catalog,
    pattern: str | os.PathLike[str] | None = None,
    expected: str | Callable[[str], frozenset[Number] | None] = lambda _: None,
) -> CheckResult:
    """What is wrong with the files and sequences of a catalog.

    >>> from exr_inspector import check, open_catalog
    >>> with open_catalog("shows.duckdb", read_only=True) as catalog:
    ...     for finding in check(catalog, "beauty").findings:
    ...         print(finding.severity, finding.rule_id, finding.pattern, finding.frames, finding.message)
    error EXR901 file:///.../shows/beauty.####.exr 1004 missing
    warning EXR904 file:///.../shows/beauty.####.exr 1002 compression: "ZIP", usually "NONE"

    Findings are about damaged and unreadable files, problems of headers, missing and repeated frames, and frames whose
    headers differ from the others. Equal findings of a sequence are one, with their frames. `pattern` and `expected`
    are as those of `sequences()`. Raises CatalogError, and ValueError for an invalid range.
    """
    text = None if pattern is None else os.fspath(pattern)
    return check_sequences(catalog, [text], sequences(catalog, text, expected))


def check_sequences(
    catalog: Catalog, patterns: Sequence[str | None], summaries: Sequence[SequenceSummary]
) -> CheckResult:
    """What is wrong with sequences that are summarised already, and with the files that the patterns select."""
    shown = {summary.sequence: summary.pattern for summary in summaries}
    conditions = [MATCHES.replace("$pattern", f"$pattern_{number}") for number in range(len(patterns))]
    parameters = {f"pattern_{number}": bound(pattern) for number, pattern in enumerate(patterns)}
    matches = " OR ".join(conditions)
    suspects = catalog.sql(_FILES.format(matches=matches), parameters)
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)
    file_count, *by_pattern = (
        column[0].as_py() for column in catalog.sql(_COUNT.format(matches=matches, counts=counts), parameters).columns
    )
    violations = (
        violation for batch in suspects.to_batches() for row in batch.to_pylist() for violation in _of_file(row, shown)
    )
    findings = [*grouped(violations), *(finding for summary in summaries for finding in findings_of(summary))]
    findings.sort(key=lambda finding: (finding.pattern, -SEVERITIES.index(finding.severity), finding.rule_id))
    return CheckResult(
        findings=tuple(findings),
        sequences=tuple(summaries),
        file_count=file_count,
        unmatched=tuple(pattern for pattern, count in zip(patterns, by_pattern, strict=True) if pattern and not count),
    )


def frames_to_render(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    """The pattern of each sequence with errors, and its missing and damaged frames; no frames for other files."""
    numbers: dict[str, set[Number]] = defaultdict(set)
    for finding in findings:
        if finding.severity == "error":
            numbers[finding.pattern] |= numbers_of(finding.frames) if finding.frames else frozenset()
    for pattern, frames in numbers.items():
        yield pattern, frame_range(frames)


def _of_file(row: dict[str, Any], shown: Mapping[str, str]) -> Iterator[tuple[Finding, FileFrame]]:
    pattern = shown.get(row["sequence"], row["sequence"])
    file = FileFrame(uri=row["file_path_normalized"], frame=row["frame"] or "")
    if row["reason"] is not None:
        yield files.unreadable(pattern, row["reason"]), file
    elif row["code"] is not None:
        about = ("code", "severity", "message", "part_index", "attr_name")
        yield files.problem(pattern, **{name: row[name] for name in about}), file
    if row["is_first"] and row["completeness"] not in (None, "complete"):
        chunks = files.chunk_counts(row["chunks_present"], row["chunk_count"], row["missing"])
        yield files.not_whole(pattern, row["completeness"], chunks), file
