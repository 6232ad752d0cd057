"""Many files into a catalog: discover, skip what is unchanged, inspect in parallel, persist in batches.

Each batch is one transaction; a run that is interrupted at any moment leaves whole files only, and the next run
takes up what is left. One bad file never stops the others.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice

from ..catalog import Catalog, FileStat, IngestError
from ..catalog.rows import RowBatch, from_embeddable
from ..errors import ExrFormatError, SourceError, SourceNameError
from ..exr import Limits
from ..inspection.inspector import inspect
from ..inspection.model import Inspection
from ..sources.listing import ListedFile, list_files
from ..sources.uris import local_path, normalize_path
from .workers import run_batches

# Below this, starting worker processes costs more than it saves.
_FILES_WORTH_A_POOL = 200
_FILES_PER_TASK = 128
_SECONDS_PER_BATCH = 2.0  # on a slow disk, what was read is persisted and told before a batch is full
_STAMPS_PER_LOOKUP = 2000
# Requests to an object store that one process has under way: it waits for each longer than it works on the answer.
_REQUESTS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be inspected, and why, in one line."""

    path: str
    message: str
    error: IngestError | None = None  # None where there is no file to remember it for


@dataclass(slots=True)
class IngestSummary:
    """What an ingest did; also handed to the progress callback while it runs."""

    found: int = 0
    unchanged: int = 0
    inserted: int = 0
    known: int = 0  # looked at again, the same version as before
    completeness: Counter[str] = field(default_factory=Counter)  # of the files that were looked at
    failures: list[Failure] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    pruned: int = 0

    @property
    def done(self) -> int:
        """Files that are dealt with."""
        return self.unchanged + self.inserted + self.known + len(self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How to ingest."""

    workers: int = 0  # 0: one for each core
    rescan: bool = False  # look at unchanged files too
    prune: bool = False  # mark vanished files deleted
    batch_files: int = 2000
    cell_limit: int = 65536
    limits: Limits = field(default_factory=Limits)
    vectors: bool = True


@dataclass(slots=True)
class _Inspected:
    """What one task gave: rows ready to persist, and the files that could not be read."""

    rows: RowBatch
    completeness: Counter[str]
    failures: list[Failure]


def ingest(
    paths: Sequence[str],
    catalog: Catalog,
    options: IngestOptions = IngestOptions(),
    progress: Callable[[IngestSummary], None] = lambda _: None,
) -> IngestSummary:
    """Inspect the files below `paths` and persist them.

    Files with the path, size and modification time of the last run are skipped without being read. Memory does not
    grow with the number of files, but for failures and vanished ones. Raises CatalogError; bad files are `failures`.
    """
    summary = IngestSummary()
    catalog.ensure_schema()
    there: set[str] = set()
    todo = _changed(paths, catalog, options.rescan, summary, there, progress)
    with closing(_inspected(todo, options)) as tasks:  # workers end before an error leaves
        for batch in _batches(tasks, options.batch_files):
            _persist(catalog, batch, summary)
            progress(summary)
    _look_for_vanished(paths, catalog, options.prune, there, summary)
    return summary


def _changed(
    paths: Sequence[str],
    catalog: Catalog,
    rescan: bool,
    summary: IngestSummary,
    there: set[str],
    progress: Callable[[IngestSummary], None],
) -> Iterator[ListedFile | Failure]:
    """The files to look at; counts the unchanged ones, and repeats what was wrong with those.

    `there` gets the URIs of found files which the file system cannot be asked for: objects, odd names, and keys that
    cannot be requested.
    """
    found = list_files(paths)
    while some := list(islice(found, _STAMPS_PER_LOOKUP)):
        files = [item for item in some if isinstance(item, ListedFile)]
        summary.found += len(files)
        there.update(file.uri for file in files if file.is_remote or _is_odd(file))
        stamps = [
            FileStat(file_path_normalized=file.uri, size_bytes=file.size_bytes, mtime=file.mtime)
            for file in files
            if file.mtime is not None
        ]
        seen = {} if rescan else catalog.seen(stamps)
        for item in some:
            if isinstance(item, SourceError):
                if isinstance(item, SourceNameError):  # it is listed
                    there.add(normalize_path(item.path))
                yield Failure(item.path, item.reason)
            elif item.uri not in seen:
                yield item
            elif (error := seen[item.uri].error) is not None:
                summary.failures.append(Failure(item.path, f"{error}, unchanged"))
            else:
                summary.unchanged += 1
        progress(summary)


def _is_odd(file: ListedFile) -> bool:
    """Whether the file is not to be found under its URI: a name in another Unicode form, or one that is no UTF-8."""
    if file.path.isascii() and file.uri.isascii():
        return False
    return local_path(file.uri) != os.path.abspath(file.path)


def _inspected(todo: Iterator[ListedFile | Failure], options: IngestOptions) -> Generator[_Inspected]:
    """The results of all tasks, in order: computed in this process where files are few, else by workers."""
    tasks = iter(lambda: list(islice(todo, _FILES_PER_TASK)), [])
    first = list(islice(tasks, -(-_FILES_WORTH_A_POOL // _FILES_PER_TASK)))
    workers = options.workers or os.cpu_count() or 1
    inspect_task = partial(_inspect_task, options=options)
    if workers == 1 or sum(map(len, first)) < _FILES_WORTH_A_POOL:
        yield from map(inspect_task, chain(first, tasks))
    else:
        yield from run_batches(chain(first, tasks), inspect_task, partial(_worker_died, options=options), workers)


def _worker_died(item: ListedFile | Failure, how: str, options: IngestOptions) -> _Inspected:
    """The result for a file that no worker survives."""
    message = f"each worker process that inspected it died ({how}); inspect it alone to see why"
    failure = item if isinstance(item, Failure) else _failure(item, "worker_died", message, None)
    return _inspect_task([failure], options)


def _inspect_task(task: Sequence[ListedFile | Failure], options: IngestOptions) -> _Inspected:
    looked: list[Inspection | Failure]
    if any(isinstance(item, ListedFile) and item.is_remote for item in task):
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
            looked = list(threads.map(lambda item: _look(item, options.limits), task))
    else:
        looked = [_look(item, options.limits) for item in task]
    inspections = [item for item in looked if isinstance(item, Inspection)]
    failures = [item for item in looked if isinstance(item, Failure)]
    rows, unembeddable = from_embeddable(inspections, cell_limit=options.cell_limit, vectors=options.vectors)
    for error in unembeddable:  # one bad file never stops the others
        items = (item for item in task if isinstance(item, ListedFile) and item.uri == error.path)
        failures += [_failure(item, error.category, error.reason, None) for item in items]
    left_out = {error.path for error in unembeddable}
    completeness = Counter(i.completeness for i in inspections if i.file.file_path_normalized not in left_out)
    return _Inspected(rows=rows, completeness=completeness, failures=failures)


def _look(item: ListedFile | Failure, limits: Limits) -> Inspection | Failure:
    if isinstance(item, Failure):
        return item
    try:
        return inspect(item.path, limits=limits)
    except ExrFormatError as error:
        return _failure(item, error.code, error.message, error.offset)
    except SourceError as error:
        if not error.permanent:
            return Failure(item.path, error.reason)
        return _failure(item, error.code, error.reason, None)
    except Exception as error:  # a defect of ours: not recorded, so that a later version tries again
        return Failure(item.path, f"internal error: {type(error).__name__}: {error}")


def _failure(item: ListedFile, code: str, message: str, offset: int | None) -> Failure:
    error = IngestError(
        file_path_normalized=item.uri,
        size_bytes=item.size_bytes,
        mtime=item.mtime,
        code=code,
        message=message,
        byte_offset=offset,
    )
    return Failure(item.path, f"{message} ({code})", error)


def _batches(tasks: Iterator[_Inspected], files: int) -> Iterator[list[_Inspected]]:
    """Tasks gathered until they hold `files` files, or the first of them was done a while ago."""
    batch: list[_Inspected] = []
    count, began = 0, 0.0
    for task in tasks:
        if not batch:
            began = time.monotonic()
        batch.append(task)
        count += task.completeness.total() + len(task.failures)
        if count >= files or time.monotonic() - began > _SECONDS_PER_BATCH:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _persist(catalog: Catalog, batch: list[_Inspected], summary: IngestSummary) -> None:
    for outcome in catalog.persist_rows(RowBatch.concat([task.rows for task in batch])):
        if outcome.inserted:
            summary.inserted += 1
        else:
            summary.known += 1
    failures = [failure for task in batch for failure in task.failures]
    catalog.record_errors([failure.error for failure in failures if failure.error is not None])
    summary.failures += failures
    for task in batch:
        summary.completeness.update(task.completeness)


def _look_for_vanished(
    paths: Iterable[str], catalog: Catalog, prune: bool, there: set[str], summary: IngestSummary
) -> None:
    """Files of the catalog below `paths` that are no longer there; marked deleted with `prune`.

    Objects are there when this run listed them, files with odd names when it found them. Below a path that could not be
    listed to its end nothing counts as vanished.

    Where nothing at all is left below a path, a disk is not mounted more likely than that everything was deleted: there
    nothing is marked.
    """
    failed = {normalize_path(failure.path) for failure in summary.failures}
    for place in _apart(normalize_path(path) for path in paths):
        if place in failed or os.path.isfile(local_path(place) or ""):
            continue
        inside = place.removesuffix("/") + "/"
        gone: list[str] = []
        left = 0
        for uris in catalog.current_paths(place):
            for uri in uris:
                if uri != place and not uri.startswith(inside):
                    continue
                if uri in there or not _is_gone(uri):
                    left += 1
                else:
                    gone.append(uri)
        summary.vanished += gone
        if prune and gone and left:
            summary.pruned += catalog.mark_deleted(gone)


def _apart(places: Iterable[str]) -> Iterator[str]:
    """The places that are not inside another one."""
    last = None
    for place in sorted(set(places), key=lambda place: place.removesuffix("/") + "/"):
        if last is None or not place.startswith(last):
            yield place
            last = place.removesuffix("/") + "/"


def _is_gone(uri: str) -> bool:
    """Whether nothing is there: an object is gone when it was not listed, a file when its folder says so.

    A folder that may not be entered or a disk that does not answer says nothing.
    """
    path = local_path(uri)
    if path is None:
        return True
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
