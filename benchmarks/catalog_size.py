"""The size of a DuckDB catalog by table, in bytes per file.

    python -m benchmarks.catalog_size [--files N]

The files are those of `benchmarks.ingest`. A table's size is that of a database file with the table and its indexes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import duckdb

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog.schema import TABLES
from exr_inspector.sources.memory import MemorySource
from tests.support.small_exr import small_file

BATCH = 500


def fill(path: Path, files: int) -> None:
    """Persist inspections of `files` files, 100 per folder."""
    with open_catalog(f"duckdb:{path}") as catalog:
        for start in range(0, files, BATCH):
            catalog.persist(
                [
                    inspect(
                        MemorySource(
                            small_file(index, index % 3 == 0, 11 + index % 30),
                            f"s3://renders/harbor/sh{index // 100:04}/beauty.{1001 + index % 100}.exr",
                        )
                    )
                    for index in range(start, min(start + BATCH, files))
                ]
            )


def table_bytes(catalog: Path, table: str, folder: Path) -> int:
    """The size of a database with one table of a catalog, compressed as in the catalog."""
    path = folder / f"{table}.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute(f"ATTACH '{catalog}' AS catalog (READ_ONLY)").fetchall()
        query = "SELECT sql FROM duckdb_{}() WHERE database_name = 'catalog' AND table_name = ?"
        for kind in ("tables", "indexes"):
            for (statement,) in database.execute(query.format(kind), [table]).fetchall():
                database.execute(statement).fetchall()
        database.execute(f"INSERT INTO {table} FROM catalog.{table}").fetchall()
    return path.stat().st_size


def main() -> None:
    """Print a row per table, and the size of the whole catalog."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=50_000)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = folder / "catalog.duckdb"
        fill(catalog, files)
        with duckdb.connect(str(catalog), read_only=True) as database:
            for table in TABLES:
                ((rows,),) = database.execute(f"SELECT count(*) FROM {table}").fetchall()
                with tempfile.TemporaryDirectory() as scratch:
                    size = table_bytes(catalog, table, Path(scratch)) if rows >= files else 0
                print(f"{table:20} {rows / files:6.1f} rows/file {size / files:8.0f} bytes/file")
        print(f"{'whole file':20} {catalog.stat().st_size / files:31.0f} bytes/file")


if __name__ == "__main__":
    main()
