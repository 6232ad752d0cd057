"""Runs work in processes that are killed, each at another statement."""

import os
import signal
from collections.abc import Callable, Iterable


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def until_one_ends(numbers: Iterable[int], work: Callable[[int], None]) -> int:
    """The first number whose process ends by itself; `work` kills those before."""
    for number in numbers:
        process = os.fork()
        if process == 0:
            work(number)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status == 0:
            return number
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError("all processes were killed")
