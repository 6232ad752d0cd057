"""Restores a backup in processes that are killed, each at another statement; prints how many there were.

BACKUP FOLDER: process n restores into n.duckdb, and is killed before its statement n.
"""

import sys
from itertools import count
from pathlib import Path

from exr_inspector.catalog.backup import restore
from exr_inspector.catalog.duckdb import statements, whole_tables
from tests.catalog.killing import die, until_one_ends


def main() -> None:
    backup, folder = sys.argv[1], Path(sys.argv[2])

    def killed(number):
        left = [number]

        def run_or_die(*arguments):
            left[0] -= 1
            if not left[0]:
                die()
            return statements.run(*arguments)

        whole_tables.run = run_or_die
        restore(backup, f"duckdb:{folder}/{number}.duckdb")

    print(until_one_ends(count(1), killed))


if __name__ == "__main__":
    main()
