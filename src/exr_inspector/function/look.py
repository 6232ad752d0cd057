"""Looking at what lies at an event's places: inspections, or why there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

from ..discover import EXTENSION
from ..errors import (
    EventError,
    ExrFormatError,
    SourceChangedError,
    SourceDeniedError,
    SourceNotFoundError,
    SourceRefusedError,
)
from ..exr import Limits
from ..inspector import inspect
from ..sources import open_source
from .events import Kind
from .outcome import Outcome

if TYPE_CHECKING:
    from ..settings import S3Access

# So many objects of one batch are asked for at once.
_AT_ONCE = 8
# How often a file that changes under the reader is read.
_TRIES = 3


class Looker:
    """Looks at files, by the rules of one delivery."""

    def __init__(
        self, *, store: Callable[[], S3Access], limits: Limits, roots: Sequence[str], is_delivered: bool
    ) -> None:
        self._store, self._limits = store, limits
        self._roots = [os.path.realpath(root) for root in roots]
        self._is_delivered = is_delivered

    def look(self, outcomes: Sequence[Outcome]) -> None:
        """Fill in what is found. Events of one file share one look: what lies there now counts, whatever they say."""
        groups: dict[tuple[str, ...], list[Outcome]] = {}
        for outcome in outcomes:
            if outcome.event.kind is Kind.INVALID:
                outcome.failure = EventError(outcome.event.reason)
            elif not outcome.skipped:
                groups.setdefault(outcome.event.places, []).append(outcome)
        if len(groups) < 2:
            for group in groups.values():
                self._look_once(group)
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(groups))) as threads:
            # each in a copy of this thread's context: the time limit, and the span
            running = [threads.submit(copy_context().run, self._look_once, group) for group in groups.values()]
            for each in running:
                each.result()

    def _look_once(self, group: Sequence[Outcome]) -> None:
        first, began = group[0], time.monotonic()
        removal = next((each for each in group if each.event.kind is Kind.REMOVED), None)
        try:
            self._inspect_one_of(first)
        except (SourceNotFoundError, SourceDeniedError) as problem:
            # Where the store refuses to say what is there, the event is believed.
            first.failure, first.is_gone = (None, True) if removal else (problem, False)
        except ExrFormatError as problem:
            if problem.code == "not_exr" and not first.place.lower().endswith(EXTENSION):
                first.skipped = problem.message
            else:
                first.failure = problem
        except Exception as problem:  # whatever one file leads to, the others of the batch have their turn
            first.failure = problem
        first.duration_s = time.monotonic() - began
        for other in group[1:]:
            for name in ("place", "inspection", "failure", "size_bytes", "mtime", "is_gone", "skipped", "duration_s"):
                setattr(other, name, getattr(first, name))

    def _inspect_one_of(self, outcome: Outcome) -> None:
        """The first of the event's places where something is."""
        *others, last = outcome.event.places
        for place in others:
            try:
                return self._inspect(outcome, place)
            except (SourceNotFoundError, SourceDeniedError):  # some stores refuse to say that nothing is there
                continue
        return self._inspect(outcome, last)

    def _inspect(self, outcome: Outcome, place: str) -> None:
        outcome.place = place
        is_object = place[:5].lower() == "s3://"
        if not is_object:
            self._refuse_elsewhere(place)
        s3 = self._store() if is_object else None
        for attempt in range(_TRIES):
            source = open_source(place, s3)
            outcome.size_bytes, outcome.mtime = source.size_bytes, source.mtime
            try:
                outcome.inspection = inspect(source, limits=self._limits)
                return
            except SourceChangedError:
                if attempt == _TRIES - 1:
                    raise

    def _refuse_elsewhere(self, place: str) -> None:
        if not self._roots:
            if self._is_delivered:
                raise SourceRefusedError(
                    place, "no local files are read for events; EXR_INSPECTOR_ROOTS allows folders"
                )
            return
        try:
            real = os.path.realpath(place.removeprefix("file://"))
        except (OSError, ValueError):
            return  # opening it will say what is wrong
        if not any(os.path.commonpath([real, root]) == root for root in self._roots):
            raise SourceRefusedError(place, "it is not below a folder of EXR_INSPECTOR_ROOTS")
