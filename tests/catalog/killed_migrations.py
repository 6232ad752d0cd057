"""Migrates copies of a catalog in processes that are killed, each at another statement; prints how many there were.

FILE FOLDER: process n is killed before its statement n; process 0 before its copy is complete.
"""

import os
import shutil
import sys
from functools import cache
from itertools import count
from pathlib import Path

from exr_inspector.catalog.duckdb import errors, migrate
from exr_inspector.catalog.migrations import MIGRATIONS
from tests.catalog.killing import die, until_one_ends


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


def main() -> None:
    source, folder = map(Path, sys.argv[1:])
    connect = errors.connect
    # The same times in all processes: files are equal up to the statement that changes them.
    migrate.version_row = cache(migrate.version_row)
    for each in MIGRATIONS:
        migrate.version_row(each.version, each.readable_since)

    def killed(number):
        path = folder / f"{number}.duckdb"
        shutil.copy(source, path)
        if number == 0:
            os.fsync = die
        errors.connect = lambda *given, **options: Dying(connect(*given, **options), number)
        migrate.migrate(path, f"duckdb:{path}")

    print(until_one_ends(count(), killed))


if __name__ == "__main__":
    main()
