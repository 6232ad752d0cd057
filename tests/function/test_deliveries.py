"""At least once, at the same time, with faults and killed processes: in the end one whole set of rows for each file."""

import itertools
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event

from exr_inspector.errors import RedeliveryError
from exr_inspector.function import close_catalogs, handle
from exr_inspector.settings import settings
from tests.catalog.exr_bytes import exr_bytes, text

from .conftest import BUCKET
from .platform import ElementEvent
from .test_runtime import element, serving

FAULTS = {
    "lost before": {"action": "drop"},
    "lost after": {"action": "drop", "after_effect": True},
    "500 after": {"action": 500, "after_effect": True},
    "503": {"action": 503, "code": "SlowDown"},
    "409": {"action": 409},
}


def stored(deployed, table):
    return deployed.database.read_table("catalogs", deployed.schema, table)["file_id"].to_pylist()


def assert_whole(deployed, files):
    """Each of so many files has all its rows once."""
    assert Counter(Counter(stored(deployed, "files")).values()) == {1: files}
    assert len(stored(deployed, "parts")) == files
    assert len(stored(deployed, "channels")) == 3 * files
    assert len(stored(deployed, "attributes")) == 9 * files
    assert set(stored(deployed, "attributes")) == set(stored(deployed, "files"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_database_at_each_request(deployed, fault):
    """After the handler's own retries and one redelivery."""
    for n in range(1, 8):
        key = f"{n}.exr"
        deployed.s3.put_object(Bucket=BUCKET, Key=key, Body=exr_bytes(text("note", key)))
        options = dict(FAULTS[fault])
        struck = deployed.database.fail(options.pop("action"), nth=n, path="/*", **options)
        for _ in range(2):
            try:
                answer = handle(SimpleNamespace(), ElementEvent(BUCKET, key))
                break
            except RedeliveryError:
                continue
        deployed.database.clear_faults()
        assert struck.hits
        assert answer["status"] == "success"
        assert_whole(deployed, n)
    assert deployed.database.writing_transactions == []


def test_a_store_that_fails_is_asked_again_and_so_is_the_event(deployed, monkeypatch):
    """It is down for one delivery, and back for the next."""
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "6")
    settings.cache_clear()
    deployed.s3.put_object(Bucket=BUCKET, Key="a.exr", Body=exr_bytes(text("note", "a")))
    with monkeypatch.context() as broken:
        broken.setenv("S3_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(RedeliveryError, match="object store"):
            handle(SimpleNamespace(), ElementEvent(BUCKET, "a.exr"))
    assert handle(SimpleNamespace(), ElementEvent(BUCKET, "a.exr"))["status"] == "success"
    assert_whole(deployed, 1)


@pytest.mark.slow
def test_deliveries_while_processes_are_killed(deployed):
    """200 deliveries of 20 files in random order, 16 at a time, to four processes; two are killed and replaced."""
    keys = [f"shared.{n:04}.exr" for n in range(20)]
    for key in keys:
        deployed.s3.put_object(Bucket=BUCKET, Key=key, Body=exr_bytes(text("note", key)))
    deliveries = keys * 10
    random.Random(7).shuffle(deliveries)
    with ExitStack() as stack:
        hosts = [stack.enter_context(serving()) for _ in range(4)]
        turns = itertools.count()

        def deliver(key):
            """As the platform does: to whichever process answers, until it is done."""
            for _ in range(40):
                url, _process = hosts[next(turns) % len(hosts)]
                try:
                    message = to_binary_event(element(key))
                    answer = httpx.post(url, headers=dict(message.headers), content=message.body, timeout=60)
                except httpx.TransportError:
                    continue
                if answer.status_code == 204:
                    return
            raise AssertionError(f"{key} was never delivered")

        with ThreadPoolExecutor(16) as pool:
            running = [pool.submit(deliver, key) for key in deliveries]
            for number in (0, 1):
                while sum(one.done() for one in running) < 60 * (number + 1):
                    time.sleep(0.01)
                hosts[number][1].kill()
                hosts[number] = stack.enter_context(serving())
            for one in running:
                one.result()
        for _, process in hosts:
            process.terminate()
        for _, process in hosts:
            process.wait(60)
    # What a killed process could not look at any more is looked at with the next delivery.
    for key in keys:
        handle(SimpleNamespace(), ElementEvent(BUCKET, key))
    close_catalogs()
    assert_whole(deployed, 20)
