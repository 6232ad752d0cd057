"""The thin module that the function's folder has beside its handler, run as its users run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector import open_catalog
from tests.catalog.conftest import BUCKET, emulator, vast_settings  # noqa: F401 (fixtures)
from tests.catalog.test_contract import A, B

FOLDER = Path(__file__).parents[2] / "functions" / "exr_inspector"
SECRET = "not-a-real-secret"


@pytest.fixture
def module(monkeypatch, vast_settings, tmp_path):  # noqa: F811
    """The module, imported from its folder, for a catalog that is not there yet."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("VAST_DB_BUCKET", BUCKET)
    monkeypatch.setenv("VAST_DB_SCHEMA", tmp_path.name)
    monkeypatch.delitem(sys.modules, "vast_db_persistence", raising=False)
    import vast_db_persistence

    return vast_db_persistence


@pytest.mark.slow
def test_the_schema_is_created_from_the_folder_of_the_function(module, tmp_path):
    command = [sys.executable, "-m", "vast_db_persistence", "create-schema"]
    for _ in range(2):
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"vast://{BUCKET}/{tmp_path.name}: schema version 1\n"


def test_without_settings_it_says_what_is_missing(monkeypatch, module, capsys):
    for name in [name for name in os.environ if name.startswith("VAST_DB_")]:
        monkeypatch.delenv(name)
    assert module.main(["create-schema"]) == 3
    assert "VAST_DB_BUCKET" in capsys.readouterr().err


def test_an_inspection_is_persisted_once(module, tmp_path):
    first = module.persist_to_vast_database({}, A)
    again = module.persist_to_vast_database({}, A)
    assert (first["status"], first["inserted"], first["file_id"]) == ("success", True, A.file.file_id)
    assert (again["status"], again["inserted"]) == ("success", False)
    with open_catalog(f"vast://{BUCKET}/{tmp_path.name}") as catalog:
        (row,) = catalog.sql("SELECT * FROM files").to_pylist()
    assert row["inspection_count"] == 2
    assert row["metadata_embedding"] == pytest.approx(module.compute_metadata_embedding(A))
    assert row["channel_fingerprint"] == pytest.approx(module.compute_channel_fingerprint(A))
    assert module.compute_channel_fingerprint(A) != module.compute_channel_fingerprint(B)


def test_an_event_brings_all_of_its_database_or_nothing(module, emulator, monkeypatch):  # noqa: F811
    """Keys of the environment never go to the endpoint of an event."""
    emulator.reset_requests()
    stolen = module.persist_to_vast_database({"vastdb_endpoint": emulator.url}, A)
    assert (stolen["status"], stolen["retryable"]) == ("error", False)
    assert "vastdb_access_key, vastdb_secret_key" in stolen["error"]
    assert emulator.requests == []
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://127.0.0.1:9")
    keys = {"vastdb_endpoint": emulator.url, "vastdb_access_key": "key", "vastdb_secret_key": SECRET}
    assert module.persist_to_vast_database(keys, B)["status"] == "success"


def test_an_error_is_in_the_answer_without_a_secret(module, emulator):  # noqa: F811
    wrong = {"vastdb_endpoint": emulator.url, "vastdb_access_key": "key", "vastdb_secret_key": "wrong-secret"}
    answer = module.persist_to_vast_database(wrong, A)
    assert (answer["status"], answer["category"], answer["retryable"]) == ("error", "authentication", False)
    assert "wrong-secret" not in str(answer)
