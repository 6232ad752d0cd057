"""An HTTP host for the function that answers CloudEvents as the platform's runtime does. Runs on plain Knative.

204 without a body for events that succeeded or failed permanently, 500 for events to deliver again, 400 for requests
that are not CloudEvents, 503 if too many events are waiting. A caller that accepts JSON gets 200 with the result.

This process only serves HTTP; another one handles the events (`worker`), so that probes, metrics and rejections never
wait for them.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...errors import ExrInspectorError, MissingExtraError, SettingsError
from ...settings import function_settings
from .messages import IS_REJECTING, REJECTION, THREADS, Answer, Request, Start
from .worker_client import WorkerClient, start_worker

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request as HttpRequest
    from starlette.responses import Response

    from .telemetry import Telemetry

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20  # the platform's limit for a message
MAX_ARRIVING_BYTES = 32 << 20  # of all incomplete bodies
BODY_TIMEOUT_S = 10.0
_PROBE_TIMEOUT_S = 0.8  # the timeout of Kubernetes is one second
_METRICS_TIMEOUT_S = 5.0
ANSWER_MARGIN_S = 5.0  # after its deadline, an event is answered for the process that handles it
MAX_SILENCE_S = 60.0  # of the process that handles events
EXIT_S = 4.0  # after the last event, for results, metrics and spans that have not been sent
_KILL_S = 1.0  # the last of them, in which the process that handles events ends
_CODES = (200, 204, 400, 401, 408, 413, 500, 503)
_SMOOTHING = 0.1


class Load:
    """The number of accepted events, and whether one more is answered before its deadline. For one thread."""

    def __init__(self, threads: int, deadline_s: float) -> None:
        self._threads, self.deadline_s = threads, deadline_s
        self._mean_s = 0.0  # of the time that an event needs in a thread
        self.accepted = 0
        self.unanswered = 0  # events, since the last one that was answered in time
        self.arriving_bytes = 0  # of the bodies of events that have not been accepted yet

    @property
    def in_flight(self) -> int:
        """Events that threads handle."""
        return min(self.accepted, self._threads)

    @property
    def waiting(self) -> int:
        """Events that wait for a thread."""
        return self.accepted - self.in_flight

    def is_too_high(self) -> bool:
        """Whether another event is to be rejected.

        At most as many events wait as are handled, so that two deadlines are enough to finish all before a shutdown.
        """
        if self.accepted < self._threads:
            return False
        rounds = (self.waiting + 1) / self._threads + 1
        return self.accepted >= 2 * self._threads or rounds * self._mean_s > self.deadline_s

    def record(self, seconds: float) -> None:
        """Record the time that an event needed."""
        self._mean_s += _SMOOTHING * (seconds - self._mean_s)


def make_app(
    worker: WorkerClient, telemetry: Telemetry, *, deadline_s: float, token: str | None = None, threads: int = THREADS
) -> Starlette:
    """The web application. Events must carry the bearer `token`, if there is one.

    It serves requests while the catalog is still being opened. While the function is not ready, a probe of /readiness
    opens the catalog again.
    """
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    from .telemetry import CONTENT_TYPE

    load = Load(threads, deadline_s)
    requests = _instruments(telemetry, load)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
        await worker.open()
        yield {IS_REJECTING: is_rejecting}  # for LimitedProtocol, which rejects events before everything else
        await asyncio.gather(worker.close(EXIT_S - _KILL_S), asyncio.to_thread(telemetry.close))

    def is_rejecting() -> bool:
        if load.is_too_high():
            requests.add(1, {"code": "503"})
            return True
        return False

    async def receive(request: HttpRequest) -> Response:
        code = 500
        try:
            response = await respond(request)
            code = response.status_code
        finally:
            requests.add(1, {"code": str(code)})
        return response

    async def respond(request: HttpRequest) -> Response:
        if token is not None and not _is_allowed(request, token):
            return PlainTextResponse("missing or wrong bearer token\n", 401, {"WWW-Authenticate": "Bearer"})
        try:
            body, is_complete = await asyncio.wait_for(_body(request, load), BODY_TIMEOUT_S)
        except ClientDisconnect:
            return PlainTextResponse("the connection was closed before the event was complete\n", 400)
        except asyncio.TimeoutError:
            return PlainTextResponse(f"the event did not arrive within {BODY_TIMEOUT_S:.0f} seconds\n", 408)
        if len(body) > MAX_BODY_BYTES:
            return PlainTextResponse(f"the event is larger than {MAX_BODY_BYTES} bytes\n", 413)
        if not is_complete or load.is_too_high():
            return PlainTextResponse(REJECTION, 503, {"Retry-After": "1"})
        load.accepted += 1
        try:
            return await handle(request, body)
        finally:
            load.accepted -= 1

    async def handle(request: HttpRequest, body: bytes) -> Response:
        event = Request(
            headers=tuple(request.headers.items()),
            body=body,
            accepted_at=time.monotonic(),
            wants_json=_wants_json(request),
        )
        try:
            answer = await asyncio.wait_for(worker.call("handle", event), load.deadline_s + ANSWER_MARGIN_S)
        except asyncio.TimeoutError:
            answer = Answer(500, "the event was not handled before its deadline\n", seconds=load.deadline_s)
            load.unanswered += 1
        else:
            load.unanswered = 0
        load.record(answer.seconds)
        return response_of(answer)

    def response_of(answer: Answer) -> Response:
        if answer.status == 204:
            return Response(status_code=204)
        return Response(answer.content, answer.status, media_type=answer.media_type or "text/plain")

    async def options(_request: HttpRequest) -> Response:
        return Response(headers={"Allow": "POST, OPTIONS"})

    async def ready(_request: HttpRequest) -> Response:
        try:
            return response_of(await asyncio.wait_for(worker.call("readiness"), _PROBE_TIMEOUT_S))
        except asyncio.TimeoutError:
            return PlainTextResponse("Not ready: the process that handles events does not answer yet\n", 503)

    async def alive(_request: HttpRequest) -> Response:
        if not worker.is_connected:
            return PlainTextResponse("the process that handles events has ended\n", 503)
        if worker.silence_s() > MAX_SILENCE_S or load.unanswered >= threads:
            return PlainTextResponse("the process that handles events does not answer\n", 503)
        return PlainTextResponse("Alive")

    async def metrics(_request: HttpRequest) -> Response:
        try:
            of_worker = await asyncio.wait_for(worker.call("metrics"), _METRICS_TIMEOUT_S)
        except asyncio.TimeoutError:
            of_worker = Answer(503)
        text = telemetry.exposition() + (of_worker.content if of_worker.status == 200 else "")
        return Response(text, media_type=CONTENT_TYPE)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", receive, methods=["POST"]),
            Route("/", options, methods=["OPTIONS"]),
            Route("/readiness", ready),
            Route("/liveness", alive),
            Route("/metrics", metrics),
        ],
    )


def run(start: Start, *, host: str, port: int, token: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish accepted events. Raises SettingsError, also if the port is in use.

    After the signal, it ends within twice the deadline of an event plus EXIT_S.
    """
    deadline_s = function_settings().deadline_s
    try:
        import starlette.applications  # noqa: F401 (make_app imports it, after the other process has started)
        import uvicorn

        from .connections import LimitedProtocol
        from .telemetry import Telemetry
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None

    server: uvicorn.Server | None = None
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True
        if server is not None:
            server.should_exit = True

    with _delayed_sigterm(stop), _listening(host, port) as listener:
        process, connection = start_worker(start)
        try:
            client = WorkerClient(connection, stop)
            app = make_app(client, Telemetry("exr-inspector"), deadline_s=deadline_s, token=token)
            server = uvicorn.Server(
                uvicorn.Config(
                    app,
                    http=LimitedProtocol,
                    ws="none",
                    log_config=None,
                    access_log=False,
                    timeout_graceful_shutdown=math.ceil(2 * deadline_s),
                )
            )
            if not is_stopped:
                server.run([listener])
        finally:
            connection.close()
            code = _ended(process)
    if code:
        raise ExrInspectorError(f"the process that handles events ended with exit code {code}; the log has the reason")


@contextmanager
def _delayed_sigterm(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at SIGTERM, which ends the process after the block.

    Uvicorn handles the signal while it serves, and raises it again before it returns.
    """
    received: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        stop()

    previous = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
    for number in received[:1]:
        signal.raise_signal(number)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = str(error.strerror).partition(" (while attempting")[0]  # Python adds the address
        raise SettingsError(f"cannot listen on {host}:{port}: {reason}; give another --port or --host") from None


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process whose connection was closed; it is killed if it does not end."""
    try:
        return process.wait(_KILL_S)
    except subprocess.TimeoutExpired:
        log.error("the process that handles events did not end in time and was killed")
        process.kill()
        return process.wait()


def _instruments(telemetry: Telemetry, load: Load) -> Any:
    """The counter of answers; gauges show the load."""
    from opentelemetry.metrics import Observation

    meter = telemetry.meter
    meter.create_observable_gauge(
        "exr_inspector.in_flight", [lambda _: [Observation(load.in_flight)]], description="Events that are handled."
    )
    meter.create_observable_gauge(
        "exr_inspector.waiting", [lambda _: [Observation(load.waiting)]], description="Events that wait for a thread."
    )
    answers = meter.create_counter("exr_inspector.events", description="Answered requests with events, by status code.")
    for code in _CODES:
        answers.add(0, {"code": str(code)})
    return answers


def _is_allowed(request: HttpRequest, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("accept", "").lower()


async def _body(request: HttpRequest, load: Load) -> tuple[bytes, bool]:
    """The body, and whether it is complete: the rest is not read if a limit is exceeded."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            load.arriving_bytes += len(chunk)
            if len(body) > MAX_BODY_BYTES or load.arriving_bytes > MAX_ARRIVING_BYTES:
                return bytes(body), False
        return bytes(body), True
    finally:
        load.arriving_bytes -= len(body)
