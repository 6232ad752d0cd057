"""Limits of connections that uvicorn does not have: time and size of the head of a request, and their number."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_TIMEOUT_S = 10.0  # until the head of the first or next request is complete
MAX_HEAD_BYTES = 1 << 16
MAX_CONNECTIONS = 800  # below the usual limit of 1024 descriptors of a process


class LimitedProtocol(HttpToolsProtocol):
    """A connection that is closed if its client does not send a request in time.

    A new connection above the limit replaces the one that waits longest for a request, so that probes are answered.
    """

    _timer: asyncio.TimerHandle | None = None  # while the head of a request is awaited
    _head_bytes = 0

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
        self._head_bytes = 0 if self._timer is None else self._head_bytes + len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self.transport.abort()

    def on_headers_complete(self) -> None:
        """Stop waiting: the body has a time limit of its own."""
        self._stop_waiting()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_head()

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
