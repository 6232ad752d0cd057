"""Results sent as events to the next function or broker (K_SINK), as the platform's runtime does."""

from __future__ import annotations

import http.client
import json
import logging
import os
import queue
import socket
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..envelope import CloudEvent

log = logging.getLogger(__name__)

MAX_WAITING = 100  # results
TIMEOUT_S = 5.0  # to connect, and for a request with its answer
CLOSE_S = 1.5  # for results that wait when the function ends
# Not encoded in headers by the CloudEvents HTTP binding: printable ASCII without space, quote and percent.
_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """The receiver of results."""

    url: str
    source: str  # attribute of the events that it receives
    extensions: Mapping[str, str]  # further attributes

    def post(self, event: CloudEvent, result: dict[str, Any]) -> None:
        """Send a result as an event with the id of the handled one. Raises nothing: an error is logged."""
        try:
            headers = {f"ce-{name}": quote(value, safe=_SAFE) for name, value in self._attributes(event).items()}
            headers["content-type"] = "application/json"
            _post(urllib.request.Request(self.url, json.dumps(result).encode(), headers))  # noqa: S310 (from K_SINK)
        except Exception as error:
            log.warning("the sink did not accept a result: %s", type(error).__name__)

    def _attributes(self, event: CloudEvent) -> dict[str, str]:
        received = event.get_attributes()
        attributes = {
            "specversion": "1.0",
            "id": received["id"],
            "source": self.source,
            "type": "vastdata.com:Function",
        }
        attributes |= {name: received[name] for name in ("subject", "partitionkey", "traceparent") if name in received}
        return attributes | dict(self.extensions)


class SinkQueue:
    """Sends results in a thread of its own, so that a slow sink does not delay events; drops results if it is full."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._results: queue.Queue[tuple[CloudEvent, dict[str, Any]] | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._send, name="sink", daemon=True)
        self._thread.start()

    def put(self, event: CloudEvent, result: dict[str, Any]) -> None:
        """Send a result later; a warning is logged if too many are waiting."""
        try:
            self._results.put_nowait((event, result))
        except queue.Full:
            log.warning("the sink is too slow: a result was not sent to it; %d are waiting", MAX_WAITING)

    def close(self) -> None:
        """Send the results that are waiting, within a time limit."""
        ends_at = time.monotonic() + CLOSE_S
        try:
            self._results.put(None, timeout=CLOSE_S)
        except queue.Full:
            pass
        self._thread.join(max(ends_at - time.monotonic(), 0))
        if self._thread.is_alive():
            log.warning("the sink is too slow: %d results were not sent to it", self._results.qsize())

    def _send(self) -> None:
        while (item := self._results.get()) is not None:
            self._sink.post(*item)


def _post(request: urllib.request.Request) -> None:
    """Send a request within TIMEOUT_S. Raises OSError or HTTPException, also for a status that is not 2xx."""
    connect = http.client.HTTPSConnection if request.type == "https" else http.client.HTTPConnection
    connection = connect(request.host, timeout=TIMEOUT_S)
    connection.connect()
    limit = threading.Timer(TIMEOUT_S, connection.sock.shutdown, [socket.SHUT_RDWR])  # of each receive, otherwise
    limit.start()
    try:
        connection.request("POST", request.selector, request.data, request.headers)
        status = connection.getresponse().status
    finally:
        limit.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise OSError(f"HTTP status {status}")


def sink_of_environment() -> Sink | None:
    """The sink that K_SINK, K_NAME and K_CE_OVERRIDES describe; None without K_SINK."""
    url = os.environ.get("K_SINK")
    if not url:
        return None
    try:
        overrides = json.loads(os.environ.get("K_CE_OVERRIDES") or "{}")["extensions"]
        extensions = {str(name): str(value) for name, value in overrides.items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # none, or malformed
        extensions = {}
    name = os.environ.get("K_NAME", "exr-inspector")
    return Sink(url=url, source=f"vastdata.com:{name}", extensions=extensions)
