"""Limits of the runtime: of its queue, of connections, and of the sink."""

from __future__ import annotations

import logging
import socket
import threading
from typing import ClassVar

import pytest

from exr_inspector.cli.main import main
from exr_inspector.function.envelope import CloudEvent
from exr_inspector.function.local import sink
from exr_inspector.function.local.runtime import Load

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
    assert receiver.results == list(range(len(receiver.results)))
    assert len(receiver.results) + len(dropped) == sink.MAX_WAITING + 10


def test_the_end_does_not_wait_for_a_sink_that_hangs(receiver, caplog, monkeypatch):
    monkeypatch.setattr(sink, "TIMEOUT_S", 0.05)
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
