"""Ingests files: lists them, skips unchanged ones, inspects the others in parallel, and persists them in batches.

A batch is one transaction: an interrupted run leaves complete files only, and the next run continues. An error of one
file does not affect the others.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING
from uuid import uuid4

from ..catalog import Catalog, PixelLevel, PolicyRules, expect_catalog
from ..defaults import CELL_LIMIT
from ..errors import CatalogError
from ..exr import ChunkOption, Limits
from ..sources import store_of
from ..sources.listing import list_files
from ..sources.selection import Selection
from .changes import FileToInspect, ListedGroup, VanishedFiles, compare_listing, find_vanished
from .inspect_file import closing_decoder
from .objects import ListedObjects
from .persist import in_batches, persist
from .summary import HeldBack, IngestSummary, Validation
from .tasks import result_of_dead_worker, run_task, weight
from .workers import MIN_ITEMS_FOR_WORKERS, run_in_order

if TYPE_CHECKING:
    from ..pixels.model import StatsOptions
    from ..policy.compile import CompiledPolicy
    from ..settings import S3Access

log = logging.getLogger(__name__)

_FILES_PER_TASK, _FILES_PER_TASK_WITH_STATS = 128, 4
_MIN_FILES_WITH_STATS = 8  # for worker processes


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
    prune_emptied: bool = False  # also mark files below paths below which no file is left; a disk may not be mounted
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
        tasks = run_in_order(
            items,
            partial(run_task, options=options, run=run),
            result_of_dead_worker,
            workers=options.workers,
            batch_size=_FILES_PER_TASK_WITH_STATS if options.stats else _FILES_PER_TASK,
            min_items=_MIN_FILES_WITH_STATS if options.stats else MIN_ITEMS_FOR_WORKERS,
            weight=weight,
        )
        with closing_decoder(run), closing(tasks) as results:  # stops the workers before an error is raised
            for batch in in_batches(results, options.batch_files or catalog.files_per_transaction):
                persist(batch, catalog, known, summary)
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
) -> Iterator[FileToInspect]:
    """The files to inspect of all groups; adds the other files, and failures of the listing, to `summary`."""
    for group in groups:
        summary.listed += group.file_count
        summary.unchanged += len(group.unchanged)
        summary.young += group.young
        for uri, verdict in group.unchanged.items():
            summary.add(uri, verdict, is_new=False)
        summary.validations.update(Validation(result.status, is_new=False) for result in group.results)
        summary.add_without_statistics(group.results)
        summary.failures += group.failures
        objects.add(group.objects)
        known |= group.known
        yield from group.to_inspect
        progress(summary)
    summary.is_listed = True
