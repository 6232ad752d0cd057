"""Paths that were just written, until somebody has looked whether another writer did the same."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from ...errors import CatalogConnectionError

log = logging.getLogger(__name__)

SECONDS_BEFORE_LOOK = 0.5  # in which the next persist looks in passing
_PATHS_IN_PASSING = 500
_STRIPES = 256


class Pending:
    """Collects paths, and calls `look` with them from a thread of its own a moment later."""

    def __init__(self, look: Callable[[set[str], set[str]], None]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._files: set[str] = set()
        self._errors: set[str] = set()
        self._timer: threading.Timer | None = None

    def add(self, *, files: Iterable[str] = (), errors: Iterable[str] = ()) -> None:
        """Paths of which rows were inserted, to be looked at soon."""
        with self._lock:
            self._files.update(files)
            self._errors.update(errors)
            if self._timer is None and (self._files or self._errors):
                # No daemon: the interpreter would end in the middle of what it does in Arrow's code, and crash.
                self._timer = threading.Timer(SECONDS_BEFORE_LOOK, self._on_time)
                self._timer.start()

    def in_passing(self) -> set[str]:
        """Some of the files: what asks for versions anyway asks for theirs, too."""
        with self._lock:
            return set(list(self._files)[:_PATHS_IN_PASSING])

    def settled(self, files: set[str]) -> None:
        """These were looked at, in a transaction that began after they were added."""
        with self._lock:
            self._files -= files

    def settle_now(self) -> None:
        """Look at all that is left, or wait until the thread that does so is done.

        Raises what `look` raises; then they are still there.
        """
        with self._looking:
            with self._lock:
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
                files, errors = self._files, self._errors
                self._files, self._errors = set(), set()
            try:
                if files or errors:
                    self._look(files, errors)
            except BaseException:
                with self._lock:
                    self._files |= files
                    self._errors |= errors
                raise

    def _on_time(self) -> None:
        if not threading.main_thread().is_alive():
            return  # the process ends, and no thread can be started that would wait for an answer
        try:
            self.settle_now()
        except Exception as problem:  # a thread of ours must not end with a traceback on stderr
            if threading.main_thread().is_alive():
                log.warning("whether others stored the same is looked at after the next persist: %s", problem)


class PathLocks:
    """Lets one thread of this process at a time write a path: they would only get in each other's way."""

    def __init__(self) -> None:
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    @contextmanager
    def hold(self, paths: Iterable[str], seconds: float) -> Iterator[None]:
        """Raises CatalogConnectionError when others have not finished in `seconds`."""
        held: list[threading.Lock] = []
        try:
            for stripe in sorted({hash(path) % _STRIPES for path in paths}):  # in one order: nobody waits in a circle
                if not self._stripes[stripe].acquire(timeout=max(seconds, 0)):
                    raise CatalogConnectionError("other threads still persist the same paths; nothing was stored")
                held.append(self._stripes[stripe])
            yield
        finally:
            with suppress(RuntimeError):
                for lock in held:
                    lock.release()
