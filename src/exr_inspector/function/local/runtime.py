"""An HTTP host for the function that answers CloudEvents as the platform's runtime does. Runs on plain Knative.

204 without a body for events that succeeded or failed permanently, 500 for events to deliver again, 400 for requests
that are not CloudEvents, 503 if too many events are waiting. A caller that accepts JSON gets 200 with the result.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ...errors import EventError, MissingExtraError, RedeliveryError, SettingsError
from ...settings import function_settings
from ..envelope import CloudEvent, from_http
from ..errors import category
from ..handler import close_catalogs, handle, prepare, readiness
from ..readiness import NotOpenedError
from .context import LocalContext
from .sink import sink_of_environment

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

THREADS = 20  # the platform's concurrency of a handler
WAITING = 100
MAX_BODY_BYTES = 1 << 20  # the platform's limit for a message
BODY_TIMEOUT_S = 10.0
REOPEN_INTERVAL_S = 5.0  # minimum time between attempts to open the catalog while the function is not ready
_PROBE_WAIT_S = 0.5  # how long a probe waits for such an attempt; the timeout of Kubernetes is one second
_SHUTDOWN_TIMEOUT_S = 60


def make_app(
    ctx: LocalContext,
    *,
    token: str | None = None,
    threads: int = THREADS,
    waiting: int = WAITING,
    reopen_interval_s: float = REOPEN_INTERVAL_S,
) -> Starlette:
    """The web application. Events must carry the bearer `token`, if there is one.

    It serves requests while the catalog is still being opened. While the function is not ready, a probe of /readiness
    opens the catalog again, at least `reopen_interval_s` after the last attempt.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None

    pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
    accepted = 0
    opener = _Opener(ctx, reopen_interval_s)
    sink = sink_of_environment()

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        opener.start(prepare)
        yield
        opener.close()
        pool.shutdown(wait=True)
        close_catalogs()

    async def receive(request: Request) -> Response:
        nonlocal accepted
        if token is not None and not _is_allowed(request, token):
            return PlainTextResponse("missing or wrong bearer token\n", 401, {"WWW-Authenticate": "Bearer"})
        if accepted >= threads + waiting:
            return PlainTextResponse("too many events are waiting; send it again later\n", 503, {"Retry-After": "1"})
        accepted += 1
        accepted_at = time.monotonic()
        try:
            body = await _body(request)
            if body is None:
                return PlainTextResponse(f"the event is larger than {MAX_BODY_BYTES} bytes\n", 413)
            event = from_http(request.headers.items(), body)
            wants_json = _wants_json(request)
            return await asyncio.get_running_loop().run_in_executor(pool, serve, event, accepted_at, wants_json)
        except EventError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except asyncio.TimeoutError:
            return PlainTextResponse(f"the event did not arrive within {BODY_TIMEOUT_S:.0f} seconds\n", 408)
        finally:
            accepted -= 1

    def serve(event: CloudEvent, accepted_at: float, wants_json: bool) -> Response:
        try:
            result = handle(ctx, event, accepted_at=accepted_at)
        except RedeliveryError as error:
            if wants_json and isinstance(error.result, list):
                return JSONResponse(error.result[0], 500)
            return PlainTextResponse(f"{error}\n", 500)
        if sink is not None:
            elapsed_s = time.monotonic() - accepted_at
            sink.post(event, result, timeout_s=function_settings().deadline_s - elapsed_s)
        return JSONResponse(result) if wants_json else Response(status_code=204)

    async def options(_request: Request) -> Response:
        return Response(headers={"Allow": "POST, OPTIONS"})

    async def ready(_request: Request) -> Response:
        if readiness.error(ctx) is not None:
            await opener.retry()
        error = readiness.error(ctx)
        if error is None:
            return PlainTextResponse("Ready")
        is_opening = isinstance(error, NotOpenedError)
        reason = "the catalog is being opened" if is_opening else f"{category(error)}; the log has the error"
        return PlainTextResponse(f"Not ready: {reason}\n", 503)

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("Alive")

    async def metrics(_request: Request) -> Response:
        text, content_type = ctx.exposition()
        return Response(text, media_type=content_type)

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


class _Opener:
    """Opens the catalog in a separate thread, as events may occupy the whole pool. Not thread-safe."""

    def __init__(self, ctx: LocalContext, interval_s: float) -> None:
        self._ctx, self._interval_s = ctx, interval_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="opener")
        self._attempt: asyncio.Task[None] | None = None
        self._next_at = 0.0

    def start(self, open_catalog: Callable[[LocalContext], None]) -> asyncio.Task[None]:
        """Start an attempt."""
        self._attempt = asyncio.create_task(self._run(open_catalog))
        return self._attempt

    async def retry(self) -> None:
        """Start an attempt, unless one is running or the interval has not elapsed; wait briefly for its result."""
        is_running = self._attempt is not None and not self._attempt.done()
        if not is_running and asyncio.get_running_loop().time() >= self._next_at:
            await asyncio.wait({self.start(readiness.open)}, timeout=_PROBE_WAIT_S)

    def close(self) -> None:
        """Wait until the running attempt ends."""
        self._pool.shutdown(wait=True)

    async def _run(self, open_catalog: Callable[[LocalContext], None]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, open_catalog, self._ctx)
        self._next_at = loop.time() + self._interval_s


def run(app: Any, *, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish accepted events. Raises SettingsError if the port is in use."""
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None
    try:
        uvicorn.run(
            app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S
        )
    except SystemExit:
        raise SettingsError(f"cannot listen on {host}:{port}; the log has the reason") from None


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
