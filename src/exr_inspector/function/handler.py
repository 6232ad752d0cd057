"""The handler: event → files → look → persist → results."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..deadline import time_limit
from ..errors import ExrInspectorError, RedeliveryError, SettingsError
from ..settings import FunctionSettings, function_settings, settings
from . import credentials, results
from .catalogs import Catalogs
from .error_log import ErrorLog, pairs
from .events import database_fields, event_id, file_events, is_batch, is_plain
from .inspecting import Looker
from .persisting import persist, refuse
from .readiness import Readiness
from .stages import Outcome, category, is_misconfiguration, is_retryable, text
from .telemetry import instruments, member, span

log = logging.getLogger(__name__)

# What the database may still need when the object store has used up its part of the time.
_SHARE_FOR_READING = 0.5

# For all threads of this process.
_catalogs = Catalogs()
_errors = ErrorLog()
readiness = Readiness(_catalogs, _errors)


def prepare(ctx: Any) -> None:
    """What can be done before the first event: imports, instruments, a catalog that is open. Raises nothing."""
    with _gc_paused():
        _attach_platform_logger(ctx)
        instruments(ctx)
        readiness.open(ctx)


def handle(ctx: Any, event: Any) -> Any:
    """Inspect and persist what an event names; its result, or one for each event of a batch.

    Called with plain JSON values, it never raises: the result says what went wrong. A delivered event, which is an
    object, raises RedeliveryError for what another delivery can fix: transient errors, and errors of the configuration.
    Whatever returns is acknowledged and does not come again.
    """
    began = time.monotonic()
    several, count, is_delivered = is_batch(event), 1, False
    try:
        events = list(event) if several else [event]
        is_delivered, count = not all(map(is_plain, events)), len(events)
        with span(ctx, "invocation"):
            found = _handle(ctx, events, is_delivered)
    except RedeliveryError:
        instruments(ctx).redelivery()
        raise
    except Exception as error:
        _errors.log(error)
        found = [results.failed(error)] * count
        if is_delivered and _is_redelivered(error):
            instruments(ctx).redelivery()
            raise RedeliveryError(_why_again([error], count), found) from error
    finally:
        instruments(ctx).duration(time.monotonic() - began)
    return found if several else found[0]


def close_catalogs() -> None:
    """Give all catalogs back, as at the end of a process, and forget what is known of them."""
    _catalogs.close()
    readiness.reset()
    _errors.reset()


def _handle(ctx: Any, events: Sequence[Any], is_delivered: bool) -> list[dict[str, Any]]:
    began, values = time.monotonic(), function_settings()
    with time_limit(values.deadline_s):
        outcomes = [[Outcome.of(file, event_id(event)) for file in file_events(event)] for event in events]
        everything = [outcome for each in outcomes for outcome in each]
        with span(ctx, "inspect", files=len(everything)), time_limit(_SHARE_FOR_READING * values.deadline_s):
            _looker(ctx, values, is_delivered).look(everything)
        with span(ctx, "persist"):
            _persist(ctx, zip(events, outcomes, strict=True), is_delivered)
    for outcome in everything:
        _log_outcome(ctx, outcome, time.monotonic() - began)
    shape: Callable[[Outcome], dict[str, Any]] = results.summary if is_delivered else results.result
    found = [results.combined([shape(outcome) for outcome in each]) for each in outcomes]
    if not is_delivered:
        return found
    found = [results.fitted(each) for each in found]
    if errors := [error for outcome in everything if (error := outcome.error_where(_is_redelivered)) is not None]:
        raise RedeliveryError(_why_again(errors, len(everything)), found)
    return found


def _looker(ctx: Any, values: FunctionSettings, is_delivered: bool) -> Looker:
    return Looker(
        store=lambda: credentials.store(ctx),
        limits=settings().limits,
        roots=[root for root in values.roots.split(os.pathsep) if root],
        is_delivered=is_delivered,
    )


def _persist(ctx: Any, outcomes: Iterable[tuple[Any, Sequence[Outcome]]], is_delivered: bool) -> None:
    """The files of all events that name the same catalog together."""
    by_target: dict[credentials.Target | None, list[Outcome]] = {}
    for event, mine in outcomes:
        try:
            target = credentials.target(ctx, database_fields(event), is_delivered=is_delivered)
        except ExrInspectorError as problem:
            refuse(mine, problem)
        else:
            by_target.setdefault(target, []).extend(mine)
    for target, mine in by_target.items():
        persist(_catalogs, target, mine)
        if target is not None:
            _record_use(target, mine)


def _record_use(target: credentials.Target, outcomes: Sequence[Outcome]) -> None:
    """Note for the readiness how the catalog was used; one that refused is opened anew the next time."""
    uses = [outcome.persistence for outcome in outcomes if outcome.persistence.status != "skipped"]
    if not uses:
        return
    error = next((use.failure for use in uses if use.failure is not None), None)
    readiness.record(target, error)
    if error is not None and is_misconfiguration(error):
        _catalogs.forget(target)


def _is_redelivered(error: Exception) -> bool:
    """Whether another delivery can fix an error: it is transient, or one of the configuration."""
    return is_retryable(error) or (is_misconfiguration(error) and _raises_misconfiguration())


def _raises_misconfiguration() -> bool:
    try:
        return function_settings().on_misconfiguration == "raise"
    except SettingsError:  # of another setting, perhaps: the event must not be lost
        return True


def _log_outcome(ctx: Any, outcome: Outcome, seconds: float) -> None:
    """One line for each file; one more for what went wrong."""
    problem = outcome.problem
    word = "" if problem is None else category(problem)
    instruments(ctx).file(outcome.status, word)
    facts = outcome.inspection.file if outcome.inspection is not None else None
    line = {
        "file": outcome.place,
        "status": outcome.status,
        "file_id": facts and facts.file_id,
        "completeness": facts and facts.completeness,
        "persistence": outcome.persistence.status,
        "inserted": outcome.persistence.inserted,
        "category": word,
        "reason": outcome.skipped,
        "event": outcome.event_id,
        "inspect_ms": round(1000 * outcome.duration_s),
        "duration_ms": round(1000 * seconds),
    }
    if problem is not None:
        _errors.log(problem)
    elif facts is not None and facts.completeness not in ("complete", "unknown"):
        log.warning("%s", pairs({"file": outcome.place, "completeness": facts.completeness}))
    log.info("%s", pairs(line))


def _why_again(errors: Sequence[Exception], files: int) -> str:
    first = errors[0]
    return f"to be delivered again: {len(errors)} of {files} files failed ({category(first)}): {text(first)}"[:500]


@contextmanager
def _gc_paused() -> Iterator[None]:
    """What imports allocate stays for good: the collector neither looks at it meanwhile nor ever after."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _attach_platform_logger(ctx: Any) -> None:
    """Let the platform's logger have our lines, too, where nothing else listens."""
    logger, ours = member(ctx, "logger"), logging.getLogger("exr_inspector")
    if isinstance(logger, logging.Logger) and ours.level == logging.NOTSET:
        ours.setLevel(logger.getEffectiveLevel())
        if not ours.hasHandlers():
            for handler in logger.handlers:
                ours.addHandler(handler)
