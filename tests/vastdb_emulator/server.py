"""HTTP around the service: reads requests, checks signatures, applies faults, sends answers."""

import itertools
import logging
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from . import (
    column_commands,
    control,
    import_commands,
    object_commands,
    projection_commands,
    row_commands,
    schema_commands,
    table_commands,
    transaction_commands,
)
from .errors import ApiError, bad_request
from .faults import Fault, Recorder
from .frames import FAILED
from .messages import Answer, Request
from .service import Command, Service
from .signing import verify

COMMANDS: dict[tuple[str, str], Command] = {
    **transaction_commands.COMMANDS,
    **schema_commands.COMMANDS,
    **table_commands.COMMANDS,
    **column_commands.COMMANDS,
    **row_commands.COMMANDS,
    **projection_commands.COMMANDS,
    **import_commands.COMMANDS,
    **object_commands.COMMANDS,
}

log = logging.getLogger(__name__)


class _DropConnection(Exception):  # noqa: N818 - an order, not an error
    """Close the connection without another byte."""


class HttpServer(ThreadingHTTPServer):
    """One listening socket; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        service: Service,
        recorder: Recorder,
        keys: Mapping[str, str],
        *,
        is_lagging: bool = False,
    ) -> None:
        self.service, self.recorder, self.keys, self.is_lagging = service, recorder, keys, is_lagging
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, _Handler)

    def track(self, connection: socket.socket, *, is_open: bool) -> None:
        """Remember which connections are open."""
        with self._connections_lock:
            (self._connections.add if is_open else self._connections.discard)(connection)

    def close_connections(self) -> None:
        """Hang up on all clients, also on those that keep an idle connection for later."""
        with self._connections_lock:
            for connection in self._connections:
                _hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of our errors."""
        log.debug("connection from %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    server: HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.track(self.connection, is_open=True)

    def finish(self) -> None:
        self.server.track(self.connection, is_open=False)
        super().finish()

    def version_string(self) -> str:
        """The `Server` header, in which the SDK looks for the version."""
        return f"vast {self.server.service.version}"

    def log_message(self, *_: Any) -> None:
        """Requests are in the recorder's log."""

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            method=self.command,
            target=self.path,
            headers=cast("Mapping[str, str]", self.headers),
            body=body,
            is_lagging=self.server.is_lagging,
        )
        try:
            if request.raw_path.startswith(control.PREFIX):
                self._send(control.answer(self.server.recorder, request))
                return
            faults = self.server.recorder.arrived(request)
            late = [fault for fault in faults if fault.is_late]
            time.sleep(self.server.recorder.latency_s)
            answer = self._answer(request, [fault for fault in faults if not fault.is_late])
            for fault in late:
                _strike(fault)
            late_actions = {fault.action for fault in late}
            if "fail" in late_actions and not isinstance(answer.body, bytes):
                answer.body = [*itertools.islice(answer.body, 1), FAILED]
            self._send(answer, cut="cut" in late_actions)
        except ApiError as error:
            self._send(_error_answer(error))
        except _DropConnection:
            self._drop()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names that http.server looks for

    def _answer(self, request: Request, faults: list[Fault]) -> Answer:
        try:
            for fault in faults:
                _strike(fault)
            assumptions = self.server.service.assumptions
            verify(request, self.server.keys, assumptions)
            limit = assumptions.max_request_bytes
            if request.command and len(request.body) > limit:
                raise bad_request(f"a body of {len(request.body)} bytes, {limit} are allowed", "EntityTooLarge")
            return self.server.service.answer(request, COMMANDS)
        except ApiError as error:
            return _error_answer(error)
        except _DropConnection:
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.target)
            return _error_answer(ApiError(500, "InternalError", "the emulator itself failed; see its log"))

    def _send(self, answer: Answer, *, cut: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._send_chunks(answer.body, cut=cut)
        self.wfile.flush()
        if cut:
            self._drop()

    def _send_chunks(self, pieces: Iterable[bytes], *, cut: bool) -> None:
        for piece in pieces:
            self.wfile.write(b"%x\r\n" % len(piece))
            if cut:
                self.wfile.write(piece[: len(piece) // 2])
                return
            self.wfile.write(piece)
            self.wfile.write(b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _drop(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)


def _strike(fault: Fault) -> None:
    if fault.action == "delay":
        time.sleep(fault.seconds)
    elif fault.action == "drop":
        raise _DropConnection
    elif fault.action == "status":
        raise ApiError(fault.status, fault.code or "EmulatedFault", "this error was ordered")


def _error_answer(error: ApiError) -> Answer:
    return Answer(status=error.status, body=error.body(), headers={"Content-Type": "application/xml"})


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("the client was faster", exc_info=True)
