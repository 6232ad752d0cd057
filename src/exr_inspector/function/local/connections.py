"""Limits that uvicorn does not have: of the time and size of a request's head, of connections, and of events.

While too many events wait, further ones are rejected here, in a tenth of the time that the application needs: callers
may repeat them at once, hundreds at the same time, and probes must be answered nevertheless. The application accepts an
event when its body is complete.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .messages import IS_REJECTING, REJECTION

_REJECTION = (
    "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: text/plain; charset=utf-8\r\n"
    f"content-length: {len(REJECTION)}\r\n%b\r\n{REJECTION}"
).encode()
HEAD_TIMEOUT_S = 10.0  # until the head of the first or next request is complete
MAX_HEAD_BYTES = 1 << 16
MAX_CONNECTIONS = 800  # below the usual limit of 1024 descriptors of a process


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is closed if its client does not send a request in time.

    A new connection above the limit replaces the one that waits longest for a request, so that probes are answered.
    """

    _timer: asyncio.TimerHandle | None = None  # while the head of a request is awaited
    _in_head = False
    _head_bytes = 0
    _is_rejected = False  # the request whose body arrives

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close the longest waiting connection above the limit, or this one if all have requests."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > MAX_CONNECTIONS:
            waiting = [each for each in self.connections if isinstance(each, LimitedProtocol) and each._timer]
            oldest = min(waiting, key=lambda each: each._timer.when() if each._timer else 0.0, default=self)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Close the connection if the head of a request is too large."""
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Prepare for another request."""
        self._in_head, self._is_rejected = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting, as the body has a time limit of its own; or reject an event."""
        self._stop_waiting()
        self._in_head = False
        is_event = self.url == b"/" and self.parser.get_method() == b"POST"
        is_next = self.cycle is None or self.cycle.response_complete
        if is_event and is_next and self.app_state[IS_REJECTING]():
            self._reject()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drop the body of a rejected event."""
        if not self._is_rejected:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A rejected event has its response already."""
        if not self._is_rejected:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()

    def _reject(self) -> None:
        self._is_rejected = True
        is_last = not self.parser.should_keep_alive()
        self.transport.write(_REJECTION % (b"connection: close\r\n" if is_last else b""))
        self._wait_for_head()  # also the body of the rejected event has to arrive in this time
        if is_last:
            self.transport.close()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self) -> None:
        self._timer = None
        self.transport.abort()
