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
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ...errors import EventError, ExrInspectorError, MissingExtraError, SettingsError
from ...settings import function_settings
from ..envelope import from_http
from .messages import ACCEPT, ACCEPTED, REJECTION, THREADS, Answer, Start
from .worker_client import WorkerClient, start_worker

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from .telemetry import Telemetry

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20  # the platform's limit for a message
BODY_TIMEOUT_S = 10.0
_PROBE_TIMEOUT_S = 0.8  # the timeout of Kubernetes is one second
_METRICS_TIMEOUT_S = 5.0
_DRAIN_S = 60  # as many seconds as two rounds of events take with the default deadline
_CODES = (200, 204, 400, 401, 408, 413, 500, 503)
_SMOOTHING = 0.1


class Load:
    """The number of accepted events, and whether one more is answered before its deadline. For one thread."""

    def __init__(self, threads: int, deadline_s: float) -> None:
        self._threads, self._deadline_s = threads, deadline_s
        self._mean_s = 0.0  # of the time that an event needs in a thread
        self.accepted = 0

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
        return self.accepted >= 2 * self._threads or rounds * self._mean_s > self._deadline_s

    def record(self, seconds: float) -> None:
        """Record the time that an event needed."""
        self._mean_s += _SMOOTHING * (seconds - self._mean_s)


def make_app(
    worker: WorkerClient, telemetry: Telemetry, *, token: str | None = None, threads: int = THREADS
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

    load = Load(threads, _deadline_s())
    requests = _instruments(telemetry, load)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
        await worker.open()
        yield {ACCEPT: accept}  # for LimitedProtocol, which rejects events before everything else
        await worker.close()
        telemetry.close()

    def accept() -> bool:
        if load.is_too_high():
            requests.add(1, {"code": "503"})
            return False
        load.accepted += 1
        return True

    async def receive(request: Request) -> Response:
        if not request.scope["state"].get(ACCEPTED) and not accept():
            return PlainTextResponse(REJECTION, 503, {"Retry-After": "1"})
        try:
            response = await respond(request)
        finally:
            load.accepted -= 1
        requests.add(1, {"code": str(response.status_code)})
        return response

    async def respond(request: Request) -> Response:
        if token is not None and not _is_allowed(request, token):
            return PlainTextResponse("missing or wrong bearer token\n", 401, {"WWW-Authenticate": "Bearer"})
        try:
            return await handle(request, time.monotonic())
        except EventError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except ClientDisconnect:
            return PlainTextResponse("the connection was closed before the event was complete\n", 400)
        except asyncio.TimeoutError:
            return PlainTextResponse(f"the event did not arrive within {BODY_TIMEOUT_S:.0f} seconds\n", 408)

    async def handle(request: Request, accepted_at: float) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"the event is larger than {MAX_BODY_BYTES} bytes\n", 413)
        event = from_http(request.headers.items(), body)
        traceparent = request.headers.get("traceparent") or event.attributes.get("traceparent")
        answer = await worker.call("handle", event, accepted_at, _wants_json(request), traceparent)
        load.record(answer.seconds)
        return response_of(answer)

    def response_of(answer: Answer) -> Response:
        if answer.status == 204:
            return Response(status_code=204)
        return Response(answer.content, answer.status, media_type=answer.media_type or "text/plain")

    async def options(_request: Request) -> Response:
        return Response(headers={"Allow": "POST, OPTIONS"})

    async def ready(_request: Request) -> Response:
        try:
            return response_of(await asyncio.wait_for(worker.call("readiness"), _PROBE_TIMEOUT_S))
        except asyncio.TimeoutError:
            return PlainTextResponse("Not ready: the process that handles events does not answer yet\n", 503)

    async def alive(_request: Request) -> Response:
        if worker.is_connected:
            return PlainTextResponse("Alive")
        return PlainTextResponse("the process that handles events has ended\n", 503)

    async def metrics(_request: Request) -> Response:
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
    """Serve until SIGTERM or Ctrl-C, then finish accepted events. Raises SettingsError if the port is in use."""
    try:
        import starlette.applications  # noqa: F401 (make_app imports it, after the other process has started)
        import uvicorn

        from .connections import LimitedProtocol
        from .telemetry import Telemetry
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None
    process, connection = start_worker(start)

    def stop() -> None:
        server.should_exit = True

    app = make_app(WorkerClient(connection, stop), Telemetry("exr-inspector"), token=token)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=LimitedProtocol,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_DRAIN_S,
        )
    )
    try:
        server.run()
    except SystemExit:
        raise SettingsError(f"cannot listen on {host}:{port}; the log has the reason") from None
    finally:
        connection.close()
        code = process.wait()
    if code:
        raise ExrInspectorError(f"the process that handles events ended with exit code {code}; the log has the reason")


def _deadline_s() -> float:
    """The time limit for an event; infinity if the settings are invalid, which the result of each event says."""
    try:
        return function_settings().deadline_s
    except SettingsError:
        return math.inf


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


def _is_allowed(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "").lower()


async def _body(request: Request) -> bytes | None:
    """The body; None if it is larger than MAX_BODY_BYTES. Raises TimeoutError."""

    async def read() -> bytes | None:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return None
        return bytes(body)

    return await asyncio.wait_for(read(), BODY_TIMEOUT_S)
