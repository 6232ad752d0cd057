"""Coordinates the writers of a process: one per path at a time, and deduplication shortly after each commit."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from ...errors import CatalogConnectionError

log = logging.getLogger(__name__)

DELAY_S = 0.5  # in which the next persist may deduplicate these paths without requests of its own
_PATHS_PER_PERSIST = 500
_STRIPES = 256


class DeduplicationQueue:
    """Paths that were just written, until `deduplicate` is called with them from a thread, a moment later."""

    def __init__(self, deduplicate: Callable[[set[str], set[str]], None]) -> None:
        self._deduplicate = deduplicate
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._files: set[str] = set()
        self._errors: set[str] = set()
        self._timer: threading.Timer | None = None

    def add(self, *, files: Iterable[str] = (), errors: Iterable[str] = ()) -> None:
        """Add paths whose rows in `files` or `ingest_errors` were inserted."""
        with self._lock:
            self._files.update(files)
            self._errors.update(errors)
            if self._timer is None and (self._files or self._errors):
                # Not a daemon: the interpreter would exit while the thread is inside Arrow, and crash.
                self._timer = threading.Timer(DELAY_S, self._on_timer)
                self._timer.start()

    def some_files(self) -> set[str]:
        """Some of the paths in `files`, for a persist that selects versions anyway."""
        with self._lock:
            return set(list(self._files)[:_PATHS_PER_PERSIST])

    def remove(self, files: set[str]) -> None:
        """Remove paths found without duplicates in a transaction that began after they were added."""
        with self._lock:
            self._files -= files

    def run(self) -> None:
        """Deduplicate all paths, or wait for the thread that does so.

        Raises the errors of `deduplicate`; the paths stay in the queue then.
        """
        with self._running:
            with self._lock:
                if self._timer is not None:
                    self._timer.cancel()
                    self._timer = None
                files, errors = self._files, self._errors
                self._files, self._errors = set(), set()
            try:
                if files or errors:
                    self._deduplicate(files, errors)
            except BaseException:
                with self._lock:
                    self._files |= files
                    self._errors |= errors
                raise

    def _on_timer(self) -> None:
        if not threading.main_thread().is_alive():
            return  # the process is exiting, and the HTTP client can start no thread
        try:
            self.run()
        except Exception as error:  # this thread must not end with a traceback on stderr
            if threading.main_thread().is_alive():
                log.warning("deduplication failed and is repeated after the next persist: %s", error)


class PathLocks:
    """Locks on paths, which keep threads of this process from conflicts with each other."""

    def __init__(self) -> None:
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    @contextmanager
    def hold(self, paths: Iterable[str], seconds: float) -> Iterator[None]:
        """Lock the paths in this block. Raises CatalogConnectionError when that takes longer than `seconds`."""
        held: list[threading.Lock] = []
        try:
            for stripe in sorted({hash(path) % _STRIPES for path in paths}):  # one order for all: no deadlock
                if not self._stripes[stripe].acquire(timeout=max(seconds, 0)):
                    raise CatalogConnectionError("other threads still persist the same paths; nothing was stored")
                held.append(self._stripes[stripe])
            yield
        finally:
            with suppress(RuntimeError):
                for lock in held:
                    lock.release()
