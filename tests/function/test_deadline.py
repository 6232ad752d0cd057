"""Services that are down, hang, or break off: the handler answers within its deadline, and says what it was."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from exr_inspector import function
from exr_inspector.errors import RedeliveryError
from tests.support.s3_server import BUCKET, blackhole, stall_in_body, status

from .conftest import GOOD, element

pytestmark = pytest.mark.slow

DEADLINE_S = 3.0
# What is not waiting for a service: reading, computing, and a busy machine.
SLACK_S = 4.0


@pytest.fixture(autouse=True)
def deadline(monkeypatch):
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", str(DEADLINE_S))


@pytest.fixture
def hole() -> Iterator[str]:
    """The address of somebody who accepts connections, and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted = []

        def accept() -> None:
            try:
                while True:
                    accepted.append(listener.accept()[0])
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in accepted:
            connection.close()


def is_stored(handle, key: str) -> bool:
    """Whether the database has it."""
    return bool(handle({"data": {"path": f"s3://{BUCKET}/{key}"}})["persistence"]["status"] == "success")


def in_both_calls(handle, key: str, category: str) -> None:
    """As a result of a direct call, and as an exception of a delivered event, each in time."""
    began = time.monotonic()
    result = handle({"data": {"path": f"s3://{BUCKET}/{key}"}})
    assert time.monotonic() - began < DEADLINE_S + SLACK_S
    assert (result["status"], result["category"], result["retryable"]) == ("error", category, True)
    began = time.monotonic()
    with pytest.raises(RedeliveryError, match=category):
        handle(element(key))
    assert time.monotonic() - began < DEADLINE_S + SLACK_S


@pytest.mark.parametrize("fault", [blackhole(9), stall_in_body(9), status(503)], ids=["hangs", "stalls", "busy"])
def test_a_store_that_fails(handle, store, database, fault):
    """Nothing is stored, and nothing is noted as unreadable."""
    store.put("a.exr", GOOD)
    store.fault = fault
    in_both_calls(handle, "a.exr", "connection")
    assert database.requests == [] or all(request.operation != "insert" for request in database.requests)


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("how", ["closed", "hangs", "busy"])
def test_a_database_that_fails(handle, store, database, monkeypatch, hole, how, is_warm):
    """The inspection is there all the same in a direct call."""
    store.put("a.exr", GOOD)
    if is_warm:
        store.put("warm.exr", GOOD)
        while not is_stored(handle, "warm.exr"):  # the first time, a busy machine may need longer
            pass
    if how == "busy":
        database.fail(503, times=0)
    elif is_warm:
        database.fail("delay" if how == "hangs" else "drop", times=0, **({"seconds": 9} if how == "hangs" else {}))
    else:
        monkeypatch.setenv("VAST_DB_ENDPOINT", hole if how == "hangs" else "http://127.0.0.1:9")
    in_both_calls(handle, "a.exr", "connection")
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert (result["file"]["completeness"], result["persistence"]["category"]) == ("complete", "connection")
    database.clear_faults()


def test_wrong_keys_are_not_tried_again_within_one_delivery(handle, store, database, monkeypatch):
    """The event comes again, when somebody may have corrected them."""
    store.put("a.exr", GOOD)
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "event-hidden")
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert (result["status"], result["category"], result["retryable"]) == ("error", "authentication", False)
    with pytest.raises(RedeliveryError, match="authentication"):
        handle(element("a.exr"))
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "BUCKET"):
        monkeypatch.delenv(f"VAST_DB_{name}")
    store.fault = status(403, "SignatureDoesNotMatch")
    store.requests.clear()
    with pytest.raises(RedeliveryError, match="authentication"):
        handle(element("a.exr"))
    assert len(store.requests) == 1


def test_twenty_events_at_once_all_end_in_time(store, monkeypatch, hole, ctx):
    """None waits for another that waits for a database which hangs."""
    store.put("a.exr", GOOD)
    for name, value in (("ENDPOINT", hole), ("ACCESS_KEY", "k"), ("SECRET_KEY", "not-a-real-secret"), ("BUCKET", "b")):
        monkeypatch.setenv(f"VAST_DB_{name}", value)
    took: list[float] = []

    def work() -> None:
        began = time.monotonic()
        with pytest.raises(RedeliveryError, match="connection"):
            function.handle(ctx, element("a.exr"))
        took.append(time.monotonic() - began)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 20
    assert max(took) < DEADLINE_S + SLACK_S
