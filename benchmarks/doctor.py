"""The time of `doctor` on a DuckDB catalog, by check.

    python -m benchmarks.doctor [--files N] [--deep]

The files are those of `benchmarks.catalog`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from benchmarks.catalog import fill
from exr_inspector.doctor import Status, Target, diagnose


def main() -> None:
    """Print the seconds of each check that takes a hundredth, and of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--deep", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.duckdb"
        fill(path, arguments.files)
        began = last = time.perf_counter()
        checks = 0
        for check in diagnose(Target(uri=f"duckdb:{path}", uri_source="--catalog", deep=arguments.deep)):
            now = time.perf_counter()
            if now - last >= 0.01:
                print(f"{now - last:6.2f} s  {check.name}")
            assert check.status is Status.OK, check
            last, checks = now, checks + 1
        print(f"{last - began:6.2f} s  all {checks} checks, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
