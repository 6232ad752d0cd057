"""Persists the results of tasks in batches, each one transaction, while the next batch is collected."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class PersistedBatch:
    """Results whose files and failures are in the catalog."""

    results: list[TaskResult]
    rows: RowBatch
    outcomes: list[PersistOutcome]  # of the rows of `files`


def persisted(results: Iterable[TaskResult], catalog: Catalog, max_files: int) -> Iterator[PersistedBatch]:
    """Persist results in batches of about `max_files` files.

    A thread persists a batch while the next one is collected, so that workers do not wait for the catalog. Ctrl-C does
    not interrupt it. Raises CatalogError.
    """
    with ThreadPoolExecutor(1) as thread:  # waits for it at the end
        running: Future[PersistedBatch] | None = None
        for batch in _batches(results, max_files):
            if running is not None:
                yield running.result()
            running = thread.submit(_persist, catalog, batch)
        if running is not None:
            yield running.result()


def _batches(results: Iterable[TaskResult], max_files: int) -> Iterator[list[TaskResult]]:
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


def _persist(catalog: Catalog, batch: list[TaskResult]) -> PersistedBatch:
    rows = RowBatch.concat([result.rows for result in batch])
    outcomes = catalog.persist_rows(rows)
    catalog.record_errors([failure.error for result in batch for failure in result.failures if failure.error])
    return PersistedBatch(batch, rows, outcomes)


def add_to(summary: IngestSummary, persisted: PersistedBatch, known: set[str]) -> None:
    """Add a batch to a summary, and remove its files from `known`, the URIs that the catalog had in another version."""
    batch, rows, outcomes = persisted.results, persisted.rows, persisted.outcomes
    errors: dict[str, list[str | None]] = defaultdict(list)
    for row in rows.tables["part_stats"].select(("file_id", "errors")).to_pylist():
        errors[row["file_id"]].append(row["errors"])
    names = ("file_id", "policy_id", "status")
    validations = zip(*(rows.tables["validations"][name].to_pylist() for name in names), strict=True)
    statuses = {file_id: (policy_id, status) for file_id, policy_id, status in validations}
    undecoded = {uri: texts for result in batch for uri, texts in result.undecoded.items()}
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
    for uri, verdict, validation in chain.from_iterable(result.unchanged for result in batch):
        summary.unchanged += 1
        summary.add(uri, verdict, is_new=False)
        summary.validations[validation] += 1
    summary.add_without_statistics(chain.from_iterable(result.results for result in batch))
    summary.failures += (failure for result in batch for failure in result.failures)
