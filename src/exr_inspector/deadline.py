"""How long the caller can wait: a limit that catalogs and object stores keep, whatever is between it and them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Inside the block, and in this thread, what is asked of a catalog or store is done or has failed in `seconds`."""
    token = _ends.set(min(_ends.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float:
    """What is left of the limit; infinity without one."""
    return _ends.get() - time.monotonic()
