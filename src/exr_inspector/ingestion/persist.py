"""Persists the results of tasks in batches, each one transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from ..catalog import Catalog, PersistOutcome
from ..catalog.rows import RowBatch
from ..findings.files import chunk_counts
from ..inspection.pixel_rows import undecodable_texts
from .changes import Verdict
from .summary import IngestSummary, UndecodedFile, Validation
from .tasks import TaskResult

_SECONDS_PER_BATCH = 2.0  # on a slow disk, files are persisted and reported before a batch is full
_BYTES_PER_BATCH = 128 << 20  # of rows, which the database holds until the end of the transaction


def in_batches(results: Iterable[TaskResult], max_files: int) -> Iterator[list[TaskResult]]:
    """Results in batches of about `max_files` files; a batch also ends by its bytes, and after some seconds."""
    batch: list[TaskResult] = []
    file_count, byte_count, started = 0, 0, 0.0
    try:
        for result in results:
            if not batch:
                started = time.monotonic()
            batch.append(result)
            file_count += result.rows.tables["files"].num_rows + len(result.failures) + len(result.unchanged)
            byte_count += sum(rows.nbytes for rows in result.rows.tables.values())
            is_full = file_count >= max_files or byte_count >= _BYTES_PER_BATCH
            if is_full or time.monotonic() - started > _SECONDS_PER_BATCH:
                full, batch, file_count, byte_count = batch, [], 0, 0
                yield full
    except KeyboardInterrupt:
        if batch:  # decoding the files took time
            yield batch
        raise
    if batch:
        yield batch


def persist(batch: list[TaskResult], catalog: Catalog, known: set[str], summary: IngestSummary) -> None:
    """Persist a batch and add it to the summary. Raises CatalogError.

    Its files are removed from `known`, the URIs that the catalog had in another version.
    """
    rows = RowBatch.concat([result.rows for result in batch])
    outcomes = catalog.persist_rows(rows)
    failures = [failure for result in batch for failure in result.failures]
    catalog.record_errors([failure.error for failure in failures if failure.error is not None])
    undecoded = {uri: texts for result in batch for uri, texts in result.undecoded.items()}
    _add_files(summary, rows, outcomes, undecoded, known)
    for uri, verdict, validation in chain.from_iterable(result.unchanged for result in batch):
        summary.unchanged += 1
        summary.add(uri, verdict, is_new=False)
        summary.validations[validation] += 1
    summary.add_without_statistics(chain.from_iterable(result.results for result in batch))
    summary.failures += failures


def _add_files(
    summary: IngestSummary,
    rows: RowBatch,
    outcomes: Sequence[PersistOutcome],
    undecoded: Mapping[str, tuple[str, str]],
    known: set[str],
) -> None:
    errors: dict[str, list[str | None]] = defaultdict(list)
    for row in rows.tables["part_stats"].select(("file_id", "errors")).to_pylist():
        errors[row["file_id"]].append(row["errors"])
    names = ("file_id", "policy_id", "status")
    validations = zip(*(rows.tables["validations"][name].to_pylist() for name in names), strict=True)
    statuses = {file_id: (policy_id, status) for file_id, policy_id, status in validations}
    columns = ("file_path_normalized", "completeness", "problem_severity", "chunks_present", "chunk_count")
    files = zip(*(rows.tables["files"][name].to_pylist() for name in columns), strict=True)
    for outcome, (uri, completeness, severity, *chunks) in zip(outcomes, files, strict=True):
        damaged_pixels, left_out = undecoded.get(uri) or (undecodable_texts(errors[outcome.file_id]), "")
        verdict = Verdict(completeness, severity, damaged_pixels)
        summary.known += not outcome.inserted
        summary.replaced += outcome.inserted and uri in known
        summary.inserted += outcome.inserted and uri not in known
        known.discard(uri)
        summary.add(uri, verdict, is_new=outcome.inserted, chunks=chunk_counts(*chunks))
        summary.undecoded += [UndecodedFile(uri, left_out)] if left_out else []
        if outcome.file_id in statuses:
            policy_id, status = statuses[outcome.file_id]
            status = outcome.kept_statuses.get(policy_id, status)
            summary.validations[Validation(status, is_new=outcome.inserted)] += 1
