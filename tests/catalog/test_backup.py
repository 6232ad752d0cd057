"""Backups: every value of every table comes back, whatever is written meanwhile, whatever is damaged or interrupted."""

import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog, load
from exr_inspector.catalog.backup import backup, check, restore
from exr_inspector.catalog.schema import TABLES, version_row
from exr_inspector.settings import vast_connection

HUGE = "x" * 65_000 + "é漢"
TIME = datetime(2026, 11, 28, 20, 15, 1, 234567)


def connection_of(uri):
    return vast_connection() if uri.startswith("vast:") else None


def value_of(column: pa.Field, row: int):
    """A value of a column: ordinary in row 0, null where possible in row 1, extreme in row 2."""
    if row == 1 and column.nullable:
        return None
    kind = column.type
    if pa.types.is_fixed_size_list(kind):
        return [math.nan, -0.0, math.inf, *np.linspace(-1, 1, kind.list_size - 3, dtype=np.float32).tolist()]
    values = {
        pa.string(): ("a", "", HUGE),
        pa.int64(): (1, 0, -(2**63)),
        pa.float64(): (0.1, math.nan, -0.0),
        pa.bool_(): (True, False, True),
        pa.binary(): (b"\0\xff", b"", bytes(range(256)) * 256),
        pa.timestamp("us"): (TIME, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999)),
    }
    return values[kind][row]


def all_values() -> dict[str, pa.Table]:
    """Three rows of every table with values of every kind."""
    tables = {}
    for table, schema in TABLES.items():
        rows = [{column.name: value_of(column, row) for column in schema} for row in range(3)]
        for number, row in enumerate(rows):
            row.update({name: f"{name} {number}" for name in ("file_id", "file_path_normalized") if name in row})
        tables[table] = pa.Table.from_pylist(rows, schema=schema)
    return tables | {"schema_version": version_row()}


def fill(uri: str, tables: dict[str, pa.Table]) -> None:
    load(uri, iter(tables.items()), "test", connection=connection_of(uri))


def content(catalog: Catalog) -> dict[str, list]:
    """The rows of every table, in order, with floats as their bits."""
    with catalog.reading() as read:
        return {table: read(table, schema.names, rows_of) for table, schema in TABLES.items()}


def rows_of(pages) -> list:
    rows = [tuple(map(bits, row.values())) for page in pages for row in page.to_pylist()]
    return sorted(rows, key=repr)


def bits(value):
    if isinstance(value, list):
        return np.array(value, np.float32).tobytes()
    return np.float64(value).tobytes() if isinstance(value, float) else value


def backed_up(uri: str, folder: Path, **options) -> Path:
    with open_catalog(uri, read_only=True) as catalog:
        backup(catalog, str(folder), **options)
    return folder


def restored(folder: Path, uri: str) -> dict[str, list]:
    restore(str(folder), uri, connection=connection_of(uri))
    with open_catalog(uri, read_only=True) as catalog:
        return content(catalog)


@pytest.fixture
def other_uri(tmp_path, vast_settings) -> Callable[[str], str]:
    """A catalog of the other backend."""
    return lambda uri: (
        f"duckdb:{tmp_path}/other.duckdb" if uri.startswith("vast:") else "vast://renders/" + tmp_path.name
    )


def test_every_value_comes_back_from_both_backends(new_uri, other_uri, tmp_path):
    """Null, NaN, negative zero, empty, huge, binary, vectors, and the times that the columns can have."""
    uri, copy = new_uri(), new_uri()
    fill(uri, all_values())
    folder = backed_up(uri, tmp_path / "backup")
    assert check(str(folder)) == []
    expected = {table: rows_of([rows]) for table, rows in all_values().items()}
    del expected["schema_version"]
    assert {table: rows for table, rows in restored(folder, copy).items() if table in expected} == expected
    other = other_uri(uri)
    assert restored(folder, other) == restored(backed_up(other, tmp_path / "again"), new_uri())
