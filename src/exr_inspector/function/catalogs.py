"""Catalogs that are kept between events, for any number of threads."""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..catalog import Catalog
from ..deadline import seconds_left
from ..environment import open_catalog
from ..errors import CatalogConnectionError, CatalogLockedError
from .credentials import Target

_Result = TypeVar("_Result")

_KEPT = 16
_LOCKED_RETRIES = 3


class Catalogs:
    """Opens each catalog once. One in a VAST Database stays open; a DuckDB file is given back when nobody uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opening: dict[Target, threading.Lock] = {}
        self._open: OrderedDict[Target, Catalog] = OrderedDict()
        self._users: dict[Target, int] = {}

    @contextmanager
    def use(self, target: Target) -> Iterator[Catalog]:
        """The catalog of a target. Raises CatalogError where it cannot be opened within the time limit."""
        with self._lock:
            opening = self._opening.setdefault(target, threading.Lock())
            self._users[target] = self._users.get(target, 0) + 1
        try:
            yield self._opened(target, opening)
        finally:
            self._done(target)

    def forget(self, target: Target) -> None:
        """Open the catalog anew when it is next used: one that stays open would not show whether it can be opened."""
        if target.connection is not None:
            with self._lock:
                self._open.pop(target, None)

    def close(self) -> None:
        """Close all of them; they are opened again when they are needed."""
        with self._lock:
            catalogs = list(self._open.values())
            self._open.clear()
        for catalog in catalogs:
            catalog.close()

    def _opened(self, target: Target, opening: threading.Lock) -> Catalog:
        with self._lock:
            if (catalog := self._open.get(target)) is not None:
                self._open.move_to_end(target)
                return catalog
        # One thread opens it, and the others wait, but none beyond its time.
        if not opening.acquire(timeout=min(max(seconds_left(), 0), threading.TIMEOUT_MAX)):
            raise CatalogConnectionError(f"{target.uri}: other threads are still opening it")
        try:
            with self._lock:
                if (catalog := self._open.get(target)) is not None:
                    return catalog
            catalog = _unlocked(lambda: open_catalog(target.uri, connection=target.connection))
            with self._lock:
                self._open[target] = catalog
                if len(self._open) > _KEPT:  # somebody may use it still: it ends with its last user
                    self._open.popitem(last=False)
            return catalog
        finally:
            opening.release()

    def _done(self, target: Target) -> None:
        with self._lock:
            self._users[target] -= 1
            if self._users[target]:
                return
            del self._users[target]
            self._opening.pop(target, None)
            catalog = self._open.pop(target, None) if target.connection is None else None
        if catalog is not None:
            catalog.close()


def _unlocked(work: Callable[[], _Result]) -> _Result:
    """What `work` gives, tried again while another process has a DuckDB file, and the time limit allows."""
    pause = 0.2
    for _ in range(_LOCKED_RETRIES):
        try:
            return work()
        except CatalogLockedError:
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries)
            if seconds_left() < wait:
                raise
            time.sleep(wait)
            pause *= 3
    return work()
