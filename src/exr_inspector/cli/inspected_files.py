"""Files inspected one after the other or in worker processes, each with what a command prints of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ExrInspectorError, MissingExtraError, SourceError
from ..exr import ChunkOption, Limits
from ..inspection.inspector import inspect
from ..sources.uris import parse
from .exit_codes import Severity, file_severity

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..inspection.model import Inspection
    from ..pixels.model import StatsOptions
    from ..pixels.worker import PixelWorker
    from ..settings import S3Access

_FILES_PER_BATCH = 32
_MAX_BATCH_BYTES = 16 << 20  # of text; the other files of a batch are then inspected by the parent, when it needs them
_CONCURRENT_REQUESTS = 16  # per process, to an object store
_FILES_AHEAD = 4  # per process that decodes: inspected, but not printed


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """How files are inspected, and what is made of an inspection. Sent to worker processes."""

    limits: Limits
    chunks: ChunkOption
    s3: S3Access | None
    printed: Callable[[Inspection], Any]
    stats: StatsOptions | None = None


def inspect_options(
    s3: S3Access | None,
    printed: Callable[[Inspection], Any],
    *,
    chunks: ChunkOption | None = None,
    stats: StatsOptions | None = None,
) -> InspectOptions:
    """The options with the limits of the settings; without `chunks`, those that the settings name are checked."""
    from .options import chunk_option, header_limits  # not imported by worker processes

    return InspectOptions(limits=header_limits(), chunks=chunk_option(chunks), s3=s3, printed=printed, stats=stats)


class InspectedFile(NamedTuple):
    """A file, and what is printed of it, or why it could not be inspected."""

    path: str
    severity: Severity = Severity.NONE
    printed: Any = None
    error: ExrInspectorError | None = None
    is_deferred: bool = False


def inspected_files(
    files: Iterator[str | SourceError], options: InspectOptions, workers: int
) -> Generator[InspectedFile]:
    """The files in their order, in worker processes if they are many; 0 workers are one per core.

    Memory is bounded by the batches of the workers. Errors of listings are passed on. Raises MissingExtraError.
    """
    if options.stats is not None:
        yield from _decoded_files(files, options, workers or os.cpu_count() or 1)
        return
    if workers == 1:
        for file in files:
            yield _inspect_file(file, options)
        return
    from ..ingestion.workers import run_in_order  # imports multiprocessing

    batches = run_in_order(
        files, partial(_inspect_batch, options=options), _worker_died, workers=workers, batch_size=_FILES_PER_BATCH
    )
    with closing(batches):  # stops the workers
        for batch in batches:
            for inspected in batch:
                yield _inspect_file(inspected.path, options) if inspected.is_deferred else inspected


def _decoded_files(
    files: Iterator[str | SourceError], options: InspectOptions, workers: int
) -> Generator[InspectedFile]:
    """The files with the figures of their pixels: one thread and one process that decodes for each worker."""
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    from ..pixels.worker import PixelWorker

    decoders = [PixelWorker(s3=options.s3, header_limits=options.limits) for _ in range(workers)]
    idle: SimpleQueue[PixelWorker] = SimpleQueue()
    for decoder in decoders:
        idle.put(decoder)

    def inspect_decoding(file: str | SourceError) -> InspectedFile:
        decoder = idle.get()
        try:
            return _inspect_file(file, options, decoder)
        finally:
            idle.put(decoder)

    threads = ThreadPoolExecutor(workers)
    waiting: deque[Future[InspectedFile]] = deque()
    try:
        for file in files:
            waiting.append(threads.submit(inspect_decoding, file))
            if len(waiting) > _FILES_AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for decoder in decoders:
            decoder.kill()
        threads.shutdown(cancel_futures=True)
        for decoder in decoders:
            decoder.close()


def _worker_died(file: str | SourceError, cause: str) -> list[InspectedFile]:
    path = file.path if isinstance(file, SourceError) else file
    reason = f"each worker process that inspected it died ({cause}); inspect it alone to see why"
    return [InspectedFile(path, error=SourceError(path, reason))]


def _inspect_batch(batch: Sequence[str | SourceError], options: InspectOptions) -> list[InspectedFile]:
    size_bytes = 0

    def inspect_or_defer(file: str | SourceError) -> InspectedFile:
        nonlocal size_bytes
        if size_bytes > _MAX_BATCH_BYTES and not isinstance(file, SourceError):
            return InspectedFile(file, is_deferred=True)
        inspected = _inspect_file(file, options)
        if isinstance(inspected.printed, bytes):
            size_bytes += len(inspected.printed)
        return inspected

    if any(isinstance(file, str) and parse(file)[0] == "s3" for file in batch):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_CONCURRENT_REQUESTS) as threads:
            return list(threads.map(inspect_or_defer, batch))
    return [inspect_or_defer(file) for file in batch]


def _inspect_file(
    file: str | SourceError, options: InspectOptions, decoder: PixelWorker | None = None
) -> InspectedFile:
    if isinstance(file, SourceError):
        return InspectedFile(file.path, error=file)
    try:
        inspection = inspect(
            file, limits=options.limits, chunks=options.chunks, s3=options.s3, stats=options.stats, decoder=decoder
        )
    except MissingExtraError:
        raise
    except ExrInspectorError as error:
        return InspectedFile(file, error=error)
    severity = file_severity(inspection.completeness, inspection.problem_severity)
    if inspection.pixels is not None:
        severity = max(
            [
                severity,
                *(Severity.ERROR if error.is_damage else Severity.WARNING for error in inspection.pixels.errors),
            ]
        )
    return InspectedFile(file, severity, options.printed(inspection))
