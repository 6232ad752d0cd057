"""Limits of the runtime: of its queue, of connections, and of the sink."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from typing import ClassVar

import httpx
import pytest

from exr_inspector.cli.main import main
from exr_inspector.function.envelope import CloudEvent
from exr_inspector.function.local import runtime, sink
from exr_inspector.function.local.runtime import Load
from tests.support.http import HTTP

from .test_runtime import connect, in_this_process, serving_http

EVENT = CloudEvent({"specversion": "1.0", "id": "1", "source": "s", "type": "t"}, None)


def accepting(load: Load) -> int:
    """The number of events that are accepted until one is rejected."""
    while not load.is_too_high():
        load.accepted += 1
    return load.accepted


def test_as_many_events_wait_as_are_handled():
    """More could not be finished within two deadlines, the time for a shutdown."""
    load = Load(threads=20, deadline_s=30)
    assert accepting(load) == 40
    assert (load.in_flight, load.waiting) == (20, 20)


@pytest.mark.parametrize(("seconds", "accepted"), [(1, 40), (16, 37), (20, 30), (29, 20), (300, 20)])
def test_an_event_that_would_outlive_its_deadline_is_rejected(seconds, accepted):
    """By the time that events needed so far; an event for which a thread is free is always accepted."""
    load = Load(threads=20, deadline_s=30)
    for _ in range(1000):
        load.record(seconds)
    assert accepting(load) == accepted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "a-name"])
def test_other_machines_need_a_token(host, capsys):
    assert main(["function", "serve", "--host", host]) == 2
    assert "set EXR_INSPECTOR_TOKEN, or allow it with --insecure" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_this_machine_needs_none(host, capsys, monkeypatch):
    """The command goes on, and reads its settings."""
    monkeypatch.setenv("EXR_INSPECTOR_TOKEN", "")
    assert main(["function", "serve", "--host", host]) == 2
    assert "the bearer token is empty" in capsys.readouterr().err


class Receiver(sink.Sink):
    """A sink that waits before it accepts a result."""

    gate = threading.Event()
    results: ClassVar[list[int]] = []

    def post(self, event, result):
        assert self.gate.wait(20)
        self.results.append(result["n"])


@pytest.fixture
def receiver():
    Receiver.gate, Receiver.results = threading.Event(), []
    return Receiver(url="http://127.0.0.1:9", source="s", extensions={})


def test_a_slow_sink_does_not_delay_events(receiver, caplog):
    """Results wait in a bounded queue, and are sent before the end."""
    queue = sink.SinkQueue(receiver)
    for n in range(sink.MAX_WAITING + 10):
        queue.put(EVENT, {"n": n})
    dropped = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert 9 <= len(dropped) <= 10  # one may have left the queue already
    receiver.gate.set()
    queue.close()
    assert receiver.results == sorted(set(receiver.results))
    assert len(receiver.results) + len(dropped) == sink.MAX_WAITING + 10


def test_the_end_does_not_wait_for_a_sink_that_hangs(receiver, caplog, monkeypatch):
    monkeypatch.setattr(sink, "CLOSE_S", 0.05)
    queue = sink.SinkQueue(receiver)
    for n in range(3):
        queue.put(EVENT, {"n": n})
    queue.close()
    assert "results were not sent" in caplog.text
    receiver.gate.set()


def test_a_sink_that_does_not_answer_is_given_up(monkeypatch, caplog):
    monkeypatch.setattr(sink, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        sink.Sink(url=url, source="s", extensions={}).post(EVENT, {})
    assert "the sink did not accept a result" in caplog.text


def test_a_sink_that_answers_slowly_is_given_up(monkeypatch, caplog):
    """The time limit is one of the whole request, not of each byte."""
    monkeypatch.setattr(sink, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle():
            connection, _ = server.accept()
            with connection:
                try:
                    for _ in range(200):
                        connection.sendall(b"H")
                        time.sleep(0.05)
                except OSError:
                    pass

        sender = threading.Thread(target=trickle)
        sender.start()
        began = time.monotonic()
        sink.Sink(url=f"http://127.0.0.1:{server.getsockname()[1]}", source="s", extensions={}).post(EVENT, {})
        assert time.monotonic() - began < 5
        sender.join()
    assert "the sink did not accept a result" in caplog.text


EVENT_HEADERS = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}


@pytest.fixture(scope="module")
def served():
    """A runtime without catalog, whose two threads handle events about nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("EXR_INSPECTOR_", "VAST_DB_", "S3_", "K_SINK"))]:
            patch.delenv(name)
        with in_this_process(threads=2) as url:
            yield url


def answers(url, code):
    metrics = HTTP.get(f"{url}/metrics").text
    return float(metrics.partition(f'exr_inspector_events_total{{code="{code}"}} ')[2].partition("\n")[0])


@pytest.mark.slow
@pytest.mark.parametrize("depth", [100, 400, 700, 900, 100_000])
def test_nested_data_is_not_an_error_of_the_server(served, depth):
    """It would be delivered again; each answer is counted."""
    before = [answers(served, code) for code in (204, 400, 500)]
    body = b'{"data": ' + b"[" * depth + b"]" * depth + b"}"
    status = HTTP.post(served, headers=EVENT_HEADERS | {"content-type": "application/json"}, content=body).status_code
    assert status in (204, 400)
    after = [answers(served, code) for code in (204, 400, 500)]
    assert [new - old for new, old in zip(after, before, strict=True)] == [status == 204, status == 400, 0]


@pytest.mark.slow
def test_events_that_have_not_arrived_take_no_place(served):
    """Connections that send only the head of a request."""
    pending = [connect(served) for _ in range(10)]
    for connection in pending:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    try:
        for _ in range(3):
            assert HTTP.post(served, headers=EVENT_HEADERS).status_code == 204
    finally:
        for connection in pending:
            connection.close()


def test_incomplete_bodies_have_a_limit_together(served, monkeypatch):
    monkeypatch.setattr(runtime, "MAX_ARRIVING_BYTES", 150_000)
    with connect(served) as pending:
        pending.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
        statuses = set()
        while 503 not in statuses:  # as soon as those bytes have arrived
            statuses.add(HTTP.post(served, headers=EVENT_HEADERS, content=b" " * 100_000).status_code)
        assert statuses <= {204, 503}
        assert HTTP.post(served, headers=EVENT_HEADERS).status_code == 204
    while HTTP.post(served, headers=EVENT_HEADERS, content=b" " * 100_000).status_code == 503:
        time.sleep(0.01)


@pytest.fixture
def silent(monkeypatch):
    """A client of a runtime whose other process has one thread and does not answer, and the socket of that process."""
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "0.05")
    monkeypatch.setattr(runtime, "ANSWER_MARGIN_S", 0.05)
    monkeypatch.setattr(runtime, "EXIT_S", 1.1)
    monkeypatch.setattr(runtime, "_METRICS_TIMEOUT_S", 0.1)
    ours, theirs = socket.socketpair()
    with theirs, serving_http(ours, threads=1) as url, httpx.Client(base_url=url) as client:
        yield client, theirs


def test_liveness_fails_if_the_other_process_is_silent(silent, monkeypatch):
    client, _ = silent
    assert client.get("/liveness").status_code == 200
    monkeypatch.setattr(runtime, "MAX_SILENCE_S", 0.02)
    time.sleep(0.05)
    assert (client.get("/liveness").status_code, "does not answer" in client.get("/liveness").text) == (503, True)


def test_liveness_fails_if_no_thread_answers(silent):
    """Each event is answered soon after its deadline."""
    client, _ = silent
    assert client.get("/liveness").status_code == 200
    answer = client.post("/", headers=EVENT_HEADERS)
    assert (answer.status_code, "before its deadline" in answer.text) == (500, True)
    assert client.get("/liveness").status_code == 503
    assert 'exr_inspector_events_total{code="500"} 1.0' in client.get("/metrics").text
    assert "exr_inspector_in_flight 0.0" in client.get("/metrics").text


def test_liveness_fails_after_an_invalid_answer(silent):
    """The server would wait for other answers forever."""
    client, theirs = silent
    theirs.sendall(b"\0\0\0\5hello")
    while client.get("/liveness").status_code == 200:
        time.sleep(0.01)
    assert "has ended" in client.get("/liveness").text


@pytest.mark.parametrize(("status", "size"), [(401, 200_000), (413, 3 << 20), (503, 200_000)])
def test_large_bodies_of_rejected_events(monkeypatch, status, size):
    """They are larger than the buffer of a connection, whose next request is answered."""
    if status == 503:
        monkeypatch.setattr(Load, "is_too_high", lambda _: True)
    with in_this_process(token="t") as url, httpx.Client(timeout=20) as client:
        headers = EVENT_HEADERS | ({} if status == 401 else {"authorization": "Bearer t"})
        assert client.post(url, headers=headers, content=b" " * size).status_code == status
        assert client.get(f"{url}/liveness").status_code == 200


def test_the_port_is_bound_before_anything_is_opened(tmp_path, capsys, monkeypatch):
    """By the settings of `envs:` in the config file, which allow other machines."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(runtime, "start_worker", lambda _: pytest.fail("the other process was started"))
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"envs": {"EXR_INSPECTOR_INSECURE": "true"}}))
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        arguments = ["--host", "0.0.0.0", "--port", str(port), "--config", str(config)]
        assert main(["function", "serve", *arguments]) == 2
    assert f"cannot listen on 0.0.0.0:{port}: Address already in use; give another --port" in capsys.readouterr().err
