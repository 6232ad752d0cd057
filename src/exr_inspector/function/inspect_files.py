"""The second stage: inspect the files that events name, or determine that they are removed or cannot be read."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import (
    EventError,
    ExrFormatError,
    ExrInspectorError,
    SourceDeniedError,
    SourceNameError,
    SourceNotAllowedError,
    SourceNotFoundError,
)
from ..exr import ChunkOption, Limits
from ..inspection.inspector import inspect_with
from ..sources import open_source
from ..sources.protocol import ByteSource
from ..sources.selection import has_exr_extension
from ..sources.uris import parse
from .events import Kind
from .stages import Failed, Inspected, Outcome, Received, Skipped

if TYPE_CHECKING:
    from ..settings import S3Access

_THREADS = 8  # files of one batch that are read at the same time
# Errors after which the next candidate path is tried; some stores answer "denied" for missing objects.
_NEXT_CANDIDATE = (SourceNotFoundError, SourceDeniedError, SourceNameError)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccess:
    """The storage that one delivery may read, the limits of the header parser, and the chunk leaders to check."""

    store: S3Access | ExrInspectorError  # the error is raised when an object is opened
    roots: tuple[str, ...]  # real paths of folders; local files must be below one of them
    needs_root: bool  # without roots, no local file may be read
    limits: Limits
    chunks: ChunkOption

    def open(self, path: str) -> ByteSource:
        """The source of a path or URI. Raises SourceError, or SettingsError for a misconfigured store."""
        if parse(path)[0] == "s3":
            if isinstance(self.store, ExrInspectorError):
                raise self.store
            return open_source(path, self.store)
        if self.needs_root and not self.roots:
            raise SourceNotAllowedError(
                path, "delivered events may not name local files; set EXR_INSPECTOR_ROOTS to the folders to allow"
            )
        return open_source(path, roots=self.roots)


def storage_access(
    store: S3Access | ExrInspectorError, roots: str, limits: Limits, chunks: ChunkOption, *, is_delivered: bool
) -> StorageAccess:
    """The access of one delivery; `roots` are the folders of EXR_INSPECTOR_ROOTS."""
    real_paths = tuple(os.path.realpath(root) for root in roots.split(os.pathsep) if root)
    return StorageAccess(store=store, roots=real_paths, needs_root=is_delivered, limits=limits, chunks=chunks)


def inspect_all(files: Sequence[Received], access: StorageAccess) -> list[Inspected]:
    """Inspect the files, in order. Raises nothing.

    Events with equal paths share one inspection: the current state of storage counts, not the kind of the event.
    """
    groups: dict[tuple[str, ...], list[Received]] = {}
    for file in files:
        if file.event.kind in (Kind.CREATED, Kind.REMOVED):
            groups.setdefault(file.event.paths, []).append(file)
    # In random order: if the time limit is too short for all files, each redelivery completes different ones.
    order = random.sample(list(groups), len(groups))
    if len(order) < 2:
        states = [_inspect_group(groups[paths], access) for paths in order]
    else:
        with ThreadPoolExecutor(min(_THREADS, len(order))) as pool:
            # Each in a copy of this thread's context, which holds the time limit and the span.
            futures = [pool.submit(copy_context().run, _inspect_group, groups[paths], access) for paths in order]
            states = [future.result() for future in futures]
    by_paths = dict(zip(order, states, strict=True))
    return [_without_file(file) or replace(by_paths[file.event.paths], received=file) for file in files]


def _without_file(file: Received) -> Inspected | None:
    """The result of an event that names no file to inspect; None for other events."""
    event = file.event
    path = event.paths[0] if event.paths else ""
    if event.kind is Kind.INVALID:
        return Inspected(received=file, path=path, outcome=Failed(EventError(event.reason)))
    if event.kind is Kind.SKIPPED:
        return Inspected(received=file, path=path, outcome=Skipped(event.reason))
    return None


def _inspect_group(group: Sequence[Received], access: StorageAccess) -> Inspected:
    """The state of the file that all events of the group name."""
    started_at = time.monotonic()
    paths = group[0].event.paths
    path = paths[0]
    outcome: Outcome | None = None
    removed: tuple[str, ...] = ()
    try:
        if any(file.event.kind is Kind.REMOVED for file in group):
            removed = tuple(path for path in paths if _is_removed(path, access))
        candidates = [path for path in paths if path not in removed]
        if candidates:
            path, outcome = _inspect_first(candidates, access)
    except Exception as error:  # the other files of the batch are inspected nevertheless
        outcome = Failed(error)
    duration_s = time.monotonic() - started_at
    return Inspected(received=group[0], path=path, outcome=outcome, removed_paths=removed, duration_s=duration_s)


def _is_removed(path: str, access: StorageAccess) -> bool:
    """Whether there is no file at a path. If the store may not disclose that, the event is trusted."""
    try:
        access.open(path).close()
    except SourceNotFoundError:
        return True
    except SourceDeniedError as error:
        return error.may_hide
    return False


def _inspect_first(candidates: Sequence[str], access: StorageAccess) -> tuple[str, Outcome]:
    """The first candidate path that exists and its inspection, else the last and its error."""
    for path in candidates:
        outcome = _inspect_path(path, access)
        if not (isinstance(outcome, Failed) and isinstance(outcome.error, _NEXT_CANDIDATE)):
            break
    return path, outcome


def _inspect_path(path: str, access: StorageAccess) -> Outcome:
    source: ByteSource | None = None

    def open_source_of_path() -> ByteSource:
        nonlocal source
        source = access.open(path)
        return source

    try:
        return inspect_with(open_source_of_path, access.limits, access.chunks)
    except Exception as error:
        if isinstance(error, ExrFormatError) and error.code == "not_exr" and not has_exr_extension(path):
            return Skipped(error.message)
        return Failed(error) if source is None else Failed(error, source.size_bytes, source.mtime, source.etag)
