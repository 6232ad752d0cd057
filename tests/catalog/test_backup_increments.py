"""Increments: what a backup lacks, restored together with it, whatever changed in the catalog since."""

import itertools
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.backup import backup, changed_since, check, restore, write
from exr_inspector.catalog.persistence import unique_time
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import TABLES, TIME, vector_dimensions
from exr_inspector.errors import BackupError
from tests.support.exr_bytes import inspection, text

from .test_backup import connection_of, content, edit_manifest, restored
from .test_contract import error_at


@pytest.fixture(autouse=True)
def quick_commits(monkeypatch):
    """Batches just before a base are whole in it."""
    monkeypatch.setattr(write, "LATEST_COMMIT_US", -60_000_000)


def version(path: str, note: str):
    return inspection(f"s3://renders/{path}.exr", text("note", note))


def later_result(catalog, file_id: str, policy_id: str = "delivery") -> None:
    """Store a result about a file that was stored before, in a batch of its own."""
    stored_at = unique_time()
    row = {
        "file_id": file_id,
        "batch_id": pa.scalar(stored_at, TIME).value,
        "policy_id": policy_id,
        "policy_version": "1",
        "policy_hash": "0",
        "status": "pass",
        **dict.fromkeys(("errors", "warnings", "infos", "not_evaluated"), 0),
        "evaluated_at": stored_at,
        "inspector_version": "1",
    }
    rows = pa.Table.from_pylist([row], schema=TABLES["validations"])
    if catalog.uri.startswith("vast:"):
        with catalog.tables.transaction() as transaction:
            transaction.insert("validations", rows)
    else:
        with catalog._transaction() as connection:
            connection.register("rows", rows)
            connection.execute("INSERT INTO validations SELECT * FROM rows").fetchall()


def judge_again(catalog, monkeypatch, *inspections) -> None:
    """Store files again as a newer program does, which changes rows of `parts` and adds `problems`."""
    rows = from_inspections(inspections)
    parts = rows.tables["parts"]
    index = parts.schema.get_field_index("renderer")
    rows.tables["parts"] = parts.set_column(index, parts.schema.field(index), pa.array(["newer"] * parts.num_rows))
    with monkeypatch.context() as patched:
        patched.setattr("exr_inspector.catalog.persistence.__version__", "99.0")
        patched.setattr("exr_inspector.catalog.duckdb.catalog.is_older", lambda _: True)
        patched.setattr("exr_inspector.catalog.vast.persist_plan.is_older", lambda _: True)
        catalog.persist_rows(rows)


@pytest.mark.slow
def test_an_increment_has_all_that_changed_since(catalog, new_uri, tmp_path, monkeypatch):
    a, b, c = (version(name, "1") for name in "abc")
    catalog.persist([a, b, c])
    catalog.record_errors([error_at("s3://renders/broken.exr")])
    folders = [str(tmp_path / name) for name in ("whole", "first", "second")]
    backup(catalog, folders[0])
    catalog.persist([version("a", "2"), version("d", "1")])
    catalog.mark_deleted([b.file.file_path_normalized])
    later_result(catalog, c.file.file_id)
    first = backup(catalog, folders[1], since=folders[0])
    assert (first.tables["files"].rows, first.tables["channels"].rows, first.tables["validations"].rows) == (5, 6, 1)
    at_first = content(catalog)
    judge_again(catalog, monkeypatch, c)
    later_result(catalog, a.file.file_id)
    catalog.persist([version("e", "1"), a])
    assert catalog.sql("SELECT count(*) AS n FROM parts WHERE renderer = 'newer'")["n"].to_pylist() == [1]
    second = backup(catalog, folders[2], since=folders[1])
    assert (second.tables["files"].rows, second.tables["channels"].rows, second.tables["validations"].rows) == (6, 3, 1)
    assert [check(folder) for folder in folders] == [[], [], []]
    assert restored(folders[2], new_uri()) == content(catalog)
    assert restored(folders[1], new_uri()) == at_first
    with pytest.raises(BackupError, match="not a whole backup"):
        changed_since(catalog, folders[2])


@pytest.mark.slow
def test_vectors_of_another_version_and_removed_batches_are_in_an_increment(catalog, new_uri, tmp_path):
    """Deduplication removes batches of a concurrent writer."""
    a, b = version("a", "1"), version("b", "1")
    catalog.persist([a, b])
    base, folder = str(tmp_path / "base"), str(tmp_path / "increment")
    backup(catalog, base)
    rows = from_inspections([a]).tables["files"].select(["file_id", "metadata_embedding", "channel_fingerprint"])
    catalog.replace_vectors(rows.append_column("embedding_version", pa.array([99])))
    remove_channels(catalog, b.file.file_id)
    manifest = backup(catalog, folder, since=base)
    assert manifest.tables["removed"].rows == 1
    assert check(folder) == []
    assert restored(folder, new_uri()) == content(catalog)


@pytest.mark.slow
def test_vectors_that_were_computed_again_are_in_an_increment(catalog, new_uri, tmp_path):
    """With the same version, as by `db reembed --all` after a fault."""
    a = version("a", "1")
    catalog.persist([a, version("b", "1")])
    folders = [str(tmp_path / name) for name in ("base", "first", "second")]
    backup(catalog, folders[0])
    rows = from_inspections([a]).tables["files"].select(["file_id", "embedding_version"])
    for name, size in vector_dimensions().items():
        ones = pa.array([np.eye(1, size, dtype=np.float32)[0].tolist()], TABLES["files"].field(name).type)
        rows = rows.append_column(name, ones)
    catalog.replace_vectors(rows)
    stored = []
    for base, folder in itertools.pairwise(folders):
        backup(catalog, folder, since=base)
        stored.append(pq.read_table(f"{folder}/files.parquet")["metadata_embedding"].is_valid().to_pylist().count(True))
        assert check(folder) == []
        assert restored(folder, new_uri()) == content(catalog)
    assert stored == [1, 0]


def remove_channels(catalog, file_id: str) -> None:
    if catalog.uri.startswith("vast:"):
        with catalog.tables.transaction() as rows:
            rows.delete("channels", rows.select_in("channels", ["file_id"], "file_id", [file_id])["$row_id"])
    else:
        with catalog._transaction() as connection:
            connection.execute("DELETE FROM channels WHERE file_id = ?", [file_id]).fetchall()


@pytest.fixture
def chain(tmp_path):
    """A backup and its increment in one folder, which was moved after they were made."""
    with open_catalog(f"duckdb:{tmp_path}/catalog.duckdb") as catalog:
        catalog.persist([inspection()])
        backup(catalog, str(tmp_path / "old/base"))
        catalog.persist([version("b", "1")])
        backup(catalog, str(tmp_path / "old/increment"), since=str(tmp_path / "old/base"))
    return shutil.move(tmp_path / "old", tmp_path / "moved")


CHANGED_BASES = {
    "completes the backup .*base, which is missing": lambda base: shutil.rmtree(base),
    "completes the backup .*base, which was replaced": lambda base: edit_manifest(base, product="another"),
    "base/parts.parquet: missing": lambda base: (base / "parts.parquet").unlink(),
}


@pytest.mark.slow
@pytest.mark.parametrize("message", CHANGED_BASES)
def test_a_missing_or_changed_base_is_rejected(chain, tmp_path, message):
    folder, uri = str(chain / "increment"), f"duckdb:{tmp_path}/copy.duckdb"
    assert check(folder) == []
    CHANGED_BASES[message](chain / "base")
    with pytest.raises(BackupError, match=message):
        restore(folder, uri)
    assert not (tmp_path / "copy.duckdb").exists()


@pytest.mark.slow
def test_the_base_of_an_increment_is_a_backup_of_the_same_table_version(chain, tmp_path):
    edit_manifest(chain / "base", schema_version=2)
    message = r"has table version 2, .* make a backup without --since"
    with open_catalog(f"duckdb:{tmp_path}/catalog.duckdb") as catalog, pytest.raises(BackupError, match=message):
        backup(catalog, str(tmp_path / "another"), since=str(chain / "base"))


@pytest.mark.slow
def test_an_increment_of_a_backup_without_vectors_has_them_all(catalog, new_uri, tmp_path):
    catalog.persist([version("a", "1")])
    base, folder, uri = str(tmp_path / "base"), str(tmp_path / "increment"), new_uri()
    backup(catalog, base, vectors=False)
    backup(catalog, folder, since=base)
    assert restore(folder, uri, connection=connection_of(uri)).without_vectors == 0
    with open_catalog(uri) as copy:
        assert content(copy) == content(catalog)


@pytest.mark.slow
def test_batches_that_were_committed_during_the_base_are_saved_again(tmp_path, monkeypatch):
    """And restored once."""
    monkeypatch.setattr(write, "LATEST_COMMIT_US", 3_600_000_000)
    base, folder = str(tmp_path / "base"), str(tmp_path / "increment")
    with open_catalog(f"duckdb:{tmp_path}/catalog.duckdb") as catalog:
        a = version("a", "1")
        catalog.persist([a])
        backup(catalog, base)
        assert backup(catalog, folder, since=base).tables["channels"].rows == 3
        assert check(folder) == []
        assert restored(folder, f"duckdb:{tmp_path}/copy.duckdb") == content(catalog)
