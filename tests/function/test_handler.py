"""The handler: results, the rows in the catalog, and which events are delivered again."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings

from exr_inspector import catalog as catalogs
from exr_inspector import function, inspect, vectors
from exr_inspector.errors import EmbeddingError, RedeliveryError, SourceChangedError
from exr_inspector.exr import read_chunks
from exr_inspector.function import inspect_files
from exr_inspector.function.results import fitted
from exr_inspector.inspection import inspector
from exr_inspector.sources.uris import object_uri
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.opening import before_open, point_link
from tests.support.s3_server import ACCESS_KEY, BUCKET, status
from tests.support.strategies import examples
from tests.support.vast_event import VastEventList

from .conftest import BROKEN, CUT, DATABASE, GOOD, OTHER, Context, element
from .test_events import JSON

ROOT = Path(__file__).parents[2]
CURRENT = "SELECT file_path_normalized, file_id FROM files WHERE is_current AND deleted_at IS NULL ORDER BY 1"


@pytest.fixture
def path(tmp_path) -> str:
    file = tmp_path / "plate.1001.exr"
    file.write_bytes(GOOD)
    return str(file)


def rows(catalog, query: str) -> list[tuple]:
    with catalog() as opened:
        return [tuple(row.values()) for row in opened.sql(query).to_pylist()]


SNIPPET = """
from functions.exr_inspector.main import handler
class MockContext: pass
result = handler(MockContext(), {"data": {"path": %r, "meta": True}})
print(result["status"], result["file"]["completeness"], result["persistence"]["status"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("installed", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_snippet_of_the_guide_runs_from_the_root(path, installed):
    """With the package installed, and in a checkout with its dependencies only."""
    command = [sys.executable, "-c", SNIPPET % path]
    if not installed:
        # -S omits the paths of a development install
        site = next(path for path in sys.path if path.endswith("site-packages"))
        command = [sys.executable, "-S", "-c", f"import sys; sys.path.append({site!r})" + SNIPPET % path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("success complete skipped\n", "")


def test_a_direct_call_returns_the_whole_inspection(handle, path):
    """The fields of `inspect`, and those of the result."""
    result = handle({"data": {"path": path, "meta": True}})
    whole = inspect(path).to_dict()
    assert {name: result[name] for name in whole} == whole
    assert result.keys() - whole.keys() == {"status", "message", "error", "path", "file_id", "inserted", "persistence"}
    assert (result["status"], result["error"], result["file_id"]) == ("success", None, whole["file"]["file_id"])
    without = handle({"data": {"path": path, "meta": False}})
    assert whole.keys() - without.keys() == {"attributes"}


def test_the_setting_for_chunks_applies(handle, tmp_path, monkeypatch):
    """The number of checked leaders is in the result."""
    large = tmp_path / "large.exr"
    large.write_bytes(w.build(w.part(width=400, height=400)).data)
    assert handle({"data": {"path": str(large)}})["file"]["chunks_checked"] == 400
    monkeypatch.setenv("EXR_INSPECTOR_CHUNKS", "sample")
    assert handle({"data": {"path": str(large)}})["file"]["chunks_checked"] == 17


def test_without_a_catalog_nothing_is_persisted(handle, path, caplog):
    """The inspection is returned nevertheless; one DEBUG line reports it."""
    caplog.set_level(logging.DEBUG)
    result = handle({"data": {"path": path}})
    assert result["persistence"] == {
        "status": "skipped", "file_id": result["file_id"], "inserted": False,
        "message": "no catalog is configured", "error": None,
    }  # fmt: skip
    records = [record for record in caplog.records if "no catalog" in record.getMessage()]
    assert [record.levelno for record in records] == [logging.DEBUG]


@pytest.mark.slow
def test_repeated_deliveries_insert_a_file_once(handle, path, catalog):
    """A new version becomes the current one; the old one stays as history."""
    first, again = handle({"data": {"path": path}}), handle({"data": {"path": path}})
    assert (first["inserted"], again["inserted"]) == (True, False)
    assert first["persistence"]["status"] == again["persistence"]["status"] == "success"
    Path(path).write_bytes(OTHER)
    newer = handle({"data": {"path": path}})
    assert (newer["inserted"], newer["file_id"] != first["file_id"]) == (True, True)
    assert rows(catalog, CURRENT) == [(f"file://{path}", newer["file_id"])]
    assert rows(catalog, "SELECT inspection_count FROM files ORDER BY 1") == [(1,), (2,)]


@pytest.mark.slow
@pytest.mark.parametrize("key", ["a b+c%20.exr", "ä.exr", "a\u0308.exr", "x" * 1020 + ".exr"], ids=ascii)
def test_a_created_object_is_in_the_catalog(handle, store, catalog, key):
    """One request to the store; the result is small and has no attributes."""
    store.put(key, GOOD)
    store.requests.clear()
    result = handle(element(key))
    assert (result["status"], result["inserted"]) == ("success", True)
    assert [result["summary"][name] for name in ("part_count", "channel_count", "completeness")] == [1, 3, "complete"]
    assert [request.method for request in store.requests] == ["GET"]
    assert rows(catalog, CURRENT) == [(object_uri(BUCKET, key), result["file_id"])]


def test_a_complete_file_with_errors_in_its_header_is_logged(handle, store, caplog):
    """The summary has its problems with their severities."""
    sampling_0 = w.attribute("channels", "chlist", w.chlist([("G", w.HALF, 0, 1, 0)]))
    store.put("odd.exr", w.build(w.part(channels=[("G", w.HALF, 1, 1, 0)], replace={"channels": sampling_0})).data)
    summary = handle(element("odd.exr"))["summary"]
    assert [summary[name] for name in ("completeness", "problem_severity", "problem_count")] == ["complete", "error", 1]
    assert [(problem["code"], problem["severity"]) for problem in summary["problems"]] == [("bad_sampling", "error")]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "completeness=complete problems=bad_sampling" in warning


def when_quiet(database) -> None:
    """Wait until the deduplication half a second after a commit has ended; reset the count of requests."""
    before = -1
    while before != database.request_count:
        before = database.request_count
        time.sleep(1.5)
    database.reset_requests()


@pytest.mark.slow
def test_the_number_of_requests_per_file(handle, store, database):
    """One GET; seven requests to the database for a new file on a warm handler, four for a known file."""
    for key in ("warm.exr", "a.exr"):
        store.put(key, GOOD)
    handle(element("warm.exr"))
    when_quiet(database)
    store.requests.clear()
    assert handle(element("a.exr"))["inserted"]
    assert (len(store.requests), database.request_count) == (1, 7)
    when_quiet(database)
    assert not handle(element("a.exr"))["inserted"]
    assert database.request_count == 4


@pytest.mark.slow
def test_each_record_of_an_event_has_a_result(handle, store, catalog):
    """And the event has an overall one."""
    store.put("a.exr", GOOD)
    store.put("b.exr", BROKEN)
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
        for key in ("a.exr", "b.exr", "c.txt", "missing.exr")
    ]
    result = handle({"Records": records})
    assert [each["status"] for each in result["results"]] == ["success", "error", "skipped", "error"]
    assert [each.get("category") for each in result["results"]] == [None, "format", None, "file_not_found"]
    assert (result["status"], result["message"]) == ("error", "4 files: 2 error, 1 skipped, 1 success")
    assert rows(catalog, "SELECT file_path_normalized, code FROM ingest_errors") == [
        (f"s3://{BUCKET}/b.exr", "truncated")
    ]


@pytest.mark.slow
def test_a_batch_is_one_transaction(handle, store, database):
    """One result for each event, in order; one commit of the database."""
    for number in range(10):
        store.put(f"{number}.exr", GOOD)
    handle(element("0.exr"))
    function.close_catalogs()
    handle(element("0.exr"))
    database.reset_requests()
    results = handle(VastEventList([element(f"{number}.exr") for number in range(10)]))
    assert [(each["status"], each["inserted"]) for each in results] == [("success", number > 0) for number in range(10)]
    operations = [request.operation for request in database.requests]
    assert operations.count("commit") == 1
    assert len(operations) <= 8


@pytest.mark.slow
def test_a_batch_of_many_kinds(handle, store, catalog):
    """Valid, malformed, not an EXR file, removed, truncated, duplicate, and an event that names no file."""
    store.put("good.exr", GOOD)
    store.put("broken.exr", BROKEN)
    store.put("cut.exr", CUT)
    store.put("old.exr", OTHER)
    handle(element("old.exr"))
    store.delete("old.exr")
    events = [
        element("good.exr"), element("broken.exr"), element("notes.txt"), element("old.exr", "ObjectRemoved:Delete"),
        element("cut.exr"), element("good.exr"), element("good.exr", data={"msg": "hello"}), element("gone.exr"),
    ]  # fmt: skip
    results = handle(VastEventList(events))
    assert [each["status"] for each in results] == [
        "success", "error", "skipped", "success", "success", "success", "success", "error",
    ]  # fmt: skip
    assert [each["inserted"] for each in results] == [True, False, False, False, True, False, False, False]
    assert results[0]["file_id"] == results[5]["file_id"]
    assert results[3]["persistence"]["message"] == "marked deleted"
    assert results[4]["summary"]["completeness"] == "truncated"
    assert [path.rpartition("/")[2] for path, _ in rows(catalog, CURRENT)] == ["cut.exr", "good.exr"]


@pytest.mark.slow
def test_a_batch_with_a_transient_error_is_delivered_again(handle, store, catalog):
    """The other files are persisted; the second delivery does not change them."""
    store.put("a.exr", GOOD)
    store.put("b.exr", GOOD)
    store.fault = lambda request, start: status(503)(request, start) if "b.exr" in request.path else None
    batch = VastEventList([element("a.exr"), element("b.exr")])
    with pytest.raises(RedeliveryError, match="1 of 2 files failed") as raised:
        handle(batch)
    assert len(str(raised.value)) <= 500
    assert [each["status"] for each in raised.value.result] == ["success", "error"]
    assert [path.rpartition("/")[2] for path, _ in rows(catalog, CURRENT)] == ["a.exr"]
    store.fault = None
    assert [each["inserted"] for each in handle(batch)] == [False, True]
    assert rows(catalog, "SELECT count(*) FROM files") == [(2,)]


@pytest.mark.slow
def test_removed_objects_are_marked_deleted(handle, store, catalog):
    """The current state of the store counts, not the order of events: an object that exists again is inspected."""
    store.put("a.exr", GOOD)
    handle(element("a.exr"))
    store.delete("a.exr")
    result = handle(element("a.exr", "ObjectRemoved:Delete"))
    assert (result["status"], result["message"]) == ("success", "removed; marked deleted")
    assert rows(catalog, CURRENT) == []
    assert handle(element("a.exr", "ObjectRemoved:Delete"))["message"] == "removed; not in the catalog"
    store.put("a.exr", OTHER)
    late = handle(element("a.exr", "ObjectRemoved:Delete"))
    assert (late["inserted"], late["message"]) == (True, "inspected; inserted")
    assert len(rows(catalog, CURRENT)) == 1
    store.fault = status(403, "AccessDenied")  # as from stores that do not disclose whether an object exists
    assert handle(element("a.exr", "ObjectRemoved:Delete"))["message"] == "removed; marked deleted"


@pytest.mark.slow
def test_removed_objects_that_the_catalog_does_not_have_are_not_said_to_be_deleted(handle, store, catalog):
    """Together with one that it has, as a transaction counts all of them."""
    store.put("a.exr", GOOD)
    handle(element("a.exr"))
    store.delete("a.exr")
    removed = [element(name, "ObjectRemoved:Delete") for name in ("a.exr", "b.exr")]
    assert {result["message"] for result in handle(removed)} == {"removed; marked deleted, if it was in the catalog"}


@pytest.mark.slow
def test_another_object_does_not_hide_a_removed_one(handle, store, catalog):
    """Not even an object whose key is the decoded key of the removed one."""
    for key in ("a b.exr", "a+b.exr"):
        store.put(key, GOOD)
        handle({"data": {"path": f"s3://{BUCKET}/{key}"}})
    store.delete("a+b.exr")
    assert handle(element("a+b.exr", "ObjectRemoved:Delete"))["status"] == "success"
    assert [path for path, _ in rows(catalog, CURRENT)] == [f"s3://{BUCKET}/a b.exr"]


@pytest.mark.slow
@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed"])
def test_wrong_keys_remove_nothing(handle, store, catalog, code):
    store.put("a.exr", GOOD)
    handle(element("a.exr"))
    store.fault = status(403, code)
    with pytest.raises(RedeliveryError, match="authentication"):
        handle(element("a.exr", "ObjectRemoved:Delete"))
    assert len(rows(catalog, CURRENT)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("error", [RuntimeError("internal"), MemoryError()])
def test_an_internal_error_does_not_change_the_file(handle, store, catalog, monkeypatch, error):
    """Its rows stay as they are; an event that ran out of memory is delivered again."""
    store.put("a.exr", GOOD)
    handle(element("a.exr"))

    def fail(*_args, **_options):
        raise error

    with monkeypatch.context() as broken:
        broken.setattr(inspect_files, "inspect_with", fail)
        if isinstance(error, MemoryError):
            with pytest.raises(RedeliveryError):
                handle(element("a.exr"))
        else:
            assert handle(element("a.exr"))["category"] == "internal"
    assert len(rows(catalog, CURRENT)) == 1
    assert rows(catalog, "SELECT * FROM ingest_errors") == []


HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_catalog_that_another_process_has_open_is_opened_again(handle, path, tmp_path, monkeypatch):
    """The other process closes it after the first attempt."""
    catalog = str(tmp_path / "c.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{catalog}")
    attempts = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, catalog], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()

        def open_catalog(*args, **options):
            attempts.append(args)
            try:
                return catalogs.open_catalog(*args, **options)
            finally:
                other.communicate()

        monkeypatch.setattr("exr_inspector.function.catalogs.open_catalog", open_catalog)
        assert handle({"data": {"path": path}})["inserted"]
    assert len(attempts) == 2


@pytest.mark.parametrize("changes", [2, 3])
def test_a_file_that_changes_while_it_is_read_is_read_again(handle, path, monkeypatch, changes):
    """Three times at most; then it is a transient error."""
    left = [SourceChangedError(path, "the file changed while it was read")] * changes

    def changing(*args, **options):
        if left:
            raise left.pop()
        return read_chunks(*args, **options)

    monkeypatch.setattr(inspector, "read_chunks", changing)
    result = handle({"data": {"path": path}})
    assert (result["status"], result.get("retryable", False)) == (("success", False), ("error", True))[changes - 2]


@pytest.mark.slow
def test_an_exceeded_deadline_is_not_an_internal_error(handle, store, tmp_path, monkeypatch):
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/c.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "1")
    store.put("a.exr", GOOD)

    def slowly(*args, **options):
        time.sleep(1.1)
        return read_chunks(*args, **options)

    monkeypatch.setattr(inspector, "read_chunks", slowly)
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert result["persistence"].get("category") != "internal"


@pytest.mark.slow
def test_a_failing_span_does_not_change_the_result(store, catalog):
    """Neither a span that cannot end, nor one that suppresses exceptions."""

    class Broken(Context):
        @contextmanager
        def start_as_current_span(self, name):
            try:
                yield SimpleNamespace(set_attribute=lambda *_: None)
            except Exception:
                return
            raise ValueError("not ended")

    store.put("a.exr", GOOD)
    assert function.handle(Broken(), element("a.exr"))["status"] == "success"
    store.fault = status(503)
    with pytest.raises(RedeliveryError):
        function.handle(Broken(), element("a.exr"))


def test_an_event_with_a_schema_only_is_an_error(handle, path, database):
    """Its rows must not silently go to another schema."""
    result = handle({"data": {"path": path, "vastdb_schema": "another"}})
    assert (result["persistence"]["category"], database.requests) == ("event", [])


@pytest.mark.slow
def test_keys_may_end_in_a_line_break(handle, store, database, monkeypatch):
    """As mounted secrets often do; an invalid key is not repeated in the error."""
    store.put("a.exr", GOOD)
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", f"{DATABASE['access_key']}\n")
    assert handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})["inserted"]
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "k\ney")
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert result["persistence"]["status"] == "error"
    assert "AWS4" not in json.dumps(result)


@pytest.mark.parametrize("endpoint", ["http://a b", "https://host:99999", "http://:9000", "http://["])
def test_an_invalid_endpoint_is_an_error_of_the_settings(handle, monkeypatch, endpoint):
    monkeypatch.setenv("S3_ENDPOINT", endpoint)
    assert handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})["category"] == "settings"


@pytest.mark.slow
def test_encoded_keys_name_the_existing_object(handle, store, catalog):
    """The candidate that exists is persisted, whether or not events encode keys."""
    store.put("a b+c.exr", GOOD)
    for spelling in ("a%20b%2Bc.exr", "a b+c.exr", "a+b%2Bc.exr"):
        result = handle(element(spelling))
        assert (result["status"], result["path"]) == ("success", f"s3://{BUCKET}/a b+c.exr")
    assert len(rows(catalog, "SELECT * FROM files")) == 1
    store.delete("a b+c.exr")
    handle(element("a+b%2Bc.exr", "ObjectRemoved:Delete"))
    assert rows(catalog, CURRENT) == []


def test_a_key_whose_decoded_form_is_invalid_is_read(handle, store):
    """Decoded, these contain a control character or an empty part."""
    for key in ("50%00.exr", "a%2F%2Fb.exr"):
        store.put(key, GOOD)
        assert handle(element(key))["status"] == "success"


def test_files_that_are_not_exr_are_skipped(handle, store, tmp_path):
    """By name, or by content if a direct call names them; with the extension of EXR files they are errors."""
    text = tmp_path / "notes.txt"
    text.write_text("some text")
    misnamed = tmp_path / "notes.exr"
    misnamed.write_text("some text")
    renamed = tmp_path / "image.dat"
    renamed.write_bytes(GOOD)
    assert [handle({"data": {"path": str(file)}})["status"] for file in (text, misnamed, renamed)] == [
        "skipped", "error", "success",
    ]  # fmt: skip
    skipped = handle(element("show/notes.txt"))
    assert (skipped["status"], skipped["message"]) == (
        "skipped",
        "not an EXR file: its name does not end in .exr, .sxr, .mxr",
    )
    assert store.requests == []


@pytest.mark.slow
def test_a_malformed_file_is_an_error_with_code_and_offset(handle, store, catalog):
    """It is recorded and returned, and not delivered again."""
    store.put("a.exr", BROKEN)
    for event in (element("a.exr"), {"data": {"path": f"s3://{BUCKET}/a.exr"}}):
        result = handle(event)
        assert (result["status"], result["category"], result["retryable"]) == ("error", "format", False)
        assert (result["code"], result["byte_offset"], result["inserted"]) == ("truncated", len(BROKEN), False)
        assert result["persistence"]["message"] == "recorded in ingest_errors"
    errors = rows(catalog, "SELECT code, count, size_bytes, mtime IS NOT NULL FROM ingest_errors")
    assert errors == [("truncated", 2, len(BROKEN), True)]


@pytest.mark.slow
def test_vectors_that_cannot_be_computed(handle, store, catalog, monkeypatch, caplog):
    """An error of that file with a traceback in the log; the other files of the batch are persisted."""
    embed = vectors.embed

    def fail(inspection):
        if inspection.file.file_path.endswith("bad.exr"):
            raise EmbeddingError(inspection.file.file_path_normalized, "not finite")
        return embed(inspection)

    monkeypatch.setattr(vectors, "embed", fail)
    store.put("bad.exr", GOOD)
    store.put("good.exr", GOOD)
    bad, good = handle(VastEventList([element("bad.exr"), element("good.exr")]))
    assert (bad["status"], bad["category"], bad["retryable"]) == ("error", "embedding", False)
    assert good["inserted"]
    assert rows(catalog, "SELECT code FROM ingest_errors") == [("embedding",)]
    assert next(record for record in caplog.records if record.levelno == logging.ERROR).exc_info


@pytest.mark.parametrize("error", [RuntimeError("of another package"), MemoryError(), RecursionError()])
def test_a_direct_call_never_raises(handle, path, monkeypatch, caplog, error):
    """The text of a foreign exception may contain secrets; only the log has it."""

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(inspect_files, "inspect_with", fail)
    for event in ({"data": {"path": path}}, [{"data": {"path": path}}]):
        result = handle(event)
        result = result[0] if isinstance(result, list) else result
        assert (result["status"], result["category"], result["retryable"]) == (
            "error",
            "internal",
            isinstance(error, MemoryError),
        )
        assert result["error"] == f"internal error ({type(error).__name__}); the log has the traceback"
    caplog.clear()


def test_invalid_settings_are_named(handle, path, monkeypatch):
    """An incomplete configuration of the database does not hide the inspection."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://x")
    result = handle({"data": {"path": path}})
    assert (result["status"], result["category"], result["file"]["completeness"]) == ("error", "settings", "complete")
    assert "VAST_DB_SECRET_KEY" in result["persistence"]["error"]
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "soon")
    result = handle({"data": {"path": path}})
    assert (result["status"], result["category"]) == ("error", "settings")
    assert "EXR_INSPECTOR_DEADLINE_S" in result["error"]


def test_local_files_of_events_need_a_root(handle, path, monkeypatch, tmp_path):
    """A direct call reads any file without a root; with roots, only files below them are read, also through links."""
    foreign = element("x", data={"path": path})
    foreign._event.type = "studio.render.done"
    del foreign._event.elementpath
    direct = {"data": {"path": path}}
    rejected = handle(foreign)
    assert (rejected["status"], rejected["category"]) == ("error", "not_allowed")
    assert handle(direct)["status"] == "success"
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", f"/nowhere:{tmp_path}")
    assert handle(foreign)["status"] == handle(direct)["status"] == "success"
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.exr").symlink_to(path)
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(inside))
    for elsewhere in (
        path,
        f"file://{path}",
        f"{inside}/../plate.1001.exr",
        f"{inside}/link.exr",
        str(inside) + "2/x.exr",
    ):
        assert handle({"data": {"path": elsewhere}})["category"] == "not_allowed"


def test_a_link_that_changes_before_it_is_opened_is_rejected(handle, path, monkeypatch, tmp_path):
    """It named a file below the root when it was checked, and another one when it was opened."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "inside.exr").write_bytes(GOOD)
    link = root / "link.exr"
    link.symlink_to("inside.exr")
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(root))
    with before_open(link, lambda: point_link(link, path)):
        assert handle({"data": {"path": str(link)}})["category"] == "not_allowed"


def test_long_paths_are_cut_in_the_log(handle, caplog):
    handle({"data": {"path": "x" * 1_000_000 + ".exr"}})
    assert max(len(record.getMessage()) for record in caplog.records) < 10_000


def test_the_log_has_one_line_per_file(handle, store, tmp_path, caplog):
    """At INFO, as key=value, for any name; an error has another line, at its own level."""
    caplog.set_level(logging.INFO)
    evil = tmp_path / 'a" status=success\n\x1b[31m.exr'
    evil.write_bytes(GOOD)
    store.put("cut.exr", CUT)
    handle({"data": {"path": str(evil)}})
    handle(element("cut.exr"))
    handle(element("missing.exr"))
    handle({"data": {"path": "\ud800"}})
    lines = [record for record in caplog.records if record.name.startswith("exr_inspector")]
    assert all(line.getMessage().isprintable() and line.getMessage().isascii() for line in lines)
    info = [line.getMessage() for line in lines if line.levelno == logging.INFO]
    assert len(info) == 4
    assert info[0].startswith(f'file="{tmp_path}/a\\" status=success\\n\\u001b[31m.exr" status=success file_id=')
    assert "event=1004356627333135" in info[1]
    assert [line.levelname for line in lines if line.levelno != logging.INFO] == ["WARNING", "ERROR", "ERROR"]


def test_the_log_names_keys_by_their_hashes_and_transactions_by_their_numbers(handle, ctx, store, database, caplog):
    caplog.set_level(logging.DEBUG, "exr_inspector")
    function.prepare(ctx)
    store.put("a.exr", GOOD)
    refused = database.fail(503, operation="commit", after_effect=False)
    handle(element("a.exr"))
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    (ready,) = [line for level, line in lines if level == "INFO" and line.startswith("ready: ")]
    hashes = [sha256(key.encode()).hexdigest()[-4:] for key in (DATABASE["access_key"], ACCESS_KEY)]
    assert re.findall("SHA-256 …([0-9a-f]{4})", ready) == hashes
    assert database.url in ready
    assert refused.hits
    debug = "\n".join(line for level, line in lines if level == "DEBUG")
    assert "computing embeddings for 's3://renders/a.exr'" in debug
    for end in ("started", "ended", "rolled back"):
        assert re.search(f"transaction [0-9a-f]+ {end}$", debug, re.MULTILINE), end


def test_spans_and_instruments_of_the_platform(store, handle, ctx):
    """A span for each stage; files by status and category; durations of invocations."""
    store.put("a.exr", GOOD)
    function.prepare(ctx)
    handle(element("a.exr"))
    handle(element("missing.exr"))
    stages = ["exr_inspector.invocation", "exr_inspector.inspect", "exr_inspector.persist"]
    assert [span.name for span in ctx.spans] == stages * 2
    assert ctx.spans[1].attributes == {"exr_inspector.files": 1}
    zeros = {(name, *attributes.values()) for name, value, attributes in ctx.counted if not value}
    counted = [(name, *attributes.values()) for name, value, attributes in ctx.counted if value]
    assert [labels for labels in counted if "duration" not in labels[0]] == [
        ("exr_inspector.files", "success", ""), ("exr_inspector.persisted", "skipped"),
        ("exr_inspector.files", "error", "file_not_found"), ("exr_inspector.persisted", "skipped"),
    ]  # fmt: skip
    assert set(counted) - zeros == {
        ("exr_inspector.duration",), ("exr_inspector.stage_duration", "read"),
    }  # fmt: skip
    assert counted.count(("exr_inspector.duration",)) == 2


@pytest.mark.slow
def test_spans_and_metrics_of_open_telemetry_without_those_of_the_context(path):
    code = f"""
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, reader, provider = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
from exr_inspector import function
function.handle(object(), {{"data": {{"path": {path!r}}}}})
print([span.name for span in exporter.get_finished_spans()])
scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics
print(sorted(metric.name for scope in scopes for metric in scope.metrics))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "['exr_inspector.inspect', 'exr_inspector.persist', 'exr_inspector.invocation']",
        "['exr_inspector.duration', 'exr_inspector.files', 'exr_inspector.persisted', 'exr_inspector.stage_duration']",
    ]


class Hostile:
    """A context whose members all fail."""

    __slots__ = ()

    def __getattr__(self, name: str):
        raise RuntimeError(name)


class Broken(Context):
    def counter(self, name, description=""):
        return object()

    def start_as_current_span(self, name):
        raise RuntimeError


@pytest.mark.parametrize("ctx", [None, object(), Broken(), Hostile()], ids=lambda ctx: type(ctx).__name__)
def test_a_context_may_be_anything(path, ctx):
    """An event does not fail because telemetry or secrets are missing."""
    function.prepare(ctx)
    assert function.handle(ctx, {"data": {"path": path}})["status"] == "success"


@pytest.mark.slow
def test_init_never_fails(ctx, monkeypatch, caplog, database):
    """A catalog that cannot be opened is opened again for each event."""
    caplog.set_level(logging.INFO)
    function.prepare(ctx)
    assert "ready: results are persisted in vast://catalogs/" in caplog.text
    function.close_catalogs()
    database.fail(503, times=0)
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "1")
    function.prepare(ctx)
    assert 'status="not ready" category=connection' in caplog.text
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "")
    function.prepare(ctx)
    assert "VAST_DB_SECRET_KEY" in caplog.text


def test_the_garbage_collector_of_the_process_is_not_changed(ctx, path):
    """The platform's runtime, or the program of a direct call, decides when it runs."""
    before = (gc.isenabled(), gc.get_freeze_count(), gc.get_threshold())
    function.prepare(ctx)
    assert function.handle(ctx, {"data": {"path": path}})["status"] == "success"
    assert (gc.isenabled(), gc.get_freeze_count(), gc.get_threshold()) == before


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("many", [2, 3000])
def test_a_summary_fits_into_a_message(handle, store, many):
    """For any number of records and any length of names; errors are kept first."""
    store.put("a.exr", GOOD)
    key = "missing/" + "\u6f22" * 330 + ".exr"
    s3 = [{"bucket": {"name": BUCKET}, "object": {"key": k}} for k in ["a.exr"] + [key] * (many - 1)]
    records = [{"eventName": "ObjectCreated:Put", "s3": each} for each in s3]
    event = element("x", data={"Records": records})
    del event._event.elementpath
    result = handle(event)
    assert len(json.dumps(result)) < 64_000
    assert result["results"][-1 if many == 2 else 0]["category"] == "file_not_found"
    assert len(result["results"]) + result.get("results_left_out", 0) == many


def test_the_lists_of_each_result_are_cut_before_results_are_left_out():
    """Two files with 20 long findings each fit, with 10 findings each."""
    files = [{"validation": {"findings": [{"message": "x" * 2000}] * 20}} for _ in range(2)]
    result = fitted({"results": files})
    assert [len(file["validation"]["findings"]) for file in result["results"]] == [10, 10]
    assert "results_left_out" not in result


@pytest.mark.slow
@settings(examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=JSON)
def test_any_json_gives_a_result(handle, event, tmp_path, monkeypatch):
    """One for each entry of a list; never raises."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "0.2")
    result = handle(event)
    if isinstance(event, list):
        assert len(result) == len(event)
    for each in result if isinstance(event, list) else [result]:
        assert each["status"] in ("success", "error", "skipped")
        assert {"message", "error", "file_id", "inserted", "persistence"} <= each.keys()


@pytest.mark.slow
def test_twenty_threads_insert_each_file_once(store, catalog, ctx):
    """As on the platform, where threads share open catalogs."""
    keys = [f"{number}.exr" for number in range(40)]
    for key in keys:
        store.put(key, GOOD)
    inserted: list[bool] = []
    errors: list[BaseException] = []

    def work(mine: list[str]) -> None:
        try:
            for key in mine:
                inserted.append(function.handle(ctx, element(key))["inserted"])
        except BaseException as error:
            errors.append(error)

    # every key is delivered twice, to different threads
    threads = [threading.Thread(target=work, args=((keys + keys[1:] + keys[:1])[start::20],)) for start in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert (len(inserted), sum(inserted)) == (80, 40)
    assert len(rows(catalog, CURRENT)) == 40
    assert rows(catalog, "SELECT count(*) FROM channels") == [(120,)]


@pytest.mark.slow
@corpus.need_corpus
def test_real_files_are_in_the_catalog_as_they_were_inspected(handle, store, catalog):
    """Every twentieth file of the corpus."""
    expected = {}
    for file in corpus.VALID_FILES[::20]:
        uri = store.put(corpus.name_of(file), file.read_bytes())
        assert handle(element(corpus.name_of(file)))["status"] == "success"
        inspection = inspect(uri)
        expected[inspection.file.file_id] = (len(inspection.parts), inspection.file.channel_count)
    with catalog() as opened:
        stored_rows = opened.sql(
            "SELECT f.file_id, (SELECT count(*) FROM parts p WHERE p.file_id = f.file_id) AS parts, channel_count"
            " FROM files f"
        ).to_pylist()
    assert {row["file_id"]: (row["parts"], row["channel_count"]) for row in stored_rows} == expected


def test_nothing_is_left_on_the_disk(handle, store, tmp_path, monkeypatch):
    """No temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    store.put("a.exr", GOOD)
    handle(element("a.exr"))
    assert os.listdir(tmp_path) == []
