"""`check`: everything in a catalog that is known to be wrong with files and sequences."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .catalog import IS_NEWEST, OPEN_ERRORS, Catalog
from .exr.codes import FORMAT_ERRORS
from .findings import files
from .findings.model import FileFrame, Finding, grouped, in_order
from .findings.report import ReportedFile
from .findings.rules import NOT_READ
from .frames.names import parse_name
from .frames.ranges import Number, frame_range, parse_range
from .sequence.findings import findings_of
from .sequence.frames import CURRENT, MATCHES, MISSING, sequence_condition
from .sequence.pixel_findings import pixel_findings
from .sequence.pixel_outliers import statistics_extent
from .sequence.summary import SequenceSummary, sequences

# The newest rows of `problems` of each file count. Rows that no version since the first has judged have no severity.
_FILES = f"""
    WITH missing AS ({MISSING}), newest AS (
        SELECT * FROM problems QUALIFY {IS_NEWEST}
    ), suspects AS (
        SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, frame_number, file_path_normalized, file_id,
               completeness, problem_severity, chunk_count, chunks_present, NULL AS error, NULL AS error_code
        FROM files
        WHERE {CURRENT} AND (completeness <> 'complete' OR problem_severity IN ('error', 'warning'))
        UNION ALL
        SELECT coalesce(sequence, file_path_normalized), frame, frame_number, file_path_normalized, NULL,
               NULL, NULL, NULL, NULL, message, code
        FROM ingest_errors WHERE {OPEN_ERRORS}
    )
    SELECT suspects.* EXCLUDE (file_id), missing, code, severity, message, part_index, attr_name,
           row_number() OVER (PARTITION BY file_path_normalized) = 1 AS is_first
    FROM suspects LEFT JOIN missing USING (file_id)
    LEFT JOIN newest ON newest.file_id = suspects.file_id AND severity IN ('error', 'warning')
                        AND problem_severity IN ('error', 'warning')
    WHERE {{selected}}
    ORDER BY sequence, frame_number, frame, file_path_normalized, severity, part_index, code, attr_name
"""  # noqa: S608 (constants)

_COUNT = f"""
    WITH all_files AS (
        SELECT file_path_normalized, problem_severity IS NULL AS is_unjudged FROM files WHERE {CURRENT}
        UNION ALL
        SELECT file_path_normalized, false FROM ingest_errors WHERE {OPEN_ERRORS}
    )
    SELECT count(*) AS files, count(*) FILTER (is_unjudged) AS unjudged FROM all_files WHERE {{selected}}
"""  # noqa: S608 (constants)

# Paths that could not be read were not judged.
_JUDGED = f"""
    WITH all_files AS (
        SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, file_path_normalized, size_bytes,
               header_hash
        FROM files WHERE {CURRENT}
        UNION ALL
        SELECT coalesce(sequence, file_path_normalized), frame, file_path_normalized, NULL, NULL
        FROM ingest_errors WHERE {OPEN_ERRORS} AND code IN ({", ".join(f"'{code}'" for code in FORMAT_ERRORS)})
    )
    SELECT * FROM all_files WHERE {{selected}} ORDER BY sequence, frame, file_path_normalized
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The findings of severity `error` and `warning`, sorted by pattern, and what was checked."""

    findings: tuple[Finding, ...]
    sequences: tuple[SequenceSummary, ...]
    file_count: int
    unjudged: int  # files whose headers were only judged by version 1, which had no severities
    unmeasured: int  # files whose pixels are not decoded, or not all that can be, if those of others are


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

    Findings are about damaged and unreadable files, problems of headers, missing and repeated frames, frames whose
    headers differ from the others, and, where the catalog has statistics, about pixels. Equal findings of a sequence
    are one, with their frames. `pattern` and `expected` are as those of `sequences()`. Raises CatalogError, and
    ValueError for an invalid range.
    """
    text = None if pattern is None else os.fspath(pattern)
    return check_sequences(catalog, [text], sequences(catalog, text, expected))


def check_sequences(
    catalog: Catalog, patterns: Sequence[str | None], summaries: Sequence[SequenceSummary]
) -> CheckResult:
    """What is wrong with sequences that are summarised already, and with the files that the patterns select."""
    shown = {summary.sequence: summary.pattern for summary in summaries}
    selected, parameters = _selection(patterns)
    suspects = catalog.sql(_FILES.format(selected=selected), parameters)
    (counts,) = catalog.sql(_COUNT.format(selected=selected), parameters).to_pylist()
    of_files = grouped(
        violation
        for batch in suspects.to_batches()
        for row in batch.to_pylist()
        for violation in _file_findings(row, shown)
    )
    udims = {summary.sequence for summary in summaries if summary.is_udim}
    statistics = statistics_extent(catalog, selected, parameters)
    of_pixels = pixel_findings(catalog, selected, parameters, statistics.row_count, shown, udims)
    findings = [*of_files, *of_pixels, *(finding for summary in summaries for finding in findings_of(summary))]
    return CheckResult(
        findings=tuple(in_order(findings)),
        sequences=tuple(summaries),
        file_count=counts["files"],
        unjudged=counts["unjudged"],
        unmeasured=statistics.unmeasured if statistics.row_count else 0,
    )


def judged_files(
    catalog: Catalog, patterns: Sequence[str | None], summaries: Sequence[SequenceSummary]
) -> Iterator[ReportedFile]:
    """The files that `check_sequences` judges, for a report."""
    shown = {summary.sequence: summary.pattern for summary in summaries}
    selected, parameters = _selection(patterns)
    for batch in catalog.sql(_JUDGED.format(selected=selected), parameters).to_batches():
        for row in batch.to_pylist():
            yield ReportedFile(
                shown.get(row["sequence"], row["sequence"]),
                row["file_path_normalized"],
                row["frame"] or "",
                row["size_bytes"],
                row["header_hash"],
            )


def with_unread(result: CheckResult, unread: Iterable[tuple[str, str]]) -> CheckResult:
    """The result with findings about files, by URI and reason, that could not be read and are in no catalog."""
    shown = {summary.sequence: summary.pattern for summary in result.sequences}
    violations = []
    for uri, reason in unread:
        name = parse_name(uri)
        sequence, frame = (uri, "") if name is None else (name.sequence, name.frame)
        finding = files.not_read(shown.get(sequence, sequence), reason)
        violations.append((finding, FileFrame(uri=uri, frame=frame)))
    return replace(result, findings=tuple(in_order((*result.findings, *grouped(violations)))))


def frames_to_render(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    """The pattern of each sequence with missing or damaged frames, and these frames; no frames for other files.

    Files that could not be read are left out: nothing is known about them.
    """
    ranges: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        if finding.severity == "error" and finding.rule_id != NOT_READ.rule_id:
            ranges[finding.pattern].add(finding.frames)
    for pattern, texts in ranges.items():
        numbers = (parse_range(text) for text in texts if text)
        yield pattern, texts.pop() if len(texts) == 1 else frame_range(frozenset().union(*numbers))


def _selection(patterns: Sequence[str | None]) -> tuple[str, dict[str, str | None]]:
    """The SQL condition of files that one of the patterns selects, and its parameters."""
    matches = (MATCHES.replace("$pattern", f"$pattern_{number}") for number in range(len(patterns)))
    selected = f"({' OR '.join(matches)})"  # other conditions come before and after it
    return selected, {f"pattern_{number}": sequence_condition(pattern) for number, pattern in enumerate(patterns)}


def _file_findings(row: dict[str, Any], shown: Mapping[str, str]) -> Iterator[tuple[Finding, FileFrame]]:
    """The findings of one row of `_FILES`: a file has a row for each problem, or one."""
    pattern = shown.get(row["sequence"], row["sequence"])
    file = FileFrame(uri=row["file_path_normalized"], frame=row["frame"] or "")
    if row["error_code"] is not None:
        of_error = files.unreadable if row["error_code"] in FORMAT_ERRORS else files.not_read
        yield of_error(pattern, f"{row['error']} ({row['error_code']})"), file
    elif row["code"] is not None:
        about = ("code", "severity", "message", "part_index", "attr_name")
        yield files.problem(pattern, **{name: row[name] for name in about}), file
    elif row["problem_severity"] == "error":
        yield files.invalid_header(pattern), file
    if row["is_first"] and row["completeness"] not in (None, "complete"):
        chunks = files.chunk_counts(row["chunks_present"], row["chunk_count"], row["missing"])
        yield files.not_whole(pattern, row["completeness"], chunks), file
