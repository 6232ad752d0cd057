"""Migrates copies of a catalog in processes that are killed, each at another statement; prints how many there were.

FILE FOLDER: process n is killed before its statement n; process 0 before its copy is complete.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from exr_inspector.catalog.duckdb import errors, migrate


class Dying:
    """A connection that kills this process before one of its statements."""

    def __init__(self, connection, left):
        self._connection, self._left = connection, left

    def execute(self, *arguments):
        self._left -= 1
        if not self._left:
            die()
        return self._connection.execute(*arguments)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    source, folder = map(Path, sys.argv[1:])
    connect = errors.connect
    for number in count():
        path = folder / f"{number}.duckdb"
        shutil.copy(source, path)
        process = os.fork()
        if process == 0:
            if number == 0:
                os.fsync = die
            errors.connect = lambda *given, **options: Dying(connect(*given, **options), number)  # noqa: B023
            migrate.migrate(path, f"duckdb:{path}")
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status == 0:
            print(number)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    main()
