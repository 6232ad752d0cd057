"""Log lines of events: `key=value` text, and no more than one ERROR line a minute for what fails every event."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ExrInspectorError, SourceError
from .stages import category, is_misconfiguration, is_retryable, text

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
_MAX_VALUE_LENGTH = 4096  # characters: as long as a path may be


class ErrorLog:
    """Logs errors. Transient errors and errors of the configuration appear at ERROR once per interval and cause.

    A cause is a category, of the files' sources or of the rest.

    Repetitions in between are logged at DEBUG; the next ERROR line has their number. Errors of one file always appear.
    """

    def __init__(self, *, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s, self._clock = interval_s, clock
        self._lock = threading.Lock()
        self._logged_at: dict[tuple[str, bool], float] = {}
        self._repeated: dict[tuple[str, bool], int] = {}

    def log(self, error: Exception, **fields: str) -> None:
        """Log an error, `fields` before it; with a traceback where it is not one of this package."""
        repeated = self._repetitions(error) if is_retryable(error) or is_misconfiguration(error) else 0
        level = logging.DEBUG if repeated is None else logging.ERROR
        line = {**fields, "category": category(error), "error": text(error), "repeated": repeated or ""}
        log.log(level, "%s", pairs(line), exc_info=None if isinstance(error, ExrInspectorError) else error)

    def reset(self) -> None:
        """Log each cause again."""
        with self._lock:
            self._logged_at.clear()
            self._repeated.clear()

    def _repetitions(self, error: Exception) -> int | None:
        """How often the cause was left out since its last line; None when it is left out again."""
        cause, now = (category(error), isinstance(error, SourceError)), self._clock()
        with self._lock:
            if cause in self._logged_at and now - self._logged_at[cause] < self._interval_s:
                self._repeated[cause] = self._repeated.get(cause, 0) + 1
                return None
            self._logged_at[cause] = now
            return self._repeated.pop(cause, 0)


def pairs(line: Mapping[str, Any]) -> str:
    """The values as `key=value`, without those that are missing."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in line.items() if value not in (None, ""))


def _quoted(value: Any) -> str:
    """A value on one line: what could end it, or steer a terminal, is escaped; what is longer than a path is cut."""
    if isinstance(value, bool):
        return str(value).lower()
    words = str(value)
    if len(words) > _MAX_VALUE_LENGTH:
        words = f"{words[:_MAX_VALUE_LENGTH]} and {len(words) - _MAX_VALUE_LENGTH} characters more"
    plain = words.isascii() and words.isprintable() and not set(words) & {" ", '"', "="}
    return words if plain else json.dumps(words)
