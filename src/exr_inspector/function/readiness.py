"""Whether the function can serve events: its settings are valid, and its catalog has been opened."""

from __future__ import annotations

import logging
import threading
from typing import Any

from ..deadline import time_limit
from ..errors import CatalogError
from ..settings import function_settings, settings
from . import credentials
from .catalogs import Catalogs
from .credentials import Target
from .error_log import ErrorLog
from .stages import category

log = logging.getLogger(__name__)

# Errors after which a catalog that has been opened is not ready any more. A database outage is none of them: it would
# take all instances out of service at once.
_BLOCKING = frozenset({"authentication", "settings", "schema"})


class Readiness:
    """The state of the catalog that the configuration names; any thread may use it."""

    def __init__(self, catalogs: Catalogs, errors: ErrorLog) -> None:
        self._catalogs, self._errors = catalogs, errors
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._error: Exception | None = None

    def error(self, ctx: Any) -> Exception | None:
        """Why the function is not ready; None when it is. Costs no request."""
        try:
            target = _configured_target(ctx)
        except Exception as error:
            return error
        return None if target is None else self._error_of(target)

    def open(self, ctx: Any) -> None:
        """Open the catalog. Raises nothing: `error` has the result."""
        target = None
        try:
            target = _configured_target(ctx)
            if target is None:
                log.info("ready: no catalog is configured, nothing is persisted")
                return
            self._error_of(target)
            with time_limit(function_settings().deadline_s), self._catalogs.use(target):
                self.record(target, None)
            log.info("ready: results are persisted in %s", target.uri)
        except Exception as error:
            if target is not None:
                self.record(target, error)
            self._errors.log(error, status="not ready")

    def record(self, target: Target, error: Exception | None) -> None:
        """Note how the use of a catalog ended; one that the configuration does not name changes nothing."""
        with self._lock:
            if target != self._target:
                return
            if error is None or self._error is not None or category(error) in _BLOCKING:
                self._error = error

    def reset(self) -> None:
        """Forget that the catalog has been opened."""
        with self._lock:
            self._target = None

    def _error_of(self, target: Target) -> Exception | None:
        """The error that blocks the catalog, which is the one to watch from now on."""
        with self._lock:
            if target != self._target:
                self._target, self._error = target, CatalogError(f"{target.uri} has not been opened yet")
            return self._error


def _configured_target(ctx: Any) -> Target | None:
    """The catalog of events that name none. Raises SettingsError where a setting that events need is invalid."""
    settings()
    credentials.store(ctx)
    return credentials.target(ctx, {}, is_delivered=True)
