"""The time of `doctor` on a DuckDB catalog, by check.

    python -m benchmarks.doctor [--files N] [--deep]

A thousand files of `benchmarks.catalog_size`, and copies of their rows with other paths and file_ids.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.catalog_size import fill
from exr_inspector.catalog.schema import CHILD_TABLES, TABLES
from exr_inspector.doctor import Status, Target, diagnose

FILES = 1000
COPIED = {
    "file_id": "file_id || '-' || copy",
    **{
        column: f"replace({column}, 'harbor', 'harbor' || copy)"
        for column in ("file_path", "file_path_normalized", "sequence")
    },
}


def multiply(path: Path, copies: int) -> None:
    """Add copies of all files to a catalog."""
    with duckdb.connect(str(path)) as catalog:
        for table in ("files", *CHILD_TABLES):
            changed = [f"{COPIED[name]} AS {name}" for name in TABLES[table].names if name in COPIED]
            rows = f"SELECT {table}.* REPLACE ({', '.join(changed)}) FROM {table}, range(1, ?) AS copies(copy)"
            catalog.execute(f"INSERT INTO {table} {rows}", [copies]).fetchall()


def main() -> None:
    """Print the seconds of each check that takes a hundredth, and of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--deep", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.duckdb"
        fill(path, FILES)
        multiply(path, arguments.files // FILES)
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
