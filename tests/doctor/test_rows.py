"""Each fault that is planted in a catalog is found, by its own check, and none is found without one."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.catalog.schema import VERSION
from exr_inspector.cli.main import main
from exr_inspector.doctor import Stage, Status, Target, diagnose
from exr_inspector.sources.memory import MemorySource
from tests.catalog.version_1 import CATALOG as VERSION_1
from tests.support.exr_bytes import exr_bytes

from .conftest import checks, fill, wrong


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("doctor") / "sound.duckdb"
    fill(f"duckdb:{path}")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_catalog_has_no_faults(sound, stage, deep):
    by_name = checks(f"duckdb:{sound}", stage, deep=deep)
    skipped = {name for name, check in by_name.items() if check.status is Status.SKIP}
    assert skipped == ({"coverage"} if stage is Stage.AFTER else set())
    assert {check.status for check in by_name.values()} <= {Status.OK, Status.SKIP}
    assert ("freshness" in by_name) == (stage is not Stage.BEFORE)
    assert ("coverage" in by_name) == (stage is Stage.AFTER)
    assert ("orphans" in by_name) == (stage is not Stage.AFTER)
    assert ("attributes not checked" in str(by_name.get("orphans"))) == (not deep and stage is not Stage.AFTER)


A = "file_path_normalized = 's3://renders/a.1001.exr'"
B = "file_path_normalized = 's3://renders/b.exr'"
ID_OF_A = f"(SELECT file_id FROM files WHERE {A})"
UNKEYED = "CREATE TABLE f AS FROM files; DROP TABLE files; ALTER TABLE f RENAME TO files;"
AGAIN = "last_inspected = (now() AT TIME ZONE 'UTC') - INTERVAL 25 HOURS"
ERROR = "INSERT INTO ingest_errors BY NAME SELECT 's3://renders/{}.exr' AS file_path_normalized, 'bad_magic' AS code, \
'no' AS message, last_inspected - INTERVAL {} HOURS AS first_seen, first_seen AS last_seen, 1 AS count FROM files \
WHERE file_id = {}"

_FIRST_BLOCK, _BLOCK_BYTES = 12_288, 262_144  # of a DuckDB file

FAULTS = {
    "a long vector": (
        f"UPDATE files SET metadata_embedding = list_transform(metadata_embedding, lambda x: x * 1.001) WHERE {A}",
        ("norms", "FAIL", "files with a vector whose length is not 1: 1, such as s3://renders/a.1001.exr"),
    ),
    "a vector with NaN": (
        f"UPDATE files SET channel_fingerprint = list_transform(channel_fingerprint, lambda x: 'nan'::FLOAT) WHERE {A}",
        ("norms", "FAIL", "s3://renders/a.1001.exr"),
    ),
    "no vector": (
        f"UPDATE files SET channel_fingerprint = NULL WHERE {A}",
        ("vectors", "warn", "files without a vector"),
    ),
    "another embedding version": (
        f"UPDATE files SET embedding_version = 1 WHERE {A}",
        ("embedding version", "warn", "such as version 1"),
    ),
    "a file twice": (
        f"{UNKEYED} INSERT INTO files SELECT * REPLACE (false AS is_current) FROM files WHERE {A}",
        ("duplicates", "FAIL", "keys with several rows: 1, such as files: "),
    ),
    "a part twice": (
        f"INSERT INTO parts FROM parts WHERE file_id = {ID_OF_A}",
        ("duplicates", "FAIL", "such as parts: "),
        ("part counts", "FAIL", "such as s3://renders/a.1001.exr"),
    ),
    "a part twice, in two batches": (
        f"INSERT INTO parts SELECT * REPLACE (1 AS batch_id) FROM parts WHERE file_id = {ID_OF_A}",
        ("duplicates", "FAIL", "such as parts: "),
        ("part counts", "FAIL", "such as s3://renders/a.1001.exr"),
    ),
    "an error twice": (
        f"{ERROR.format('x', 30, ID_OF_A)}; INSERT INTO ingest_errors FROM ingest_errors",
        ("duplicates", "FAIL", "such as ingest_errors: s3://renders/x.exr"),
    ),
    "rows without a file": (
        "INSERT INTO problems BY NAME SELECT 'nobody' AS file_id, '' AS code, '' AS severity, '' AS message",
        ("orphans", "FAIL", "rows that belong to no file: 1, such as problems: nobody"),
    ),
    "a file without parts": (
        f"DELETE FROM parts WHERE file_id = {ID_OF_A}",
        ("part counts", "FAIL", "files with another number of rows in parts than multipart_count: 1"),
    ),
    "a channel less": (
        f"DELETE FROM channels WHERE file_id = {ID_OF_A} AND channel_index = 0",
        ("channel counts", "FAIL", "s3://renders/a.1001.exr"),
    ),
    "channels of a part that is missing": (
        f"UPDATE channels SET part_index = 1 WHERE file_id = {ID_OF_A}",
        (
            "part indexes",
            "FAIL",
            "rows of parts that their file does not have: 3, such as channels: s3://renders/a.1001",
        ),
    ),
    "two current versions": (
        f"UPDATE files SET is_current = true WHERE {B}",
        ("current versions", "FAIL", "paths with several current versions: 1, such as s3://renders/b.exr"),
    ),
    "no current version": (
        f"UPDATE files SET is_current = false WHERE {B}",
        ("lost versions", "warn", "such as s3://renders/b.exr"),
    ),
    "a stale catalog": (f"UPDATE files SET {AGAIN}", ("freshness", "warn", "was inspected 25.0 hours ago")),
    "a clock ahead": (
        "UPDATE files SET last_inspected = (now() AT TIME ZONE 'UTC') + INTERVAL 10 MINUTES",
        ("freshness", "warn", "was inspected 10 minutes ahead of the clock of this machine"),
    ),
    "an empty catalog": (
        "DELETE FROM files; DELETE FROM parts; DELETE FROM channels; DELETE FROM attributes; DELETE FROM problems",
        ("freshness", "warn", "no files"),
    ),
    "an open error": (
        ERROR.format("x", 1, ID_OF_A),
        ("open errors", "warn", "in the last 24 hours: bad_magic 1; 1 file unreadable in all"),
    ),
    "a missing column": ("ALTER TABLE parts DROP timecode", ("schema", "FAIL", "parts.timecode is missing")),
    "a missing table": ("DROP TABLE thumbnails", ("schema", "FAIL", "thumbnails is missing")),
    "no files table": ("DROP TABLE files", ("dimensions", "FAIL", "metadata_embedding is missing")),
    "a column of another type": (
        "ALTER TABLE parts ALTER width TYPE VARCHAR",
        ("schema", "FAIL", "parts.width is string, not int64"),
    ),
    "other dimensions": (
        f"{UNKEYED} ALTER TABLE files ALTER channel_fingerprint TYPE FLOAT[3] USING [1, 0, 0]::FLOAT[3]",
        ("dimensions", "FAIL", "not of 128 dimensions"),
    ),
    "a newer version": (
        "INSERT INTO schema_version VALUES (99, now() AT TIME ZONE 'UTC', '9.0', 99)",
        ("catalog", "FAIL", f"newer exr-inspector (table version 99; this release supports {VERSION})"),
    ),
}


def changed(sound: Path, folder: Path, *statements: str) -> Path:
    """A copy of a catalog in a folder, changed by SQL."""
    path = folder / "faulty.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(sound, tmp_path, fault):
    """By its check; others go on, and fail only where they read the same column."""
    statements, *expected = FAULTS[fault]
    path = changed(sound, tmp_path, statements)
    before = path.read_bytes()
    found = wrong(f"duckdb:{path}")
    for name, status, what in expected:
        assert found[name].status.value == status
        assert what in found[name].what
        remedy = found[name].remedy
        others = "restore a backup|upgrade exr-inspector|correct the clocks"
        assert f"--catalog duckdb:{path}" in remedy or re.search(others, remedy)
    if expected[0][0] not in ("schema", "dimensions"):
        assert set(found) == {name for name, *_ in expected}
    assert all(check.is_conclusive for name, check in found.items() if name in {each[0] for each in expected})
    assert path.read_bytes() == before


def test_without_a_catalog_no_command_for_it_is_given():
    target = Target(uri="", uri_source="no such setting", stage=Stage.AFTER)
    assert not [check for check in diagnose(target) if "--catalog" in check.remedy]


@pytest.mark.slow
def test_rows_of_attributes_are_only_checked_deeply(sound, tmp_path):
    path = changed(
        sound,
        tmp_path,
        "INSERT INTO attributes FROM attributes LIMIT 1",
        "INSERT INTO attributes SELECT * REPLACE ('x' AS file_id) FROM attributes LIMIT 1",
    )
    assert wrong(f"duckdb:{path}") == {}
    found = wrong(f"duckdb:{path}", deep=True)
    assert "attributes: " in found["duplicates"].what
    assert "attributes: x" in found["orphans"].what


@pytest.mark.slow
def test_parts_without_attributes(sound, tmp_path):
    path = changed(sound, tmp_path, f"DELETE FROM attributes WHERE file_id = {ID_OF_A}")
    found = wrong(f"duckdb:{path}", deep=True)
    assert set(found) == {"attributes"}
    assert found["attributes"].what == "parts without attributes: 1, such as s3://renders/a.1001.exr"


@pytest.mark.slow
def test_commands_name_a_missing_column(sound, tmp_path, capfd):
    """Whatever their statements say; a column that no table has is an error of a query."""
    path = changed(sound, tmp_path, "ALTER TABLE parts DROP missing; ALTER TABLE parts DROP compression")
    option = ["--catalog", f"duckdb:{path}"]
    advice = f"for what to do, run: exr-inspector doctor --catalog duckdb:{path}\n"
    for words in (
        ["db", "refresh"],
        ["db", "backup", str(tmp_path / "saved")],
        ["query", "SELECT compression FROM parts"],
    ):
        assert main([*words, *option]) == 3
        missing = "missing columns: parts.compression, parts.missing"
        assert capfd.readouterr().err == f"exr-inspector: duckdb:{path}: {missing}; {advice}"
    assert main(["query", "SELECT colour FROM parts", *option]) != 0
    assert "colour" in capfd.readouterr().err
    with duckdb.connect(str(path)) as connection:
        connection.execute("ALTER TABLE ingest_errors DROP message").fetchall()
    (tmp_path / "bad.exr").write_bytes(b"no EXR")
    assert main(["ingest", str(tmp_path / "bad.exr"), *option]) == 3
    assert f"ingest_errors.message; {advice}" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("table", ["files", "attributes"])
def test_damage_of_a_file_is_one_check(sound, tmp_path, table):
    """The first that reads the block ends those of the tables, which could only say the same."""
    path = tmp_path / "faulty.duckdb"
    shutil.copy(sound, path)
    with duckdb.connect(str(path)) as connection:
        query = f"SELECT DISTINCT block_id FROM pragma_storage_info('{table}') WHERE block_id >= 0"
        blocks = connection.execute(query).fetchall()
    data = bytearray(path.read_bytes())
    for (block,) in blocks:
        start = _FIRST_BLOCK + block * _BLOCK_BYTES + 100
        data[start : start + 1000] = bytes(255 - byte for byte in data[start : start + 1000])
    path.write_bytes(data)
    by_name = checks(f"duckdb:{path}", deep=True)
    failed = {name: check for name, check in by_name.items() if check.status is Status.FAIL}
    assert set(failed) == {"catalog"}
    assert "is damaged (" in failed["catalog"].what
    assert failed["catalog"].remedy.startswith("restore a backup")
    assert by_name["s3 keys"].status is Status.OK


@pytest.mark.slow
def test_values_that_no_file_has(sound, tmp_path):
    path = changed(
        sound,
        tmp_path,
        f"UPDATE files SET size_bytes = -5 WHERE {A}",
        "UPDATE files SET completeness = 'bogus' WHERE channel_count = 1",
    )
    found = wrong(f"duckdb:{path}", deep=True)
    assert set(found) == {"values"}
    what = "files with an impossible size or completeness: 2, such as s3://renders/a.1001.exr"
    assert what in found["values"].what


@pytest.mark.slow
@pytest.mark.parametrize("table", ["sequences", "attribute_values", "totals"])
def test_an_emptied_derived_table_is_found_and_filled_again(sound, tmp_path, capfd, table):
    """Although files changed since; the numbers of a query are right before, too."""
    path = tmp_path / "faulty.duckdb"
    shutil.copy(sound, path)
    query = ["query", f"FROM {table} ORDER BY ALL", "--format", "csv", "--catalog", f"duckdb:{path}"]
    assert main(["db", "refresh", "--catalog", f"duckdb:{path}"]) == 0
    with open_catalog(path) as catalog:
        catalog.persist([inspect(MemorySource(exr_bytes(channels="BGR"), "s3://renders/a.1003.exr"))])
    assert wrong(f"duckdb:{path}") == {}
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"DELETE FROM {table}")
    found = wrong(f"duckdb:{path}")
    assert set(found) == {"derived tables"}
    assert found["derived tables"].what == f"the rows of {table} do not count the current files"
    assert found["derived tables"].remedy == f"exr-inspector db refresh --catalog duckdb:{path}"
    capfd.readouterr()
    assert main(query) == 0
    rows = capfd.readouterr().out
    assert len(rows.splitlines()) > 1
    assert main(["db", "refresh", "--catalog", f"duckdb:{path}"]) == 0
    assert wrong(f"duckdb:{path}") == {}
    capfd.readouterr()
    assert main(query) == 0
    assert capfd.readouterr().out == rows


@pytest.mark.slow
def test_without_a_table_the_checks_of_others_are_made(sound, tmp_path, capfd):
    path = changed(sound, tmp_path, "DROP TABLE channels")
    by_name = checks(f"duckdb:{path}")
    skipped = {name: check.what for name, check in by_name.items() if "not checked: table" in check.what}
    names = ["channel counts", "duplicates", "orphans", "part indexes"]
    assert skipped == dict.fromkeys(names, "not checked: table channels is missing")
    assert by_name["part counts"].status is Status.OK
    assert main(["db", "backup", str(tmp_path / "saved"), "--catalog", f"duckdb:{path}"]) == 3
    assert capfd.readouterr().err == f"exr-inspector: duckdb:{path}: missing tables: channels; restore a backup\n"


def test_where_no_catalog_can_be_created(tmp_path):
    missing = wrong(f"duckdb:{tmp_path}/none/new.duckdb", Stage.BEFORE)["catalog"]
    assert f"the folder {tmp_path}/none is missing" in missing.what
    assert missing.remedy == "create it, or give another path"
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE files (a INT)")
    foreign = wrong(f"duckdb:{tmp_path}/other.duckdb", Stage.BEFORE)["catalog"]
    assert "that exr-inspector did not create: files" in foreign.what
    assert foreign.remedy == "give another path"


@pytest.mark.slow
def test_old_files_are_only_checked_deeply(tmp_path, monkeypatch, sound):
    monkeypatch.setattr("exr_inspector.doctor.rows._SINCE", "SELECT max(last_inspected) AS since FROM files")
    path = changed(sound, tmp_path, f"UPDATE files SET metadata_embedding = NULL, channel_fingerprint = NULL WHERE {A}")
    assert wrong(f"duckdb:{path}") == {}
    assert set(wrong(f"duckdb:{path}", deep=True)) == {"vectors"}


def test_an_older_catalog_is_not_migrated(tmp_path):
    path = tmp_path / "old.duckdb"
    path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
    before = path.read_bytes()
    found = wrong(f"duckdb:{path}")
    assert set(found) == {"schema"}
    assert "has table version 1, and this release needs" in found["schema"].what
    assert found["schema"].remedy == f"run: exr-inspector db migrate --catalog duckdb:{path}"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [lambda path: None, lambda path: duckdb.connect(str(path)).close()])
def test_a_missing_catalog_is_fine_before_a_deployment_only(tmp_path, make):
    path = tmp_path / "new.duckdb"
    make(path)
    uri, exists = f"duckdb:{path}", path.exists()
    assert wrong(uri, Stage.BEFORE) == {}
    assert checks(uri, Stage.BEFORE)["schema"].remedy.startswith("create it with: exr-inspector db create-schema")
    for stage in (Stage.ANY, Stage.AFTER):
        assert wrong(uri, stage)["schema"].what == "there is no catalog"
    assert path.exists() == exists


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "conclusive", "what"),
    [(b"not a database", True, "is not a DuckDB database"), (None, False, "is in use")],
)
def test_a_catalog_that_cannot_be_opened(tmp_path, sound, content, conclusive, what):
    path = tmp_path / "c.duckdb"
    if content is not None:
        path.write_bytes(content)
        found = wrong(f"duckdb:{path}")
    else:
        shutil.copy(sound, path)
        program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
        words = [sys.executable, "-c", program, str(path)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            found = wrong(f"duckdb:{path}")
            holder.communicate()
    assert set(found) == {"catalog"}
    assert what in found["catalog"].what
    assert found["catalog"].is_conclusive is conclusive
