"""Services that are down, hang, or fail: the handler returns within its deadline, with the right category."""

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
# Time for reading and computing on a busy machine.
SLACK_S = 4.0


@pytest.fixture(autouse=True)
def deadline(monkeypatch):
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", str(DEADLINE_S))


@pytest.fixture
def hole() -> Iterator[str]:
    """The address of a server that accepts connections and never responds."""
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
    """Whether the file is persisted."""
    return bool(handle({"data": {"path": f"s3://{BUCKET}/{key}"}})["persistence"]["status"] == "success")


def check_both_calls(handle, key: str, category: str) -> None:
    """A result of a direct call, and an exception for a delivered event, both within the deadline."""
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
    """Nothing is persisted or recorded as unreadable."""
    store.put("a.exr", GOOD)
    store.fault = fault
    check_both_calls(handle, "a.exr", "connection")
    assert database.requests == [] or all(request.operation != "insert" for request in database.requests)


@pytest.mark.parametrize("is_warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("how", ["closed", "hangs", "busy"])
def test_a_database_that_fails(handle, store, database, monkeypatch, hole, how, is_warm):
    """A direct call returns the inspection nevertheless."""
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
    check_both_calls(handle, "a.exr", "connection")
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr"}})
    assert (result["file"]["completeness"], result["persistence"]["category"]) == ("complete", "connection")
    database.clear_faults()


def test_wrong_keys_are_not_retried_within_one_delivery(handle, store, database, monkeypatch):
    """The event is delivered again, when the keys may have been corrected."""
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


def test_twenty_concurrent_events_end_within_the_deadline(store, monkeypatch, hole, ctx):
    """No event waits for another one that waits for a hanging database."""
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
