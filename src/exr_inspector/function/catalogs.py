"""Open catalogs, shared by all threads and kept between events."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from ..catalog import open_catalog
from ..deadline import retrying, seconds_left
from ..errors import CatalogConnectionError, CatalogLockedError
from .credentials import Target
from .group_commit import GroupCommit

_MAX_OPEN = 16
_ATTEMPTS_LOCKED = 4  # to open a DuckDB file that another process has open


class Catalogs:
    """Opens each catalog once. VAST catalogs stay open; a DuckDB file is closed as soon as no thread uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[Target, threading.Lock] = {}
        self._open: OrderedDict[Target, GroupCommit] = OrderedDict()
        self._users: dict[Target, int] = {}

    @contextmanager
    def use(self, target: Target) -> Iterator[GroupCommit]:
        """The open catalog of a target. Raises CatalogError if it cannot be opened within the time limit."""
        with self._lock:
            opening = self._opening.setdefault(target, threading.Lock())
            self._users[target] = self._users.get(target, 0) + 1
        try:
            yield self._opened(target, opening)
        finally:
            self._release(target)

    def forget(self, target: Target) -> None:
        """Open the catalog again at its next use; an open one would not show whether the configuration is correct."""
        if target.connection is not None:
            with self._lock:
                self._open.pop(target, None)

    def close(self) -> None:
        """Close all catalogs; they are opened again at their next use."""
        with self._lock:
            opened = list(self._open.values())
            self._open.clear()
        for shared in opened:
            shared.catalog.close()

    def _opened(self, target: Target, opening: threading.Lock) -> GroupCommit:
        with self._lock:
            if (shared := self._open.get(target)) is not None:
                self._open.move_to_end(target)
                return shared
        # One thread opens the catalog; the others wait, at most until their time limit.
        if not opening.acquire(timeout=min(max(seconds_left(), 0), threading.TIMEOUT_MAX)):
            raise CatalogConnectionError(f"{target.uri}: another thread is still opening the catalog")
        try:
            with self._lock:
                if (shared := self._open.get(target)) is not None:
                    return shared
            shared = _open(target)
            with self._lock:
                self._open[target] = shared
                if len(self._open) > _MAX_OPEN:  # not closed: another thread may still use it
                    self._open.popitem(last=False)
            return shared
        finally:
            opening.release()

    def _release(self, target: Target) -> None:
        with self._lock:
            self._users[target] -= 1
            if self._users[target]:
                return
            del self._users[target]
            self._opening.pop(target, None)
            shared = self._open.pop(target, None) if target.connection is None else None
        if shared is not None:
            shared.catalog.close()


def _open(target: Target) -> GroupCommit:
    """Open a catalog; retries while another process has the DuckDB file open."""
    import tenacity  # takes 30 ms to import

    retry = retrying(
        lambda error: isinstance(error, CatalogLockedError),
        attempts=_ATTEMPTS_LOCKED,
        wait=tenacity.wait_exponential(multiplier=0.15, exp_base=3) + tenacity.wait_random(0, 0.15),
    )
    return GroupCommit(retry(open_catalog, target.uri, connection=target.connection))
