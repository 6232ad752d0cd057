"""Migrations of DuckDB files, from a catalog that the program of version 1 made."""

import ctypes
import dataclasses
import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import migrate, migrations
from exr_inspector.catalog.duckdb.migrate import apply
from exr_inspector.catalog.migrations import MIGRATIONS, AddColumns, AddIndex, Recompute
from exr_inspector.catalog.schema import CHILD_TABLES, TABLES, VERSION
from exr_inspector.cli.main import main
from exr_inspector.deadline import time_limit
from exr_inspector.errors import CatalogError, CatalogLockedError, CatalogSchemaError, SettingsError
from tests.support.exr_bytes import exr_bytes, inspection, text

from .at_once import at_once
from .version_1 import Version1, copy_catalog

REPOSITORY = Path(__file__).parent.parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture
def old(tmp_path):
    """The path of a catalog of version 1."""
    path = tmp_path / "shows.duckdb"
    copy_catalog(path)
    return path


def contents(path):
    """The columns with their types and nulls, and the rows, of all tables; read without the product."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = sorted(name for (name,) in connection.execute("SHOW TABLES").fetchall())
        columns = {table: connection.execute(f"DESCRIBE {table}").fetchall() for table in tables}
        rows = {table: connection.sql(f"SELECT * FROM {table}").to_arrow_table().to_pylist() for table in tables}
    return columns, rows


def only(rows, columns):
    """The rows with these columns, in a fixed order."""
    return sorted(({name: row[name] for name in columns} for row in rows), key=repr)


def copies(path):
    return sorted(each.name for each in path.parent.iterdir() if each.name.startswith(f"{path.name}."))


@pytest.mark.slow
def test_old_rows_are_equal_in_their_old_columns(old):
    columns, before = contents(old)
    open_catalog(str(old)).close()
    _, after = contents(old)
    assert set(before) < set(after)
    for table, rows in before.items():
        names = [column[0] for column in columns[table]]
        kept = after[table] if table != "schema_version" else after[table][:1]
        assert only(kept, names) == only(rows, names)
    assert [(row["version"], row["readable_since"]) for row in after["schema_version"]] == [
        (1, None),
        *((version, 1) for version in range(2, VERSION + 1)),
    ]


# Names that the program of version 1 found other frames in, or none; the sequences and frames of this program.
RENAMED = {
    "s3://renders/sh010.1001_L.exr": ("s3://renders/sh010.#_L.exr", "1001", 1001),
    "s3://renders/sh010.0000001001.exr": ("s3://renders/sh010.#.exr", "0000001001", 1001),
    "s3://renders/plate.1002.25_L.exr": ("s3://renders/plate.#_L.exr", "1002.25", 1002),
    "s3://renders/slate_20240131.exr": (None, None, None),
    "s3://renders/comp_ver01.exr": (None, None, None),
    "s3://renders/b.1001.exr": ("s3://renders/b.#.exr", "1001", 1001),
}
UNREADABLE = {
    "s3://renders/cut_1001_beauty.exr": ("s3://renders/cut_#_beauty.exr", "1001", 1001),
    "s3://renders/cut_v002.exr": (None, None, None),
}


def persist_renamed(program):
    program.persist(*RENAMED)
    for uri in UNREADABLE:
        program.send(fail=uri)


def frames_in(rows):
    return {row["file_path_normalized"]: (row["sequence"], row["frame"], row["frame_number"]) for row in rows}


@pytest.mark.slow
def test_old_rows_get_the_frames_of_this_program(old):
    """Files and unreadable files."""
    with Version1(str(old)) as program:
        persist_renamed(program)
    before = frames_in(contents(old)[1]["files"])
    open_catalog(str(old)).close()
    tables = contents(old)[1]
    after = frames_in(tables["files"])
    assert after == before | RENAMED
    assert {uri for uri in after if before[uri] != after[uri]} == RENAMED.keys() - {"s3://renders/b.1001.exr"}
    assert frames_in(tables["ingest_errors"]).items() >= UNREADABLE.items()


@pytest.mark.slow
def test_old_rows_get_the_batch_of_their_transaction(old):
    """Files of one transaction share it with their other rows."""
    with open_catalog(str(old)) as catalog:
        (row,) = catalog.sql("SELECT count(DISTINCT batch_id) AS batches, count(*) AS files FROM files").to_pylist()
        assert row == {"batches": 2, "files": 5}
        assert catalog.sql("SELECT 1 FROM files WHERE batch_id <> epoch_us(inspection_timestamp)").num_rows == 0
        for table in ("parts", "channels", "attributes"):
            matching = f"SELECT 1 FROM {table} JOIN files USING (file_id, batch_id)"
            assert catalog.sql(matching).num_rows == catalog.sql(f"SELECT 1 FROM {table}").num_rows > 0


@pytest.mark.slow
def test_a_migrated_catalog_has_the_tables_of_a_new_one(old, tmp_path):
    open_catalog(str(old)).close()
    open_catalog(str(tmp_path / "new.duckdb")).close()
    assert contents(old)[0] == contents(tmp_path / "new.duckdb")[0]


ENCODED_NAMES = {  # as given, and with names as they are
    "s3://renders/50%41.1001.exr": "s3://renders/50%2541.1001.exr",
    "s3://renders/%FF.exr": "s3://renders/%25FF.exr",
    "s3://renders/100%.exr": "s3://renders/100%.exr",
    "s3://renders/e\u0301.1001.exr": "s3://renders/e\u0301.1001.exr",
    "s3://renders/\u00e9.1002.exr": "s3://renders/\u00e9.1002.exr",
    "file:///shows/caf\udce9.exr": "file:///shows/caf%E9.exr",
    "file:///shows/a%2541.exr": "file:///shows/a%252541.exr",
}


@pytest.mark.slow
def test_uris_of_version_1_become_exact(old):
    """Ids stay; the names in NFD and those with a percent sign get the URIs that they have now."""
    with Version1(str(old)) as program:
        program.persist(*ENCODED_NAMES)
        program.send(fail="s3://renders/cut%41.exr")
    before = {row["file_id"]: row["file_path"] for row in contents(old)[1]["files"]}
    with open_catalog(str(old)) as catalog:
        rows = catalog.sql("SELECT file_id, file_path, file_path_normalized, sequence FROM files").to_pylist()
        failed = catalog.sql("SELECT file_path_normalized FROM ingest_errors").to_pylist()
    assert {row["file_id"]: row["file_path"] for row in rows} == before
    uris = {row["file_path_normalized"]: row["sequence"] for row in rows}
    assert set(ENCODED_NAMES.values()) < set(uris)
    assert uris["s3://renders/50%2541.1001.exr"] == "s3://renders/50%2541.#.exr"
    assert uris["s3://renders/e\u0301.1001.exr"] == "s3://renders/e\u0301.#.exr"
    assert {"file_path_normalized": "s3://renders/cut%2541.exr"} in failed


@pytest.mark.slow
def test_the_first_run_after_an_upgrade_needs_no_manual_step(tmp_path, monkeypatch, capfd):
    """A catalog of files, made by version 1: all commands work, and the first run of ingest judges the rows."""
    monkeypatch.chdir(tmp_path)
    paths = ["show/a.1001.exr", "show/a.1002.exr", "show/a.1004.exr", "./show/e\u0301.exr"]
    Path("show").mkdir()
    for path in paths:
        Path(path).write_bytes(exr_bytes())
    with Version1("old.duckdb") as program:
        assert program.send(read=paths) == [True] * 4
    catalog = ["--catalog", "old.duckdb"]
    for command in (["sequences"], ["report", "storage"], ["similar", "show/a.1001.exr"]):
        assert main([*command, *catalog]) == 0
        assert capfd.readouterr().out
    assert main(["db", "status", *catalog]) == 0
    assert "never judged         4 files" in capfd.readouterr().out
    assert main(["ingest", "show", *catalog]) == 0
    # The name in NFD has another URI now, and a new version with it.
    assert "0 new, 0 unchanged, 1 re-rendered, 3 inspected again" in capfd.readouterr().out
    assert main(["db", "status", *catalog]) == 0
    assert "never judged" not in capfd.readouterr().out
    assert main(["ingest", "show", *catalog]) == 0
    assert "4 files: 0 new, 4 unchanged" in capfd.readouterr().out


@pytest.mark.slow
def test_a_migrated_catalog_is_used_like_a_new_one(old):
    known = inspection("s3://renders/b.exr", channels="AZ")
    newer = inspection("s3://renders/a.1001.exr", text("note", "third"))
    with open_catalog(str(old)) as catalog:
        assert [outcome.inserted for outcome in catalog.persist([known, newer])] == [False, True]
        counts = catalog.sql("SELECT inspection_count FROM files WHERE file_path = 's3://renders/b.exr'")
        assert counts.to_pylist() == [{"inspection_count": 3}]
        current = catalog.sql("SELECT file_id FROM files WHERE is_current AND file_path LIKE '%a.1001%'")
        assert current.to_pylist() == [{"file_id": newer.file.file_id}]
        assert catalog.status().schema_version == VERSION


@pytest.mark.slow
def test_the_file_before_is_kept_beside_it(old):
    before = contents(old)
    old.chmod(0o640)
    open_catalog(str(old)).close()
    assert copies(old) == [f"shows.duckdb.before-schema-{VERSION}"]
    copy = old.with_name(f"shows.duckdb.before-schema-{VERSION}")
    assert contents(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
def test_changes_that_are_only_in_the_log_are_in_the_copy(old):
    """A program was killed before it wrote its log into the file."""
    statement = "INSERT INTO schema_version VALUES (-1, now()::TIMESTAMP, 'lost?')"
    killed = (
        f"import duckdb, os\nkept = duckdb.connect({str(old)!r})\nkept.execute({statement!r}).fetchall()\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", killed], check=True)
    assert copies(old) == ["shows.duckdb.wal"]
    open_catalog(str(old)).close()
    for path in (old, old.with_name(f"shows.duckdb.before-schema-{VERSION}")):
        assert -1 in {row["version"] for row in contents(path)[1]["schema_version"]}


@pytest.mark.slow
def test_an_earlier_copy_is_not_replaced(old):
    earlier = old.with_name(f"shows.duckdb.before-schema-{VERSION}")
    earlier.write_text("important")
    open_catalog(str(old)).close()
    assert earlier.read_text() == "important"
    assert copies(old) == [f"shows.duckdb.before-schema-{VERSION}", f"shows.duckdb.before-schema-{VERSION}.1"]


@pytest.mark.slow
@pytest.mark.parametrize("foreign", ["TABLE Problems (a INTEGER)", "VIEW validations AS SELECT 1 AS a"])
def test_a_table_of_another_program_is_named_before_anything_is_copied(old, foreign):
    with duckdb.connect(str(old)) as connection:
        connection.execute(f"CREATE {foreign}")
    before = contents(old)
    for dry_run in (True, False):
        with pytest.raises(CatalogSchemaError, match=r"version 2: (problems|validations); rename them"):
            migrate(f"duckdb:{old}", dry_run=dry_run)
    assert contents(old) == before
    assert copies(old) == []


def test_a_new_catalog_does_not_use_a_view_of_another_program(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE VIEW Problems AS SELECT 1 AS a")
    with pytest.raises(CatalogSchemaError, match="did not create: problems; give another path"):
        open_catalog(str(path))


@pytest.mark.slow
def test_a_migration_that_fails_leaves_no_copy(old, monkeypatch):
    """But for the copy of the version before, where an earlier migration was applied."""
    columns = pa.schema([pa.field("later", pa.string())])
    failing = migrations.Migration(version=3, why="fails", steps=(AddColumns("missing", columns),))
    before = contents(old)
    monkeypatch.setattr(migrations, "VERSION", 3)
    monkeypatch.setattr(migrations, "MIGRATIONS", (dataclasses.replace(failing, version=2),))
    for _ in range(2):
        with pytest.raises(CatalogError, match="missing"):
            migrate(f"duckdb:{old}", to=2)
        assert copies(old) == []
    assert contents(old) == before
    monkeypatch.setattr(migrations, "MIGRATIONS", (MIGRATIONS[0], failing))
    with pytest.raises(CatalogError, match="missing"):
        migrate(f"duckdb:{old}", to=3)
    assert copies(old) == ["shows.duckdb.before-schema-3"]
    assert contents(old.with_name("shows.duckdb.before-schema-3")) == before


@pytest.mark.slow
def test_a_migration_waits_within_the_time_limit_of_the_caller(old):
    holder = f"import duckdb, sys\nkept = duckdb.connect({str(old)!r})\nprint('open', flush=True)\nsys.stdin.read()"
    running = subprocess.Popen([sys.executable, "-c", holder], stdin=subprocess.PIPE, **PIPES)
    assert running.stdout.readline() == "open\n"
    began = time.monotonic()
    with time_limit(0.2), pytest.raises(CatalogLockedError, match=str(running.pid)):
        migrate(f"duckdb:{old}")
    assert time.monotonic() - began < 15
    running.communicate(timeout=60)


def test_the_command_that_is_named_can_be_pasted():
    error = migrations.needs_migration("duckdb:/shows/a b's.duckdb", 1)
    assert shlex.split(str(error).partition("run: ")[2])[-1] == "duckdb:/shows/a b's.duckdb"


@pytest.mark.slow
def test_a_copy_that_fails_leaves_the_catalog_as_it_was(old, monkeypatch):
    before = contents(old)
    monkeypatch.setattr(os, "fsync", lambda _: os.write(-1, b""))
    with pytest.raises(CatalogError, match=r"cannot be copied .*; the catalog is unchanged"):
        open_catalog(str(old))
    assert contents(old) == before
    assert copies(old) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["query", "SELECT count(batch_id) AS n FROM files"],
        ["sequences"],
        ["report", "storage"],
        ["db", "status"],
    ],
    ids=lambda command: command[0],
)
def test_commands_that_only_read_need_no_manual_step(old, command, capfd, caplog):
    assert main([*command, "--catalog", f"duckdb:{old}"]) == 0
    assert capfd.readouterr().out
    assert copies(old) == [f"shows.duckdb.before-schema-{VERSION}"]
    assert f"before-schema-{VERSION}" in caplog.text


def obey_permissions():
    """Take from root the capability to ignore them (CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1)


# Runs commands after another in one process, and prints their exit codes to stderr.
PROGRAM = """
import sys
from exr_inspector.cli.main import main
for command in (["query", "SELECT 1"], ["ingest", "."], ["db", "create-schema"]):
    print(main([*command, "--catalog", sys.argv[1]]), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("unwritable", ["file", "folder"])
def test_without_permission_to_write_the_command_to_migrate_is_named(unwritable):
    """By commands that read, that write, and that create tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shows.duckdb")
        copy_catalog(path)
        path.chmod(0o444 if unwritable == "file" else 0o666)
        path.parent.chmod(0o777 if unwritable == "file" else 0o555)
        words = [sys.executable, "-c", PROGRAM, f"duckdb:{path}"]
        done = subprocess.run(words, env=ENVIRONMENT, preexec_fn=obey_permissions, **PIPES)
        path.parent.chmod(0o755)
        assert (done.returncode, done.stdout) == (0, "")
        errors = done.stderr.split("\n3\n")
        assert errors.pop() == ""
        assert len(errors) == 3, done.stderr
        for error in errors:
            assert f"exr-inspector db migrate --catalog duckdb:{path}" in error
            assert f"{path if unwritable == 'file' else path.parent} is not writable" in error
        assert copies(path) == []


# ── db migrate ────────────────────────────────────────────


@pytest.mark.slow
def test_the_command_migrates_once(old, capfd):
    command = ["db", "migrate", "--catalog", f"duckdb:{old}"]
    before = contents(old)
    assert main([*command, "--dry-run"]) == 0
    planned = capfd.readouterr().out
    assert f"would be migrated from table version 1 to {VERSION}" in planned
    assert "create table problems" in planned
    assert contents(old) == before
    assert copies(old) == []
    assert main(command) == 0
    printed = capfd.readouterr().out
    assert f"migrated from table version 1 to {VERSION}" in printed
    assert f"shows.duckdb.before-schema-{VERSION}" in printed
    assert main(command) == 0
    assert f"nothing to migrate, it had table version {VERSION}" in capfd.readouterr().out
    assert main([*command, "--to", "1"]) == 2
    assert "cannot be migrated to 1" in capfd.readouterr().err


def test_only_vast_tables_are_sorted_or_recomputed_again(old, capfd):
    assert main(["db", "migrate", "--sort", "--catalog", f"duckdb:{old}"]) == 2
    assert "has an index by path" in capfd.readouterr().err
    assert main(["db", "migrate", "--repeat", "--catalog", f"duckdb:{old}"]) == 2
    assert "had no other writer" in capfd.readouterr().err
    assert main(["db", "migrate", "--repeat", "--sort", "--catalog", f"duckdb:{old}"]) == 2
    assert "give one of them" in capfd.readouterr().err


def test_a_file_without_a_catalog_is_not_migrated(tmp_path, capfd):
    missing = tmp_path / "missing.duckdb"
    assert main(["db", "migrate", "--catalog", f"duckdb:{missing}"]) == 3
    assert "does not exist" in capfd.readouterr().err
    assert not missing.exists()
    assert main(["db", "migrate", "--catalog", f"duckdb:{tmp_path}"]) == 3
    assert "is a folder" in capfd.readouterr().err
    os.mkfifo(tmp_path / "pipe.duckdb")
    assert main(["db", "migrate", "--catalog", f"duckdb:{tmp_path}/pipe.duckdb"]) == 3
    assert "is not a DuckDB database" in capfd.readouterr().err
    duckdb.connect(str(tmp_path / "other.duckdb")).close()
    assert main(["db", "migrate", "--catalog", f"duckdb:{tmp_path}/other.duckdb"]) == 3
    assert "without a catalog" in capfd.readouterr().err


@pytest.mark.slow
def test_a_program_of_version_1_is_rejected_afterwards(old):
    with Version1(str(old)) as program:
        assert program.persist("s3://renders/later.exr") == [True]
    open_catalog(str(old)).close()
    with pytest.raises(RuntimeError, match=r"CatalogSchemaError.* newer"):
        Version1(str(old))


@pytest.mark.slow
def test_ten_migrators_at_once(old):
    """One migrates the file, nine find nothing to do."""
    modules = "exr_inspector.cli.main,exr_inspector.catalog.duckdb.catalog"
    results = at_once(10, modules, "db", "migrate", "--catalog", f"duckdb:{old}")
    assert [code for code, _ in results] == [0] * 10, results
    printed = [output for _, output in results]
    assert sum(f"migrated from table version 1 to {VERSION}" in output for output in printed) == 1
    assert sum("nothing to migrate" in output for output in printed) == 9
    assert copies(old) == [f"shows.duckdb.before-schema-{VERSION}"]


@pytest.mark.slow
def test_threads_that_open_an_old_file_at_once(old):
    """The lock of the file is held to the end, although each of them may close the file."""
    program = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from exr_inspector import open_catalog
with ThreadPoolExecutor(8) as pool:
    catalogs = list(pool.map(lambda _: open_catalog({str(old)!r}), range(8)))
print("open", flush=True)
sys.stdin.read()
"""
    running = subprocess.Popen([sys.executable, "-c", program], env=ENVIRONMENT, stdin=subprocess.PIPE, **PIPES)
    assert running.stdout.readline() == "open\n"
    with pytest.raises(CatalogLockedError):
        open_catalog(str(old))
    running.communicate(timeout=60)
    assert copies(old) == [f"shows.duckdb.before-schema-{VERSION}"]


@pytest.mark.slow
def test_a_kill_at_any_statement_leaves_one_version(old, tmp_path):
    """Entirely old or entirely new, and the next program completes it."""
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.catalog.killed_migrations", str(old), str(folder)]
    statements = int(subprocess.run(command, env=ENVIRONMENT, check=True, **PIPES).stdout)
    assert statements > 40
    old_state = contents(old)
    columns_of = {}
    for version in range(2, VERSION + 1):
        migrate(f"duckdb:{old}", to=version)
        columns_of[version], new_rows = contents(old)
    versions, checked = [], set()
    for number in range(statements):
        path = folder / f"{number}.duckdb"
        files = hash_of_files(path)
        if files in checked:  # the statement has written nothing yet: what the next program finds is the same
            versions.append(versions[-1])
            continue
        checked.add(files)
        state = contents(path)
        versions.append(max(row["version"] for row in state[1]["schema_version"]))
        assert state == old_state if versions[-1] == 1 else state[0] == columns_of[versions[-1]]
        found = copies(path)
        open_catalog(str(path)).close()
        columns, rows = contents(path)
        assert columns == columns_of[VERSION]
        assert {t: only(rows[t], TABLES[t].names) for t in CHILD_TABLES} == {
            t: only(new_rows[t], TABLES[t].names) for t in CHILD_TABLES
        }
        assert all(contents(path.with_name(name)) == old_state for name in found if name.endswith(f"-{VERSION}"))
    assert versions == sorted(versions)
    assert versions[0] == 1


def hash_of_files(path):
    """A hash of a DuckDB file, its log and its copies, with their names."""
    found = hashlib.sha256()
    for name in ("", *copies(path)):
        suffix = name.removeprefix(path.name)
        found.update(suffix.encode() + path.with_name(path.name + suffix).read_bytes())
    return found.hexdigest()


# ── steps ────────────────────────────────────────────────


def test_an_added_column_must_be_nullable():
    required = pa.schema([pa.field("a", pa.int64()), pa.field("b", pa.int64(), nullable=False)])
    with pytest.raises(ValueError, match="files must be nullable: b"):
        AddColumns("files", required)


def test_migrations_are_numbered_without_gaps_and_lead_to_the_version_of_the_program():
    assert [migration.version for migration in MIGRATIONS] == list(range(2, VERSION + 1))
    assert all(migration.why and all(map(str, migration.steps)) for migration in MIGRATIONS)
    assert MIGRATIONS[-1].readable_since == 1


@pytest.mark.parametrize("to", [0, VERSION + 1])
def test_an_unreachable_version_is_rejected(old, to):
    with pytest.raises(SettingsError, match=f"cannot be migrated to {to}"):
        migrate(f"duckdb:{old}", to=to)


def test_an_index_is_created(old):
    with duckdb.connect(str(old)) as connection:
        apply(connection, AddIndex("by_hash", "files", ("header_hash",)))
        assert ("by_hash",) in connection.execute("SELECT index_name FROM duckdb_indexes()").fetchall()


def moved(page):
    """Paths in another bucket, but for that of b.exr."""
    paths = page["file_path_normalized"].to_pylist()
    return pa.table({"file_path_normalized": pa.array(map(moved_path, paths), pa.string())})


def moved_path(path):
    return path if path.endswith("b.exr") else path.replace("s3://renders", "s3://moved")


@pytest.mark.slow
def test_columns_are_recomputed_in_pages(old, monkeypatch):
    """In an indexed column too; equal values are not written."""
    from exr_inspector.catalog.duckdb import migrate as backend

    monkeypatch.setattr(backend, "_PAGE_ROWS", 2)
    pages = []

    def compute(page):
        pages.append(page.num_rows)
        return moved(page)

    columns = pa.schema([pa.field("later", pa.string())])
    steps = (
        AddColumns("files", columns),
        Recompute("files", ("file_path_normalized",), compute, "paths"),
    )
    migration = migrations.Migration(version=VERSION + 1, why="paths", steps=steps, readable_since=VERSION + 1)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, migration))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    before = contents(old)[1]["files"]
    done = migrate(f"duckdb:{old}")
    assert [each.version for each in done.applied] == [*range(2, VERSION + 1), VERSION + 1]
    assert (max(pages), sum(pages)) == (2, 5)
    after = contents(old)[1]
    assert sorted(row["file_path_normalized"] for row in after["files"]) == sorted(
        moved_path(row["file_path_normalized"]) for row in before
    )
    for row in before:
        (same,) = [found for found in after["files"] if found["file_id"] == row["file_id"]]
        assert {name: same[name] for name in row} | {"file_path_normalized": row["file_path_normalized"]} == row
    with pytest.raises(CatalogSchemaError, match=rf"newer .*table version {VERSION + 1}"):
        open_catalog(str(old))
