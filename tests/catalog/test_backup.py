"""Backups: every value of every table comes back, whatever is written meanwhile, whatever is damaged or interrupted."""

import hashlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog, drop, load
from exr_inspector.catalog.backup import backup, chain, check, restore, write
from exr_inspector.catalog.columns import typed
from exr_inspector.catalog.persistence import children_of, with_persist_columns
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import CHILD_TABLES, TABLES, VERSION, version_row
from exr_inspector.defaults import PATH_TEMPLATE
from exr_inspector.errors import BackupError, CatalogError, SettingsError, SourceError
from exr_inspector.search.reembed import reembed
from exr_inspector.sequence import derived
from exr_inspector.settings import vast_connection
from tests.support.exr_bytes import inspection, text

from .test_contract import error_at, row_count

HUGE = "x" * 65_000 + "é漢"
TIME = datetime(2026, 11, 28, 20, 15, 1, 234000)


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
        pa.timestamp("us"): (TIME, datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999000)),
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


@pytest.mark.slow
def test_every_value_comes_back(new_uri, tmp_path):
    """Null, NaN, negative zero, empty, huge, binary, vectors, and the times that the columns can have."""
    uri = new_uri()
    fill(uri, all_values())
    folder = backed_up(uri, tmp_path / "backup")
    assert check(str(folder)) == []
    expected = {table: rows_of([rows]) for table, rows in all_values().items()}
    del expected["schema_version"]
    rows = restored(folder, new_uri())
    assert {table: rows[table] for table in expected} == expected


@pytest.mark.slow
def test_duckdb_to_vast_to_duckdb_is_equal(vast_uri, tmp_path):
    uri = f"duckdb:{tmp_path}/first.duckdb"
    fill(uri, all_values())
    first = backed_up(uri, tmp_path / "first")
    restore(str(first), vast_uri, connection=connection_of(vast_uri))
    second = backed_up(vast_uri, tmp_path / "second")
    assert restored(second, f"duckdb:{tmp_path}/second.duckdb") == restored(first, f"duckdb:{tmp_path}/third.duckdb")
    hashes = [json.loads((folder / "manifest.json").read_text())["tables"] for folder in (first, second)]
    assert hashes[0] == hashes[1]


class Busy:
    """A catalog into which another writer stores a file after each table that is read of it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog, self.uri, self.status = catalog, catalog.uri, catalog.status
        self._stored = 0

    @contextmanager
    def reading(self):
        with self._catalog.reading() as read:

            def read_and_store(*arguments):
                result = read(*arguments)
                self._stored += 1
                self._catalog.persist([inspection(f"s3://renders/later.{self._stored}.exr")])
                return result

            yield read_and_store


@pytest.mark.slow
def test_a_backup_is_whole_while_files_are_stored(catalog, new_uri, tmp_path):
    paths = [f"s3://renders/a.{frame}.exr" for frame in range(3)]
    catalog.persist([inspection(path, text("note", path)) for path in paths])
    catalog.record_errors([error_at("s3://renders/broken.exr")])
    folder = tmp_path / "backup"
    manifest = backup(Busy(catalog), str(folder))
    dropped = {table: entry.dropped for table, entry in manifest.tables.items() if entry.dropped}
    assert bool(dropped) == catalog.uri.startswith("vast:"), "DuckDB reads all tables in one transaction"
    assert check(str(folder)) == []
    rows = restored(folder, new_uri())
    assert len(rows["files"]) == len(rows["parts"]) == 3
    assert len(rows["ingest_errors"]) == 1


@pytest.fixture
def vast_uri(tmp_path, vast_settings) -> str:
    return f"vast://renders/{tmp_path.name}_vast"


@pytest.mark.slow
def test_rows_that_concurrent_writers_stored_twice_are_restored_once(vast_uri, tmp_path):
    """VAST has no keys. The children of both batches belong to the row that is kept."""
    first, second = (tables_of(inspection(), batch) for batch in (1, 2))
    second["parts"] = second["parts"].slice(0, 0)  # another reader sees the rows of one batch only
    fill(vast_uri, joined(second, first))
    folder = backed_up(vast_uri, tmp_path / "backup")
    assert check(str(folder)) == []
    uri = f"duckdb:{tmp_path}/copy.duckdb"
    restore(str(folder), uri)
    with open_catalog(uri) as catalog:
        counts = catalog.status().row_counts
        assert {table: counts[table] for table in ("files", "parts", "channels", "attributes")} == {
            table: first[table].num_rows for table in ("files", "parts", "channels", "attributes")
        }
        for table in ("files", "parts", "channels", "attributes"):
            assert catalog.sql(f"SELECT DISTINCT batch_id FROM {table}")["batch_id"].to_pylist() == [2]


@pytest.mark.slow
def test_of_two_current_versions_the_newest_is_restored_as_current(vast_uri, tmp_path):
    """A writer replaced a version while `files` was read."""
    older, newer = (tables_of(inspection("s3://renders/a.exr", text("note", note)), batch) for batch, note in NOTES)
    fill(vast_uri, joined(newer, older))
    folder = backed_up(vast_uri, tmp_path / "backup")
    assert check(str(folder)) == []
    uri = f"duckdb:{tmp_path}/copy.duckdb"
    restore(str(folder), uri)
    with open_catalog(uri) as catalog:
        current = catalog.sql("SELECT batch_id FROM files WHERE is_current")["batch_id"].to_pylist()
    assert current == [NOTES[1][0]]


NOTES = [(1_000_000, "older"), (2_000_000, "newer")]


def tables_of(one, batch: int) -> dict[str, pa.Table]:
    """The rows of an inspection that was stored in a batch."""
    rows = from_inspections([one])
    stored_at = EPOCH + timedelta(microseconds=batch)
    tables = {"files": with_persist_columns(rows.tables["files"], stored_at)}
    tables |= children_of(rows, tables["files"], tables["files"]["file_id"], stored_at)
    tables = {table: typed(page, TABLES[table]) for table, page in tables.items()}
    return {table: tables.get(table, schema.empty_table()) for table, schema in TABLES.items()}


def joined(*tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The rows of several catalogs as those of one."""
    return {table: pa.concat_tables([each[table] for each in tables]) for table in TABLES if table != VERSIONS} | {
        VERSIONS: version_row()
    }


VERSIONS = "schema_version"
EPOCH = datetime(1970, 1, 1)


@pytest.fixture(scope="module")
def small_backup(tmp_path_factory) -> Path:
    """A backup of a DuckDB catalog with two files."""
    folder = tmp_path_factory.mktemp("small")
    uri = f"duckdb:{folder}/catalog.duckdb"
    with open_catalog(uri) as catalog:
        catalog.persist([inspection(), inspection("s3://renders/b.1001.exr", channels="RGBAZ")])
    return backed_up(uri, folder / "backup")


@pytest.fixture
def copied(small_backup, tmp_path) -> Path:
    return Path(shutil.copytree(small_backup, tmp_path / "copied"))


def edit_manifest(folder: Path, **changes) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder: Path, table: str, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the rows of a table, and describe them in the manifest."""
    path = folder / f"{table}.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    data = path.read_bytes()
    entry = {"rows": pq.read_metadata(path).num_rows, "dropped": 0, "bytes": len(data)}
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    edit_manifest(folder, tables=tables | {table: entry | {"sha256": hashlib.sha256(data).hexdigest()}})


def replace_bytes(folder: Path, table: str, data: bytes) -> None:
    """Other bytes for the file of a table, described in the manifest."""
    (folder / f"{table}.parquet").write_bytes(data)
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    entry = tables[table] | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(folder, tables=tables | {table: entry})


def typed_column(rows: pa.Table, name: str, type_: pa.DataType) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(type_))


def flip_a_bit(folder: Path) -> None:
    path = folder / "channels.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    r"channels.parquet: changed": flip_a_bit,
    r"parts.parquet: missing": lambda folder: (folder / "parts.parquet").unlink(),
    r"files.parquet: changed, 10 bytes": lambda folder: os.truncate(folder / "files.parquet", 10),
    r"parts.parquet cannot be read: ": lambda folder: replace_bytes(folder, "parts", b"PAR1" * 5),
    r"parts.parquet: the column is_deep is missing": lambda folder: rewrite(
        folder, "parts", lambda rows: rows.drop_columns("is_deep")
    ),
    r"parts.parquet: the column width is string, expected int64": lambda folder: rewrite(
        folder, "parts", lambda rows: typed_column(rows, "width", pa.string())
    ),
    r"the manifest lacks files": lambda folder: edit_manifest(folder, tables={}),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_found_and_nothing_is_restored(copied, tmp_path, message):
    DAMAGE[message](copied)
    assert re.search(message, check(str(copied))[0])
    with pytest.raises(BackupError, match=f"damaged, nothing was restored: .*{message}"):
        restore(str(copied), f"duckdb:{tmp_path}/copy.duckdb")
    assert not (tmp_path / "copy.duckdb").exists()


def test_vectors_of_another_length_are_damage(copied, tmp_path):
    """Only the rows show it."""
    short = pa.array([[1.0]] * 2, pa.list_(pa.float32()))
    rewrite(copied, "files", lambda rows: rows.set_column(rows.schema.names.index(VECTOR), VECTOR, short))
    assert "files.parquet cannot be read" in check(str(copied))[0]
    with pytest.raises(BackupError, match=r"files.parquet cannot be read"):
        restore(str(copied), f"duckdb:{tmp_path}/copy.duckdb")


VECTOR = "channel_fingerprint"


def test_a_file_that_is_replaced_after_it_was_verified_is_not_restored(copied, tmp_path, monkeypatch):
    damage = chain.Chain.damage

    def verify_and_replace(self):
        yield from damage(self)
        rewrite(copied, "channels", lambda rows: rows.slice(1))

    monkeypatch.setattr(chain.Chain, "damage", verify_and_replace)
    uri = f"duckdb:{tmp_path}/copy.duckdb"
    with pytest.raises(BackupError, match=r"channels.parquet was replaced after it had been verified"):
        restore(str(copied), uri)
    with open_catalog(uri) as catalog:
        assert row_count(catalog, "files") == 0


NOT_RESTORED = {
    "manifest.json is missing": lambda folder: (folder / "manifest.json").unlink(),
    "not the manifest of a backup": lambda folder: (folder / "manifest.json").write_text("{}"),
    "format 2, expected 1; upgrade to": lambda folder: edit_manifest(folder, format=2),
    "not the manifest of a backup: schema_version is not of the type int": lambda folder: edit_manifest(
        folder, schema_version="3"
    ),
    "not the manifest of a backup: rows is not of the type int": lambda folder: edit_manifest(
        folder, tables={"files": {"rows": "1", "dropped": 0, "bytes": 0, "sha256": ""}}
    ),
    "not the manifest of a backup: path is not of the type str": lambda folder: edit_manifest(
        folder, base={"path": 1, "sha256": ""}
    ),
    "not the manifest of a backup: 'path' is missing": lambda folder: edit_manifest(folder, base={}),
    "not the manifest of a backup: bytes is negative": lambda folder: edit_manifest(
        folder, tables={"files": {"rows": 1, "dropped": 0, "bytes": -1, "sha256": ""}}
    ),
    "not the manifest of a backup: started has no time zone": lambda folder: edit_manifest(
        folder, started="2026-11-28T20:15:01"
    ),
    "not the manifest of a backup: superseded": lambda folder: edit_manifest(folder, superseded=[1]),
    "not the manifest of a backup: (maximum recursion|Stack overflow)": lambda folder: (
        folder / "manifest.json"
    ).write_text("[" * 200_000),
    "table version 99, .* such as exr-inspector 7.0": lambda folder: edit_manifest(
        folder, schema_version=99, product="exr-inspector 7.0"
    ),
}


@pytest.mark.parametrize("message", NOT_RESTORED)
def test_a_folder_that_is_not_a_backup_of_this_version_is_rejected(copied, tmp_path, message):
    NOT_RESTORED[message](copied)
    for use in (check, lambda folder: restore(folder, f"duckdb:{tmp_path}/copy.duckdb")):
        # In a thread: after a RecursionError in json, Python 3.11 may fail to compile in the same one.
        with ThreadPoolExecutor(1) as pool, pytest.raises((BackupError, CatalogError), match=message):
            pool.submit(use, str(copied)).result()
    assert not (tmp_path / "copy.duckdb").exists()


INCONSISTENT = {
    "channels: 3 rows of files that the backup does not have": ("files", lambda rows: rows.slice(1)),
    "parts: missing for 2 files": ("parts", lambda rows: rows.slice(0, 0)),
    "has several rows": ("files", lambda rows: pa.concat_tables([rows, rows])),
    "s3://renders/b.1001.exr has several current versions": (
        "files",
        lambda rows: rows.set_column(2, rows.schema.field(2), pa.array(["s3://renders/b.1001.exr"] * 2)),
    ),
}


@pytest.mark.parametrize("message", INCONSISTENT)
def test_rows_that_do_not_fit_together_are_found(copied, message):
    rewrite(copied, *INCONSISTENT[message])
    assert any(message in line for line in check(str(copied)))


@pytest.mark.slow
def test_a_backup_of_older_tables_gets_the_missing_columns(copied, tmp_path):
    """They are null, and migrations compute what they compute in a catalog."""
    rewrite(copied, "ingest_errors", lambda rows: rows.drop_columns("frame"))
    frame = pa.array([None, None], pa.string())
    rewrite(copied, "files", lambda rows: rows.set_column(rows.schema.get_field_index("frame"), "frame", frame))
    rewrite(copied, "schema_version", lambda rows: rows.set_column(0, rows.schema.field(0), pa.array([2])))
    edit_manifest(copied, schema_version=2)
    uri = f"duckdb:{tmp_path}/copy.duckdb"
    restore(str(copied), uri)
    with open_catalog(uri) as catalog:
        assert catalog.sql("SELECT frame FROM files")["frame"].to_pylist() == ["1001"] * 2
        assert catalog.sql("SELECT version FROM schema_version ORDER BY 1")["version"].to_pylist() == [2, VERSION]


@pytest.mark.slow
def test_an_interrupted_backup_is_not_a_backup(tmp_path, catalog, monkeypatch):
    catalog.persist([inspection()])
    folder = tmp_path / "backup"
    with pytest.raises(RuntimeError), monkeypatch.context() as patched:
        patched.setattr(write, "write_manifest", raising)
        backup(catalog, str(folder))
    with pytest.raises(BackupError, match=r"incomplete: manifest.json is missing"):
        check(str(folder))
    with pytest.raises(SettingsError, match="has the files of a backup that was interrupted; delete them"):
        backup(catalog, str(folder))


def raising(*_):
    raise RuntimeError


@pytest.mark.slow
def test_a_backup_is_restored_only_into_a_catalog_without_files(small_backup, catalog):
    catalog.persist([inspection("s3://renders/other.exr")])
    before = content(catalog)
    uri = catalog.uri
    catalog.close()
    with pytest.raises(SettingsError, match="has files, or errors of files; a backup is restored only into"):
        restore(str(small_backup), uri, connection=connection_of(uri))
    with open_catalog(uri) as opened:
        assert content(opened) == before


@pytest.mark.slow
def test_a_restore_that_fails_leaves_an_empty_catalog(small_backup, tmp_path):
    """The error is that of the pages, not of the database."""
    uri = f"duckdb:{tmp_path}/copy.duckdb"

    def pages():
        yield from all_values().items()
        raise SourceError("s3://backups", "not reachable any more")

    with pytest.raises(SourceError, match="s3://backups: not reachable any more"):
        load(uri, pages(), "test")
    with open_catalog(uri) as catalog:
        assert {table for table, rows in content(catalog).items() if rows} == {VERSIONS}
    assert restored(small_backup, uri)["files"]


@pytest.mark.slow
def test_a_table_whose_page_is_lost_is_read_again(emulator, vast_uri, tmp_path):
    with open_catalog(vast_uri) as catalog:
        catalog.persist([inspection()])
        faults = [emulator.fail("cut", operation="select", nth=nth) for nth in (3, 5, 6)]
        backup(catalog, str(tmp_path / "backup"))
        emulator.clear_faults()
        assert [fault.hits for fault in faults] == [1, 1, 1]
        assert check(str(tmp_path / "backup")) == []
        assert restored(tmp_path / "backup", f"duckdb:{tmp_path}/copy.duckdb")["files"] == content(catalog)["files"]


@pytest.mark.slow
def test_a_backup_without_vectors_says_how_to_compute_them(catalog, new_uri, tmp_path):
    catalog.persist([inspection()])
    folder, uri = tmp_path / "backup", new_uri()
    backup(catalog, str(folder), vectors=False)
    assert restore(str(folder), uri, connection=connection_of(uri)).without_vectors == 1
    with open_catalog(uri) as copy:
        assert reembed(copy).done == 1
        assert content(copy) == content(catalog)


@pytest.mark.slow
def test_a_newer_catalog_is_not_backed_up_in_part(tmp_path):
    uri = f"duckdb:{tmp_path}/newer.duckdb"
    newer = pa.concat_tables([version_row(), version_row(VERSION + 1)])
    fill(uri, {"schema_version": newer})
    with open_catalog(uri) as catalog, pytest.raises(CatalogError, match=f"only the columns of {VERSION}; upgrade"):
        backup(catalog, str(tmp_path / "backup"))
    assert not (tmp_path / "backup").exists()


@pytest.mark.slow
def test_a_killed_restore_leaves_an_empty_catalog_into_which_it_is_repeated(small_backup, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.catalog.killed_restores", str(small_backup), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    last = int(done.stdout)
    assert last > len(CHILD_TABLES[:3])
    for number in range(1, last):
        uri = f"duckdb:{tmp_path}/{number}.duckdb"
        with open_catalog(uri, read_only=True) as catalog:
            rows = content(catalog)
        assert {table for table, stored in rows.items() if stored} == {VERSIONS}
    assert restored(small_backup, uri)["files"]


@pytest.mark.slow
def test_derived_tables_are_not_those_of_the_rows_before(small_backup, tmp_path):
    """They are in no backup; stored ones are invalid after a restore, and are dropped with the catalog."""
    uri = f"duckdb:{tmp_path}/copy.duckdb"
    count = "SELECT sum(file_count) AS files FROM sequences"
    with open_catalog(uri) as catalog:
        derived.refresh(catalog, PATH_TEMPLATE)
    restore(str(small_backup), uri)
    with open_catalog(uri) as catalog:
        assert derived.missing_tables(catalog, count, PATH_TEMPLATE).keys() == {"sequences"}
        derived.refresh(catalog, PATH_TEMPLATE)
        assert catalog.sql(count)["files"].to_pylist() == [2]
    drop(uri)
    with duckdb.connect(str(tmp_path / "copy.duckdb")) as file:
        assert file.execute("SHOW TABLES").fetchall() == []
