"""Backup and restore of a DuckDB catalog of many files: seconds, megabytes, and peak memory.

    python -m benchmarks.backup [--files 100000]

The files are those of sequences of 100 frames, one in nine with two parts, with vectors whose numbers
are multiplied by noise, which does not compress.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog import load
from exr_inspector.catalog.backup import backup, check, restore
from exr_inspector.catalog.columns import typed
from exr_inspector.catalog.persistence import children_of, unique_time, with_persist_columns
from exr_inspector.catalog.rows import RowBatch, from_inspections
from exr_inspector.catalog.schema import TABLES, version_row
from exr_inspector.sources.memory import MemorySource
from tests.support.small_exr import FRAMES_PER_SEQUENCE, small_file

SHOT = "sh00000"
PATH = f"s3://renders/harbor/sq010/{SHOT}/lighting/beauty/beauty.{{}}.exr"
SEQUENCES_PER_PAGE = 20
LAYERS = ("diffuse", "specular", "transmission", "sss", "emission")


def sequence() -> RowBatch:
    """The rows of one sequence."""
    frames = range(FRAMES_PER_SEQUENCE)
    sources = [MemorySource(small_file(n, n % 9 == 0, 37), PATH.format(1001 + n)) for n in frames]
    batch = from_inspections([inspect(source) for source in sources])
    channels = batch.tables["channels"]
    index = channels.schema.get_field_index("channel_name")
    layers = [
        channels.set_column(index, "channel_name", pc.binary_join_element_wise(layer, channels["channel_name"], "."))
        for layer in LAYERS
    ]
    return RowBatch(batch.tables | {"channels": pa.concat_tables(layers)})


def pages(files: int) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a catalog of so many files."""
    batch = sequence()
    rows = with_persist_columns(batch.tables["files"], unique_time())
    tables = {"files": rows} | children_of(batch, rows, rows["file_id"])
    count = files // FRAMES_PER_SEQUENCE
    for table in tables:
        for start in range(0, count, SEQUENCES_PER_PAGE):
            copies = [copy_of(tables[table], number) for number in range(start, min(start + SEQUENCES_PER_PAGE, count))]
            yield table, typed(pa.concat_tables(copies), TABLES[table])
    yield "schema_version", version_row()


def copy_of(rows: pa.Table, number: int) -> pa.Table:
    """The rows of the sequence as those of another one."""
    random = np.random.default_rng(number)
    for index, column in enumerate(rows.schema):
        if column.name in ("file_path", "file_path_normalized", "sequence"):
            values = pc.replace_substring(rows.column(index), SHOT, f"sh{number:05}")
        elif column.name == "file_id":
            encoded = rows.column(index).combine_chunks().dictionary_encode()
            ids = [hashlib.sha256(f"{one} {number}".encode()).hexdigest() for one in encoded.dictionary.to_pylist()]
            values = pa.array(ids).take(encoded.indices)
        elif pa.types.is_fixed_size_list(column.type):
            numbers = rows.column(index).combine_chunks().flatten().to_numpy()
            noise = (numbers * random.standard_normal(len(numbers))).astype(np.float32)
            values = pa.FixedSizeListArray.from_arrays(pa.array(noise), type=column.type)
        else:
            continue
        rows = rows.set_column(index, column.name, values)
    return rows


@contextmanager
def timed(title: str, size: Callable[[], int] = lambda: 0) -> Iterator[None]:
    """Print the seconds of a block, of the clock and of the processors, and the size of what it made."""
    began, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{title:<30} {seconds:6.1f} s ({cpu:.1f} s cpu) {size() / 1e6:6.0f} MB, peak {peak:,} MiB", flush=True)


def bytes_in(folder: Path) -> int:
    """The bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir())


def persisting(uri: str, per_second: int, stop: threading.Event) -> threading.Thread:
    """A thread that persists new files at a rate."""

    def persist() -> None:
        with open_catalog(uri) as catalog:
            for number in range(1_000_000):
                if stop.wait(1 / per_second):
                    return
                name = f"s3://renders/new/{number}.exr"
                catalog.persist([inspect(MemorySource(small_file(number, False, 37), name))])

    thread = threading.Thread(target=persist)
    thread.start()
    return thread


def main() -> None:
    """Fill a catalog, and print a line for each operation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        uri, copy = f"duckdb:{folder}/catalog.duckdb", f"duckdb:{folder}/copy.duckdb"
        load(uri, pages(files), "benchmark")
        size = (folder / "catalog.duckdb").stat().st_size / 1e6
        print(f"{files:,} files, {size:,.0f} MB, load of the machine {os.getloadavg()[0]:.1f}")
        whole, plain, later = folder / "whole", folder / "plain", folder / "later"
        with open_catalog(uri, read_only=True) as catalog:
            print(catalog.status().row_counts)
            with timed("backup", lambda: bytes_in(whole)):
                backup(catalog, str(whole))
            with timed("backup without vectors", lambda: bytes_in(plain)):
                backup(catalog, str(plain), vectors=False)
            with timed("increment without changes", lambda: bytes_in(later)):
                backup(catalog, str(later), since=str(whole))
        with timed("check"):
            assert check(str(whole)) == []
        with timed("restore", lambda: (folder / "copy.duckdb").stat().st_size):
            restore(str(whole), copy)
        stop = threading.Event()
        writer = persisting(uri, 10, stop)
        with open_catalog(uri) as catalog, timed("backup, 10 persists/s"):
            busy = backup(catalog, str(folder / "busy"))
        stop.set()
        writer.join()
        print(f"files {busy.tables['files'].rows:,}, late child rows {sum(t.dropped for t in busy.tables.values()):,}")
        with timed("check of that backup"):
            assert check(str(folder / "busy")) == []


if __name__ == "__main__":
    main()
