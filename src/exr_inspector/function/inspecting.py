"""Looking at what lies at an event's places: inspections, or why there is none."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

from ..errors import (
    EventError,
    ExrFormatError,
    SourceChangedError,
    SourceDeniedError,
    SourceNameError,
    SourceNotAllowedError,
    SourceNotFoundError,
)
from ..exr import Limits
from ..inspection.inspector import inspect
from ..sources import open_source
from ..sources.listing import EXTENSION
from ..sources.protocol import ByteSource
from ..sources.uris import parse
from .events import Kind
from .stages import Outcome

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
        # Where the time is not enough for all, each delivery has others first, and in the end all are done.
        order = random.sample(list(groups.values()), len(groups))
        with ThreadPoolExecutor(min(_AT_ONCE, len(groups))) as threads:
            # each in a copy of this thread's context: the time limit, and the span
            running = [threads.submit(copy_context().run, self._look_once, group) for group in order]
            for each in running:
                each.result()

    def _look_once(self, group: Sequence[Outcome]) -> None:
        first, began = group[0], time.monotonic()
        try:
            places = first.event.places
            if any(each.event.kind is Kind.REMOVED for each in group):
                first.gone = tuple(place for place in places if self._is_gone(place))
                places = tuple(place for place in places if place not in first.gone)
            if places:
                self._inspect_one_of(first, places)
        except ExrFormatError as problem:
            if problem.code == "not_exr" and not first.place.lower().endswith(EXTENSION):
                first.skipped = problem.message
            else:
                first.failure = problem
        except Exception as problem:  # whatever one file leads to, the others of the batch have their turn
            first.failure = problem
        first.duration_s = time.monotonic() - began
        for other in group[1:]:
            for name in ("place", "inspection", "failure", "size_bytes", "mtime", "gone", "skipped", "duration_s"):
                setattr(other, name, getattr(first, name))

    def _is_gone(self, place: str) -> bool:
        """Whether nothing is there. Where the store may not say that to us, the event is believed."""
        try:
            self._open(place).close()
        except SourceNotFoundError:
            return True
        except SourceDeniedError as problem:
            return problem.may_hide
        return False

    def _inspect_one_of(self, outcome: Outcome, places: Sequence[str]) -> None:
        """The first of the places where something is."""
        *others, last = places
        for place in others:
            try:
                return self._inspect(outcome, place)
            except (
                SourceNotFoundError,
                SourceDeniedError,
                SourceNameError,
            ):  # some stores do not say that it is not there
                continue
        return self._inspect(outcome, last)

    def _inspect(self, outcome: Outcome, place: str) -> None:
        outcome.place = place
        for attempt in range(_TRIES):
            source = self._open(place)
            outcome.size_bytes, outcome.mtime = source.size_bytes, source.mtime
            try:
                outcome.inspection = inspect(source, limits=self._limits)
                return
            except SourceChangedError:
                if attempt == _TRIES - 1:
                    raise

    def _open(self, place: str) -> ByteSource:
        if parse(place)[0] == "s3":
            return open_source(place, self._store())
        if self._is_delivered and not self._roots:
            raise SourceNotAllowedError(place, "no local files are read for events; EXR_INSPECTOR_ROOTS allows folders")
        return open_source(place, roots=self._roots)
