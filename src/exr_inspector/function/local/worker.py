"""The process that handles events, so that the process that serves HTTP always answers at once.

It receives the events over a socket, handles them in threads as the platform does, and ends when the other process
closes the socket, after the events that were received.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, BinaryIO

from ... import __version__
from ...catalog.schema import VERSION
from ...errors import EventError, RedeliveryError
from ...vectors import VERSION as EMBEDDING_VERSION
from ..envelope import from_http
from ..errors import category, message
from ..handler import close_catalogs, handle, prepare, readiness
from ..readiness import NotOpenedError
from .context import LocalContext
from .messages import THREADS, Answer, Request, Start, encoded, read
from .sink import SinkQueue, sink_of_environment

log = logging.getLogger(__name__)

REOPEN_INTERVAL_S = 5.0  # minimum time between attempts to open the catalog after an error
_PROBE_WAIT_S = 0.5  # how long a probe waits for such an attempt; the timeout of Kubernetes is one second
_JSON = "application/json"


def main(descriptor: int) -> None:
    """Serve a connected socket; signals end the other process, and then the connection."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as stream:
        start: Start = read(stream)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(start.log_formatter)
        logging.basicConfig(level=start.log_level, handlers=[handler])
        serve(connection, stream, LocalContext(start.secrets))
    # Everything is closed. To free all modules takes more than a second on a busy machine, and ends in a kill.
    logging.shutdown()
    os._exit(0)


def serve(
    connection: socket.socket,
    stream: BinaryIO,
    ctx: LocalContext,
    *,
    threads: int = THREADS,
    reopen_interval_s: float = REOPEN_INTERVAL_S,
) -> None:
    """Answer the requests of a connection until its end. `stream` reads it, and may have buffered some of them."""
    lock = threading.Lock()
    sink = SinkQueue(described) if (described := sink_of_environment()) else None
    opener = _Opener(ctx, reopen_interval_s)
    events = ThreadPoolExecutor(threads, thread_name_prefix="handler")
    control = ThreadPoolExecutor(4, thread_name_prefix="control")
    operations: dict[str, tuple[Executor, Callable[..., Answer]]] = {
        "handle": (events, lambda request: _handle(ctx, sink, request)),
        "readiness": (control, lambda: _readiness(ctx, opener)),
        "metrics": (control, lambda: Answer(200, ctx.telemetry.exposition())),
    }

    def answer(number: int, operation: Callable[..., Answer], arguments: tuple[Any, ...]) -> None:
        try:
            result = operation(*arguments)
        except Exception as error:
            log.error("internal error", exc_info=error)
            result = Answer(500, f"{message(error)}\n")
        send(number, result)

    def send(number: int, result: Answer) -> None:
        try:
            with lock:
                connection.sendall(encoded((number, result)))
        except OSError:
            log.debug("an answer was not sent: the process that serves HTTP has ended")

    _observe(ctx)
    opener.start(prepare)
    try:
        while True:
            number, name, *arguments = read(stream)
            if name == "heartbeat":
                send(number, Answer(204))
                continue
            executor, operation = operations[name]
            executor.submit(answer, number, operation, tuple(arguments))
    except (EOFError, OSError):
        pass
    events.shutdown(wait=True)
    control.shutdown(wait=True)
    if sink is not None:
        sink.close()
    ctx.close()
    opener.close()  # last, as the catalog may not respond
    close_catalogs()


def _observe(ctx: LocalContext) -> None:
    """Metrics of the state of the process."""
    from opentelemetry.metrics import CallbackOptions, Observation

    def catalog_up(_options: CallbackOptions) -> Iterator[Observation]:
        if readiness.has_catalog(ctx):
            error = readiness.last_error(ctx)
            yield Observation(int(error is None), {"reason": "" if error is None else category(error)})

    ctx.meter.create_observable_gauge(
        "exr_inspector.catalog_up", [catalog_up], description="Whether the last use of the catalog succeeded."
    )
    versions = {"version": __version__, "embedding_version": str(EMBEDDING_VERSION), "schema_version": str(VERSION)}
    ctx.gauge("exr_inspector.build_info", "Versions of the program, its vectors and its tables.").set(1, versions)


def _handle(ctx: LocalContext, sink: SinkQueue | None, request: Request) -> Answer:
    began = time.monotonic()
    try:
        event = from_http(request.headers, request.body)
    except EventError as error:
        return Answer(400, f"{error}\n", seconds=time.monotonic() - began)
    traceparent = dict(request.headers).get("traceparent") or event.attributes.get("traceparent")
    try:
        with ctx.telemetry.joined(traceparent), ctx.start_as_current_span("exr_inspector.event"):
            result = handle(ctx, event, accepted_at=request.accepted_at)
            if sink is not None:
                sink.put(replace(event, attributes=event.attributes | ctx.telemetry.carrier()), result)
    except RedeliveryError as error:
        seconds = time.monotonic() - began
        if request.wants_json and isinstance(error.result, list):
            return Answer(500, json.dumps(error.result[0]), _JSON, seconds)
        return Answer(500, f"{error}\n", seconds=seconds)
    seconds = time.monotonic() - began
    return Answer(200, json.dumps(result), _JSON, seconds) if request.wants_json else Answer(204, seconds=seconds)


def _readiness(ctx: LocalContext, opener: _Opener) -> Answer:
    if readiness.last_error(ctx) is not None:  # also of an outage, which does not affect the readiness
        opener.retry()
    error = readiness.error(ctx)
    if error is None:
        return Answer(200, "Ready")
    is_opening = isinstance(error, NotOpenedError)
    reason = "the catalog is being opened" if is_opening else f"{category(error)}; the log has the error"
    return Answer(503, f"Not ready: {reason}\n")


class _Opener:
    """Opens the catalog in a separate thread, as events may occupy all others."""

    def __init__(self, ctx: LocalContext, interval_s: float) -> None:
        self._ctx, self._interval_s = ctx, interval_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="opener")
        self._lock = threading.Lock()
        self._attempt: Future[None] | None = None
        self._next_at = 0.0

    def start(self, open_catalog: Callable[[LocalContext], None]) -> Future[None]:
        """Start an attempt."""
        self._attempt = self._pool.submit(self._run, open_catalog)
        return self._attempt

    def retry(self) -> None:
        """Start an attempt, unless one is running or the interval has not elapsed; wait briefly for its result."""
        with self._lock:
            is_running = self._attempt is not None and not self._attempt.done()
            if is_running or time.monotonic() < self._next_at:
                return
            attempt = self.start(readiness.open)
        wait({attempt}, _PROBE_WAIT_S)

    def close(self) -> None:
        """Wait until the running attempt ends."""
        self._pool.shutdown(wait=True)

    def _run(self, open_catalog: Callable[[LocalContext], None]) -> None:
        open_catalog(self._ctx)
        self._next_at = time.monotonic() + self._interval_s
