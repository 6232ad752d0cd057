"""The DuckDB backend: locking, invalid files, and killed writers."""

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import duckdb
import pytest

import exr_inspector.catalog as catalogs
from exr_inspector import open_catalog
from exr_inspector.catalog import IngestError, stored_version
from exr_inspector.catalog.duckdb import statements
from exr_inspector.catalog.duckdb.errors import as_catalog_error
from exr_inspector.catalog.duckdb.statements import create_table
from exr_inspector.catalog.schema import TABLES, VERSION
from exr_inspector.errors import CatalogError, CatalogLockedError, CatalogSchemaError, QueryError, SettingsError
from tests.support.exr_bytes import inspection, text

REPOSITORY = Path(__file__).parents[2]
A, B = inspection("s3://renders/a.exr"), inspection("s3://renders/b.exr")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalog.duckdb"


def start(code, *arguments):
    """A Python process that runs `code`; its first line of output says that it has come so far."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline()
    return process


HOLD = """
import sys
from exr_inspector import open_catalog
with open_catalog(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""

PERSIST_FOR_EVER = """
import sys
from itertools import count
from exr_inspector import open_catalog
from tests.support.exr_bytes import inspection
with open_catalog(sys.argv[1]) as catalog:
    for batch in count():
        catalog.persist([inspection(f"s3://renders/{batch:05}.{frame:04}.exr") for frame in range(20)])
        print(batch, flush=True)
"""


# ── names ────────────────────────────────────────────────


@pytest.mark.slow
def test_a_catalog_is_named_by_uri_or_path(path):
    with open_catalog(f"duckdb:{path}") as catalog:
        catalog.persist([A])
    with open_catalog(str(path)) as catalog:
        assert catalog.status().row_counts["files"] == 1


@pytest.mark.parametrize("uri", ["", "duckdb:", "catalog.db", "sqlite:catalog.duckdb", "postgres://host/db", "folder"])
def test_a_uri_of_another_form_is_rejected_with_the_valid_forms(uri):
    with pytest.raises(SettingsError, match=r"duckdb:PATH"):
        open_catalog(uri)


@pytest.mark.parametrize(
    "name",
    ["md:x", "MotherDuck:x", "postgres:dbname=x", "mysql:x", "sqlite:x.db", "s3://bucket/x", "https://host/x",
     ":memory:", ":memory:x"],
)  # fmt: skip
@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_not_a_file_is_rejected(tmp_path, monkeypatch, name, read_only):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"give the path of a file|not the path of a DuckDB file"):
        open_catalog(f"duckdb:{name}", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "uri",
    [
        "duckdb:postgres:host=db password=hunter2",
        "duckdb:md:renders?motherduck_token=hunter2",
        "DuckDB:s3://key:hunter2@bucket/catalog.duckdb",
        "duckdb::memory:hunter2",
        "postgres://artist:hunter2@db/renders",
        "host=db password=hunter2",
        "artist:hunter2@db",
        "?token=hunter2",
        "vast://key:hunter2@cluster/bucket/schema",
    ],
)
@pytest.mark.parametrize("use", [catalogs.open_catalog, catalogs.migrate, catalogs.sort])
def test_errors_have_no_password_of_the_uri(uri, use):
    """The message names the scheme only."""
    with pytest.raises(SettingsError) as raised:
        use(uri)
    assert "hunter2" not in str(raised.value)


@pytest.mark.slow
def test_a_file_may_have_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("md:x", "shots.csv", ":memory:"):
        for expected in (1, 2):
            with open_catalog(f"duckdb:./{name}") as catalog:
                catalog.persist([A, B][:expected])
                assert catalog.status().row_counts["files"] == expected
        assert (tmp_path / name).is_file()


@pytest.mark.slow
def test_the_package_imports_no_database():
    """A command that needs no catalog does not pay for one."""
    code = """
import sys, exr_inspector.catalog
print([name for name in ("duckdb", "pyarrow", "numpy") if name in sys.modules])
"""
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
    )
    assert process.stdout.strip() == "[]", process.stderr


# ── files that are not a catalog ────────────────────────────


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_not_a_database_is_not_changed(path, read_only):
    path.write_bytes(b"renders of shot 10\n" * 1000)
    with pytest.raises(CatalogError, match="is not a DuckDB database"):
        open_catalog(str(path), read_only=read_only)
    assert path.read_bytes() == b"renders of shot 10\n" * 1000


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "sqlite", "empty.duckdb"])
def test_a_file_of_another_kind_is_not_changed(tmp_path, kind, read_only):
    """DuckDB itself opens a CSV file as a database in memory, and downloads an extension for SQLite."""
    path = tmp_path / f"shots.{kind}"
    if kind == "sqlite":
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE files (name)")
    elif kind == "empty.duckdb":
        path.touch()
    else:
        duckdb.sql("SELECT 1 AS a").to_parquet(str(path)) if kind == "parquet" else path.write_text("[1]\n[2]\n")
    before = path.read_bytes()
    with pytest.raises(CatalogError, match="is not a DuckDB database"):
        open_catalog(f"duckdb:{path}", read_only=read_only)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["header", "blocks", "changed"])
def test_a_damaged_file_is_named_with_a_remedy(path, damage):
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("CREATE TABLE schema_version AS SELECT range AS version FROM range(9)")
    data = path.read_bytes()
    changed = data[:12_288] + bytes(255 - byte for byte in data[12_288:])
    path.write_bytes({"header": data[:5000], "blocks": data[:300_000], "changed": changed}[damage])
    for read in (partial(open_catalog, str(path), read_only=True), partial(stored_version, str(path))):
        with pytest.raises(CatalogError, match=r"\.duckdb is damaged \([^;]+\); restore a backup"):
            read()


@pytest.mark.parametrize("reason", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_named_with_a_remedy(path, reason):
    """With the text of DuckDB when a commit fails."""
    text = f'TransactionContext Error: Failed to commit: Could not write file "{path}.wal": {reason}'
    error = as_catalog_error(duckdb.TransactionException(text), path)
    disk, _, remedy = str(error).removeprefix(f"{path} cannot be written: the disk at ").partition(" is full (")
    assert os.path.ismount(disk)
    assert path.is_relative_to(disk)
    assert remedy.endswith("nothing of this transaction is stored; free space on it, and run the command again")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_not_waited_for(path):
    os.mkfifo(path)
    with pytest.raises(CatalogError, match="is not a DuckDB database"):
        open_catalog(str(path))


def test_reading_a_missing_catalog_says_how_to_create_one(path):
    with pytest.raises(CatalogError, match="exr-inspector ingest"):
        open_catalog(str(path), read_only=True)
    assert not path.exists()


def test_a_missing_folder_and_a_folder_as_path_are_named(tmp_path):
    with pytest.raises(CatalogError, match=r"the folder .* is missing"):
        open_catalog(f"duckdb:{tmp_path}/missing/catalog.duckdb")
    with pytest.raises(CatalogError, match="is a folder"):
        open_catalog(f"duckdb:{tmp_path}")


@pytest.mark.slow
def test_a_database_without_tables_is_created_for_writing_only(path):
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE shots (name VARCHAR)").fetchall()
    with pytest.raises(CatalogSchemaError, match="without a catalog"):
        open_catalog(str(path), read_only=True)
    with open_catalog(str(path)) as catalog:
        catalog.persist([A])
        assert catalog.sql("SELECT * FROM shots").num_rows == 0


def test_tables_of_another_program_are_rejected(path):
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE files (name VARCHAR)").fetchall()
    with pytest.raises(CatalogSchemaError, match="files"):
        open_catalog(str(path))
    with duckdb.connect(str(path)) as other:
        assert other.execute("SHOW TABLES").fetchall() == [("files",)]


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [True, False])
def test_a_catalog_of_a_newer_version_is_rejected(path, read_only):
    open_catalog(str(path)).close()
    with duckdb.connect(str(path)) as newer:
        row = f"{VERSION + 2}, now()::TIMESTAMP, '9.0', {VERSION + 1}"
        newer.execute(f"INSERT INTO schema_version VALUES ({row})").fetchall()
    versions = rf"newer exr-inspector \(table version {VERSION + 2}; this release supports {VERSION}\)"
    with pytest.raises(CatalogSchemaError, match=rf"{versions}.* supports table version {VERSION + 1}, such as 9\.0$"):
        open_catalog(str(path), read_only=read_only)


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [True, False])
def test_a_catalog_of_a_newer_version_that_is_still_readable_is_used(path, read_only):
    with open_catalog(str(path)) as catalog:
        catalog.persist([A])
    with duckdb.connect(str(path)) as newer:
        newer.execute("ALTER TABLE files ADD COLUMN added_later VARCHAR").fetchall()
        row = f"{VERSION + 1}, now()::TIMESTAMP, '9.0', {VERSION}"
        newer.execute(f"INSERT INTO schema_version VALUES ({row})").fetchall()
    with open_catalog(str(path), read_only=read_only) as catalog:
        assert catalog.status().schema_version == VERSION + 1
        if not read_only:
            assert [outcome.inserted for outcome in catalog.persist([A, B])] == [False, True]
        assert {row["added_later"] for row in catalog.sql("SELECT * FROM files").to_pylist()} == {None}


# ── who may open it ──────────────────────────────────────


@pytest.mark.slow
def test_a_second_catalog_of_the_process_leaves_the_lock_of_the_first(path):
    """Closing any file handle on it would end the locks of POSIX."""
    other = "import sys; from exr_inspector import open_catalog; open_catalog(sys.argv[1])"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    with open_catalog(str(path)):
        open_catalog(str(path)).close()
        done = subprocess.run([sys.executable, "-c", other, str(path)], env=environment, capture_output=True, text=True)
    assert "CatalogLockedError" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_locked_catalog_names_the_writing_process(path, read_only):
    open_catalog(str(path)).close()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(CatalogLockedError) as caught:
            open_catalog(str(path), read_only=read_only)
        holder.stdin.close()
    assert f"PID {holder.pid}" in str(caught.value)
    assert "python" in str(caught.value)
    assert caught.value.retryable
    open_catalog(str(path), read_only=read_only).close()


@pytest.mark.slow
def test_two_processes_may_read(path):
    open_catalog(str(path)).close()
    with open_catalog(str(path), read_only=True):
        reader = start(
            "import sys; from exr_inspector import open_catalog\n"
            "print(open_catalog(sys.argv[1], read_only=True).status().row_counts)",
            path,
        )
        reader.communicate()
        assert reader.returncode == 0


@pytest.mark.slow
def test_one_process_may_open_it_twice_for_writing(path):
    """Two catalogs on one file take turns, from any number of threads."""
    with (
        open_catalog(str(path)) as one,
        open_catalog(f"duckdb:{path}") as other,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(lambda number: (one, other)[number % 2].persist([A, B]), range(40)))
        assert one.sql("SELECT inspection_count AS n FROM files").to_pylist() == [{"n": 40}, {"n": 40}]


@pytest.mark.slow
def test_a_process_cannot_open_it_for_reading_and_writing(path):
    with open_catalog(str(path)), pytest.raises(CatalogLockedError, match="this process"):
        open_catalog(str(path), read_only=True)
    with open_catalog(str(path), read_only=True), pytest.raises(CatalogLockedError, match="this process"):
        open_catalog(str(path))


@pytest.mark.slow
def test_a_read_only_catalog_rejects_changes(path):
    with open_catalog(str(path)) as catalog:
        catalog.persist([A])
    error = IngestError(
        file_path_normalized="s3://x", size_bytes=1, mtime=None, code="c", message="m", byte_offset=None
    )
    with open_catalog(str(path), read_only=True) as catalog:
        for change in (
            lambda: catalog.persist([B]),
            lambda: catalog.record_errors([error]),
            lambda: catalog.mark_deleted(["s3://x"]),
        ):
            with pytest.raises(CatalogError, match="read-only"):
                change()
        with pytest.raises(QueryError, match="read-only"):
            catalog.sql("DELETE FROM files")
        assert catalog.status().row_counts["files"] == 1


# ── what a killed writer leaves ──────────────────────────


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_batches(path):
    """kill -9 at any moment: every batch that was reported is there, and each file has all of its rows."""
    for reported in (0, 3):
        writer = start(PERSIST_FOR_EVER, path)
        for _ in range(reported):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        with open_catalog(str(path), read_only=True) as catalog:
            before = catalog.status().row_counts
        with open_catalog(str(path)) as catalog:
            assert catalog.status().row_counts == before
            counts = catalog.status().row_counts
            assert counts["files"] % 20 == 0
            assert counts["files"] >= 20 * (last + 1 if reported else 1)
            assert counts["parts"] == counts["files"]
            assert counts["channels"] == 3 * counts["files"]
            assert counts["attributes"] == 8 * counts["files"]
            assert len(catalog.persist([A])) == 1
            assert catalog.sql("SELECT count(DISTINCT file_id) AS n FROM files").to_pylist() == [
                {"n": catalog.status().row_counts["files"]}
            ]
        path.unlink()


def test_the_tables_are_created_from_the_arrow_schemas(path):
    with open_catalog(str(path)) as catalog:
        for table, schema in TABLES.items():
            described = catalog.sql(f"DESCRIBE {table}").to_pylist()
            assert [column["column_name"] for column in described] == schema.names
            assert [column["null"] == "YES" for column in described] == [column.nullable for column in schema]
    assert '"metadata_embedding" FLOAT[384]' in create_table("files", TABLES["files"])


@pytest.mark.parametrize("rows_per_lookup", [0, 100])
def test_stored_versions_are_looked_up_or_scanned(path, monkeypatch, rows_per_lookup):
    """In a large catalog, or one that is small for the batch."""
    monkeypatch.setattr(statements, "ROWS_PER_LOOKUP", rows_per_lookup)
    monkeypatch.setattr(statements, "LONGEST_LIST", 2)
    first = [inspection(f"s3://renders/a.{frame}.exr") for frame in range(1001, 1006)]
    with open_catalog(path) as catalog:
        catalog.persist(first)
        others = [inspection(f"s3://renders/a.{frame}.exr", text("owner", "other")) for frame in (1003, 1004, 1006)]
        again = catalog.persist([*first[:2], *others])
        assert [outcome.inserted for outcome in again] == [False, False, True, True, True]
        files = catalog.sql("SELECT frame, is_current, inspection_count AS n FROM files ORDER BY ALL").to_pylist()
    assert [tuple(row.values()) for row in files] == [
        ("1001", True, 2), ("1002", True, 2), ("1003", False, 1), ("1003", True, 1),
        ("1004", False, 1), ("1004", True, 1), ("1005", True, 1), ("1006", True, 1),
    ]  # fmt: skip
