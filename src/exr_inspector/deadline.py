"""The caller's time limit, which catalogs and object stores keep, and retries that stop at it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    import tenacity
    from tenacity.wait import WaitBaseT

P = ParamSpec("P")
T = TypeVar("T")

_ends: ContextVar[float] = ContextVar("ends", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit catalog and store operations to `seconds` in this block and thread: they finish or fail in that time."""
    token = _ends.set(min(_ends.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float:
    """The remaining seconds of the limit; infinity without a limit."""
    return _ends.get() - time.monotonic()


class Retry(Protocol):
    """Calls a function, and again after transient errors. Raises its last error unchanged."""

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the function."""


def retrying(
    is_transient: Callable[[BaseException], bool],
    *,
    attempts: float = 3,
    wait: WaitBaseT | None = None,
    left: Callable[[], float] = seconds_left,
) -> Retry:
    """Retries of a call: `retrying(…)(function, *arguments)` returns its result or raises the last error unchanged.

    `attempts` counts the first call. `wait` is a strategy of tenacity; none waits.
    No retry starts when `left` seconds are used up; pass a function that subtracts the time that an attempt may need.
    """

    def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)  # usually without tenacity, which takes longer than parsing a header
        except BaseException as error:
            if not is_transient(error):
                raise
            first = [error]

        def attempt() -> T:
            if first:
                raise first.pop()
            return function(*args, **kwargs)

        return _retries(is_transient, attempts, wait, left)(attempt)

    return call


def _retries(
    is_transient: Callable[[BaseException], bool],
    attempts: float,
    wait: WaitBaseT | None,
    left: Callable[[], float],
) -> tenacity.Retrying:
    import tenacity  # takes 30 ms to import

    def stop(state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= attempts or left() <= 0

    strategy = wait or tenacity.wait_none()
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=stop,
        wait=lambda state: min(strategy(state), max(left(), 0)),
        reraise=True,
    )
