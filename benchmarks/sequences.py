"""Time and number of queries of `sequences` and `outliers`, on DuckDB and on a VAST Database.

    python -m benchmarks.sequences [--vast]

Sound sequences have frames with equal structure hashes; in drifting ones each frame has another hash, and one frame
another compression. The VAST Database is the emulator of the tests in a separate process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.vast import connect, emulator
from exr_inspector import inspect, open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.sequence.outliers import outliers
from exr_inspector.sequence.summary import sequences
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w

FIRST = "sh00000"
ATTRIBUTES = [w.text(f"studio/note{index}", f"text {index}") for index in range(20)]


def frame(number: int, drifting: bool, sequence: str = FIRST) -> Any:
    """The inspection of a frame."""
    take = [w.fixed("take", "int", number)] if drifting else []
    part = w.part(compression=3 if drifting and number == 3 else 0, extra=[*ATTRIBUTES, *take])
    return inspect(MemorySource(w.build(part).data, f"s3://renders/harbor/{sequence}/beauty.{1000 + number}.exr"))


def fill(path: Path, count: int, frames: int, drifting: bool) -> None:
    """Persist the frames of one sequence, and copy their rows for the others."""
    with open_catalog(f"duckdb:{path}") as catalog:
        catalog.persist([frame(number, drifting) for number in range(1, frames + 1)])
    with duckdb.connect(str(path)) as database:
        copied = f"replace({{}}, '{FIRST}', printf('sh%05d', i))"
        paths = {name: copied.format(name) for name in ("file_path", "file_path_normalized", "sequence")}
        for table in ("files", "parts", "channels", "attributes"):
            columns = [name for name, *_ in database.execute(f"DESCRIBE {table}").fetchall()]
            replaced = {"file_id": "md5(file_id || i)"} | {name: sql for name, sql in paths.items() if name in columns}
            given = ", ".join(f"{sql} AS {name}" for name, sql in replaced.items())
            database.execute(
                f"INSERT INTO {table} BY NAME "
                f"SELECT {table}.* REPLACE ({given}) FROM {table}, range(1, {count}) AS others(i)"
            ).fetchall()


def measured(catalog: Catalog, work: Callable[[Catalog], Iterable[object]]) -> str:
    """The shortest time of three runs, the number of queries and of results."""
    queries, sql, seconds = 0, catalog.sql, []

    def counting(*arguments: Any) -> Any:
        nonlocal queries
        queries += 1
        return sql(*arguments)

    catalog.sql = counting  # type: ignore[method-assign]
    for _ in range(3):
        queries, began = 0, time.perf_counter()
        results = len(list(work(catalog)))
        seconds.append(time.perf_counter() - began)
    catalog.sql = sql  # type: ignore[method-assign]
    return f"{min(seconds):6.2f} s {queries:5} queries {results:5} results"


def report(name: str, catalog: Catalog) -> None:
    print(f"{name:42} sequences {measured(catalog, sequences)}", flush=True)
    print(f"{name:42} outliers  {measured(catalog, outliers)}", flush=True)


def main() -> None:
    """Print a line for each catalog and command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vast", action="store_true", help="also on a VAST Database, with fewer files")
    on_vast = parser.parse_args().vast
    for count, frames, drifting in ((1200, 10, True), (1000, 100, False), (1000, 100, True)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "catalog.duckdb")
            fill(path, count, frames, drifting)
            name = f"{count} {'drifting' if drifting else 'sound'} sequences of {frames} frames"
            with open_catalog(f"duckdb:{path}", read_only=True) as catalog:
                report(name, catalog)
    if on_vast:
        with emulator() as url, connect(url, "sequences") as catalog:
            for index in range(120):
                catalog.persist([frame(number, True, f"sh{index:05}") for number in range(1, 11)])
            report("VAST: 120 drifting sequences of 10 frames", catalog)


if __name__ == "__main__":
    main()
