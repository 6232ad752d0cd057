"""Spans and instruments of the platform's context, else of OpenTelemetry, else none. Never raises.

Errors of telemetry are logged at DEBUG, because they must not make an event fail.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..errors import EmbeddingError
from .errors import categories, category

log = logging.getLogger(__name__)

_SCOPE = "exr_inspector"
_CONTEXT_ATTRIBUTE = "exr_inspector_instruments"


# Of a duration in seconds: from a known file on a fast network to the deadline.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
PERSISTED = ("inserted", "known", "noted_error", "deleted", "failed", "redelivered", "skipped")
STAGES = ("read", "embed", "persist")


class Instruments:
    """Counters of files, of their effects on the catalog, and of redeliveries; histograms of durations."""

    def __init__(self, ctx: Any) -> None:
        self._files = _counter(ctx, "files", "Files, by status and category of the error.")
        self._persisted = _counter(ctx, "persisted", "Files, by their effect on the catalog.")
        self._embedding_errors = _counter(ctx, "embedding_errors", "Files whose vectors cannot be computed.")
        self._redeliveries = _counter(ctx, "redeliveries", "Invocations whose events are to be delivered again.")
        self._duration = _Histogram(ctx, "duration", "Duration of an invocation.")
        self._stages = _Histogram(ctx, "stage_duration", "Duration of a stage of an invocation.")

    def zero(self) -> None:
        """Create every counter with its known labels, so that the first event is an increase."""
        for status in ("success", "skipped"):
            _apply(self._files, "add", 0, {"status": status, "category": ""})
        for name in categories():
            _apply(self._files, "add", 0, {"status": "error", "category": name})
        for result in PERSISTED:
            _apply(self._persisted, "add", 0, {"result": result})
        for counter in (self._embedding_errors, self._redeliveries):
            _apply(counter, "add", 0, {})

    def file(self, status: str, category: str) -> None:
        """Count a file."""
        _apply(self._files, "add", 1, {"status": status, "category": category})
        if category == EmbeddingError.category:
            _apply(self._embedding_errors, "add", 1, {})

    def persisted(self, result: str) -> None:
        """Count the effect of a file on the catalog, one of PERSISTED."""
        _apply(self._persisted, "add", 1, {"result": result})

    def redelivery(self) -> None:
        """Count an invocation that raised for redelivery."""
        _apply(self._redeliveries, "add", 1, {})

    def duration(self, seconds: float) -> None:
        """Record the duration of an invocation."""
        self._duration.record(seconds, {})

    def stage(self, stage: str, seconds: float) -> None:
        """Record the duration of a stage, one of STAGES."""
        self._stages.record(seconds, {"stage": stage})


class Span:
    """A span, or none if it could not be started."""

    def __init__(self, active: Any = None) -> None:
        self._active = active

    def set(self, name: str, value: str | int | bool) -> None:
        """Set an attribute."""
        if self._active is not None:
            try:
                self._active.set_attribute(name, value)
            except Exception as error:
                log.debug("cannot set an attribute of a span: %s", type(error).__name__)

    def fail(self, category: str) -> None:
        """Set the status to ERROR, with the category of the error."""
        self.set("error.type", category)
        if self._active is not None:
            try:
                trace = _open_telemetry("trace")
                self._active.set_status(trace.Status(trace.StatusCode.ERROR, category))
            except Exception as error:
                log.debug("cannot set the status of a span: %s", type(error).__name__)


def instruments(ctx: Any) -> Instruments:
    """The instruments of a context, stored in it for the next event."""
    existing = get_member(ctx, _CONTEXT_ATTRIBUTE)
    if isinstance(existing, Instruments):
        return existing
    created = Instruments(ctx)
    try:
        setattr(ctx, _CONTEXT_ATTRIBUTE, created)
    except Exception:
        log.debug("the context rejects attributes: instruments are created again for each event")
    return created


@contextmanager
def span(ctx: Any, name: str, **attributes: str | int | bool) -> Iterator[Span]:
    """A span around the block, with these attributes; an exception sets its status."""
    stack, active = ExitStack(), Span()
    try:
        tracer = get_member(ctx, "tracer") or _open_telemetry("trace").get_tracer(_SCOPE)
        active = Span(stack.enter_context(tracer.start_as_current_span(f"{_SCOPE}.{name}")))
        for key, value in attributes.items():
            active.set(f"{_SCOPE}.{key}", value)
    except Exception as error:
        log.debug("cannot start a span: %s", type(error).__name__)
    try:
        yield active
    except Exception as error:
        active.set("error.type", category(error))
        raise
    finally:
        try:
            stack.__exit__(*sys.exc_info())  # its result is ignored: a span must not suppress errors
        except Exception as error:
            log.debug("cannot end a span: %s", type(error).__name__)


def get_member(ctx: Any, name: str) -> Any:
    """The value of a context's member; None if it is missing or raises."""
    try:
        return getattr(ctx, name, None)
    except Exception:
        return None


def _counter(ctx: Any, name: str, description: str) -> Any:
    try:
        if make := get_member(ctx, "counter"):
            return make(f"{_SCOPE}.{name}", description=description)
        return _open_telemetry("metrics").get_meter(_SCOPE).create_counter(f"{_SCOPE}.{name}", description=description)
    except Exception as error:
        log.debug("cannot create the counter %s: %s", name, type(error).__name__)
        return None


class _Histogram:
    """A histogram of durations: in seconds with BUCKETS_S; in milliseconds if the context has only default buckets."""

    def __init__(self, ctx: Any, name: str, description: str) -> None:
        self._units_per_second = 1.0
        self._instrument: Any = None
        options = {"description": description, "unit": "s", "explicit_bucket_boundaries_advisory": BUCKETS_S}
        try:
            make = get_member(ctx, "histogram") or _open_telemetry("metrics").get_meter(_SCOPE).create_histogram
            try:
                self._instrument = make(f"{_SCOPE}.{name}", **options)
            except TypeError:
                self._instrument = make(f"{_SCOPE}.{name}", description=description, unit="ms")
                self._units_per_second = 1000.0
        except Exception as error:
            log.debug("cannot create the histogram %s: %s", name, type(error).__name__)

    def record(self, seconds: float, attributes: dict[str, str]) -> None:
        """Record a duration."""
        _apply(self._instrument, "record", seconds * self._units_per_second, attributes)


def _open_telemetry(part: str) -> Any:
    return importlib.import_module(f"opentelemetry.{part}")


def _apply(instrument: Any, method: str, value: float, attributes: dict[str, str]) -> None:
    if instrument is not None:
        try:
            getattr(instrument, method)(value, attributes)
        except Exception as error:
            log.debug("cannot update an instrument: %s", type(error).__name__)
