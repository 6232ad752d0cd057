"""The handler: event → files → look → persist → results."""

from __future__ import annotations

import gc
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..deadline import time_limit
from ..errors import ExrInspectorError, RedeliveryError
from ..settings import FunctionSettings, function_settings, settings
from . import credentials, results
from .catalogs import Catalogs
from .events import database_fields, event_id, file_events, is_batch, is_plain
from .inspecting import Looker
from .persisting import persist, refuse
from .stages import Outcome, category, text
from .telemetry import instruments, member, span

log = logging.getLogger(__name__)

# What the database may still need when the object store has used up its part of the time.
_SHARE_FOR_READING = 0.5
_LONGEST_LOGGED = 4096  # characters: as long as a path may be

_catalogs = Catalogs()  # for all threads of this process


def prepare(ctx: Any) -> None:
    """What can be done before the first event: imports, instruments, a catalog that is open. Raises nothing."""
    with _nothing_collected():
        _prepare(ctx)


def _prepare(ctx: Any) -> None:
    _hear(ctx)
    instruments(ctx)
    try:
        credentials.store(ctx)
        target = credentials.target(ctx, {}, is_delivered=True)
        if target is not None:
            with time_limit(function_settings().deadline_s), _catalogs.use(target):
                log.info("ready: results are persisted in %s", target.uri)
        else:
            log.info("ready: no catalog is configured, nothing is persisted")
    except Exception as problem:  # each event tries again
        log.warning("not ready yet: %s", text(problem))


def handle(ctx: Any, event: Any) -> Any:
    """Inspect and persist what an event names; its result, or one for each event of a batch.

    Called with plain JSON values, it never raises: the result says what went wrong. An event object, which somebody
    delivers, raises RedeliveryError where another delivery can help, and only there: whatever returns is done with.
    """
    began = time.monotonic()
    several, count = is_batch(event), 1
    try:
        events = list(event) if several else [event]
        is_delivered, count = not all(map(is_plain, events)), len(events)
        with span(ctx, "invocation"):
            found = _handle(ctx, events, is_delivered)
    except RedeliveryError:
        instruments(ctx).redelivery()
        raise
    except Exception as problem:
        log.error("an event failed: %s", text(problem), exc_info=not isinstance(problem, ExrInspectorError))
        found = [results.failed(problem)] * count
    finally:
        instruments(ctx).duration(time.monotonic() - began)
    return found if several else found[0]


def close_catalogs() -> None:
    """Give all catalogs back, as at the end of a process."""
    _catalogs.close()


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
        _tell(ctx, outcome, time.monotonic() - began)
    shape: Callable[[Outcome], dict[str, Any]] = results.summary if is_delivered else results.result
    found = [results.combined([shape(outcome) for outcome in each]) for each in outcomes]
    if not is_delivered:
        return found
    found = [results.fitted(each) for each in found]
    if passing := [problem for outcome in everything if (problem := outcome.passing_problem) is not None]:
        raise RedeliveryError(_why_again(passing, len(everything)), found)
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
            refuse([outcome for outcome in mine if not outcome.skipped], problem)
        else:
            by_target.setdefault(target, []).extend(mine)
    for target, mine in by_target.items():
        persist(_catalogs, target, mine)


def _tell(ctx: Any, outcome: Outcome, seconds: float) -> None:
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
        is_foreign = not isinstance(problem, ExrInspectorError)
        log.error("%s", _pairs({"category": word, "error": text(problem)}), exc_info=problem if is_foreign else None)
    elif facts is not None and facts.completeness not in ("complete", "unknown"):
        log.warning("%s", _pairs({"file": outcome.place, "completeness": facts.completeness}))
    log.info("%s", _pairs(line))


def _pairs(line: dict[str, Any]) -> str:
    return " ".join(f"{name}={_quoted(value)}" for name, value in line.items() if value not in (None, ""))


def _quoted(value: Any) -> str:
    """A value on one line: what could end it, or steer a terminal, is escaped; what is longer than a path is cut."""
    if isinstance(value, bool):
        return str(value).lower()
    words = str(value)
    if len(words) > _LONGEST_LOGGED:
        words = f"{words[:_LONGEST_LOGGED]} and {len(words) - _LONGEST_LOGGED} characters more"
    plain = words.isascii() and words.isprintable() and not set(words) & {" ", '"', "="}
    return words if plain else json.dumps(words)


def _why_again(passing: Sequence[Exception], files: int) -> str:
    first = passing[0]
    return f"to be delivered again: {len(passing)} of {files} files failed ({category(first)}): {text(first)}"[:500]


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """What imports allocate stays for good: the collector neither looks at it meanwhile nor ever after."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _hear(ctx: Any) -> None:
    """Let the platform's logger have our lines, too, where nothing else listens."""
    logger, ours = member(ctx, "logger"), logging.getLogger("exr_inspector")
    if isinstance(logger, logging.Logger) and ours.level == logging.NOTSET:
        ours.setLevel(logger.getEffectiveLevel())
        if not ours.hasHandlers():
            for handler in logger.handlers:
                ours.addHandler(handler)
