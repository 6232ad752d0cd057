"""Connections: deadlines, retries, translated errors, and no secrets in logs."""

import gc
import logging
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import vastdb
from urllib3.connection import HTTPConnection
from vastdb._internal import VastdbApi

from exr_inspector import open_catalog
from exr_inspector.catalog import FileStat
from exr_inspector.catalog.schema import VERSION
from exr_inspector.catalog.vast import VastCatalog, migrate
from exr_inspector.catalog.vast import catalog as catalog_module
from exr_inspector.catalog.vast.connection import without_sdk_warnings
from exr_inspector.deadline import time_limit
from exr_inspector.errors import (
    CatalogAuthenticationError,
    CatalogConnectionError,
    CatalogError,
    CatalogSchemaError,
    CatalogTransactionError,
    SettingsError,
)
from exr_inspector.settings import VastConnection, vast_connection
from tests.vastdb_emulator import Emulator

from ..conftest import BUCKET
from ..test_contract import A, B
from .conftest import SECRET, connection_to, start

FILE_STAT = FileStat(file_path_normalized="s3://b/a.exr", size_bytes=1, mtime=None, etag="a")


@contextmanager
def takes(at_most, at_least=0.0):
    began = time.monotonic()
    yield
    assert at_least <= time.monotonic() - began <= at_most


@pytest.fixture
def silent_port():
    """A port that accepts connections and does not respond."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        free: int = server.getsockname()[1]
    return free


def reach(port, **options):
    given = connection_to(start(), endpoint=f"http://127.0.0.1:{port}", **options)
    return VastCatalog(f"vast://{BUCKET}/x", connection=given)


def test_a_silent_server_fails_within_the_deadline(silent_port):
    with takes(at_least=0.4, at_most=20), pytest.raises(CatalogConnectionError, match=str(silent_port)):
        reach(silent_port, deadline_s=2, request_timeout_s=0.2)


def test_a_closed_port_is_retried_and_fails_soon(closed_port):
    with takes(at_most=20), pytest.raises(CatalogConnectionError, match="refused") as caught:
        reach(closed_port, deadline_s=30)
    assert (caught.value.category, caught.value.retryable) == ("connection", True)


@pytest.mark.slow
def test_a_database_that_stops_responding_fails_within_the_deadline():
    uri = f"vast://{BUCKET}/x"
    with start() as server:
        VastCatalog(uri, connection=connection_to(server)).close()
        catalog = VastCatalog(uri, connection=connection_to(server, deadline_s=2.0, request_timeout_s=0.3))
        server.fail("delay", seconds=60, times=0, path="/*")
        with takes(at_most=20), pytest.raises(CatalogConnectionError, match="in time"):
            catalog.persist([A])


@pytest.mark.slow
def test_the_time_limit_of_the_caller_holds():
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server, request_timeout_s=0.2))
        server.fail(409, operation="commit", times=0)
        with takes(at_most=20, at_least=0.5), time_limit(3.0), pytest.raises(CatalogTransactionError):
            catalog.persist([A])
        server.clear_faults()
        assert catalog.persist([A])[0].inserted


def test_an_error_without_time_names_the_settings_of_the_limit():
    """That of the database, and that of the function, which usually applies there."""
    names = r"VAST_DB_DEADLINE_S.*EXR_INSPECTOR_DEADLINE_S"
    with start() as server, time_limit(0.0), pytest.raises(CatalogConnectionError, match=names):
        VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))


@pytest.mark.slow
def test_conflicts_are_retried_until_they_end():
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        server.fail(409, operation="commit", times=6)
        assert catalog.persist([A])[0].inserted


@pytest.mark.slow
def test_failures_are_counted_by_kind():
    """Conflicts use up none of the retries of a connection error."""
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        conflicts = server.fail(409, operation="commit", times=6)
        outage = server.fail(503, operation="commit", nth=7)
        assert catalog.persist([A])[0].inserted
        assert (conflicts.hits, outage.hits) == (6, 1)


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, pytest.param(501, marks=pytest.mark.slow)])
def test_another_failure_is_retried_once(status):
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        fault = server.fail(status, operation="commit", times=0)
        with pytest.raises(CatalogError):
            catalog.persist([A])
        assert fault.hits == 2


def test_wrong_keys_are_not_retried():
    with start() as server:
        with Emulator(access_key="other", secret_key="x", buckets=[BUCKET]) as stranger:
            given = connection_to(stranger)
            with pytest.raises(CatalogAuthenticationError, match="VAST_DB_SECRET_KEY") as caught:
                VastCatalog(f"vast://{BUCKET}/x", connection=given)
            assert len(stranger.requests) == 1
        assert (caught.value.category, caught.value.retryable) == ("authentication", False)
        assert server.requests == []


@pytest.mark.slow
def test_a_restart_between_calls_is_tolerated():
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        catalog.persist([A])
        server.stop()
        server.start()
        assert not catalog.persist([A])[0].inserted


def test_a_missing_bucket_is_named():
    with start() as server, pytest.raises(CatalogSchemaError, match="no bucket nowhere"):
        VastCatalog("vast://nowhere/x", connection=connection_to(server))


@pytest.mark.slow
def test_a_read_only_catalog_creates_no_schema():
    with start() as server:
        with pytest.raises(CatalogSchemaError, match="create-schema"):
            VastCatalog(f"vast://{BUCKET}/x", read_only=True, connection=connection_to(server))
        VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        reading = VastCatalog(f"vast://{BUCKET}/x", read_only=True, connection=connection_to(server))
        with pytest.raises(CatalogError, match="read-only"):
            reading.persist([A])


@pytest.mark.slow
def test_tables_of_another_program_are_rejected():
    with start() as server:
        mine = VastCatalog(f"vast://{BUCKET}/mine", connection=connection_to(server))
        with mine.tables.connection.transaction() as tx:
            tx.bucket(BUCKET).create_schema("other").create_table(
                "files", tx.bucket(BUCKET).schema("mine").table("parts").arrow_schema
            )
        with pytest.raises(CatalogSchemaError, match=r"did not create.*files"):
            VastCatalog(f"vast://{BUCKET}/other", connection=connection_to(server))


@pytest.mark.slow
def test_persist_creates_dropped_tables():
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        catalog.tables.drop()
        assert catalog.persist([A])[0].inserted


@pytest.mark.slow
def test_persist_succeeds_if_another_writer_creates_the_missing_tables_first(monkeypatch):
    with start() as server:
        first = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        second = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        first.tables.drop()
        create = migrate.create

        def create_late(tables, clock):
            if tables is first.tables:
                second.persist([B])
            create(tables, clock)

        monkeypatch.setattr("exr_inspector.catalog.vast.catalog.create", create_late)
        assert first.persist([A])[0].inserted
        assert first.sql("SELECT count(*) AS files FROM files").to_pylist() == [{"files": 2}]


def test_a_server_that_is_not_vast_is_rejected():
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    with HTTPServer(
        ("127.0.0.1", 0), type("Quiet", (BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
    ) as web:
        Thread(target=web.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.raises(CatalogError):
            reach(web.server_port, deadline_s=2)
        web.shutdown()


@pytest.mark.parametrize(
    "uri",
    [
        "vast://",
        "vast://bucket",
        "vast:bucket/schema",
        "vast://b/s/t",
        "vast://key:secret@host/b",
        "vast://b/s?x=1",
        "vast://b/s p",
    ],
)
def test_an_invalid_uri_is_rejected(uri, vast_settings):
    with pytest.raises(SettingsError, match="vast://BUCKET/SCHEMA"):
        open_catalog(uri)


@pytest.mark.parametrize("endpoint", ["host:80", "ftp://host", "http://host/path", "http://user:pass@host", "http://"])
def test_an_invalid_endpoint_is_rejected_and_not_repeated(endpoint, vast_settings, monkeypatch):
    monkeypatch.setenv("VAST_DB_ENDPOINT", endpoint)
    with pytest.raises(SettingsError) as caught:
        open_catalog("vast://b/s")
    assert "http://vip-pool" in str(caught.value)
    assert "pass" not in str(caught.value)


@pytest.mark.slow
def test_an_endpoint_may_end_with_a_slash(emulator, vast_settings, monkeypatch):
    monkeypatch.setenv("VAST_DB_ENDPOINT", f"{emulator.url}/")
    with open_catalog(f"vast://{BUCKET}/slash") as catalog:
        assert catalog.status().schema_version == VERSION


def test_settings_are_one_bundle(monkeypatch):
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"VAST_DB_{name}", raising=False)
    monkeypatch.setenv("VAST_DB_ENDPOINT", "http://host")
    with pytest.raises(SettingsError, match="VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"):
        open_catalog("vast://b/s")
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "key")
    monkeypatch.setenv("VAST_DB_SECRET_KEY", SECRET)
    monkeypatch.setenv("VAST_DB_VERIFY", "/etc/ssl/ours.pem")
    given = vast_connection()
    assert (given.endpoint, given.verify, given.region) == ("http://host", "/etc/ssl/ours.pem", "us-east-1")
    assert SECRET not in repr(given)
    assert isinstance(given, VastConnection)
    monkeypatch.setenv("VAST_DB_DEADLINE_S", "soon")
    with pytest.raises(SettingsError, match="VAST_DB_DEADLINE_S"):
        vast_connection()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("verify", ["false", "/etc/ssl/ours.pem"])
def test_a_verify_setting_that_the_sdk_would_ignore_is_rejected(vast_settings, monkeypatch, name, verify):
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("VAST_DB_ENDPOINT", "https://host")
    monkeypatch.setenv("VAST_DB_VERIFY", verify)
    assert vast_connection().verify == (verify if verify != "false" else False)
    monkeypatch.setenv(name, "/etc/ssl/others.pem")
    with pytest.raises(SettingsError, match=f"VAST_DB_VERIFY has no effect while {name} is set"):
        vast_connection()
    monkeypatch.setenv("VAST_DB_VERIFY", "true")
    assert vast_connection().verify is True


@pytest.mark.slow
def test_no_secret_is_logged_or_raised(caplog, capfd):
    """With failures of every kind, at the most verbose log level."""
    caplog.set_level(logging.DEBUG)
    texts = []
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        for action in ("drop", 403, 409, 500, 503, 502):
            for operation in ("begin", "select", "insert", "commit"):
                server.fail(action, operation=operation, times=3)
                try:
                    catalog.persist([A])
                except CatalogError as error:
                    texts += [str(error), repr(error)]
                server.clear_faults()
        texts += [repr(catalog), str(catalog.status())]
    assert texts
    assert SECRET not in "".join([*texts, caplog.text, *capfd.readouterr()])


@pytest.mark.slow
def test_nothing_is_written_to_stderr(capfd):
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        server.fail("drop", operation="insert")
        catalog.persist([A])
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_logging_of_the_program_is_not_changed():
    """Loggers have no other level, filter or handler after the import, nor after use."""
    program = """
import logging, sys

def state():
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in sorted(logging.root.manager.loggerDict))]
    return {one.name: (one.level, list(one.filters), list(one.handlers), one.disabled) for one in loggers}

import vastdb, duckdb, pyarrow.dataset, tenacity, numpy
from pydantic import SecretStr
vastdb.connect("key", "not-a-real-secret", sys.argv[1])
before = state()
from exr_inspector.catalog.vast import VastCatalog
from exr_inspector.catalog.vast import catalog as catalog_module
from exr_inspector.catalog.vast.connection import without_sdk_warnings
from exr_inspector.settings import VastConnection
from tests.support.exr_bytes import inspection
assert {name: value for name, value in state().items() if name in before} == before
given = VastConnection(endpoint=sys.argv[1], access_key=SecretStr("key"), secret_key=SecretStr("not-a-real-secret"))
with VastCatalog("vast://renders/logging", connection=given) as catalog:
    catalog.persist([inspection("s3://renders/a.exr")])
    assert catalog.sql("SELECT count(*) FROM files").to_pylist() == [{"count_star()": 1}]
assert {name: value for name, value in state().items() if name in before} == before
"""
    with start() as server:
        server.fail("drop", operation="insert")
        done = subprocess.run([sys.executable, "-c", program, server.url], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.usefixtures("no_timer")
def test_warnings_about_other_uses_of_the_sdk_are_kept(caplog):
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        server.fail("drop", operation="insert")
        catalog.persist([A])
        server.fail(409, operation="select", times=2)
        catalog.sql("SELECT count(*) FROM files")
        assert [record for record in caplog.records if record.name.startswith("vastdb")] == []
        server.fail(403, operation="begin")
        with pytest.raises(vastdb.errors.Forbidden), vastdb.connect("key", SECRET, server.url).transaction():
            pass
    assert [record.name for record in caplog.records if record.name.startswith("vastdb")] == ["vastdb.errors"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_timer")
def test_warnings_of_the_program_are_kept_during_catalog_operations(caplog, monkeypatch):
    """In threads of any name, and in the thread that iterates over the paths of the catalog."""
    monkeypatch.setattr(catalog_module, "PATHS_PER_BATCH", 1)
    with start() as server:
        catalog = VastCatalog(f"vast://{BUCKET}/x", connection=connection_to(server))
        catalog.persist([A, B])
        paths = catalog.current_paths("s3:")
        next(paths)
        logger = logging.getLogger("urllib3.connectionpool")
        logger.warning("in the loop")
        with ThreadPoolExecutor(1, thread_name_prefix="exr-inspector-host") as pool, without_sdk_warnings():
            pool.submit(logger.warning, "in a thread").result()
            logger.warning("in the call")
        assert len(list(paths)) == 1
    assert [r.getMessage() for r in caplog.records if r.name == logger.name] == ["in the loop", "in a thread"]


def test_no_filter_of_the_program_is_skipped_at_the_end_of_a_call():
    """Another thread is iterating over the filters when the call ends."""
    logger = logging.getLogger("vastdb.errors")
    record = logger.makeRecord(logger.name, logging.INFO, "", 0, "text", (), None)
    call = without_sdk_warnings()
    seen = []

    def ends_the_call(_):
        call.__exit__(None, None, None)
        return True

    def is_last(_):
        seen.append("last")
        return True

    added = [ends_the_call, is_last]
    call.__enter__()
    for each in added:
        logger.addFilter(each)
    try:
        assert logger.filter(record)
        assert seen == ["last"]
    finally:
        for each in added:
            logger.removeFilter(each)


@pytest.mark.slow
def test_a_select_leaves_no_objects_and_opens_no_connection(open_vast, monkeypatch):
    """The SDK alone would keep two handlers of each select for good, and connect for it."""
    catalog = open_vast()
    catalog.seen([FILE_STAT])
    connect, connects = HTTPConnection.connect, []

    def counted(connection):
        connects.append(connection)
        connect(connection)

    monkeypatch.setattr(HTTPConnection, "connect", counted)
    before = number_of_partials()
    for _ in range(20):
        catalog.seen([FILE_STAT])
    assert number_of_partials() <= before
    assert len(connects) < 5


@pytest.mark.slow
def test_a_version_of_the_sdk_without_the_replaced_members_is_reported_once(open_vast, monkeypatch, caplog):
    """The installed one has both."""
    connection = open_vast()._connection
    api = connection.session().api
    assert "has no" not in caplog.text
    with api.with_endpoint("http://other") as same:
        assert same is api
    assert api._backoff_decorator(takes) is takes
    monkeypatch.delattr(VastdbApi, "with_endpoint")
    for _ in range(2):
        connection._connect()
    assert caplog.text.count("has no with_endpoint: selects take more time") == 1


def number_of_partials() -> int:
    gc.collect()
    return sum(type(each) is partial for each in gc.get_objects())
