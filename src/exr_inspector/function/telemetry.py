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

log = logging.getLogger(__name__)

_SCOPE = "exr_inspector"
_CONTEXT_ATTRIBUTE = "exr_inspector_instruments"


class Instruments:
    """Counters of files (by status and category) and redeliveries, and a histogram of durations."""

    def __init__(self, ctx: Any) -> None:
        self._files = _counter(ctx, "exr_inspector.files", "Files, by status and category of the error.")
        self._redeliveries = _counter(
            ctx,
            "exr_inspector.redeliveries",
            "Invocations whose events are to be delivered again.",
        )
        self._duration = _histogram(ctx, "exr_inspector.duration", "Duration of an invocation in seconds.")

    def file(self, status: str, category: str) -> None:
        """Count a file."""
        _apply(self._files, "add", 1, {"status": status, "category": category})

    def redelivery(self) -> None:
        """Count an invocation that raised for redelivery."""
        _apply(self._redeliveries, "add", 1, {})

    def duration(self, seconds: float) -> None:
        """Record the duration of an invocation."""
        _apply(self._duration, "record", seconds, {})


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
def span(ctx: Any, name: str, **attributes: str | int | bool) -> Iterator[None]:
    """A span around the block, with these attributes."""
    stack = ExitStack()
    try:
        tracer = get_member(ctx, "tracer") or _open_telemetry("trace").get_tracer(_SCOPE)
        active = stack.enter_context(tracer.start_as_current_span(f"{_SCOPE}.{name}"))
        for key, value in attributes.items():
            active.set_attribute(f"{_SCOPE}.{key}", value)
    except Exception as error:
        log.debug("cannot start a span: %s", type(error).__name__)
    try:
        yield
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
            return make(name, description=description)
        return _open_telemetry("metrics").get_meter(_SCOPE).create_counter(name, description=description)
    except Exception as error:
        log.debug("cannot create the counter %s: %s", name, type(error).__name__)
        return None


def _histogram(ctx: Any, name: str, description: str) -> Any:
    try:
        if make := get_member(ctx, "histogram"):
            return make(name, description=description, unit="s")
        return _open_telemetry("metrics").get_meter(_SCOPE).create_histogram(name, description=description, unit="s")
    except Exception as error:
        log.debug("cannot create the histogram %s: %s", name, type(error).__name__)
        return None


def _open_telemetry(part: str) -> Any:
    return importlib.import_module(f"opentelemetry.{part}")


def _apply(instrument: Any, method: str, value: float, attributes: dict[str, str]) -> None:
    if instrument is not None:
        try:
            getattr(instrument, method)(value, attributes)
        except Exception as error:
            log.debug("cannot update an instrument: %s", type(error).__name__)
