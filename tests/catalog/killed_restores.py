"""Restores a backup in processes that are killed, each at another statement; prints how many there were.

BACKUP FOLDER: process n restores into n.duckdb, and is killed before its statement n.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from exr_inspector.catalog.backup import restore
from exr_inspector.catalog.duckdb import statements, whole_tables


def main() -> None:
    backup, folder = sys.argv[1], Path(sys.argv[2])
    for number in count(1):
        process = os.fork()
        if process == 0:
            left = [number]

            def run_or_die(*arguments):
                left[0] -= 1  # noqa: B023
                if not left[0]:  # noqa: B023
                    os.kill(os.getpid(), signal.SIGKILL)
                return statements.run(*arguments)

            whole_tables.run = run_or_die
            restore(backup, f"duckdb:{folder}/{number}.duckdb")
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if status == 0:
            print(number)
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


if __name__ == "__main__":
    main()
