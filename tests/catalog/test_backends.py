"""Inspections of real files on both backends."""

from dataclasses import replace
from datetime import datetime, timezone
from itertools import count, islice

import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.duckdb.catalog import DuckDBCatalog
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.vast.catalog import VastCatalog
from exr_inspector.errors import ExrInspectorError
from exr_inspector.sequence.summary import sequences
from exr_inspector.settings import Settings
from tests.support.corpus import DAMAGED_FILES, REPORTED_FILES, VALID_FILES, inspected, need_corpus
from tests.support.exr_bytes import inspection, text

from .conftest import BUCKET
from .test_contract import TIMES, error_at


def inspections_of(paths):
    """Inspections of the readable files."""
    found = []
    for path in paths:
        try:
            found.append(in_milliseconds(inspected(path)))
        except ExrInspectorError:
            continue
    return found


def in_milliseconds(one):
    """The inspection with a time that no database cuts."""
    mtime = one.file.mtime and one.file.mtime.replace(microsecond=one.file.mtime.microsecond // 1000 * 1000)
    return replace(one, file=replace(one.file, mtime=mtime))


@pytest.mark.slow
@need_corpus
@pytest.mark.parametrize("number", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_inspections_give_equal_rows(tmp_path, vast_settings, number):
    """Of two hundred; every day of a dozen from all over the corpus."""
    readable = [*VALID_FILES, *DAMAGED_FILES, *REPORTED_FILES]
    inspections = inspections_of(readable if number == 200 else readable[::18])[:number]
    made = (inspection(f"s3://renders/{n}.exr", text("note", str(n))) for n in count())
    inspections += islice(made, number - len(inspections))
    paths = [one.file.file_path_normalized for one in inspections]
    at = datetime(2026, 2, 20, tzinfo=timezone.utc)
    with (
        open_catalog(f"duckdb:{tmp_path}/c.duckdb") as first,
        open_catalog(f"vast://{BUCKET}/{tmp_path.name}") as second,
    ):
        outcomes = [catalog.persist(inspections) for catalog in (first, second)]
        assert outcomes[0] == outcomes[1]
        for catalog in (first, second):
            catalog.persist(inspections[: number // 4])
            catalog.record_errors([error_at(path, mtime=at) for path in (paths[7], "s3://x.exr")])
            catalog.mark_deleted([paths[9]])
        for table, schema in TABLES.items():
            columns = ", ".join(n for n in schema.names if n not in TIMES | {"deleted_at", "applied_at"})
            query = f"SELECT {columns} FROM {table} ORDER BY ALL"
            one, other = first.sql(query), second.sql(query)
            assert one.schema == other.schema
            assert one.to_pylist() == other.to_pylist()
        assert sequences(first) == sequences(second)


def test_the_setting_names_the_transactions_of_each_backend():
    sizes = [backend.files_per_transaction for backend in (DuckDBCatalog, VastCatalog)]
    described = Settings.model_fields["batch_files"].description
    assert "by default {} on DuckDB, {} on VAST".format(*sizes) in described
