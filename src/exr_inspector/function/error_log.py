"""Log lines as `key=value` text, and at most one ERROR line per minute for each error that fails every event."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ExrInspectorError, SourceError, UnusablePolicyError
from .errors import category, is_misconfiguration, is_retryable, message

log = logging.getLogger(__name__)

INTERVAL_S = 60.0
_MAX_VALUE_LENGTH = 4096  # characters, the longest path
_MAX_CAUSES, _MAX_CAUSE_LENGTH = 256, 500  # that are remembered, and characters of one

_Cause = tuple[str, bool, str]


class ErrorLog:
    """Logs errors. Transient errors and those of configuration and policies appear once per interval and cause.

    A cause is a category, separate for storage and for everything else; of policies also the message, as each event may
    have its own. Repetitions are logged at DEBUG; the next ERROR line has their number. Errors of one file always
    appear.
    """

    def __init__(self, *, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s, self._clock = interval_s, clock
        self._lock = threading.Lock()
        self._logged_at: OrderedDict[_Cause, float] = OrderedDict()
        self._repeated: dict[_Cause, int] = {}

    def log(self, error: Exception, **fields: str) -> None:
        """Log an error after the `fields`; errors of other packages with their traceback."""
        repeated = self._repetitions(error) if _concerns_every_event(error) else 0
        level = logging.DEBUG if repeated is None else logging.ERROR
        line = {**fields, "category": category(error), "error": message(error), "repeated": repeated or ""}
        log_fields(log, level, line, exc_info=None if isinstance(error, ExrInspectorError) else error)

    def reset(self) -> None:
        """Forget the causes that were logged."""
        with self._lock:
            self._logged_at.clear()
            self._repeated.clear()

    def _repetitions(self, error: Exception) -> int | None:
        """The number of repetitions since the last ERROR line of this cause; None for another repetition."""
        cause, now = _cause(error), self._clock()
        with self._lock:
            if cause in self._logged_at and now - self._logged_at[cause] < self._interval_s:
                self._repeated[cause] = self._repeated.get(cause, 0) + 1
                return None
            self._logged_at[cause] = now
            self._logged_at.move_to_end(cause)
            if len(self._logged_at) > _MAX_CAUSES:
                oldest, _ = self._logged_at.popitem(last=False)
                self._repeated.pop(oldest, None)
            return self._repeated.pop(cause, 0)


def log_fields(
    logger: logging.Logger, level: int, line: Mapping[str, Any], exc_info: BaseException | None = None
) -> None:
    """Log the values as `key=value`, but for None and empty text; formatters find them in `fields` of the record."""
    if logger.isEnabledFor(level):
        fields = {name: _limited(value) for name, value in line.items() if value not in (None, "")}
        text = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        logger.log(level, "%s", text, exc_info=exc_info, extra={"fields": fields})


def _concerns_every_event(error: Exception) -> bool:
    return is_retryable(error) or is_misconfiguration(error) or category(error) == UnusablePolicyError.category


def _cause(error: Exception) -> _Cause:
    text = message(error)[:_MAX_CAUSE_LENGTH] if category(error) == UnusablePolicyError.category else ""
    return category(error), isinstance(error, SourceError), text


def _quoted(value: Any) -> str:
    """The value on one line: control characters are escaped."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    is_plain = text.isascii() and text.isprintable() and not set(text) & {" ", '"', "="}
    return text if is_plain else json.dumps(text)


def _limited(value: Any) -> Any:
    """The value; text is cut to a maximum length."""
    if isinstance(value, str) and len(value) > _MAX_VALUE_LENGTH:
        return f"{value[:_MAX_VALUE_LENGTH]} and {len(value) - _MAX_VALUE_LENGTH} more characters"
    return value
