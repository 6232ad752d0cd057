"""Locks of the DuckDB files that this process has open."""

from __future__ import annotations

import threading
from pathlib import Path

# Two catalogs of a process on one file share a database of DuckDB, so they share its lock.
_LOCKS: dict[str, threading.RLock] = {}


def lock_of(path: Path) -> threading.RLock:
    """The lock of a file: for its transactions, and while it is opened or migrated."""
    return _LOCKS.setdefault(str(path.resolve()), threading.RLock())
