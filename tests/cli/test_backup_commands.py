"""The commands that save, restore and drop a catalog."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import backup as catalog_backup
from exr_inspector.catalog.duckdb import catalog as catalog_module
from exr_inspector.catalog.duckdb import statements, whole_tables
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
        return catalog.sql("SELECT count(*) AS n FROM files")["n"][0].as_py()


@pytest.mark.slow
def test_a_catalog_is_saved_checked_dropped_and_restored(uri, capfd):
    assert main(["db", "backup", "saved", "--catalog", uri]) == 0
    assert re.search(rf"saved: saved 1 file version of {re.escape(uri)}, [\d,]+ bytes", capfd.readouterr().out)
    assert main(["db", "backup", "--check", "saved"]) == 0
    assert main(["db", "backup", "saved", "--catalog", uri]) == 2
    assert "saved: has a backup; give a new or empty folder" in capfd.readouterr().err
    assert main(["db", "backup", "later", "--since", "saved", "--no-vectors", "--catalog", uri]) == 0
    assert "bytes, as an increment" in capfd.readouterr().out
    assert main(["db", "restore", "saved", "--catalog", uri]) == 2
    err = capfd.readouterr().err
    assert "has files, or errors of files; a backup is restored only into an empty catalog: give another one, or" in err
    assert f"db drop --catalog {uri}" in err
    assert main(["db", "drop", "--no-backup", "--yes", name_of(uri), "--catalog", uri]) == 0
    assert main(["db", "restore", "later", "--catalog", uri]) == 0
    output = capfd.readouterr()
    assert f"{uri}: 1 file version restored" in output.out
    assert f"1 file version without vectors; compute them: exr-inspector db reembed --catalog {uri}" in output.err
    assert files_in(uri) == 1


@pytest.mark.slow
def test_a_damaged_backup_is_a_finding(uri, capfd):
    assert main(["db", "backup", "saved", "--catalog", uri]) == 0
    Path("saved/parts.parquet").unlink()
    assert main(["db", "backup", "--check", "saved"]) == 1
    assert "saved/parts.parquet: missing" in capfd.readouterr().out
    Path("saved/manifest.json").unlink()
    assert main(["db", "backup", "--check", "saved"]) == 1
    assert "saved: incomplete: manifest.json is missing" in capfd.readouterr().out


@pytest.mark.slow
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


@pytest.mark.slow
def test_nothing_is_dropped_that_was_stored_after_the_backup(uri, capfd, monkeypatch):
    check = catalog_backup.check

    def store_and_check(*arguments):
        with open_catalog(uri) as catalog:
            catalog.persist([inspection()])
            catalog.record_errors([error_at("s3://renders/broken.exr")])
        return check(*arguments)

    monkeypatch.setattr(catalog_backup, "check", store_and_check)
    drop = ["db", "drop", "--yes", name_of(uri), "--catalog", uri, "--backup"]
    assert main([*drop, "saved"]) == 1
    assert "was changed after it was saved (files, ingest_errors), and nothing was dropped" in capfd.readouterr().err
    assert files_in(uri) == 1
    monkeypatch.undo()


@pytest.mark.parametrize("words", [["--since", "a"], ["--no-vectors"], ["--catalog", "a.duckdb"], ["--wait", "1"]])
def test_a_check_reads_no_catalog(words, capfd):
    assert main(["db", "backup", "--check", "saved", *words]) == 2
    assert "--check reads only the backup" in capfd.readouterr().err


@pytest.fixture
def duckdb_uri(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_catalog("duckdb:shows.duckdb") as catalog:
        catalog.persist([inspection()])
    return "duckdb:shows.duckdb"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda: Path("saved").touch(), 2, "saved: is a file; give a new or empty folder"),
        (
            lambda: main(["db", "backup", "saved"]) or Path("saved/manifest.json").unlink(),
            2,
            "saved: has the files of a backup that was interrupted; delete them, or give a new or empty folder",
        ),
        (lambda: Path("saved").mkdir() or Path("saved/.hidden").touch(), 2, "saved: not empty; give a new or empty"),
    ],
)
def test_a_backup_needs_an_empty_folder(duckdb_uri, monkeypatch, capfd, make, code, message):
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", duckdb_uri)
    make()
    assert main(["db", "backup", "saved"]) == code
    assert message in capfd.readouterr().err


def test_names_that_do_not_exist(duckdb_uri, capfd):
    for command in (["db", "backup", "--check"], ["db", "restore"]):
        assert main([*command, "none"]) == 3
        assert "none: no such folder; check its name" in capfd.readouterr().err
    for command in (["db", "status"], ["db", "backup", "saved"], ["db", "migrate"]):
        assert main([*command, "--catalog", "duckdb:my show.duckdb"]) == 3
        assert capfd.readouterr().err == (
            "exr-inspector: my show.duckdb does not exist; check its name, or create the catalog with: "
            "exr-inspector ingest FOLDER --catalog 'duckdb:my show.duckdb'\n"
        )


@pytest.mark.slow
def test_a_file_of_a_backup_with_other_content(duckdb_uri, capfd):
    assert main(["db", "backup", "saved", "--catalog", duckdb_uri]) == 0
    path = Path("saved/parts.parquet")
    path.write_bytes(b"x" + path.read_bytes()[1:])
    assert main(["db", "backup", "--check", "saved"]) == 1
    assert "parts.parquet: changed, same size, other content (SHA-256)" in capfd.readouterr().out


@pytest.mark.slow
def test_quiet_commands_print_no_summary(duckdb_uri, capfd):
    catalog = ["--catalog", duckdb_uri, "-q"]
    for command in (
        ["db", "backup", "saved"],
        ["db", "refresh"],
        ["db", "reembed"],
        ["db", "create-schema"],
        ["db", "drop", "--no-backup", "--yes", "shows.duckdb"],
        ["db", "restore", "saved"],
    ):
        assert main([*command, *catalog]) == 0
        assert capfd.readouterr() == ("", ""), command


def interrupt(monkeypatch, module, statement, *, before):
    """Ctrl-C at a statement."""
    run = statements.run

    def run_and_interrupt(connection, text, *arguments):
        if text.startswith(statement) and before:
            raise KeyboardInterrupt
        rows = run(connection, text, *arguments)
        if text.startswith(statement):
            raise KeyboardInterrupt
        return rows

    monkeypatch.setattr(module, "run", run_and_interrupt)


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_an_interrupted_restore_says_what_is_stored(duckdb_uri, monkeypatch, capfd, before):
    """After the transaction nothing is lost any more."""
    assert main(["db", "backup", "saved", "--catalog", duckdb_uri]) == 0
    capfd.readouterr()
    run = catalog_module._run
    commits = []

    def run_and_interrupt(connection, text, *arguments):
        if text == "COMMIT" and connection.execute("SELECT count(*) FROM files").fetchall() == [(1,)]:
            commits.append(text)
            if not before:
                run(connection, text)
            raise KeyboardInterrupt
        return run(connection, text, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(catalog_module, "_run", run_and_interrupt)
        assert main(["db", "restore", "saved", "--catalog", "duckdb:copy.duckdb"]) == (130 if before else 0)
    assert commits == ["COMMIT"]
    out, err = capfd.readouterr()
    if before:
        assert err.splitlines()[0] == "duckdb:copy.duckdb: not restored, no row was stored; repeat the command"
        assert main(["db", "restore", "saved", "--catalog", "duckdb:copy.duckdb"]) == 0
    else:
        assert out == "duckdb:copy.duckdb: restored\n"
    assert files_in("duckdb:copy.duckdb") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("before", "code"), [(True, 130), (False, 0)])
def test_an_interrupted_drop_says_whether_tables_were_dropped(duckdb_uri, monkeypatch, capfd, before, code):
    interrupt(monkeypatch, whole_tables, "COMMIT", before=before)
    assert main(["db", "drop", "--no-backup", "--yes", "shows.duckdb", "--catalog", duckdb_uri]) == code
    out, err = capfd.readouterr()
    assert f"{duckdb_uri}: {'not dropped; repeat the command' if before else 'dropped'}\n" in (err if before else out)


@pytest.mark.slow
def test_an_interrupted_backup_says_that_it_is_incomplete(duckdb_uri, monkeypatch, capfd):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("exr_inspector.catalog.backup.write.write_manifest", interrupted)
    assert main(["db", "backup", "saved", "--catalog", duckdb_uri]) == 130
    assert "saved: what it has of this backup is incomplete; delete it\n" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "the name of the catalog is needed to drop it: --yes"),
        (["--yes", "other"], 2, "'other' is not the name of the catalog"),
        (["--backup", "saved", "--no-backup"], 2, "exclude each other"),
        (["--backup", "shows"], 2, "shows: not empty; give a new or empty folder"),
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


@pytest.mark.slow
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
    assert f"1 file version of {snapshot}, " in capfd.readouterr().out
    assert main(["query", "SELECT count(*) AS n FROM files JOIN parts USING (file_id)", "--catalog", snapshot]) == 0
    assert main(["doctor", "--after", "--catalog", snapshot]) == 0
    assert f"exr-inspector db verify --catalog '{snapshot}'" in capfd.readouterr().out
    Path("new.exr").write_bytes(exr_bytes())
    assert main(["db", "coverage", ".", "--min-age", "0s", "--at-least", "0", "--catalog", snapshot]) == 0
    assert f"missing: new.exr\nstore them: exr-inspector ingest . --catalog {uri}\n" in capfd.readouterr().out
    drop = ["db", "drop", "--yes", name_of(snapshot)]
    for command in (["db", "create-schema"], ["db", "migrate"], ["db", "restore", "saved"], ["db", "reembed"], drop):
        assert main([*command, "--catalog", snapshot]) == 2
        assert f"{snapshot} is a snapshot, which cannot be changed; give {uri}" in capfd.readouterr().err
    assert main(["db", "status", "--catalog", f"{uri}?snapshot=missing"]) == 3
