"""One invocation: the files of an event are looked at, stored in one transaction, and told about.

Two contracts for failure. Who calls with a plain dict gets a result, never an exception. The platform takes every
return for a success and delivers again only after an exception: so there a failure that another delivery may mend is
raised, when all that could be done is done; one that stays is returned and noted in `ingest_errors`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from ..catalog import Catalog, IngestError, open_catalog, time_limit
from ..catalog.rows import RowBatch, from_inspections
from ..errors import (
    CatalogError,
    EventError,
    ExrFormatError,
    ExrInspectorError,
    RedeliveryError,
    SourceError,
    SourceNotFoundError,
    SourceRefusedError,
)
from ..identity import normalize_path
from ..inspector import inspect
from ..object_store import ObjectSource, S3Access
from ..settings import VastConnection, settings
from . import events, telemetry
from .credentials import Target, store_access, target
from .events import FileEvent, Kind
from .results import Outcome, as_answer

log = logging.getLogger(__name__)

_FILES_AT_ONCE = 16
# What the database may still need when the object store has used up its part of the time.
_SHARE_FOR_READING = 0.5

_catalogs: dict[Target, Catalog] = {}
_catalogs_lock = threading.Lock()


def prepare(ctx: Any) -> None:
    """What can be done before the first event: counters are made. Never raises."""
    telemetry.prepare(ctx)


def handle(ctx: Any, event: Any) -> Any:
    """The result of an event, or of each event of a batch.

    A plain dict gets the whole inspection back, and never an exception. For any other event the answer is a summary,
    and RedeliveryError is raised when a retryable failure is left.
    """
    if isinstance(event, Mapping):
        return _direct(ctx, event)
    if isinstance(event, Sequence) and not isinstance(event, (str, bytes)):
        return _delivered(ctx, list(event))
    (answer,) = _delivered(ctx, [event])
    return answer


def _direct(ctx: Any, event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        files = events.from_direct_call(event)
        outcomes = _process(ctx, files, event, is_direct=True)
        return as_answer(outcomes, whole=True)
    except Exception as problem:
        log.exception("the invocation failed")
        outcome = Outcome()
        outcome.fail(problem if isinstance(problem, ExrInspectorError) else _internal(problem))
        return as_answer([outcome], whole=True)


def _delivered(ctx: Any, delivered: list[Any]) -> list[dict[str, Any]]:
    """An answer for each event, in order; the files of all of them are stored in one transaction."""
    files = [events.from_platform_event(event) for event in delivered]
    outcomes = _process(ctx, [file for some in files for file in some], {}, is_direct=False)
    remaining = iter(outcomes)
    answers = [as_answer([next(remaining) for _ in some], whole=False) for some in files]
    again = [outcome for outcome in outcomes if outcome.failure is not None and outcome.failure.retryable]
    if again:
        failure = again[0].failure
        raise RedeliveryError(f"{len(again)} of {len(outcomes)} files have to come again: {failure}", answers)
    return answers


def _process(ctx: Any, files: list[FileEvent], event: Mapping[str, Any], *, is_direct: bool) -> list[Outcome]:
    began = time.monotonic()
    seconds = settings().deadline_s
    secrets = telemetry.member(ctx, "secrets")
    with time_limit(seconds), telemetry.span(ctx, "exr_inspector.invocation"):
        access = partial(store_access, secrets)
        look = partial(_look, access=access, deadline=began + _SHARE_FOR_READING * seconds, is_direct=is_direct)
        with telemetry.span(ctx, "exr_inspector.inspect"):
            if len(files) > 1:
                with ThreadPoolExecutor(min(_FILES_AT_ONCE, len(files))) as threads:
                    outcomes = list(threads.map(look, files))
            else:
                outcomes = [look(file) for file in files]
        with telemetry.span(ctx, "exr_inspector.persist"):
            _store(list(zip(files, outcomes, strict=True)), event, secrets)
    for outcome in outcomes:
        _tell(ctx, outcome, time.monotonic() - began)
    return outcomes


def _look(file: FileEvent, *, access: Any, deadline: float, is_direct: bool) -> Outcome:
    """The file of an event, inspected; an error is in the outcome."""
    outcome = Outcome(place=file.places[0] if file.places else "", with_meta=file.options.meta)
    if file.kind in (Kind.SKIPPED, Kind.INVALID):
        outcome.status = "skipped" if file.kind is Kind.SKIPPED else "error"
        outcome.message = file.reason
        if file.kind is Kind.INVALID:
            outcome.fail(EventError(file.reason))
        return outcome
    if file.kind is Kind.REMOVED:
        outcome.message = "removed"
        return outcome
    wanted = ("stats", "deep_stats", "validate")
    outcome.unavailable = [name for name in wanted if getattr(file.options, name)]
    try:
        outcome.place, outcome.inspection = _inspect_first(file.places, access, deadline, is_direct)
        outcome.message = f"{outcome.inspection.completeness}: {len(outcome.inspection.parts)} part(s)"
    except ExrInspectorError as error:
        outcome.fail(error)
    except Exception as problem:
        log.exception("inspecting failed")
        outcome.fail(_internal(problem))
    return outcome


def _inspect_first(places: Sequence[str], access: Any, deadline: float, is_direct: bool) -> tuple[str, Any]:
    """The first of the places that is there: a key may have come encoded, or not."""
    for index, place in enumerate(places):
        try:
            return place, _inspect(place, access, deadline, is_direct)
        except SourceNotFoundError:
            if index == len(places) - 1:
                raise
    raise SourceNotFoundError("", "the event names no file")


def _inspect(place: str, access: Any, deadline: float, is_direct: bool) -> Any:
    limits = settings().limits
    if place[:5].lower() != "s3://":
        _refuse_outside(place, is_direct)
        return inspect(place, limits=limits)
    given: S3Access = access()
    for attempt in range(3):
        try:
            return inspect(ObjectSource(place, given, deadline=deadline), limits=limits)
        except SourceError as error:
            if error.code != "changed" or attempt == 2:
                raise
    raise AssertionError("unreachable")


def _refuse_outside(place: str, is_direct: bool) -> None:
    """Local files are read below the configured roots; without any, only for who calls directly."""
    roots = [root for root in settings().roots.split(os.pathsep) if root]
    if not roots and is_direct:
        return
    path = os.path.realpath(place.removeprefix("file://"))
    if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in map(os.path.realpath, roots)):
        raise SourceRefusedError(place, "it is outside of the folders in EXR_INSPECTOR_ROOTS, and not read")


def _store(pairs: list[tuple[FileEvent, Outcome]], event: Mapping[str, Any], secrets: Any) -> None:
    """All files of the invocation in one transaction; then the errors and the removals."""
    looked = [outcome for _, outcome in pairs if outcome.inspection is not None]
    failed = [outcome for _, outcome in pairs if _is_recorded(outcome)]
    removed = [(file, outcome) for file, outcome in pairs if file.kind is Kind.REMOVED]
    if not (looked or failed or removed):
        return
    try:
        place = target(event, secrets)
        if place is None:
            log.debug("no catalog is configured; nothing is stored")
            for outcome in looked:
                outcome.persistence_message = "no catalog is configured"
            return
        catalog = _catalog(place)
    except ExrInspectorError as error:
        _all_failed([*looked, *failed, *(outcome for _, outcome in removed)], error)
        return
    _attempt(looked, lambda: _persist(catalog, looked))
    _attempt(failed, lambda: _record(catalog, failed))
    _attempt([outcome for _, outcome in removed], lambda: _remove(catalog, removed))


def _attempt(outcomes: list[Outcome], work: Any) -> None:
    if outcomes:
        try:
            work()
        except CatalogError as error:
            _all_failed(outcomes, error)


def _all_failed(outcomes: list[Outcome], error: ExrInspectorError) -> None:
    for outcome in outcomes:
        if outcome.error is None:
            outcome.fail_to_persist(error)
        else:  # why it cannot be read tells more than that this is not noted; but it has to come again to be noted
            outcome.persistence, outcome.persistence_error = "error", error
            if error.retryable and not outcome.error.retryable:
                outcome.error = error


def _is_recorded(outcome: Outcome) -> bool:
    """Whether the file itself is at fault: what the catalog should know."""
    return isinstance(outcome.error, ExrFormatError)


def _persist(catalog: Catalog, looked: list[Outcome]) -> None:
    batches: list[RowBatch] = []
    stored: list[Outcome] = []
    for outcome in looked:
        assert outcome.inspection is not None
        try:
            batches.append(from_inspections([outcome.inspection], cell_limit=settings().cell_limit))
            stored.append(outcome)
        except ExrInspectorError as error:
            log.error("category=%s %s", error.category, error, exc_info=True)
            outcome.fail_to_persist(error)
    if not stored:
        return
    persisted = catalog.persist_rows(RowBatch.concat(batches) if len(batches) > 1 else batches[0])
    for outcome, done in zip(stored, persisted, strict=True):
        outcome.inserted, outcome.persistence = done.inserted, "success"
        outcome.persistence_message = "inserted" if done.inserted else "seen again"


def _record(catalog: Catalog, failed: list[Outcome]) -> None:
    errors = []
    for outcome in failed:
        assert isinstance(outcome.error, ExrFormatError)
        errors.append(
            IngestError(
                file_path_normalized=normalize_path(outcome.place),
                size_bytes=None,
                mtime=None,
                code=outcome.error.code,
                message=outcome.error.message,
                byte_offset=outcome.error.offset,
            )
        )
    catalog.record_errors(errors)
    for outcome in failed:
        outcome.persistence, outcome.persistence_message = "success", "noted in ingest_errors"


def _remove(catalog: Catalog, removed: list[tuple[FileEvent, Outcome]]) -> None:
    places = [normalize_path(place) for file, _ in removed for place in file.places]
    catalog.mark_deleted(places)
    for _, outcome in removed:
        outcome.persistence, outcome.persistence_message = "success", "marked deleted"


def _catalog(place: Target) -> Catalog:
    """The catalog, kept between invocations. It is opened outside of the lock, which nobody should wait for."""
    kept = _catalogs.get(place)
    if kept is None:
        opened = open_catalog(place.uri, connection=place.connection and _in_time(place.connection))
        with _catalogs_lock:
            kept = _catalogs.setdefault(place, opened)
        if kept is not opened:
            opened.close()
    return kept


def _in_time(connection: VastConnection) -> VastConnection:
    """The same database, with so little time for a request that several fit into what an invocation has left."""
    seconds = settings().deadline_s
    return replace(connection, deadline_s=seconds, request_timeout_s=min(connection.request_timeout_s, seconds / 8))


def close_catalogs() -> None:
    """Give all catalogs back, as at the end of a process."""
    with _catalogs_lock:
        kept = list(_catalogs.values())
        _catalogs.clear()
    for catalog in kept:
        try:
            catalog.close()
        except CatalogError as problem:
            log.warning("a catalog was not closed: %s", problem)


def _tell(ctx: Any, outcome: Outcome, seconds: float) -> None:
    telemetry.count(ctx, outcome, seconds)
    failure = outcome.failure
    if failure is not None and failure.category not in ("file_not_found", "format", "event"):
        log.error("category=%s %s", failure.category, failure)
    log.info(
        "file=%s status=%s file_id=%s inserted=%s persistence=%s category=%s duration_ms=%.0f",
        outcome.place, outcome.status, outcome.file_id, outcome.inserted, outcome.persistence,
        failure.category if failure else None, 1000 * seconds,
    )  # fmt: skip


def _internal(problem: Exception) -> ExrInspectorError:
    """An error of ours; its text, which may hold anything, is in the log only."""
    return ExrInspectorError(f"unexpected {type(problem).__name__}; the log has the traceback")
