"""Repeated and concurrent deliveries, with faults and killed processes: each file has one complete set of rows.

The database has the limits of `STRICT`, and a runtime in a process of its own is stopped while it handles no event.
"""

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace

import httpx
import pytest
import vastdb
from cloudevents.core.bindings.http import to_binary_event
from vastdb.config import SessionConfig

from exr_inspector import inspect
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.errors import RedeliveryError
from exr_inspector.function import close_catalogs, handle
from tests.support import corpus
from tests.support.exr_bytes import exr_bytes, text
from tests.support.http import HTTP
from tests.support.s3_server import blackhole, stall_in_body, status

from .conftest import element as delivered
from .test_runtime import element, serving

pytestmark = pytest.mark.slow

FAULTS = {
    "lost before": {"action": "drop"},
    "lost after": {"action": "drop", "after_effect": True},
    "500 after": {"action": 500, "after_effect": True},
    "503": {"action": 503, "code": "SlowDown"},
    "409": {"action": 409},
}


def stored(deployed, table):
    return deployed.database.read_table("catalogs", deployed.schema, table)["file_id"].to_pylist()


def assert_complete(deployed, files):
    """The catalog has exactly `files` files, each with all its rows once."""
    assert Counter(Counter(stored(deployed, "files")).values()) == {1: files}
    assert len(stored(deployed, "parts")) == files
    assert len(stored(deployed, "channels")) == 3 * files
    assert len(stored(deployed, "attributes")) == 9 * files
    assert set(stored(deployed, "attributes")) == set(stored(deployed, "files"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_database_at_each_request(deployed, fault):
    """The file is persisted after the handler's retries and one redelivery."""
    for n in range(1, 8):
        key = f"{n}.exr"
        deployed.store.put(key, exr_bytes(text("note", key)))
        options = dict(FAULTS[fault])
        injected = deployed.database.fail(options.pop("action"), nth=n, path="/*", **options)
        for _ in range(2):
            try:
                answer = handle(SimpleNamespace(), delivered(key))
                break
            except RedeliveryError:
                continue
        deployed.database.clear_faults()
        assert injected.hits
        assert answer["status"] == "success"
        assert_complete(deployed, n)
    assert deployed.database.writing_transactions == []


# A header of half a megabyte, which takes three requests to read.
LONG = exr_bytes(text("manifest", "m" * 500_000))
STORE_FAULTS = {
    "500": status(500),
    "503": status(503, "SlowDown"),
    "hangs": blackhole(3),
    "stalls": stall_in_body(3),
    "cut": None,
}


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_fault_of_the_store_at_each_request(deployed, monkeypatch, fault):
    """The handler's retries suffice."""
    deployed.store.put("warm.exr", LONG)
    deployed.store.requests.clear()
    handle(SimpleNamespace(), delivered("warm.exr"))
    needed = len(deployed.store.requests)
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "10")  # requests end after a fifth of it
    assert 1 < needed <= 3
    for n in range(1, needed + 1):
        deployed.store.put(f"{n}.exr", LONG)
        requests = itertools.count(1)

        def strike(request, start, n=n, requests=requests):
            if next(requests) != n:
                return None
            if STORE_FAULTS[fault] is None:
                deployed.store.cut_bodies = 1
                return None
            return STORE_FAULTS[fault](request, start)

        deployed.store.fault = strike
        answer = handle(SimpleNamespace(), delivered(f"{n}.exr"))
        assert (answer["status"], answer["inserted"], next(requests)) == ("success", True, needed + 2)
    assert_complete(deployed, needed + 1)


def post(url, key):
    """Deliver the event of an object; the answer."""
    message = to_binary_event(element(key))
    return HTTP.post(url, headers=dict(message.headers), content=message.body)


class Container:
    """A runtime whose processes are stopped while it handles no event, as serverless platforms freeze containers."""

    def __init__(self, url, process):
        self._url = url
        self._process = process
        self._lock = threading.Lock()
        self._events = 0
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        """Send a signal to all its processes, if it has any left."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def stop(self):
        """Stop it as a platform does."""
        self.signal(signal.SIGCONT)
        self._process.terminate()
        self._process.wait(60)

    def post(self, key):
        with self._awake():
            return post(self._url, key)

    @contextmanager
    def _awake(self):
        with self._lock:
            self._events += 1
            self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            with self._lock:
                self._events -= 1
                if not self._events:
                    self.signal(signal.SIGSTOP)


@contextmanager
def container():
    with serving() as (url, process):
        running = Container(url, process)
        try:
            yield running
        finally:
            running.signal(signal.SIGCONT)  # or its processes would not end


class EventSource:
    """Delivers as the platform does: again after 2, 4 and 8 seconds (here a tenth of that), then as a dead letter."""

    def __init__(self, post):
        self._post = post
        self.before_last = lambda: None
        self.attempts = Counter()
        self.dead_letters = []

    def deliver(self, key):
        for pause in (0.2, 0.4, 0.8, None):
            self.attempts[key] += 1
            if pause is None:
                self.before_last()
            answer = self._post(key)
            if answer.status_code < 500:
                return
            if pause is not None:
                time.sleep(pause)
        self.dead_letters.append(key)


def test_every_file_arrives_when_the_database_comes_back_in_time(deployed):
    """It is down for three attempts of each file; a malformed file is attempted once, as retries would not help."""
    keys = [f"{n}.exr" for n in range(8)]
    for key in keys:
        deployed.store.put(key, exr_bytes(text("note", key)))
    deployed.store.put("bad.exr", exr_bytes()[:100])
    with container() as runtime, ThreadPoolExecutor(8) as pool:
        source = EventSource(runtime.post)
        source.before_last = threading.Barrier(len(keys), action=deployed.database.start, timeout=60).wait
        deployed.database.stop()
        for delivery in [pool.submit(source.deliver, key) for key in keys]:
            delivery.result()
        source.deliver("bad.exr")
    assert source.dead_letters == []
    assert source.attempts == dict.fromkeys(keys, 4) | {"bad.exr": 1}
    assert_complete(deployed, 8)


@corpus.need_corpus
@pytest.mark.slow
def test_fifty_real_files_become_rows(deployed):
    """Uploaded, announced and read back by independent clients: equal to the inspections."""
    files = corpus.VALID_FILES[:: max(1, len(corpus.VALID_FILES) // 50)][:50]
    uris = [deployed.store.put(corpus.name_of(path), path.read_bytes()) for path in files]
    with container() as runtime, ThreadPoolExecutor(8) as pool:
        posts = pool.map(runtime.post, map(corpus.name_of, files))
        assert {answer.status_code for answer in posts} == {204}
    expected = from_inspections([inspect(uri) for uri in uris]).tables
    endpoint = deployed.database.url
    config = SessionConfig(data_endpoints=[endpoint])  # selects through the announced address lag
    session = vastdb.connect(access="key", secret="not-a-real-secret", endpoint=endpoint, config=config)
    with session.transaction() as transaction:
        schema = transaction.bucket("catalogs").schema(deployed.schema)
        for table in ("files", "parts", "channels", "attributes"):
            columns = expected[table].column_names
            stored_rows = schema.table(table).select(columns=columns).read_all().to_pylist()
            assert sorted(map(repr, stored_rows)) == sorted(map(repr, expected[table].to_pylist()))


def test_an_event_is_delivered_again_after_an_outage_of_the_store(deployed, monkeypatch):
    """It is down for one delivery, and up for the next."""
    deployed.store.put("a.exr", exr_bytes(text("note", "a")))
    with monkeypatch.context() as broken:
        broken.setenv("EXR_INSPECTOR_DEADLINE_S", "6")
        broken.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(RedeliveryError, match="object store"):
            handle(SimpleNamespace(), delivered("a.exr"))
    assert handle(SimpleNamespace(), delivered("a.exr"))["status"] == "success"
    assert_complete(deployed, 1)


@pytest.mark.first
def test_deliveries_while_processes_are_killed(just_deployed):
    """72 deliveries of 12 files, 16 at a time, to three processes, of which two are killed and replaced.

    The rows that a killed process was writing are locked until its transaction expires, after five seconds.
    """
    keys = [f"shared.{n:04}.exr" for n in range(12)]
    for key in keys:
        just_deployed.store.put(key, exr_bytes(text("note", key)))
    deliveries = keys * 6
    random.Random(7).shuffle(deliveries)
    with ExitStack() as stack, ThreadPoolExecutor(16) as pool:
        hosts = list(pool.map(lambda _: stack.enter_context(container()), range(3)))
        turns = itertools.count()

        def deliver(key):
            """Deliver as the platform does: to any process that answers, until it succeeds."""
            for _ in range(40):
                try:
                    answer = hosts[next(turns) % len(hosts)].post(key)
                except httpx.TransportError:
                    continue
                if answer.status_code == 204:
                    return
            raise AssertionError(f"{key} was never delivered")

        running = [pool.submit(deliver, key) for key in deliveries]
        for number in (0, 1):
            while sum(delivery.done() for delivery in running) < 24 * (number + 1):
                time.sleep(0.01)
            hosts[number].signal(signal.SIGKILL)
            hosts[number] = stack.enter_context(container())
        for delivery in running:
            delivery.result()
        for host in hosts:
            host.stop()
    # The next delivery removes duplicates that a killed process left.
    for key in keys:
        handle(SimpleNamespace(), delivered(key))
    close_catalogs()
    assert_complete(just_deployed, len(keys))
