"""The handler, called directly and as the platform calls it, against real servers."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from exr_inspector import inspect
from exr_inspector.catalog import OPEN_ERRORS, open_catalog
from exr_inspector.errors import RedeliveryError
from exr_inspector.function import close_catalogs, handle, prepare
from exr_inspector.settings import settings
from tests.catalog.exr_bytes import exr_bytes, text

from .conftest import BUCKET, DB_SECRET, S3_SECRET
from .platform import ElementEvent, WrappedElementEvent, record

ROOT = Path(__file__).parents[2]
GOOD = exr_bytes(text("note", "good"))
CTX = SimpleNamespace()


def put(deployed, key, data=GOOD):
    deployed.s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def rows(deployed, query, params=None):
    with open_catalog(deployed.uri, read_only=True) as catalog:
        return catalog.sql(query, params).to_pylist()


# ── direct calls ────────────────────────────────


def test_the_handler_runs_from_the_root_of_the_repository(tmp_path, local):
    (tmp_path / "test.exr").write_bytes(GOOD)
    program = f"""
from functions.exr_inspector.main import handler
class MockContext: pass
result = handler(MockContext(), {{"data": {{"path": "{tmp_path}/test.exr", "meta": True}}}})
import json; print(json.dumps(result))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert (result["status"], result["error"], result["persistence"]["status"]) == ("success", None, "skipped")
    found = inspect(tmp_path / "test.exr").to_dict()
    assert {name: result[name] for name in found} == json.loads(json.dumps(found))
    assert done.stderr == ""


def test_a_local_catalog_is_used_when_it_is_named(tmp_path, local, monkeypatch):
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/c.duckdb")
    (tmp_path / "a.exr").write_bytes(GOOD)
    event = {"data": {"path": str(tmp_path / "a.exr")}}
    assert [handle(CTX, event)["inserted"] for _ in range(2)] == [True, False]
    close_catalogs()
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        assert catalog.status().row_counts["files"] == 1


@pytest.mark.parametrize(
    ("event", "category"),
    [
        ({"data": {"path": "/nowhere/x.exr"}}, "file_not_found"),
        ({"data": {"path": 5}}, "event"),
        ({"data": {}}, "event"),
        ({}, "event"),
        ({"data": {"path": "s3://x"}}, "source"),
        ({"data": {"path": "a\0b.exr"}}, None),
        ({"data": {"path": str(ROOT)}}, "not_a_file"),
    ],
)
def test_a_direct_call_never_raises(local, event, category):
    result = handle(CTX, event)
    assert (result["status"], result["retryable"]) == ("error", False)
    assert category is None or result["category"] == category
    assert result["error"]
    assert json.dumps(result)


def test_a_malformed_file_says_where(tmp_path, local):
    (tmp_path / "x.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    result = handle(CTX, {"data": {"path": str(tmp_path / "x.exr")}})
    assert (result["category"], result["code"], result["byte_offset"]) == ("format", "not_exr", 0)


def test_what_is_not_in_this_version_says_so(tmp_path, local):
    (tmp_path / "a.exr").write_bytes(GOOD)
    result = handle(CTX, {"data": {"path": str(tmp_path / "a.exr"), "stats": True, "validate": True, "meta": False}})
    assert [entry["message"] for entry in result["unavailable"]] == [
        "stats is not available in this version",
        "validate is not available in this version",
    ]
    assert "attributes" not in result
    assert "channels" in result


def test_local_files_are_read_below_the_roots_only(tmp_path, local, monkeypatch):
    (tmp_path / "in").mkdir()
    for place in ("in/a.exr", "b.exr"):
        (tmp_path / place).write_bytes(GOOD)
    (tmp_path / "in/link.exr").symlink_to(tmp_path / "b.exr")
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(tmp_path / "in"))
    settings.cache_clear()
    categories = [
        handle(CTX, {"data": {"path": str(tmp_path / place)}}).get("category")
        for place in ("in/a.exr", "b.exr", "in/../b.exr", "in/link.exr")
    ]
    assert categories == [None, "not_allowed", "not_allowed", "not_allowed"]


def test_no_event_of_the_network_reads_a_local_file(tmp_path, local):
    (tmp_path / "a.exr").write_bytes(GOOD)
    event = SimpleNamespace(get_attributes=dict, get_data=lambda: {"path": str(tmp_path / "a.exr")})
    assert handle(CTX, event)["category"] == "not_allowed"


# ── deliveries of the platform ────────────────────────────────

KEYS = ["shows/ab/beauty.1001.exr", "with space+plus%20percent.exr", "ünï/ö.exr", "o\u0308.exr", "k" * 1020 + ".exr"]


@pytest.mark.parametrize("key", KEYS, ids=["plain", "odd signs", "NFC", "NFD", "1024 bytes"])
@pytest.mark.parametrize("kind", [ElementEvent, WrappedElementEvent])
def test_an_element_event_leads_to_rows(deployed, kind, key):
    put(deployed, key)
    result = handle(CTX, kind(BUCKET, key))
    assert (result["status"], result["inserted"], result["persistence"]["status"]) == ("success", True, "success")
    assert result["summary"]["completeness"] == "complete"
    assert len(json.dumps(result)) < 64 << 10
    (row,) = rows(deployed, "SELECT * FROM files")
    assert row["file_path"] == f"s3://{BUCKET}/{key}"
    assert row["metadata_embedding"] is not None
    assert (row["file_id"], row["size_bytes"]) == (result["file_id"], len(GOOD))


def test_a_redelivery_changes_nothing(deployed):
    put(deployed, "a.exr")
    first, second = (handle(CTX, ElementEvent(BUCKET, "a.exr")) for _ in range(2))
    assert (first["inserted"], second["inserted"]) == (True, False)
    assert [row["n"] for row in rows(deployed, "SELECT count(*) AS n FROM parts")] == [1]


def test_a_batch_is_one_transaction_and_an_answer_for_each(deployed):
    keys = [f"b.{n:04}.exr" for n in range(10)]
    for key in keys:
        put(deployed, key)
    prepare(CTX)
    handle(CTX, ElementEvent(BUCKET, keys[0]))  # warm
    deployed.database.reset_requests()
    answers = handle(CTX, [*(ElementEvent(BUCKET, key) for key in keys), ElementEvent(BUCKET, "notes.txt")])
    assert [answer["status"] for answer in answers] == ["success"] * 10 + ["skipped"]
    assert [answer["inserted"] for answer in answers] == [False] + [True] * 9 + [False]
    assert sum(request.operation == "begin" for request in deployed.database.requests) == 1


def test_a_new_file_costs_one_get_and_seven_requests(deployed):
    put(deployed, "a.exr")
    put(deployed, "b.exr", exr_bytes(text("note", "other")))
    handle(CTX, ElementEvent(BUCKET, "a.exr"))
    for key, most in (("b.exr", 7), ("b.exr", 4)):
        deployed.database.reset_requests()
        handle(CTX, ElementEvent(BUCKET, key))
        transaction = [r for r in deployed.database.requests if r.operation != "probe"]
        first = transaction.index(next(r for r in transaction if r.operation == "commit"))
        assert first + 1 <= most


def test_a_removal_marks_the_file_deleted(deployed):
    put(deployed, "a.exr")
    handle(CTX, ElementEvent(BUCKET, "a.exr"))
    gone = handle(CTX, ElementEvent(BUCKET, "a.exr", subtype="ElementDeleted", name="ObjectRemoved:Delete"))
    assert (gone["status"], gone["persistence"]["message"]) == ("success", "marked deleted")
    (row,) = rows(deployed, "SELECT deleted_at FROM files")
    assert row["deleted_at"] is not None


@pytest.mark.parametrize(
    "event",
    [
        ElementEvent(BUCKET, "notes.txt"),
        ElementEvent(BUCKET, "a.exr", subtype="ElementTagging", name="ObjectTagging:Put"),
        SimpleNamespace(get_attributes=lambda: {"type": "vastdata.com:Schedule.TimerElapsed"}, get_data=lambda: None),
    ],
    ids=["no EXR", "tags", "timer"],
)
def test_what_is_no_exr_is_skipped_with_a_reason(local, event):
    result = handle(CTX, event)
    assert result["status"] == "skipped"
    assert result["message"]


def test_a_notification_with_several_records_gives_a_result_for_each(deployed):
    put(deployed, "a b.exr")
    put(deployed, "c.exr")
    aws = record(BUCKET, "a+b.exr") | {"eventSource": "aws:s3"}
    removed = record(BUCKET, "gone.exr", "ObjectRemoved:Delete")
    answer = handle(CTX, {"Records": [aws, record(BUCKET, "c.exr"), removed, record(BUCKET, "x.png")]})
    assert [result["status"] for result in answer["results"]] == ["success", "success", "success", "skipped"]
    assert answer["status"] == "success"
    paths = {row["file_path"] for row in rows(deployed, "SELECT file_path FROM files")}
    assert paths == {f"s3://{BUCKET}/a b.exr", f"s3://{BUCKET}/c.exr"}


def test_a_malformed_file_is_recorded_and_not_delivered_again(deployed):
    put(deployed, "bad.exr", GOOD[:100])
    result = handle(CTX, ElementEvent(BUCKET, "bad.exr"))
    assert (result["status"], result["category"], result["retryable"]) == ("error", "format", False)
    assert result["persistence"]["message"] == "noted in ingest_errors"
    (row,) = rows(deployed, f"SELECT * FROM ingest_errors WHERE {OPEN_ERRORS}")
    assert (row["file_path_normalized"], row["code"]) == (f"s3://{BUCKET}/bad.exr", result["code"])
    put(deployed, "bad.exr")
    handle(CTX, ElementEvent(BUCKET, "bad.exr"))
    assert rows(deployed, f"SELECT * FROM ingest_errors WHERE {OPEN_ERRORS}") == []


def test_an_object_that_is_not_there_is_no_reason_to_come_again(deployed):
    result = handle(CTX, ElementEvent(BUCKET, "never.exr"))
    assert (result["status"], result["category"], result["retryable"]) == ("error", "file_not_found", False)


# ── failures ────────────────────────────────


def test_a_database_that_is_down_makes_the_platform_deliver_again(deployed, monkeypatch):
    put(deployed, "a.exr")
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "12")
    settings.cache_clear()
    with pytest.raises(RedeliveryError, match=r"127\.0\.0\.1:9"):
        handle(CTX, ElementEvent(BUCKET, "a.exr"))
    direct = handle(CTX, {"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert (direct["status"], direct["category"], direct["retryable"]) == ("error", "connection", True)
    assert direct["file"]["completeness"] == "complete", "what was seen is told, stored or not"


def test_the_other_files_of_a_batch_are_stored_before_it_comes_again(deployed, monkeypatch):
    """One object's store is down; redelivery changes nothing for the others."""
    put(deployed, "a.exr")
    from exr_inspector.errors import SourceConnectionError
    from exr_inspector.function import handler

    real = handler.ObjectSource

    def source(place, *args, **options):
        if place.endswith("b.exr"):
            raise SourceConnectionError(place, "does not answer")
        return real(place, *args, **options)

    monkeypatch.setattr(handler, "ObjectSource", source)
    batch = [ElementEvent(BUCKET, "a.exr"), ElementEvent(BUCKET, "b.exr")]
    for _ in range(2):
        with pytest.raises(RedeliveryError, match="1 of 2 files"):
            handle(CTX, batch)
    assert [row["file_path"] for row in rows(deployed, "SELECT file_path FROM files")] == [f"s3://{BUCKET}/a.exr"]


def test_credentials_are_one_bundle(deployed, monkeypatch):
    """Keys of the environment never go to the endpoint of an event, or of a secret."""
    put(deployed, "a.exr")
    path = {"data": {"path": f"s3://{BUCKET}/a.exr"}}
    deployed.database.reset_requests()
    result = handle(CTX, path | {"vastdb_endpoint": deployed.database.url})
    assert (result["status"], result["category"]) == ("error", "settings")
    assert deployed.database.requests == []
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://127.0.0.1:9")
    given = {"vastdb_endpoint": deployed.database.url, "vastdb_access_key": "key", "vastdb_secret_key": DB_SECRET}
    assert handle(CTX, path | given)["persistence"]["status"] == "success"
    database = {"VAST_DB_ENDPOINT": deployed.database.url, "VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": DB_SECRET}
    ctx = SimpleNamespace(secrets={"exr-inspector": database})
    assert handle(ctx, path)["persistence"]["status"] == "success"
    ctx = SimpleNamespace(secrets={"exr-inspector": {"VAST_DB_ENDPOINT": deployed.database.url}})
    assert handle(ctx, path)["category"] == "settings"


def test_no_secret_gets_out(deployed, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    put(deployed, "a.exr")
    told = []
    for endpoint in (deployed.database.url, "http://127.0.0.1:9"):
        monkeypatch.setenv("VAST_DB_ENDPOINT", endpoint)
        monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "10")
        settings.cache_clear()
        told.append(handle(CTX, {"data": {"path": f"s3://{BUCKET}/a.exr"}}))
        told.append(handle(CTX, {"data": {"path": f"s3://{BUCKET}/none.exr"}}))
    text_of_all = json.dumps(told) + caplog.text
    assert DB_SECRET not in text_of_all
    assert S3_SECRET not in text_of_all


def test_one_line_is_logged_for_each_file(deployed, caplog):
    caplog.set_level(logging.INFO, logger="exr_inspector")
    put(deployed, "a.exr")
    handle(CTX, ElementEvent(BUCKET, "a.exr"))
    (line,) = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO and r.name.startswith("exr_")]
    assert line.startswith(f"file=s3://{BUCKET}/a.exr status=success")


def test_counters_and_spans_of_the_platform_are_used(deployed):
    from contextlib import contextmanager

    counted, spans = [], []

    @contextmanager
    def start_as_current_span(name):
        spans.append(name)
        yield

    def instrument(name, **_):
        note = lambda value, attributes: counted.append((name, attributes["status"]))  # noqa: E731
        return SimpleNamespace(add=note, record=note)

    tracer = SimpleNamespace(start_as_current_span=start_as_current_span)
    ctx = SimpleNamespace(counter=instrument, histogram=instrument, tracer=tracer)
    prepare(ctx)
    put(deployed, "a.exr")
    handle(ctx, ElementEvent(BUCKET, "a.exr"))
    prepare(CTX)
    assert counted == [("exr_inspector.files", "success"), ("exr_inspector.duration", "success")]
    assert spans == ["exr_inspector.invocation", "exr_inspector.inspect", "exr_inspector.persist"]
