"""Inspects one listed file for an ingest; the pixels of all files of a run are decoded by one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from ..catalog import IngestError
from ..errors import ExrFormatError, ExrInspectorError, MissingExtraError, SourceError, cause_of
from ..inspection.inspector import inspect
from ..inspection.model import Inspection
from .changes import Failure, FileToInspect

if TYPE_CHECKING:
    from ..pixels.worker import PixelWorker
    from .run import IngestOptions

_decoders: dict[str, PixelWorker] = {}  # of this process, by run


def _decoder(run: str, options: IngestOptions) -> PixelWorker | None:
    """The process that decodes pixels for all tasks of a run in this process; None if pixels are not decoded."""
    if options.stats is None:
        return None
    from ..pixels.worker import PixelWorker  # only if pixels are decoded

    return _decoders.setdefault(run, PixelWorker(s3=options.s3, header_limits=options.limits))


@contextmanager
def closing_decoder(run: str) -> Iterator[None]:
    """End the process that decodes for tasks of the run in this process after the block."""
    try:
        yield
    finally:
        decoder = _decoders.pop(run, None)
        if decoder is not None:
            decoder.kill()  # after Ctrl-C, a thread may be waiting for it
            decoder.close()


def inspect_item(item: FileToInspect, options: IngestOptions, run: str) -> Inspection | Failure:
    """The inspection of a file, or why it could not be inspected."""
    path = item.file.path
    try:
        chunks = "all" if item.check_all else options.chunks  # a weaker check would miss the damage
        stats = options.stats if item.decodes else None
        if stats is not None and item.stored is not None and item.stored.wants_deep:
            stats = replace(stats, deep=True)
        decoder = None if stats is None else _decoder(run, options)
        return inspect(path, limits=options.limits, chunks=chunks, s3=options.s3, stats=stats, decoder=decoder)
    except MissingExtraError:  # without it, no file can be decoded
        raise
    except ExrFormatError as error:
        return recorded_failure(item, error)
    except SourceError as error:
        return recorded_failure(item, error) if error.permanent else Failure(path, error.reason)
    except Exception as error:  # a bug of this package: not recorded, so that the next run inspects the file again
        return Failure(path, f"internal error: {type(error).__name__}: {error}")


def recorded_failure(item: FileToInspect, error: ExrInspectorError) -> Failure:
    """A failure that the catalog records until the file changes."""
    file, cause = item.file, cause_of(error)
    recorded = IngestError(
        file_path_normalized=file.uri,
        size_bytes=file.size_bytes,
        mtime=file.mtime,
        **cause._asdict(),
        etag=file.etag,
    )
    is_known = item.stored is not None and item.stored.error is not None
    return Failure(file.path, f"{cause.message} ({cause.code})", code=cause.code, error=recorded, is_known=is_known)
