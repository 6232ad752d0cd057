"""Lookups and lists in a DuckDB catalog of many files.

    python -m benchmarks.catalog [--files 100000] [--catalog PATH.duckdb]

The files are copies of the rows of a sequence of 100 frames, in batches of 1,000 files like those of `ingest`. A
catalog that exists is used as it is. Times are the shortest of five, and the median for lookups of many files.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.catalog.derived import DERIVED
from exr_inspector.catalog.schema import CHILD_TABLES
from exr_inspector.defaults import PATH_TEMPLATE
from exr_inspector.sequence import derived
from exr_inspector.sources.memory import MemorySource
from tests.support.small_exr import FRAMES_PER_SEQUENCE, small_file

SHOT = "sh00000"
PATH = f"s3://renders/harbor/sq010/{SHOT}/lighting/beauty/beauty.{{}}.exr"
ATTRIBUTES = 37
SEQUENCES_PER_BATCH = 200
LOOKUPS = 300


def fill(path: Path, files: int) -> None:
    """Persist the frames of one sequence, and copy their rows for the others."""
    with open_catalog(path) as catalog:
        for frame in range(FRAMES_PER_SEQUENCE):
            data = small_file(frame, multipart=False, attribute_count=ATTRIBUTES)
            catalog.persist([inspect(MemorySource(data, PATH.format(1001 + frame)))])
    with duckdb.connect(str(path)) as database:
        (first,) = database.execute("SELECT min(batch_id) FROM files").fetchall()[0]
        database.execute("CREATE TEMP TABLE renumbered AS SELECT file_id, frame_number - 1001 AS row FROM files")
        for table in ("files", *CHILD_TABLES):
            update = f"UPDATE {table} SET batch_id = {first} + row FROM renumbered r WHERE r.file_id = {table}.file_id"
            database.execute(update).fetchall()
        for start in range(1, files // FRAMES_PER_SEQUENCE, SEQUENCES_PER_BATCH):
            end = min(start + SEQUENCES_PER_BATCH, files // FRAMES_PER_SEQUENCE)
            database.execute("BEGIN").fetchall()
            for table in ("files", *CHILD_TABLES):
                database.execute(_copy(database, table, range(start, end), first)).fetchall()
            database.execute("COMMIT").fetchall()


def _copy(database: duckdb.DuckDBPyConnection, table: str, sequences: range, first: int) -> str:
    """The statement that copies the rows of the first sequence for others, in the order of their files."""
    columns = [name for name, *_ in database.execute(f"DESCRIBE {table}").fetchall()]
    moved = f"replace({{}}, '{SHOT}', printf('sh%05d', i))"
    given = {name: moved.format(name) for name in ("file_path", "file_path_normalized", "sequence")}
    given |= {"file_id": "md5(file_id || i)", "batch_id": f"batch_id + {FRAMES_PER_SEQUENCE} * i"}
    shown = ", ".join(f"{sql} AS {name}" for name, sql in given.items() if name in columns)
    others = f"range({sequences.start}, {sequences.stop}) AS others(i)"
    copied = f"SELECT {table}.* REPLACE ({shown}) FROM {table}, {others} WHERE batch_id < {first + FRAMES_PER_SEQUENCE}"
    return f"INSERT INTO {table} FROM ({copied}) ORDER BY batch_id"


def measured(work: Callable[[], Any]) -> str:
    """The shortest time of five runs."""
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return f"{1000 * min(seconds):9.1f} ms"


def median_of_lookups(catalog: Catalog, paths: list[str]) -> str:
    """The median time of a lookup in the second of two passes over files in any order."""
    random.Random(1).shuffle(paths)
    seconds = []
    for path in [*paths, *paths]:
        began = time.perf_counter()
        catalog.rows_of(path)
        seconds.append(time.perf_counter() - began)
    return f"{1000 * statistics.median(seconds[len(paths) :]):9.1f} ms"


def report(catalog: Catalog, files: int) -> None:
    """Print a line for each lookup and list."""
    shot = f"sh{files // FRAMES_PER_SEQUENCE // 2:05}"
    path = PATH.replace(SHOT, shot).format(1050)
    rows = catalog.rows_of(path)
    file_id = rows["files"]["file_id"][0].as_py()
    print(f"all rows of a file ({sum(map(len, rows.values()))})    {measured(lambda: catalog.rows_of(path))}")
    sample = catalog.sql(f"SELECT file_path_normalized FROM files USING SAMPLE {LOOKUPS} (reservoir, 1)")
    print(f"the same, of {LOOKUPS} files     {median_of_lookups(catalog, sample['file_path_normalized'].to_pylist())}")
    for table in ("channels", "attributes"):
        query = f"SELECT * FROM {table} WHERE file_id = ?"
        print(f"{table} by file_id only        {measured(lambda query=query: catalog.sql(query, [file_id]))}")
    for name in DERIVED:
        query = f"SELECT * FROM {name}"
        print(f"{name:<28} {measured(lambda query=query: catalog.sql(query))} {catalog.sql(query).num_rows:,} rows")


def main() -> None:
    """Fill a catalog and print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--catalog", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.catalog or Path(folder, "catalog.duckdb")
        if not path.exists():
            fill(path, options.files)
        print(f"{options.files:,} files, {path.stat().st_size / 1e6:,.0f} MB")
        with open_catalog(path) as catalog:
            began = time.perf_counter()
            derived.refresh(catalog, PATH_TEMPLATE, rebuild=True)
            print(f"refresh, all                 {1000 * (time.perf_counter() - began):9.1f} ms")
            shot = [PATH.format(1001 + frame) for frame in range(FRAMES_PER_SEQUENCE)]
            catalog.mark_deleted(shot)
            began = time.perf_counter()
            derived.refresh(catalog, PATH_TEMPLATE)
            print(f"refresh, 100 files deleted   {1000 * (time.perf_counter() - began):9.1f} ms")
        with open_catalog(path, read_only=True) as catalog:
            report(catalog, options.files)


if __name__ == "__main__":
    main()
