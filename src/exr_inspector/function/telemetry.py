"""Spans, counters and a duration for each invocation: the platform's where it brings them, else OpenTelemetry's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .results import Outcome

log = logging.getLogger(__name__)

_FILES, _DURATION = "exr_inspector.files", "exr_inspector.duration"
_instruments: dict[str, Any] = {}


def prepare(ctx: Any) -> None:
    """Make the instruments; telemetry that cannot be had is no reason to fail."""
    try:
        counter = member(ctx, "counter") or _meter().create_counter
        histogram = member(ctx, "histogram") or _meter().create_histogram
        _instruments[_FILES] = counter(_FILES, description="Files of events, by status and category.")
        _instruments[_DURATION] = histogram(_DURATION, description="Time until a file was done.", unit="s")
    except Exception as problem:
        log.debug("no telemetry: %s", type(problem).__name__)
        _instruments.setdefault(_FILES, None)


def count(ctx: Any, outcome: Outcome, seconds: float) -> None:
    """Count a file and its time."""
    if _FILES not in _instruments:
        prepare(ctx)
    failure = outcome.failure
    attributes = {"status": outcome.status, "category": failure.category if failure else ""}
    with suppress(Exception):  # a collector that fails must not cost the file
        _instruments[_FILES].add(1, attributes)
        _instruments[_DURATION].record(seconds, attributes)


@contextmanager
def span(ctx: Any, name: str) -> Iterator[None]:
    """A span around the block, where there is a tracer."""
    tracer = member(ctx, "tracer") or _tracer()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(name):
        yield


def member(ctx: Any, name: str) -> Any:
    """What a context offers under a name; None where it has none, or raises."""
    try:
        return getattr(ctx, name, None)
    except Exception:  # which ones, only the platform knows
        return None


def _tracer() -> Any:
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return None
    return trace.get_tracer("exr_inspector")


def _meter() -> Any:
    from opentelemetry import metrics

    return metrics.get_meter("exr_inspector")
