"""Locks of DuckDB files: those of the files that this process has open, and waiting for those of others."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

from ...deadline import Retry, retrying, seconds_left
from ...errors import CatalogLockedError

# Two catalogs of a process on one file share a database of DuckDB, so they share its lock.
_LOCKS: dict[str, threading.RLock] = {}


def lock_of(path: Path) -> threading.RLock:
    """The lock of a file: for its transactions, and while it is opened or migrated."""
    return _LOCKS.setdefault(str(path.resolve()), threading.RLock())


def while_locked(wait_s: float) -> Retry:
    """Retries of a call for `wait_s` seconds, or the caller's time limit, while another process has the file open."""
    import tenacity  # takes 30 ms to import

    ends = time.monotonic() + min(wait_s, seconds_left())
    return retrying(
        lambda error: isinstance(error, CatalogLockedError),
        attempts=math.inf,
        wait=tenacity.wait_random(0.02, 0.2),
        left=lambda: ends - time.monotonic(),
    )
