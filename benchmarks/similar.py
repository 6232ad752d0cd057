"""Nearest neighbours among a million files in DuckDB: `similar`, the plain query, and a numpy matrix product.

    python -m benchmarks.similar [--files N]

Each method runs several times in its own process on the same catalog; memory is the growth of the process's peak.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.memory import peak_mb
from exr_inspector import open_catalog
from exr_inspector.vectors import VERSION

ROUNDS = 7
BATCH = 20_000
QUERY = "SELECT file_id FROM files ORDER BY array_cosine_distance(metadata_embedding, ?::FLOAT[384]) LIMIT 10"


def fill(path: str, files: int) -> None:
    """Fill a catalog with files whose vectors form clusters, like sequences."""
    rng = np.random.default_rng(7)
    with open_catalog(f"duckdb:{path}"):
        pass
    with duckdb.connect(path) as connection:
        for start in range(0, files, BATCH):
            numbers = np.arange(start, min(start + BATCH, files))
            rows = pa.table(
                {
                    "file_id": [f"{n:032x}" for n in numbers],
                    "file_path": [f"/shows/a/s{n // 100}.{n % 100:04}.exr" for n in numbers],
                    "file_path_normalized": [f"file:///shows/a/s{n // 100}.{n % 100:04}.exr" for n in numbers],
                    "sequence": [f"file:///shows/a/s{n // 100}.#.exr" for n in numbers],
                    "frame": [f"{n % 100:04}" for n in numbers],
                    "embedding_version": [VERSION] * len(numbers),
                    "metadata_embedding": vectors(rng, len(numbers), 384),
                    "channel_fingerprint": vectors(rng, len(numbers), 128),
                }
            )
            connection.register("rows", rows)
            others = {
                "is_current": "true", "size_bytes": "0", "header_hash": "''", "structure_hash": "''",
                "header_bytes": "0",
                "multipart_count": "1", "is_deep": "false", "is_tiled": "false", "channel_count": "3",
                "completeness": "'complete'", "schema_version": "1", "inspector_version": "''",
                "inspection_timestamp": "now()::TIMESTAMP", "last_inspected": "now()::TIMESTAMP",
                "inspection_count": "1",
            }  # fmt: skip
            chosen = ", ".join([*rows.column_names, *(f"{value} AS {name}" for name, value in others.items())])
            connection.execute(f"INSERT INTO files BY NAME SELECT {chosen} FROM rows")


def vectors(rng: np.random.Generator, count: int, size: int) -> pa.Array:
    """Unit vectors in clusters of 100."""
    found = rng.standard_normal((-(-count // 100), size), np.float32).repeat(100, axis=0)[:count]
    found += 0.1 * rng.standard_normal((count, size), np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(found.reshape(-1)), type=pa.list_(pa.field("item", pa.float32(), nullable=False), size)
    )


def measure(method: str, path: str) -> None:
    """Print the median time of a method in ms and the growth of peak memory in MB."""
    with open_catalog(f"duckdb:{path}", read_only=True) as catalog:
        vector = catalog.sql("SELECT metadata_embedding AS v FROM files LIMIT 1 OFFSET 1234")["v"][0].as_py()
        before = peak_mb()
        work: dict[str, Callable[[], object]] = {
            "similar": lambda: catalog.similar(vector, k=10),
            "per sequence": lambda: catalog.similar(vector, k=10, per_sequence=True),
            "plain query": lambda: catalog.sql(QUERY, [vector]),
        }
        if method == "numpy":
            column = catalog.sql("SELECT metadata_embedding AS v FROM files")["v"].combine_chunks()
            matrix, query = column.flatten().to_numpy().reshape(-1, 384), np.asarray(vector, np.float32)
            work["numpy"] = lambda: np.argpartition(-(matrix @ query), 10)[:10]
        taken = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            work[method]()
            taken.append(1000 * (time.perf_counter() - began))
        print(statistics.median(taken[1:]), peak_mb() - before)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--measure", nargs=2, metavar=("METHOD", "CATALOG"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(*options.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "catalog.duckdb")
        fill(path, options.files)
        print(f"{options.files:,} files, vector column of {options.files * 384 * 4 >> 20:,} MB\n")
        print("| | ms, median | times the plain query | additional MB |\n|---|---|---|---|")
        found = {}
        for method in ("plain query", "similar", "per sequence", "numpy"):
            command = [sys.executable, "-m", "benchmarks.similar", "--measure", method, path]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[method] = [float(number) for number in done.stdout.split()]
            ms, peak = found[method]
            print(f"| {method} | {ms:,.0f} | {ms / found['plain query'][0]:.2f} | {peak:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
