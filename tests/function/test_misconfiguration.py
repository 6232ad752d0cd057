"""Wrong keys, settings and catalogs: no event is lost, /readiness names the category, the log is not flooded."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pyarrow as pa
import pytest
import vastdb
from cloudevents.core.bindings.http import to_binary_event
from vastdb.config import SessionConfig

from exr_inspector import open_catalog
from exr_inspector.catalog.schema import VERSION
from exr_inspector.catalog.vast.connection import OutOfTimeError
from exr_inspector.errors import (
    CatalogAuthenticationError,
    CatalogConnectionError,
    CatalogSchemaError,
    RedeliveryError,
    SourceConnectionError,
    SourceNotFoundError,
    UnusablePolicyError,
)
from exr_inspector.function.error_log import ErrorLog
from tests.support.exr_bytes import exr_bytes, text
from tests.support.http import HTTP
from tests.support.s3_server import BUCKET, status

from .conftest import BROKEN, DATABASE, GOOD, element
from .test_deliveries import EventSource, assert_complete, post
from .test_runtime import element as cloud_event
from .test_runtime import in_this_process, serving


@pytest.fixture
def path(tmp_path) -> str:
    file = tmp_path / "plate.1001.exr"
    file.write_bytes(GOOD)
    return str(file)


def direct(path):
    return {"data": {"path": path}}


# --- Returned and raised errors ---


MISCONFIGURED = {
    "authentication": {"VAST_DB_SECRET_KEY": "event-hidden"},
    "settings": {"VAST_DB_SECRET_KEY": ""},
    "settings of the catalog": {"VAST_DB_BUCKET": "no bucket"},
    "schema": {"VAST_DB_BUCKET": "missing"},
    "catalog": {"EXR_INSPECTOR_CATALOG": "duckdb:/missing/folder/c.duckdb"},
}


@pytest.mark.parametrize("case", MISCONFIGURED)
def test_errors_of_the_configuration_are_raised_for_delivered_events_only(handle, store, database, monkeypatch, case):
    """A direct call returns them in the result, with the inspection."""
    store.put("a.exr", GOOD)
    for name, value in MISCONFIGURED[case].items():
        monkeypatch.setenv(name, value)
    category = case.split()[0]
    result = handle(direct(f"s3://{BUCKET}/a.exr"))
    assert (result["status"], result["category"], result["file"]["completeness"]) == ("error", category, "complete")
    with pytest.raises(RedeliveryError, match=category) as raised:
        handle(element("a.exr"))
    assert raised.value.result[0]["persistence"]["category"] == category
    monkeypatch.setenv("EXR_INSPECTOR_ON_MISCONFIGURATION", "return")
    assert handle(element("a.exr"))["category"] == category


@pytest.mark.parametrize("name", ["EXR_INSPECTOR_DEADLINE_S", "EXR_INSPECTOR_ON_MISCONFIGURATION", "S3_PATH_STYLE"])
def test_a_setting_that_cannot_be_parsed_loses_no_event(handle, store, monkeypatch, name):
    store.put("a.exr", GOOD)
    monkeypatch.setenv(name, "soon")
    assert handle(direct(f"s3://{BUCKET}/a.exr"))["category"] == "settings"
    with pytest.raises(RedeliveryError, match=name):
        handle(element("a.exr"))


@pytest.mark.parametrize("fault", [status(403, "InvalidAccessKeyId"), status(301, "PermanentRedirect")])
def test_an_object_store_that_rejects_the_configuration_loses_no_event(handle, store, fault):
    """Wrong keys, or a wrong region."""
    store.put("a.exr", GOOD)
    store.fault = fault
    with pytest.raises(RedeliveryError):
        handle(element("a.exr"))
    store.fault = None
    assert handle(element("a.exr"))["status"] == "success"


def test_an_error_of_the_file_is_returned_if_it_needs_no_catalog(handle, store, monkeypatch):
    """A missing object needs no catalog. The error of a malformed one is recorded, which needs the catalog."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:/missing/folder/c.duckdb")
    assert handle(element("missing.exr"))["category"] == "file_not_found"
    assert handle(element("notes.txt"))["status"] == "skipped"
    store.put("bad.exr", BROKEN)
    with pytest.raises(RedeliveryError, match="catalog") as raised:
        handle(element("bad.exr"))
    assert raised.value.result[0]["category"] == "format"


def test_a_catalog_can_be_required(handle, store, path, monkeypatch):
    """Without a catalog and without the setting, persistence is skipped, which is not an error."""
    store.put("a.exr", GOOD)
    assert handle(element("a.exr"))["persistence"]["status"] == "skipped"
    monkeypatch.setenv("EXR_INSPECTOR_REQUIRE_CATALOG", "true")
    result = handle(direct(path))
    assert (result["category"], result["file"]["completeness"]) == ("settings", "complete")
    assert "EXR_INSPECTOR_CATALOG" in result["error"]
    with pytest.raises(RedeliveryError, match="EXR_INSPECTOR_REQUIRE_CATALOG"):
        handle(element("a.exr"))


# --- The log ---


def test_errors_of_every_event_are_logged_once_per_interval_and_cause(caplog):
    now = [0.0]
    errors = ErrorLog(interval_s=60, clock=lambda: now[0])
    for _ in range(50):
        errors.log(CatalogAuthenticationError("wrong keys"))
        errors.log(CatalogSchemaError("newer"))
        errors.log(CatalogConnectionError("away"))
        errors.log(OutOfTimeError("away for long"))
        errors.log(SourceConnectionError("s3://b/a.exr", "away, too"))
        now[0] += 1
    now[0] = 60
    errors.log(CatalogAuthenticationError("wrong keys"))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert lines == [
        'category=authentication error="wrong keys"',
        "category=schema error=newer",
        "category=connection error=away",
        'category=connection error="s3://b/a.exr: away, too"',
        'category=authentication error="wrong keys" repeated=49',
    ]


def test_each_error_of_a_policy_is_logged(caplog):
    """Once per interval; a limited number of them is remembered."""
    errors = ErrorLog(clock=lambda: 0.0)
    for reason in ("a.yaml:1: no rule", "b.yaml: no such file", "a.yaml:1: no rule"):
        errors.log(UnusablePolicyError(reason))
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [line.partition("error=")[2][:7] for line in lines] == ['"a.yaml', '"b.yaml']
    for number in range(1000):
        errors.log(UnusablePolicyError(f"{number}.yaml: no such file"))
    caplog.clear()
    errors.log(UnusablePolicyError("a.yaml:1: no rule"))  # forgotten
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_errors_of_files_are_all_logged(caplog):
    errors = ErrorLog(clock=lambda: 0.0)
    for n in range(3):
        errors.log(SourceNotFoundError(f"{n}.exr", "no such file"))
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3


def assert_one_line_a_minute(lines, category, began):
    """All deliveries together have one ERROR line per minute."""
    assert 1 <= len(lines) <= 1 + (time.monotonic() - began) // 60
    assert all(f"category={category} " in line for line in lines)


def error_lines(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- /readiness ---


def probe(url):
    """The status and category of /readiness."""
    answer = HTTP.get(f"{url}/readiness", timeout=30)
    return answer.status_code, answer.text.removeprefix("Not ready: ").partition(";")[0]


def wait_until(url, expected):
    """Probe until the answer is the expected one."""
    ends = time.monotonic() + 120
    while (answer := probe(url)) != expected:
        assert time.monotonic() < ends, answer
        time.sleep(0.05)


READY = (200, "Ready")


def test_without_a_catalog_it_is_ready_unless_one_is_required(monkeypatch):
    with in_this_process(reopen_interval_s=0) as url:
        assert probe(url) == READY
        monkeypatch.setenv("EXR_INSPECTOR_REQUIRE_CATALOG", "true")
        assert probe(url) == (503, "settings")


@pytest.mark.slow
def test_it_is_not_ready_before_the_catalog_was_opened_once(monkeypatch, tmp_path):
    """A probe opens it again, without an event."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/later/c.duckdb")
    with in_this_process(reopen_interval_s=0) as url:
        wait_until(url, (503, "catalog"))
        assert HTTP.get(f"{url}/liveness").status_code == 200
        (tmp_path / "later").mkdir()
        wait_until(url, READY)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EXR_INSPECTOR_DEADLINE_S", "EXR_INSPECTOR_CELL_LIMIT"])
def test_a_setting_that_becomes_invalid_takes_effect_at_once(monkeypatch, tmp_path, name):
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/c.duckdb")
    with in_this_process() as url:
        wait_until(url, READY)
        monkeypatch.setenv(name, "soon")
        assert probe(url) == (503, "settings")


@pytest.mark.slow
def test_the_catalog_of_an_event_does_not_affect_readiness(handle, path, database, monkeypatch):
    """Only the configured catalog does."""
    named = {f"vastdb_{name}": value for name, value in DATABASE.items()}
    with in_this_process() as url:
        wait_until(url, READY)
        event = {"path": path, "vastdb_endpoint": database.url, **named, "vastdb_secret_key": "event-hidden"}
        assert handle({"data": event})["category"] == "authentication"
        assert probe(url) == READY


@pytest.mark.slow
def test_the_catalog_is_opened_at_most_once_per_interval(database, monkeypatch):
    """Independent of the number of probes."""
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "event-hidden")
    with in_this_process(reopen_interval_s=3600) as url:
        wait_until(url, (503, "authentication"))
        attempted = database.request_count
        assert {probe(url) for _ in range(20)} == {(503, "authentication")}
        assert database.request_count == attempted > 0
    with in_this_process(reopen_interval_s=0) as url:
        wait_until(url, (503, "authentication"))
        attempted = database.request_count
        ends = time.monotonic() + 120
        while database.request_count == attempted:  # a probe starts no attempt while the previous one is running
            assert probe(url) == (503, "authentication")
            assert time.monotonic() < ends


@pytest.mark.slow
def test_the_port_is_open_while_the_catalog_is_being_opened(database, monkeypatch):
    """The database accepts connections but does not respond yet."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        monkeypatch.setenv("VAST_DB_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("EXR_INSPECTOR_DEADLINE_S", "VAST_DB_DEADLINE_S", "VAST_DB_REQUEST_TIMEOUT_S"):
            monkeypatch.setenv(name, "600")  # the attempt must not end before the probe
        url = stack.enter_context(in_this_process())
        silent.settimeout(120)
        connection, _ = silent.accept()
        assert HTTP.get(f"{url}/liveness").status_code == 200
        assert probe(url) == (503, "the catalog is being opened\n")
        connection.close()
        silent.close()


# --- Deliveries, by a source that retries and dead-letters ---


def put(deployed, count):
    keys = [f"{n}.exr" for n in range(count)]
    for key in keys:
        deployed.store.put(key, exr_bytes(text("note", key)))
    return keys


def deliver_all(url, keys, repair):
    """Deliver each event until it succeeds; `repair` is called when all have one attempt left."""
    source = EventSource(partial(post, url))
    source.before_last = threading.Barrier(len(keys), action=repair, timeout=120).wait
    with ThreadPoolExecutor(len(keys)) as pool:
        list(pool.map(source.deliver, keys))
    return source


@pytest.mark.slow
def test_nothing_is_lost_while_the_keys_are_wrong(deployed, monkeypatch, caplog):
    """All files are persisted once the keys are correct; one ERROR line for all attempts."""
    keys = put(deployed, 8)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "event-hidden")
    began = time.monotonic()
    with in_this_process(reopen_interval_s=0) as url:
        wait_until(url, (503, "authentication"))

        def repair():
            assert probe(url) == (503, "authentication")
            monkeypatch.setenv("VAST_DB_SECRET_KEY", DATABASE["secret_key"])

        source = deliver_all(url, keys, repair)
        assert (source.dead_letters, source.attempts) == ([], Counter(dict.fromkeys(keys, 4)))
        wait_until(url, READY)
    assert_one_line_a_minute(error_lines(caplog), "authentication", began)
    assert_complete(deployed, 8)


@pytest.mark.slow
def test_nothing_is_lost_while_the_keys_are_revoked(deployed, caplog):
    """For an open catalog: the function is not ready until it has been opened again."""
    keys = put(deployed, 8)
    began = time.monotonic()
    with in_this_process(reopen_interval_s=0) as url:
        wait_until(url, READY)
        deployed.database.fail(403, times=0)

        def repair():
            assert probe(url) == (503, "authentication")
            deployed.database.clear_faults()
            wait_until(url, READY)

        assert deliver_all(url, keys, repair).dead_letters == []
    assert_one_line_a_minute(error_lines(caplog), "authentication", began)
    assert_complete(deployed, 8)


@pytest.mark.slow
def test_nothing_is_lost_while_the_database_is_down(deployed):
    """In a separate process, which stays ready: an outage must not take all instances out of service."""
    keys = put(deployed, 8)
    with serving() as (url, process):
        began = time.monotonic()
        deployed.database.stop()

        def repair():
            assert probe(url) == READY
            deployed.database.start()

        source = deliver_all(url, keys, repair)
        assert (source.dead_letters, source.attempts) == ([], Counter(dict.fromkeys(keys, 4)))
        assert probe(url) == READY
        process.terminate()
        lines = [line for line in process.stderr.read().splitlines() if " ERROR " in line and "error_log" in line]
    assert_one_line_a_minute(lines, "connection", began)
    assert_complete(deployed, 8)


@pytest.mark.slow
@pytest.mark.parametrize("version", [VERSION + 1, VERSION - 1], ids=["newer", "older"])
def test_nothing_is_lost_while_the_tables_have_another_version(deployed, caplog, version):
    """A version that was deployed by mistake, or before `db migrate`, is not ready, and acknowledges no event."""
    keys = put(deployed, 8)
    open_catalog(deployed.uri).close()
    set_version(deployed, version)
    began = time.monotonic()
    with in_this_process(reopen_interval_s=0) as url:
        wait_until(url, (503, "schema"))

        def repair():
            assert probe(url) == (503, "schema")
            set_version(deployed, VERSION)
            wait_until(url, READY)

        assert deliver_all(url, keys, repair).dead_letters == []
    assert_one_line_a_minute(error_lines(caplog), "schema", began)
    assert_complete(deployed, 8)


def set_version(deployed, version):
    """Replace the version of the tables."""
    endpoint = deployed.database.url
    config = SessionConfig(data_endpoints=[endpoint])  # selects through the announced address lag
    session = vastdb.connect(endpoint=endpoint, access="key", secret=DATABASE["secret_key"], config=config)
    with session.transaction() as transaction:
        table = transaction.bucket("catalogs").schema(deployed.schema).table("schema_version")
        rows = table.select(internal_row_id=True).read_all()
        table.delete(rows)
        columns = rows.drop_columns(["$row_id"])
        changed = {"version": [version], "readable_since": [version]}
        table.insert(pa.table(columns.to_pydict() | changed, schema=columns.schema))


@pytest.mark.slow
def test_a_misconfigured_start_is_alive_and_recovers(deployed):
    """In a separate process, with the default interval."""
    put(deployed, 1)
    deployed.database.fail(403, times=0)
    with serving(until="liveness") as (url, _):
        wait_until(url, (503, "authentication"))
        message = to_binary_event(cloud_event("0.exr"))
        assert HTTP.post(url, headers=dict(message.headers), content=message.body).status_code == 500
        deployed.database.clear_faults()
        wait_until(url, READY)
        assert HTTP.post(url, headers=dict(message.headers), content=message.body).status_code == 204
    assert_complete(deployed, 1)
