"""The handler: event → received files → inspected → measured → persisted → result."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

from ..deadline import seconds_left, time_limit
from ..errors import ExrInspectorError, RedeliveryError
from ..pixels.model import PixelLimits
from ..settings import FunctionSettings, S3Access, function_settings, one_environment, settings
from . import credentials, results
from .catalogs import Catalogs
from .credentials import Target
from .error_log import ErrorLog, log_fields
from .errors import category, is_misconfiguration, is_retryable, message
from .events import database_fields, event_id, file_events, is_batch, is_plain
from .inspect_files import inspect_all, storage_access
from .measure_files import Decoder, measure_all
from .persist_files import persist_all
from .policies import Policies, policy_access, validate_all
from .readiness import Readiness
from .stages import Persisted, Received
from .telemetry import Span, get_member, instruments, span

log = logging.getLogger(__name__)

# The rest of the time limit is for the catalog, even if the object store is slow.
_INSPECTION_SHARE = 0.5

# Of what is left after the inspection, at most half and at most so many seconds are kept for the catalog.
_PERSIST_SHARE, _PERSIST_SECONDS = 0.5, 10.0

# Shared by all threads of the process.
_catalogs = Catalogs()
_errors = ErrorLog()
_decoder = Decoder(_errors)
_policies = Policies()
readiness = Readiness(_catalogs, _errors)


def prepare(ctx: Any) -> None:
    """Create instruments and open the catalog before the first event. Raises nothing."""
    _attach_platform_logger(ctx)
    instruments(ctx).zero()
    readiness.open(ctx)


def handle(ctx: Any, event: Any, *, accepted_at: float | None = None) -> Any:
    """Inspect and persist the files that an event names; returns its result, or a list of results for a batch.

    The time limit counts from `accepted_at`, a time of `time.monotonic()`; by default from now.

    A direct call (plain JSON values) never raises: errors are in the result. A delivered event (an object) raises
    RedeliveryError for transient errors and errors of the configuration, so that the platform delivers it again; an
    event that returns is acknowledged and never delivered again.
    """
    started_at = time.monotonic() if accepted_at is None else accepted_at
    is_list, is_delivered, count = is_batch(event), False, 1
    values: FunctionSettings | None = None
    try:
        events = list(event) if is_list else [event]
        is_delivered, count = not all(map(is_plain, events)), len(events)
        with one_environment(), span(ctx, "invocation") as active:
            values = function_settings()
            active.set("messaging.batch.message_count", count)
            event_results = _handle(ctx, events, values, started_at, active, is_delivered=is_delivered)
    except RedeliveryError:
        instruments(ctx).redelivery()
        raise
    except Exception as error:
        _errors.log(error)
        event_results = [results.failed(error)] * count
        if is_delivered and _is_redelivered(error, values):
            instruments(ctx).redelivery()
            raise RedeliveryError(_redelivery_message([error], count), event_results) from error
    finally:
        instruments(ctx).duration(time.monotonic() - started_at)
    return event_results if is_list else event_results[0]


def close_catalogs() -> None:
    """Close all catalogs, end the process that decodes pixels, and forget policies, readiness and logged errors."""
    _decoder.close()
    _catalogs.close()
    _policies.clear()
    readiness.reset()
    _errors.reset()


def _handle(
    ctx: Any, events: Sequence[Any], values: FunctionSettings, started_at: float, active: Span, *, is_delivered: bool
) -> list[dict[str, Any]]:
    core, record_stage = settings(), instruments(ctx).stage
    with time_limit(values.deadline_s - (time.monotonic() - started_at)):
        received = _receive(ctx, events, values, is_delivered=is_delivered)
        with span(ctx, "inspect", files=len(received)), time_limit(_INSPECTION_SHARE * seconds_left()):
            began = time.monotonic()
            store = _store(ctx, values)
            access = storage_access(store, values.roots, core.limits, core.chunks, is_delivered=is_delivered)
            policies = policy_access(values.policy, values.policies, store, is_delivered=is_delivered)
            inspected = inspect_all(received, access)
            record_stage("read", time.monotonic() - began)
        if any(file.event.options.wants_pixels for file in received):
            with span(ctx, "stats", files=len(received)), time_limit(_seconds_before_catalog()):
                limits = PixelLimits(chunk_bytes=values.max_chunk_pixel_bytes, seconds=core.pixel_seconds)
                inspected = measure_all(inspected, _decoder, access, limits)
        if any(file.inspection is not None for file in inspected):
            with time_limit(_seconds_before_catalog()):
                inspected = validate_all(inspected, _policies, policies, _errors)
        with span(ctx, "persist"):
            persisted = persist_all(_catalogs, inspected, cell_limit=core.cell_limit, record_stage=record_stage)
    _record_use(persisted)
    errors = [file.error_where(lambda error: _is_redelivered(error, values)) for file in persisted]
    redelivered = [error for error in errors if error is not None and is_delivered]
    for file in persisted:
        _log_file(ctx, file, time.monotonic() - started_at)
        instruments(ctx).persisted(_effect(file, is_redelivered=bool(redelivered)))
    event_results = [
        results.event_result(list(files), is_delivered=is_delivered)
        for _, files in groupby(persisted, key=lambda file: file.inspected.received.event_index)
    ]
    if first_error := next((file.error for file in persisted if file.error is not None), None):
        active.fail(category(first_error))
    if redelivered:
        raise RedeliveryError(_redelivery_message(redelivered, len(persisted)), event_results)
    return event_results


def _seconds_before_catalog() -> float:
    left = seconds_left()
    return left - min(_PERSIST_SHARE * left, _PERSIST_SECONDS)


def _receive(ctx: Any, events: Sequence[Any], values: FunctionSettings, *, is_delivered: bool) -> list[Received]:
    """The files that the events name; at least one entry for each event."""

    @cache  # reading the settings of a database takes a millisecond
    def catalog_with(fields: frozenset[tuple[str, str]]) -> Target | None:
        return credentials.target(ctx, dict(fields), values, is_delivered=is_delivered)

    received = []
    for index, event in enumerate(events):
        catalog: Target | ExrInspectorError | None
        try:
            catalog = catalog_with(frozenset(database_fields(event).items()))
        except ExrInspectorError as error:
            catalog = error
        received += [
            Received(event=file, event_index=index, event_id=event_id(event), catalog=catalog)
            for file in file_events(event)
        ]
    return received


def _store(ctx: Any, values: FunctionSettings) -> S3Access | ExrInspectorError:
    """The object store, or why it is misconfigured: an error for events of objects only."""
    try:
        return credentials.store(ctx, values)
    except ExrInspectorError as error:
        return error


def _record_use(files: Sequence[Persisted]) -> None:
    """Update the readiness; a catalog that failed as misconfigured is opened again for the next event."""
    errors: dict[Target, Exception | None] = {}
    for file in files:
        target = file.inspected.received.catalog
        if isinstance(target, Target) and file.persistence.status != "skipped":
            errors[target] = errors.get(target) or file.persistence.error
    for target, error in errors.items():
        readiness.record(target, error)
        if error is not None and is_misconfiguration(error):
            _catalogs.forget(target)


def _is_redelivered(error: Exception, values: FunctionSettings | None) -> bool:
    """Whether another delivery can fix an error: it is transient, or one of the configuration."""
    returns_misconfiguration = values is not None and values.on_misconfiguration == "return"  # None: settings invalid
    return is_retryable(error) or (is_misconfiguration(error) and not returns_misconfiguration)


def _log_file(ctx: Any, file: Persisted, duration_s: float) -> None:
    """Log one INFO line, one ERROR or WARNING line before it if necessary, and count the file."""
    inspected, persistence, error = file.inspected, file.persistence, file.error
    error_category = "" if error is None else category(error)
    instruments(ctx).file(file.status, error_category)
    inspection = inspected.inspection
    facts = None if inspection is None else inspection.file
    if error is not None:
        _errors.log(error)
    elif inspection is not None and not inspection.is_sound:
        codes = sorted({problem.code for problem in inspection.problems if problem.severity == "error"})
        verdict = {"completeness": inspection.completeness, "problems": ",".join(codes)}
        log_fields(log, logging.WARNING, {"file": inspected.path} | verdict)
    line = {
        "file": inspected.path,
        "status": file.status,
        "file_id": facts and facts.file_id,
        "completeness": facts and facts.completeness,
        "persistence": persistence.status,
        "inserted": persistence.inserted,
        "stats": inspection and results.stats_status(inspection),
        "validation": file.validation_status if file.policy_error is None else "error",
        "category": error_category,
        "reason": inspected.skip_reason,
        "event": inspected.received.event_id,
        "inspect_ms": round(1000 * inspected.duration_s),
        "duration_ms": round(1000 * duration_s),
    }
    log_fields(log, logging.INFO, line)


def _effect(file: Persisted, *, is_redelivered: bool) -> str:
    """The effect of a file on the catalog, one of telemetry.PERSISTED."""
    persistence = file.persistence
    if persistence.status != "success":
        if is_redelivered and file.error is not None:
            return "redelivered"
        return "failed" if persistence.status == "error" else "skipped"
    if file.inspected.inspection is not None:
        return "inserted" if persistence.inserted else "known"
    return "noted_error" if file.inspected.error is not None else "deleted"


def _redelivery_message(errors: Sequence[Exception], count: int) -> str:
    first = errors[0]
    return f"to be delivered again: {len(errors)} of {count} files failed ({category(first)}): {message(first)}"[:500]


def _attach_platform_logger(ctx: Any) -> None:
    """Log to the platform's handlers, if the package's logger has no level and no handlers of its own."""
    platform, package = get_member(ctx, "logger"), logging.getLogger("exr_inspector")
    if isinstance(platform, logging.Logger) and package.level == logging.NOTSET:
        package.setLevel(platform.getEffectiveLevel())
        if not package.hasHandlers():
            for handler in platform.handlers:
                package.addHandler(handler)
