"""The derived tables: right after every change, on both backends, and rebuilt when they cannot be updated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import (
    CatalogError,
    CatalogSchemaError,
    Inspection,
    QueryError,
    SettingsError,
    ingest,
    inspect,
    open_catalog,
)
from exr_inspector.catalog import Catalog, IngestError, derived
from exr_inspector.catalog.derived import DERIVED, MAX_VALUES
from exr_inspector.catalog.duckdb import derived as duckdb_derived
from exr_inspector.catalog.duckdb import lookup
from exr_inspector.catalog.schema import CHILD_TABLES, HEADER_TABLES
from exr_inspector.defaults import PATH_TEMPLATE
from exr_inspector.search.reembed import reembed
from exr_inspector.sequence.derived import keep_up, missing_tables, refresh
from exr_inspector.sources.memory import MemorySource
from tests.catalog.test_backup_increments import later_result
from tests.support import exr_writer as w
from tests.support.strategies import examples

FOLDER = "s3://renders/harbor/sq010/sh0010/lighting/beauty/"
ALL = ", ".join(DERIVED)


def made(name: str, *, cut: int = 0, **options: Any) -> Inspection:
    """The inspection of a small file in the folder, without its last `cut` bytes."""
    data = w.build(w.part(**options)).data
    return inspect(MemorySource(data[: len(data) - cut], FOLDER + name))


def failed(name: str) -> IngestError:
    return IngestError(
        file_path_normalized=FOLDER + name, size_bytes=9, mtime=None, code="not_exr", message="no EXR", byte_offset=0
    )


def stored(catalog: Catalog) -> dict[str, list[dict[str, Any]]]:
    return {name: sorted(catalog.sql(f"SELECT * FROM {name}").to_pylist(), key=str) for name in DERIVED}


FRAMES = ("a_left.1001.exr", "a_left.1002.exr", "a_left.1004.exr", "a_right.1003.exr", "b.1001.exr", "single.exr")
CHANGES = st.one_of(
    st.tuples(st.just("persist"), st.sampled_from(FRAMES), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.sampled_from(FRAMES), st.just(0)),
    st.tuples(st.just("delete"), st.sampled_from(FRAMES), st.just(0)),
    st.tuples(st.just("refresh"), st.just(""), st.just(0)),
)
# Whole, cut, of another compression, with many values.
VERSIONS: tuple[dict[str, Any], ...] = ({}, {"cut": 40}, {"compression": 3}, {"extra": [w.text("note", "long" * 99)]})


def change(catalog: Catalog, kind: str, name: str, version: int) -> None:
    if kind == "persist":
        catalog.persist([made(name, **VERSIONS[version])])
    elif kind == "fail":
        catalog.record_errors([failed(name)])
    elif kind == "delete":
        catalog.mark_deleted([FOLDER + name])
    else:
        refresh(catalog, PATH_TEMPLATE)


@pytest.mark.slow
@examples(25)
@given(changes=st.lists(CHANGES, min_size=2, max_size=8))
def test_updated_tables_equal_rebuilt_ones(changes: list[tuple[str, str, int]], empty_file: Path) -> None:
    with TemporaryDirectory() as folder:
        path = shutil.copy(empty_file, Path(folder, "catalog.duckdb"))
        with open_catalog(path) as catalog:
            catalog.persist([made(name) for name in FRAMES[:4]])
            refresh(catalog, PATH_TEMPLATE)
            for one in changes:
                change(catalog, *one)
            refresh(catalog, PATH_TEMPLATE)
            updated = stored(catalog)
            refresh(catalog, PATH_TEMPLATE, rebuild=True)
            assert updated == stored(catalog)


@pytest.fixture
def show(catalog: Catalog) -> Catalog:
    """A sequence with a missing and a truncated frame and an outlier, and a file of its own."""
    frames = [made(f"a.{number}.exr") for number in (1001, 1002, 1004, 1005, 1006)]
    catalog.persist([*frames, made("a.1007.exr", cut=40), made("a.1008.exr", compression=3), made("single.exr")])
    return catalog


@pytest.mark.slow
def test_rows(show: Catalog) -> None:
    tables = missing_tables(show, f"SELECT 1 FROM {ALL}", PATH_TEMPLATE)
    (sequence,) = tables["sequences"].to_pylist()
    sizes = show.sql("SELECT sum(size_bytes)::BIGINT AS sum, max(mtime) AS max FROM files WHERE frame IS NOT NULL")
    assert sequence == {
        "sequence": f"{FOLDER}a.#.exr",
        "pattern": f"{FOLDER}a.####.exr",
        "frames": "1001-1002,1004-1008",
        "frame_count": 7,
        "first_frame": 1001,
        "last_frame": 1008,
        "missing": "1003",
        "missing_count": 1,
        "damaged": "1007",
        "damaged_count": 1,
        "outliers": "1008",
        "outlier_count": 1,
        "severity": "error",
        "strip": "s2 m1 s3 d1 o1",
        "file_count": 7,
        "size_bytes": sizes["sum"][0].as_py(),
        "newest": sizes["max"][0].as_py(),
    }
    values = {(row["attr_name"], row["value"]): row["part_count"] for row in tables["attribute_values"].to_pylist()}
    assert (values["compression", "NONE"], values["compression", "ZIP"]) == (7, 1)
    totals = {(row["show_name"], row["dimension"], row["value"]): row for row in tables["totals"].to_pylist()}
    assert totals["harbor", "show", "harbor"]["file_count"] == 8
    assert totals["harbor", "compression", "ZIP"]["file_count"] == 1
    assert sum(row["file_count"] for key, row in totals.items() if key[1] == "hour") == 8


@pytest.mark.slow
def test_queries_read_computed_tables(show: Catalog) -> None:
    query = "WITH totals AS (SELECT 1 AS one) SELECT s.missing_count, one FROM Sequences AS s, totals"
    tables = missing_tables(show, query, PATH_TEMPLATE)
    assert list(tables) == ["sequences"]
    assert show.sql(query, None, tables).to_pylist() == [{"missing_count": 1, "one": 1}]
    same_name = "WITH sequences AS (SELECT frame_count FROM sequences) FROM sequences"
    tables = missing_tables(show, same_name, PATH_TEMPLATE)
    assert show.sql(same_name, None, tables).to_pylist() == [{"frame_count": 7}]
    assert missing_tables(show, "SELECT 1 FROM files", PATH_TEMPLATE) == {}


@pytest.mark.slow
def test_stored_tables_are_used(tmp_path: Path) -> None:
    path = tmp_path / "catalog.duckdb"
    with open_catalog(path) as catalog:
        catalog.persist([made("a.1001.exr")])
        refresh(catalog, PATH_TEMPLATE)
        assert missing_tables(catalog, "FROM sequences", PATH_TEMPLATE) == {}
        assert set(missing_tables(catalog, "FROM totals", "{show}/**")) == {"totals"}  # another template
        catalog.persist([made("a.1002.exr")])
        assert missing_tables(catalog, "FROM sequences", PATH_TEMPLATE)["sequences"]["frame_count"].to_pylist() == [2]
    with open_catalog(path, read_only=True) as catalog:
        assert set(missing_tables(catalog, "FROM sequences", PATH_TEMPLATE)) == {"sequences"}


@pytest.mark.slow
def test_ingest_updates_stored_tables(tmp_path: Path) -> None:
    folder = tmp_path / "show"
    folder.mkdir()
    (folder / "a.1001.exr").write_bytes(w.build(w.part()).data)
    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        ingest(folder, catalog)
        assert set(missing_tables(catalog, "FROM sequences", PATH_TEMPLATE)) == {"sequences"}  # none is stored
        refresh(catalog, PATH_TEMPLATE)
        (folder / "a.1003.exr").write_bytes(w.build(w.part()).data)
        ingest(folder, catalog)
        assert missing_tables(catalog, "FROM sequences", PATH_TEMPLATE) == {}
        assert catalog.sql("SELECT missing FROM sequences")["missing"].to_pylist() == ["1002"]


def older_program(path: Path) -> None:
    """Change a file as a program does that knows no derived tables."""
    with duckdb.connect(str(path)) as database:
        database.execute(
            "UPDATE files SET deleted_at = now() AT TIME ZONE 'UTC' + INTERVAL 1 SECOND WHERE frame = '1001'"
        ).fetchall()


def row_of_version_1(path: Path) -> None:
    """Make a row one of a program of table version 1, and replace it."""
    with duckdb.connect(str(path)) as database:
        for table in ("files", *CHILD_TABLES):
            database.execute(
                f"UPDATE {table} SET batch_id = NULL WHERE file_id IN (SELECT file_id FROM files WHERE frame = '1001')"
            ).fetchall()
    with open_catalog(path) as catalog:
        catalog.persist([made("a.1001.exr", compression=3)])


def other_vectors(path: Path) -> None:
    with open_catalog(path) as catalog:
        reembed(catalog, everything=True)


def many_changes(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, open_catalog(path) as catalog:
        patch.setattr(duckdb_derived, "MOST_CHANGES", 2)
        for number in range(1003, 1008):
            catalog.persist([made(f"a.{number}.exr")])


def another_handle(path: Path) -> None:
    """Change the catalog by a handle that was opened before the derived tables were made."""
    with open_catalog(path) as catalog:
        with catalog._transaction() as connection:
            for table in duckdb_derived.STORED:
                connection.execute(f"DROP TABLE {table}").fetchall()
        with open_catalog(path) as other:
            refresh(other, PATH_TEMPLATE)
        catalog.persist([made("a.1003.exr")])


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [older_program, row_of_version_1, other_vectors, many_changes, another_handle])
@pytest.mark.parametrize(
    "update", [keep_up, lambda catalog: refresh(catalog, PATH_TEMPLATE)], ids=["ingest", "refresh"]
)
def test_right_after_changes_of_every_kind(
    spoil: Callable[[Path], object], update: Callable[[Catalog], object], tmp_path: Path
) -> None:
    path = tmp_path / "catalog.duckdb"
    with open_catalog(path) as catalog:
        catalog.persist([made(f"a.{number}.exr") for number in (1001, 1002)])
        refresh(catalog, PATH_TEMPLATE)
    spoil(path)
    with open_catalog(path) as catalog:
        catalog.persist([made("a.1009.exr")])  # does not hide what was not logged
        update(catalog)
        catalog.persist([made("a.1011.exr")])
        update(catalog)
        assert missing_tables(catalog, "FROM sequences", PATH_TEMPLATE) == {}
        updated = stored(catalog)
        refresh(catalog, PATH_TEMPLATE, rebuild=True)
        assert updated == stored(catalog)


@pytest.mark.slow
def test_a_failed_update_does_not_fail_ingest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.1001.exr").write_bytes(w.build(w.part()).data)
    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        refresh(catalog, PATH_TEMPLATE)
        monkeypatch.setattr(derived, "summed_totals", lambda _: "SELECT nothing")
        assert ingest(tmp_path, catalog).inserted == 1
    assert "are not up to date" in caplog.text


@pytest.mark.slow
def test_many_values_are_not_listed(tmp_path: Path) -> None:
    def numbered(first: int) -> Inspection:
        extra = [w.text(f"n{number}", str(number)) for number in range(3)]
        return made(f"a.{first}.exr", extra=[*extra, w.text("unique", str(first))])

    query = "SELECT value, part_count FROM attribute_values WHERE attr_name = 'unique'"
    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        catalog.persist([numbered(number) for number in range(1, MAX_VALUES + 1)])
        refresh(catalog, PATH_TEMPLATE)
        assert catalog.sql(query).num_rows == MAX_VALUES
        catalog.persist([numbered(MAX_VALUES + 1)])
        refresh(catalog, PATH_TEMPLATE)
        assert catalog.sql(query).to_pylist() == [{"value": None, "part_count": MAX_VALUES + 1}]


@pytest.mark.slow
def test_counts_of_attributes_whose_values_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived, "MAX_VALUES", 1)

    def numbered(name: str, value: str) -> Inspection:
        return made(name, extra=[w.text("unique", value)])

    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        catalog.persist([numbered(f"a.{number}.exr", str(number)) for number in range(1001, 1006)])
        refresh(catalog, PATH_TEMPLATE)
        catalog.persist([numbered("a.1001.exr", "x"), numbered("a.1002.exr", "y")])
        catalog.mark_deleted([FOLDER + "a.1003.exr"])
        refresh(catalog, PATH_TEMPLATE)
        updated = stored(catalog)
        assert {"attr_name": "unique", "attr_type": "string", "value": None, "part_count": 4} in updated[
            "attribute_values"
        ]
        refresh(catalog, PATH_TEMPLATE, rebuild=True)
        assert updated == stored(catalog)


@pytest.mark.slow
@pytest.mark.parametrize("table", ["totals", "derived_changes"])
def test_foreign_tables_are_left_alone(table: str, tmp_path: Path) -> None:
    path = tmp_path / "catalog.duckdb"
    open_catalog(path).close()
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE TABLE {table} (mine INT)").fetchall()
    with open_catalog(path) as catalog:
        catalog.persist([made("a.1001.exr")])
        with pytest.raises(CatalogSchemaError, match=table):
            refresh(catalog, PATH_TEMPLATE)
        assert catalog.sql(f"FROM {table}").column_names == ["mine"]


def test_a_query_without_stored_tables_says_what_to_do(catalog: Catalog) -> None:
    with pytest.raises(QueryError, match="db refresh"):
        catalog.sql("SELECT * FROM totals")


def test_vast_stores_none(new_uri: Callable[[], str]) -> None:
    uri = new_uri()
    if uri.startswith("duckdb:"):
        pytest.skip("stored there")
    with open_catalog(uri) as catalog, pytest.raises(SettingsError, match="when a query names them"):
        refresh(catalog, PATH_TEMPLATE)


@pytest.mark.slow
def test_rows_of(catalog: Catalog) -> None:
    catalog.persist([made(name) for name in FRAMES])
    catalog.persist([made("b.1001.exr", compression=3)])
    everything = {table: catalog.sql(f"SELECT * FROM {table}") for table in CHILD_TABLES}
    everything["files"] = catalog.sql("SELECT * FROM files")
    for name in FRAMES:
        rows = catalog.rows_of(FOLDER + name)
        assert rows["parts"]["compression"].to_pylist() == ["ZIP" if name == "b.1001.exr" else "NONE"]
        file_id = rows["files"]["file_id"][0].as_py()
        for table, found in rows.items():
            expected = everything[table].filter(pc.field("file_id") == file_id)
            assert sorted(found.to_pylist(), key=str) == sorted(expected.to_pylist(), key=str)
    assert catalog.rows_of(FOLDER + "absent.exr") == {}


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("batch", ["NULL", "1", "batch_id - batch_id % 1000", "batch_id"])
def test_rows_of_files_in_batches_of_older_programs(batch: str, read_only: bool, tmp_path: Path) -> None:
    """Which many files shared, or which they do not have. Clocks can also give several results one batch."""
    path = tmp_path / "catalog.duckdb"
    extra = [w.text("comments", "a"), w.text("comments", "b")]  # a problem
    versions: list[dict[str, Any]] = [{"extra": extra}, {}, {"extra": extra, "compression": 3}, {"channels": ()}]
    inspections = [made(f"a.{1001 + number}.exr", **version) for number, version in enumerate(versions)]
    with open_catalog(path) as catalog:
        catalog.persist(inspections)
    with duckdb.connect(str(path)) as database:
        for table in ("files", *CHILD_TABLES):
            database.execute(f"UPDATE {table} SET batch_id = {batch}").fetchall()
        if batch == "batch_id":
            database.execute("UPDATE problems SET batch_id = (SELECT min(batch_id) FROM files)").fetchall()
    with open_catalog(path, read_only=read_only) as catalog:
        for inspection in (*inspections, inspections[0]):
            rows = catalog.rows_of(inspection.file.file_path_normalized)
            is_first = inspection is inspections[0]
            has_problems = is_first or batch != "batch_id"  # otherwise they are in the batch of the first file
            assert rows["problems"].num_rows == (len(inspection.problems) if has_problems else 0)
            for table in ("files", *HEADER_TABLES):
                query = f"SELECT * FROM {table} WHERE file_id = ? ORDER BY ALL"
                stored = catalog.sql(query, [inspection.file.file_id]).to_pylist()
                assert stored or table == "channels"
                assert sorted(rows[table].to_pylist(), key=str) == sorted(stored, key=str)


def test_a_lookup_while_another_thread_closes_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        catalog.persist([made("a.1001.exr")])
    catalog = open_catalog(tmp_path / "catalog.duckdb", read_only=True)
    own_rows = lookup._own_rows

    def closing(connection: duckdb.DuckDBPyConnection, table: str, file: Any, count: int) -> Any:
        if table == "channels":
            catalog.close()
        return own_rows(connection, table, file, count)

    monkeypatch.setattr(lookup, "_own_rows", closing)
    with pytest.raises(CatalogError, match="was closed"):
        catalog.rows_of(FOLDER + "a.1001.exr")


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [False, True])
def test_threads_look_up_files_at_the_same_time(read_only: bool, tmp_path: Path) -> None:
    uris = [FOLDER + name for name in FRAMES] * 10
    with open_catalog(tmp_path / "catalog.duckdb") as catalog:
        catalog.persist([made(name) for name in FRAMES])
    with open_catalog(tmp_path / "catalog.duckdb", read_only=read_only) as catalog, ThreadPoolExecutor(4) as threads:
        for uri, rows in zip(uris, threads.map(catalog.rows_of, uris), strict=True):
            assert rows["files"]["file_path_normalized"].to_pylist() == [uri]
            assert {name for table in HEADER_TABLES for name in rows[table]["file_path"].to_pylist()} == {
                rows["files"]["file_path"][0].as_py()
            }


@pytest.mark.slow
def test_rows_of_has_later_results(catalog: Catalog) -> None:
    first, second = made("a.1001.exr"), made("a.1002.exr")
    catalog.persist([first])
    catalog.persist([second])
    for policy in ("delivery", "render", "delivery"):
        later_result(catalog, first.file.file_id, policy)
    rows = catalog.rows_of(FOLDER + "a.1001.exr")["validations"]
    assert sorted(rows["policy_id"].to_pylist()) == ["delivery", "render"]
    assert catalog.rows_of(FOLDER + "a.1002.exr")["validations"].num_rows == 0
