"""Readiness: the settings are valid, and the configured catalog has been opened."""

from __future__ import annotations

import logging
import threading
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from ..deadline import time_limit
from ..errors import CatalogError
from ..settings import FunctionSettings, function_settings, settings
from . import credentials
from .catalogs import Catalogs
from .credentials import Target
from .error_log import ErrorLog
from .errors import category
from .policies import assignments

log = logging.getLogger(__name__)

# Errors after which an opened catalog is no longer ready. A database outage is not among them: it would take all
# instances out of service at once.
_BLOCKING = frozenset({"authentication", "settings", "schema"})


class NotOpenedError(CatalogError):
    """The catalog has not been opened yet."""


class Readiness:
    """The state of the configured catalog; thread-safe."""

    def __init__(self, catalogs: Catalogs, errors: ErrorLog) -> None:
        self._catalogs, self._errors = catalogs, errors
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._error: Exception | None = None
        self._last_error: Exception | None = None  # of the last use, even if it does not affect the readiness

    def error(self, ctx: Any) -> Exception | None:
        """The error that keeps the function from being ready; None if it is ready. Sends no request."""
        try:
            values = function_settings()
            assignments(values.policy)
            target = _configured_target(ctx, values)
        except Exception as error:
            return error
        return None if target is None else self._watched_error(target)

    def last_error(self, ctx: Any) -> Exception | None:
        """The error of the last use of the catalog, or why it is not ready; None if it was used successfully."""
        error = self.error(ctx)
        with self._lock:
            return error or self._last_error

    def has_catalog(self, ctx: Any) -> bool:
        """Whether a catalog is configured, or meant to be."""
        try:
            return _configured_target(ctx, function_settings()) is not None
        except Exception:
            return True

    def open(self, ctx: Any) -> None:
        """Open the configured catalog. Raises nothing: `error` returns the result."""
        target = None
        try:
            values = function_settings()
            assignments(values.policy)
            target = _configured_target(ctx, values)
            if target is None:
                log.info("ready: no catalog is configured, nothing is persisted")
                return
            if self.last_error(ctx) is not None:
                self._catalogs.forget(target)  # an open one would not show whether the database is back
            with time_limit(values.deadline_s), self._catalogs.use(target):
                self.record(target, None)
            log.info("ready: results are persisted in %s%s", _described(target), _store_key(ctx, values))
        except Exception as error:
            if target is not None:
                self.record(target, error)
            self._errors.log(error, status="not ready")

    def record(self, target: Target, error: Exception | None) -> None:
        """Record the result of using a catalog; ignored unless it is the configured one."""
        with self._lock:
            if target != self._target:
                return
            self._last_error = error
            if error is None or self._error is not None or category(error) in _BLOCKING:
                self._error = error

    def reset(self) -> None:
        """Return to the state before the catalog was opened."""
        with self._lock:
            self._target = self._last_error = None

    def _watched_error(self, target: Target) -> Exception | None:
        """The recorded error of a catalog. A new target replaces the recorded one, and has not been opened yet."""
        with self._lock:
            if target != self._target:
                self._target, self._error = target, NotOpenedError(f"{target.uri} has not been opened yet")
            return self._error


def _described(target: Target) -> str:
    """The catalog, its endpoint, and a fingerprint of the access key, which shows whether a rotation took effect."""
    if target.connection is None:
        return target.uri
    digits = _digits(target.connection.access_key)
    return f"{target.uri} at {target.connection.endpoint}, access key with SHA-256 …{digits}"


def _store_key(ctx: Any, values: FunctionSettings) -> str:
    """The fingerprint of the access key of the object store, if there is one."""
    access = credentials.store(ctx, values)
    return f"; access key of the object store with SHA-256 …{_digits(access.access_key)}" if access.access_key else ""


def _digits(key: SecretStr) -> str:
    return sha256(key.get_secret_value().encode()).hexdigest()[-4:]


def _configured_target(ctx: Any, values: FunctionSettings) -> Target | None:
    """The catalog of events that do not name a database. Raises SettingsError for any invalid setting."""
    settings()
    credentials.store(ctx, values)
    return credentials.target(ctx, {}, values, is_delivered=True)
