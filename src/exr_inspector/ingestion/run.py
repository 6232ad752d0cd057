"""Ingests files: lists them, skips unchanged ones, inspects the others in parallel, and persists them in batches.

A batch is one transaction: an interrupted run leaves complete files only, and the next run continues. An error of one
file does not affect the others.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache, partial
from itertools import chain
from typing import TYPE_CHECKING
from uuid import uuid4

from ..catalog import Catalog, PixelLevel, PolicyResult, PolicyRules, expect_catalog
from ..catalog.rows import RowBatch, from_embeddable
from ..catalog.validations import says_more
from ..defaults import CELL_LIMIT
from ..errors import CatalogError
from ..exr import ChunkOption, Limits
from ..findings.files import chunk_counts
from ..inspection.model import Inspection
from ..inspection.pixel_rows import undecodable_texts, undecoded_texts
from ..sources import store_of
from ..sources.listing import list_files
from ..sources.selection import Selection
from .changes import Failure, FileToInspect, ListedGroup, VanishedFiles, Verdict, compare_listing, find_vanished
from .inspect_file import closing_decoder, inspect_item, recorded_failure
from .objects import ListedObjects
from .summary import HeldBack, IngestSummary, UndecodedFile, Validation
from .workers import MIN_ITEMS_FOR_WORKERS, run_in_order

if TYPE_CHECKING:
    from ..pixels.model import StatsOptions
    from ..policy.compile import CompiledPolicy
    from ..policy.rules_pixels import FilePixels
    from ..settings import S3Access

log = logging.getLogger(__name__)

_FILES_PER_TASK, _FILES_PER_TASK_WITH_STATS = 128, 4
_MIN_FILES_WITH_STATS = 8  # for worker processes
_CHANNELS_PER_FILE = 10  # files with statistics of more channels count more than once
_SECONDS_PER_BATCH = 2.0  # on a slow disk, files are persisted and reported before a batch is full
_BYTES_PER_BATCH = 128 << 20  # of rows, which the database holds until the end of the transaction
_MAX_HEADER_BYTES = 32 << 20  # of the inspections that a task holds before it makes rows of them
_CONCURRENT_REQUESTS = 16  # per process, to an object store: most of the time is spent waiting for responses


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """Options of `ingest`."""

    workers: int = 0  # worker processes; 0: one per core
    rescan: bool = False  # also inspect unchanged files
    prune: bool = False  # mark vanished files as deleted
    # If more files than this number, or than this share of those that the catalog has below the paths, have vanished,
    # none is marked as deleted.
    max_gone_files: int | None = None
    max_gone_percent: float = 100
    prune_emptied: bool = False  # also mark files below paths of which no file is left; a disk may not be mounted
    min_age_s: float = 0  # files that changed less than so many seconds ago are left alone
    batch_files: int | None = None  # per transaction; None: as many as suit the catalog
    cell_limit: int = CELL_LIMIT
    limits: Limits = field(default_factory=Limits)
    chunks: ChunkOption = "auto"  # chunk leaders to check
    vectors: bool = True
    stats: StatsOptions | None = None  # statistics of pixels; None: pixels are not decoded
    policy: CompiledPolicy | None = None  # validates the files
    selection: Selection = field(default_factory=Selection)  # of the files below folders
    s3: S3Access | None = None  # the object store; None: that of the environment


@dataclass(frozen=True, slots=True)
class _TaskResult:
    """The result of a task: rows to persist, the files that could not be inspected, and those only validated."""

    rows: RowBatch
    failures: list[Failure]
    unchanged: list[tuple[str, Verdict, Validation]] = field(default_factory=list)  # with URIs; only validated
    undecoded: dict[str, tuple[str, str]] = field(default_factory=dict)  # by URI, as `undecoded_texts`
    results: list[PolicyResult] = field(default_factory=list)  # of the policy, of all files


def ingest(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    catalog: Catalog,
    options: IngestOptions = IngestOptions(),
    progress: Callable[[IngestSummary], None] = lambda _: None,
) -> IngestSummary:
    """Inspect the files below a path, or several, and persist the inspections in a catalog.

    Paths are files, folders, s3:// URIs or patterns, as of the command.

    >>> from exr_inspector import IngestOptions, ingest, open_catalog
    >>> with open_catalog("catalog.duckdb") as catalog:
    ...     summary = ingest("shows", catalog, IngestOptions(prune=True))
    >>> summary.inserted, summary.unchanged, summary.damaged, summary.failures
    (4, 0, [], [])

    Files that are complete in the catalog, with the same size and etag, or else modification time, are not read, unless
    a version that did not check for problems stored them.

    With `stats`, the pixels of all files whose statistics are not in the catalog are decoded, also of unchanged ones.
    Files whose pixels are damaged have statistics that say so: they are not decoded again either. Those that exceed a
    limit of `stats` are, by the next run, and are in `undecoded`.

    With `policy`, files are validated as they are inspected, and unchanged ones that were not validated by its rules.
    Rules about pixels read the statistics in the catalog where pixels are not decoded; files without any are counted
    in `pixels_not_judged`.
    The results are in the tables `validations` and `validation_results`.

    Memory use grows with the number of failures, damaged, undecoded and vanished files, and given paths, not with the
    number of files and objects below them; the URIs of objects are in a temporary file, of about 60 bytes for each.
    Raises CatalogError, and MissingExtraError for `stats` without the extra `pixels`; files that cannot be inspected
    are `failures`.
    """
    expect_catalog(catalog)
    given = [os.fsdecode(path) for path in ((paths,) if isinstance(paths, (str, os.PathLike)) else paths)]
    if options.s3 is None:
        options = replace(options, s3=store_of(given))
    summary = IngestSummary()
    catalog.ensure_schema()
    known: set[str] = set()
    groups = compare_listing(
        list_files(given, s3=options.s3, selection=options.selection),
        catalog,
        rescan=options.rescan,
        min_age_s=options.min_age_s,
        pixels=_pixels(options),
        policy=_rules(options),
    )
    with closing(ListedObjects()) as objects:
        items = _items_to_inspect(groups, summary, objects, known, progress)
        if options.policy is not None and options.policy.is_about_pixels:
            from .stored_statistics import with_stored_statistics  # only with rules about pixels

            items = with_stored_statistics(items, catalog, decodes=options.stats is not None)
        run = uuid4().hex
        run_task = partial(_run_task, options=options, run=run)
        on_death = partial(_result_of_dead_worker, options=options, run=run)
        tasks = run_in_order(
            items,
            run_task,
            on_death,
            workers=options.workers,
            batch_size=_FILES_PER_TASK_WITH_STATS if options.stats else _FILES_PER_TASK,
            min_items=_MIN_FILES_WITH_STATS if options.stats else MIN_ITEMS_FOR_WORKERS,
            weight=_weight,
        )
        with closing_decoder(run), closing(tasks) as results:  # stops the workers before an error is raised
            for batch in _batches(results, options.batch_files or catalog.files_per_transaction):
                _persist(catalog, batch, known, summary)
                progress(summary)
        failed = [failure.path for failure in summary.failures]
        vanished = list(find_vanished(given, catalog, failed=failed, objects=objects, selection=options.selection))
    summary.vanished += chain.from_iterable(files.uris for files in vanished)
    if options.prune:
        summary.held_back = _held_back(vanished, options)
        if summary.held_back is None:
            shown = [files for files in vanished if options.prune_emptied or not files.is_all]
            summary.pruned += catalog.mark_deleted([uri for files in shown for uri in files.uris])
            summary.emptied += (files.folder for files in vanished if files.is_all and not options.prune_emptied)
    from ..sequence import derived  # imports DuckDB, which workers do not need

    try:
        derived.keep_up(catalog)
    except CatalogError as error:  # all files are stored, and the log stays for the next run
        log.warning("the derived tables of %s are not up to date: %s", catalog.uri, error)
    return summary


def _held_back(vanished: Sequence[VanishedFiles], options: IngestOptions) -> HeldBack | None:
    gone, known = sum(len(files.uris) for files in vanished), sum(files.known for files in vanished)
    most = Fraction(str(options.max_gone_percent)) * known / 100  # of floats, 29 % of 100 is less than 29
    is_over = gone > most or (options.max_gone_files is not None and gone > options.max_gone_files)
    return HeldBack(gone, known) if is_over else None


def _pixels(options: IngestOptions) -> PixelLevel | None:
    if options.stats is None:
        return None
    return "deep" if options.stats.deep else "flat"


def _rules(options: IngestOptions) -> PolicyRules | None:
    policy = options.policy
    return None if policy is None else PolicyRules(policy.policy.name, policy.hash, policy.is_about_pixels)


def _items_to_inspect(
    groups: Iterable[ListedGroup],
    summary: IngestSummary,
    objects: ListedObjects,
    known: set[str],
    progress: Callable[[IngestSummary], None],
) -> Iterator[FileToInspect | Failure]:
    """The files to inspect and failures to report of all groups; adds the rest to the others."""
    for group in groups:
        summary.listed += group.file_count
        summary.unchanged += len(group.unchanged)
        summary.young += group.young
        for uri, verdict in group.unchanged.items():
            summary.add(uri, verdict, is_new=False)
        summary.validations.update(Validation(result.status, is_new=False) for result in group.results)
        summary.add_without_statistics(group.results)
        summary.failures += group.known_failures
        objects.add(group.objects)
        known |= group.known
        yield from group.to_inspect
        progress(summary)
    summary.is_listed = True


def _result_of_dead_worker(item: FileToInspect | Failure, cause: str, options: IngestOptions, run: str) -> _TaskResult:
    """The result for a file whose inspection ends every worker process."""
    message = f"each worker process that inspected it died ({cause}); inspect it alone to see why"
    # Not recorded, so that the next run inspects the file again: the system may have been out of memory.
    failure = item if isinstance(item, Failure) else Failure(item.file.path, f"{message} (worker_died)")
    return _run_task([failure], options, run)


def _weight(item: FileToInspect | Failure) -> float:
    """How many files an item counts for in a task, so that its statistics are of bounded size."""
    if isinstance(item, Failure) or item.statistics is None:
        return 1
    return max(1, len(item.statistics.channels) / _CHANNELS_PER_FILE)


def _run_task(task: Sequence[FileToInspect | Failure], options: IngestOptions, run: str) -> _TaskResult:
    inspected = partial(inspect_item, options=options, run=run)
    if any(isinstance(item, FileToInspect) and item.file.is_remote for item in task):
        outcomes: Iterable[Inspection | Failure] = _request_threads().map(inspected, task)
    else:
        outcomes = map(inspected, task)
    return _combined([_result(task, group, options) for group in _by_size(outcomes)])


@cache
def _request_threads() -> ThreadPoolExecutor:
    """The threads that wait for responses of an object store, for all tasks of this process."""
    return ThreadPoolExecutor(_CONCURRENT_REQUESTS)


def _by_size(outcomes: Iterable[Inspection | Failure]) -> Iterator[list[Inspection | Failure]]:
    """Outcomes in groups whose headers are limited in size, so that a task does not hold those of all its files."""
    group: list[Inspection | Failure] = []
    header_bytes = 0
    for outcome in outcomes:
        group.append(outcome)
        header_bytes += outcome.file.header_bytes if isinstance(outcome, Inspection) else 0
        if header_bytes > _MAX_HEADER_BYTES:
            yield group
            group, header_bytes = [], 0
    yield group


def _combined(results: Sequence[_TaskResult]) -> _TaskResult:
    if len(results) == 1:
        return results[0]
    return _TaskResult(
        rows=RowBatch.concat([result.rows for result in results]),
        failures=[failure for result in results for failure in result.failures],
        unchanged=[file for result in results for file in result.unchanged],
        undecoded={uri: texts for result in results for uri, texts in result.undecoded.items()},
        results=[each for result in results for each in result.results],
    )


def _result(
    task: Sequence[FileToInspect | Failure], outcomes: Sequence[Inspection | Failure], options: IngestOptions
) -> _TaskResult:
    items = {item.file.uri: item for item in task if isinstance(item, FileToInspect)}
    stored = {uri: item for uri, item in items.items() if item.only_judge}
    inspected = [outcome for outcome in outcomes if isinstance(outcome, Inspection)]
    inspections = [one for one in inspected if one.file.file_path_normalized not in stored]
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    rows, embedding_errors = from_embeddable(inspections, cell_limit=options.cell_limit, vectors=options.vectors)
    for error in embedding_errors:
        if error.path in items:
            failures.append(recorded_failure(items[error.path], error.category, error.reason))
    undecoded = {
        one.file.file_path_normalized: texts
        for one in inspections
        if one.pixels is not None and (texts := undecoded_texts(one.pixels)) is not None
    }
    unchanged = []
    results = []
    if options.policy is not None:
        from ..policy.evaluate import evaluate  # only with a policy
        from ..policy.rows import policy_result, with_verdicts

        rejected = {error.path for error in embedding_errors}
        new = []
        for one in inspected:
            uri = one.file.file_path_normalized
            if uri in rejected:
                continue
            judged, item = evaluate(options.policy, one, _stored_pixels(items.get(uri), one)), stored.get(uri)
            result, earlier = policy_result(judged), None if item is None else item.result
            if earlier is None or says_more(result, earlier):
                new.append((one.file.file_id, judged))
            else:
                result = earlier
            results.append(result)
            if item is not None:
                verdict = Verdict(one.completeness, one.problem_severity, item.undecodable)
                unchanged.append((uri, verdict, Validation(result.status, is_new=result is not earlier)))
        rows = with_verdicts(rows, new)
    return _TaskResult(rows=rows, failures=failures, unchanged=unchanged, undecoded=undecoded, results=results)


def _stored_pixels(item: FileToInspect | None, inspection: Inspection) -> FilePixels | None:
    """What rules about pixels need of the statistics in the catalog, if those are about the inspected content."""
    if item is None or item.statistics is None or item.file_id != inspection.file.file_id:
        return None
    return item.statistics.figures(inspection.parts)


def _batches(results: Iterable[_TaskResult], max_files: int) -> Iterator[list[_TaskResult]]:
    """Results in batches of about `max_files` files; a batch also ends by its bytes, and after some seconds."""
    batch: list[_TaskResult] = []
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


def _persist(catalog: Catalog, batch: list[_TaskResult], known: set[str], summary: IngestSummary) -> None:
    rows = RowBatch.concat([result.rows for result in batch])
    outcomes = catalog.persist_rows(rows)
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
    failures = [failure for result in batch for failure in result.failures]
    catalog.record_errors([failure.error for failure in failures if failure.error is not None])
    summary.failures += failures
