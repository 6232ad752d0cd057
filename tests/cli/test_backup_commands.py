"""The commands that save, restore and drop a catalog."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import backup as catalog_backup
from exr_inspector.catalog.schema import TABLES
from exr_inspector.cli.main import main
from tests.catalog.conftest import BOTH, BUCKET, emulator, vast_settings  # noqa: F401 (fixtures)
from tests.catalog.test_contract import error_at
from tests.support.exr_bytes import exr_bytes, inspection
from tests.support.terminal import on_terminal


@pytest.fixture(params=BOTH)
def uri(request, tmp_path, monkeypatch):
    """A catalog with one file, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("shows").mkdir()
    uri = "duckdb:shows/shows.duckdb"
    if request.param == "vast":
        request.getfixturevalue("vast_settings")
        uri = f"vast://{BUCKET}/{tmp_path.name}"
    with open_catalog(uri) as catalog:
        catalog.persist([inspection()])
    return uri


def name_of(uri):
    return uri.rpartition("//")[2] if uri.startswith("vast:") else "shows.duckdb"


def files_in(uri):
    with open_catalog(uri, read_only=True) as catalog:
        return catalog.status().row_counts["files"]


def test_a_catalog_is_saved_checked_dropped_and_restored(uri, capfd):
    assert main(["db", "backup", "saved", "--catalog", uri]) == 0
    assert re.search(rf"saved: saved 1 file of {re.escape(uri)}, [\d,]+ bytes", capfd.readouterr().out)
    assert main(["db", "backup", "--check", "saved"]) == 0
    assert main(["db", "backup", "saved", "--catalog", uri]) == 3
    assert "saved: not empty; give a new or empty folder" in capfd.readouterr().err
    assert main(["db", "backup", "later", "--since", "saved", "--no-vectors", "--catalog", uri]) == 0
    assert "bytes, as an increment" in capfd.readouterr().out
    assert main(["db", "restore", "saved", "--catalog", uri]) == 3
    assert "has files; a backup is restored only into" in capfd.readouterr().err
    assert main(["db", "drop", "--no-backup", "--yes", name_of(uri), "--catalog", uri]) == 0
    assert main(["db", "restore", "later", "--catalog", uri]) == 0
    output = capfd.readouterr()
    assert f"{uri}: 1 file restored" in output.out
    assert f"1 file without vectors; compute them: exr-inspector db reembed --catalog {uri}" in output.err
    assert files_in(uri) == 1


def test_a_damaged_backup_is_a_finding(uri, capfd):
    assert main(["db", "backup", "saved", "--catalog", uri]) == 0
    Path("saved/parts.parquet").unlink()
    assert main(["db", "backup", "--check", "saved"]) == 1
    assert "saved/parts.parquet: missing" in capfd.readouterr().out
    Path("saved/manifest.json").unlink()
    assert main(["db", "backup", "--check", "saved"]) == 1
    assert "saved: incomplete: manifest.json is missing" in capfd.readouterr().out


def test_a_catalog_is_saved_before_it_is_dropped(uri, capfd):
    assert main(["db", "drop", "--yes", name_of(uri), "--catalog", uri]) == 0
    (folder,) = Path("." if uri.startswith("vast:") else "shows").glob("*.backup-*")
    assert json.loads((folder / "manifest.json").read_text())["tables"]["files"]["rows"] == 1
    assert main(["db", "status", "--catalog", uri]) == 3
    capfd.readouterr()
    assert main(["db", "drop", "--no-backup", "--yes", name_of(uri), "--catalog", uri]) == 3
    assert main(["db", "restore", str(folder), "--catalog", uri]) == 0
    assert main(["db", "drop", "--backup", "saved", "--yes", name_of(uri), "--catalog", uri]) == 0
    assert Path("saved/manifest.json").is_file()


def test_nothing_is_dropped_that_was_stored_after_the_backup(uri, capfd, monkeypatch):
    check = catalog_backup.check

    def store_and_check(*arguments):
        with open_catalog(uri) as catalog:
            catalog.persist([inspection()])
            catalog.record_errors([error_at("s3://renders/broken.exr")])
        return check(*arguments)

    monkeypatch.setattr(catalog_backup, "check", store_and_check)
    drop = ["db", "drop", "--yes", name_of(uri), "--catalog", uri, "--backup"]
    assert main([*drop, "saved"]) == 3
    assert "was changed after it was saved (files, ingest_errors), and nothing was dropped" in capfd.readouterr().err
    assert files_in(uri) == 1
    monkeypatch.undo()


@pytest.mark.parametrize("words", [["--since", "a"], ["--no-vectors"], ["--catalog", "a.duckdb"], ["--wait", "1"]])
def test_a_check_reads_no_catalog(words, capfd):
    assert main(["db", "backup", "--check", "saved", *words]) == 2
    assert "--check reads only the backup" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "the name of the catalog is needed to drop it: --yes"),
        (["--yes", "other"], 2, "'other' is not the name of the catalog"),
        (["--backup", "saved", "--no-backup"], 2, "exclude each other"),
        (["--backup", "shows"], 3, "shows: not empty"),
    ],
)
def test_nothing_is_dropped_without_the_name_and_a_backup(uri, capfd, options, code, message):
    Path("shows/any").touch()
    given = options if options[:1] != ["--backup"] else [*options, "--yes", name_of(uri)]
    assert main(["db", "drop", *given, "--catalog", uri]) == code
    assert message in capfd.readouterr().err
    assert files_in(uri) == 1


@pytest.mark.slow
def test_a_person_is_asked_for_the_name(tmp_path):
    """`yes` is not enough."""
    script = tmp_path / "answers.py"
    script.write_text(
        "import io, sys\nfrom exr_inspector.cli.main import main\n"
        "terminal = sys.stdin\nsys.stdin = io.StringIO(sys.argv.pop(1) + '\\n')\nsys.stdin.isatty = terminal.isatty\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    open_catalog(tmp_path / "shows.duckdb").close()
    drop = ("db", "drop", "--no-backup", "--catalog", "duckdb:shows.duckdb")
    code, shown = on_terminal("yes", *drop, cwd=tmp_path, program=str(script))
    assert (code, "drop the tables of duckdb:shows.duckdb? Enter its name, shows.duckdb: " in shown) == (2, True)
    assert "'yes' is not the name of the catalog" in shown
    code, shown = on_terminal("shows.duckdb", *drop, cwd=tmp_path, program=str(script))
    assert (code, "duckdb:shows.duckdb: dropped" in shown) == (0, True)


def test_other_tables_are_not_dropped(uri):
    columns = pa.schema([pa.field("a", pa.int64())])
    if uri.startswith("vast:"):
        with open_catalog(uri) as catalog, catalog.tables.connection.transaction() as transaction:
            transaction.bucket(BUCKET).schema(catalog.tables.schema).create_table("other", columns)
    else:
        with open_catalog(uri) as catalog, catalog._transaction() as connection:
            connection.execute("CREATE TABLE other (a INT)").fetchall()
    assert main(["db", "drop", "--no-backup", "--yes", name_of(uri), "--catalog", uri]) == 0
    with open_catalog(uri) as catalog:
        if uri.startswith("vast:"):
            with catalog.tables.connection.transaction() as transaction:
                names = transaction.bucket(BUCKET).schema(catalog.tables.schema).tablenames()
        else:
            names = catalog.sql("SELECT table_name FROM information_schema.tables")["table_name"].to_pylist()
    assert set(names) == {"other", *TABLES}


@pytest.mark.slow
def test_a_snapshot_of_a_vast_bucket_is_read(tmp_path, monkeypatch, emulator, vast_settings, capfd):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    uri = f"vast://{BUCKET}/{tmp_path.name}"
    with open_catalog(uri) as catalog:
        catalog.persist([inspection()])
        emulator.take_snapshot(BUCKET, "hourly_2026-11-28")
        catalog.persist([inspection("s3://renders/later.exr")])
    snapshot = f"{uri}?snapshot=hourly_2026-11-28"
    assert (files_in(uri), files_in(snapshot)) == (2, 1)
    assert main(["db", "backup", "saved", "--catalog", snapshot]) == 0
    assert f"1 file of {snapshot}, " in capfd.readouterr().out
    assert main(["query", "SELECT count(*) AS n FROM files JOIN parts USING (file_id)", "--catalog", snapshot]) == 0
    assert main(["doctor", "--after", "--catalog", snapshot]) == 0
    assert f"exr-inspector db verify --catalog '{snapshot}'" in capfd.readouterr().out
    Path("new.exr").write_bytes(exr_bytes())
    assert main(["db", "coverage", ".", "--min-age", "0s", "--at-least", "0", "--catalog", snapshot]) == 0
    assert "missing or changed: new.exr" in capfd.readouterr().out
    drop = ["db", "drop", "--yes", name_of(snapshot)]
    for command in (["db", "create-schema"], ["db", "migrate"], ["db", "restore", "saved"], ["db", "reembed"], drop):
        assert main([*command, "--catalog", snapshot]) == 2
        assert f"{snapshot} is a snapshot, which cannot be changed; give {uri}" in capfd.readouterr().err
    assert main(["db", "status", "--catalog", f"{uri}?snapshot=missing"]) == 3
