"""Faults that strike when they are ordered, and the log of requests."""

import json
import subprocess
import sys
import time
import urllib.request

import pytest
import requests
from vastdb import errors
from vastdb._internal import QueryDataInternalError

from .client import committed, ids, insert


def test_a_commit_that_is_lost_before_its_effect_leaves_nothing(emulator, session):
    """The client sees a lost connection; the transaction is still open."""
    emulator.fail("drop", operation="commit")
    with pytest.raises(errors.ConnectionError), session.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == []
    assert len(emulator.open_transactions) == 1


def test_a_commit_that_is_lost_after_its_effect_is_there(emulator, session):
    """To the client it looks the same."""
    fault = emulator.fail("drop", operation="commit", after_effect=True)
    with pytest.raises(errors.ConnectionError), session.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == [1]
    assert fault.hits == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", errors.Forbidden),
        (409, "", errors.Conflict),
        (500, "", errors.InternalServerError),
        (503, "", errors.ServiceUnavailable),
        (503, "SlowDown", errors.Slowdown),
    ],
)
def test_a_status_on_order(emulator, session, status, code, expected):
    """It strikes once, before the insert takes effect."""
    emulator.fail(status, code=code, operation="insert")
    with session.transaction() as tx:
        with pytest.raises(expected) as caught:
            insert(tx, 1)
        assert type(caught.value) is expected
        insert(tx, 2)
    assert committed(emulator) == [2]


def test_slow_down_is_repeated_by_the_sdk_and_other_503s_are_not(emulator, connect):
    """Only the error code tells the SDK to try again."""
    session = connect(emulator, tries=5)
    slow = emulator.fail(503, code="SlowDown", operation="begin", times=2)
    with session.transaction():
        pass
    assert slow.hits == 2
    emulator.fail(503, operation="begin")
    with pytest.raises(errors.ServiceUnavailable), session.transaction():
        pass


def test_a_delay_after_the_effect_is_a_timeout_with_an_effect(emulator, session, connect):
    """The client gives up waiting, the commit is done."""
    hasty = connect(emulator, timeout=0.2)
    emulator.fail("delay", seconds=0.5, operation="commit", after_effect=True)
    with pytest.raises(requests.exceptions.ReadTimeout), hasty.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == [1]


def test_a_select_that_is_cut_is_resumed(emulator, session, connect):
    """Its answer is sent in chunks, so the SDK notices and asks for the page again."""
    patient = connect(emulator, tries=3)
    fault = emulator.fail("cut", operation="select")
    with patient.transaction() as tx:
        insert(tx, 1, 2)
        assert ids(tx) == [1, 2]
    assert fault.hits == 1


def test_a_select_can_fail_in_the_middle_of_its_answer(emulator, session):
    """The status was sent already; the SDK reads of the failure in the stream."""
    with session.transaction() as tx:
        insert(tx, 1)
        emulator.fail("fail", operation="select")
        with pytest.raises(QueryDataInternalError):
            ids(tx)
        assert ids(tx) == [1]


def test_a_fault_waits_for_its_turn(emulator, session):
    """It strikes at the n-th matching request, then as often as it was told."""
    emulator.fail(500, command="rows", method="POST", path="/b/s/*", nth=2, times=2)
    outcomes = []
    for number in range(5):
        try:
            with session.transaction() as tx:
                insert(tx, number)
            outcomes.append("ok")
        except errors.InternalServerError:
            outcomes.append("failed")
    assert outcomes == ["ok", "failed", "failed", "ok", "ok"]


def test_a_fault_that_cannot_be_is_refused(emulator):
    for options in ({"action": "explode"}, {"action": 200}):
        with pytest.raises(ValueError):
            emulator.fail(**options)


# Observation


def test_four_inserts_are_six_requests(emulator, session):
    """With known tables there is begin, one request a table, and commit."""
    with session.transaction() as tx:
        for number in range(4):
            insert(tx, number)
    log = emulator.requests
    assert [request.operation for request in log] == ["begin", *["insert"] * 4, "commit"]
    assert (log[1].method, log[1].path, log[1].command) == ("POST", "/b/s/t", "rows")
    assert log[1].txid == log[5].txid > 0
    assert log[1].body_bytes > 100
    assert log[5].body_bytes == 0
    emulator.reset_requests()
    assert emulator.requests == []


def test_the_log_can_be_left_out(start, connect):
    """A long ingest counts its requests and keeps none."""
    emulator = start(log_limit=0)
    connect(emulator)
    assert (emulator.requests, emulator.request_count) == ([], 1)


def test_latency_is_added_to_each_request(emulator, session):
    emulator.latency_s = 0.1
    started = time.monotonic()
    with session.transaction():
        pass
    assert time.monotonic() - started >= 0.2


@pytest.mark.slow
def test_another_process_can_order_faults_and_read_the_log(emulator, session):
    """Through the control URL, which is neither signed nor logged."""
    order = {"action": "drop", "operation": "commit", "after_effect": True}
    program = (
        "import sys, urllib.request as u; "
        "u.urlopen(u.Request(sys.argv[1] + '/_emulator/faults', sys.argv[2].encode(), method='POST'))"
    )
    subprocess.run([sys.executable, "-c", program, emulator.url, json.dumps(order)], check=True)
    with pytest.raises(errors.ConnectionError), session.transaction():
        pass
    with urllib.request.urlopen(f"{emulator.url}/_emulator/requests") as answer:
        seen = json.load(answer)
    assert [request["operation"] for request in seen["requests"]] == ["begin", "commit"]
    assert [fault["hits"] for fault in seen["faults"]] == [1]
    requests.post(f"{emulator.url}/_emulator/reset", timeout=5)
    assert emulator.request_count == 0
    assert requests.post(f"{emulator.url}/_emulator/faults", json={"action": "?"}, timeout=5).status_code == 400
