"""Spans and instruments: those of the platform's context, else those of OpenTelemetry, else none.

Nothing here can make an event fail.
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
_KEPT_AS = "exr_inspector_instruments"


class Instruments:
    """What is counted: files by status and category, how long an event took, and how often one must come again."""

    def __init__(self, ctx: Any) -> None:
        self._files = _counter(ctx, "exr_inspector.files", "Files that events named, by what became of them.")
        self._redeliveries = _counter(ctx, "exr_inspector.redeliveries", "Events that have to be delivered again.")
        self._duration = _histogram(ctx, "exr_inspector.duration", "How long an event took.")

    def file(self, status: str, category: str) -> None:
        """One file is done."""
        _quietly(self._files, "add", 1, {"status": status, "category": category})

    def redelivery(self) -> None:
        """One event has to come again."""
        _quietly(self._redeliveries, "add", 1, {})

    def duration(self, seconds: float) -> None:
        """One event is done."""
        _quietly(self._duration, "record", seconds, {})


def instruments(ctx: Any) -> Instruments:
    """The instruments of a context, made once where it can keep them."""
    made = member(ctx, _KEPT_AS)
    if isinstance(made, Instruments):
        return made
    made = Instruments(ctx)
    try:
        setattr(ctx, _KEPT_AS, made)
    except Exception:
        log.debug("the context keeps no attributes: instruments are made for each event")
    return made


@contextmanager
def span(ctx: Any, name: str, **attributes: str | int | bool) -> Iterator[None]:
    """A span around the block, of whoever makes them here."""
    stack = ExitStack()
    try:
        tracer = member(ctx, "tracer") or _open_telemetry("trace").get_tracer(_SCOPE)
        current = stack.enter_context(tracer.start_as_current_span(f"{_SCOPE}.{name}"))
        for key, value in attributes.items():
            current.set_attribute(f"{_SCOPE}.{key}", value)
    except Exception as problem:
        log.debug("no span: %s", type(problem).__name__)
    try:
        yield
    finally:
        try:
            stack.__exit__(*sys.exc_info())  # whatever it returns: no span swallows what went wrong
        except Exception as problem:
            log.debug("a span did not end: %s", type(problem).__name__)


def member(ctx: Any, name: str) -> Any:
    """What a context has under a name; None where it has nothing, or fails."""
    try:
        return getattr(ctx, name, None)
    except Exception:
        return None


def _counter(ctx: Any, name: str, description: str) -> Any:
    try:
        if make := member(ctx, "counter"):
            return make(name, description=description)
        return _open_telemetry("metrics").get_meter(_SCOPE).create_counter(name, description=description)
    except Exception as problem:
        log.debug("nothing is counted in %s: %s", name, type(problem).__name__)
        return None


def _histogram(ctx: Any, name: str, description: str) -> Any:
    try:
        if make := member(ctx, "histogram"):
            return make(name, description=description, unit="s")
        return _open_telemetry("metrics").get_meter(_SCOPE).create_histogram(name, description=description, unit="s")
    except Exception as problem:
        log.debug("nothing is measured in %s: %s", name, type(problem).__name__)
        return None


def _open_telemetry(part: str) -> Any:
    return importlib.import_module(f"opentelemetry.{part}")


def _quietly(instrument: Any, method: str, value: float, attributes: dict[str, str]) -> None:
    if instrument is not None:
        try:
            getattr(instrument, method)(value, attributes)
        except Exception as problem:
            log.debug("an instrument fails: %s", type(problem).__name__)
