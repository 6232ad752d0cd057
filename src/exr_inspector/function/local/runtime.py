"""A host for the function outside of the platform: CloudEvents over HTTP in, what the platform's runtime answers out.

204 without a body for what is done, or failed for good; 500 for what has to come again; 400 for what is no CloudEvent;
503 when too many wait. A caller that accepts JSON gets 200 with the result instead. Runs on plain Knative.
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
from ..envelope import CloudEvent, from_http
from ..handler import close_catalogs, handle, prepare, readiness
from ..stages import category
from .context import LocalContext
from .sink import post_to_sink

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

THREADS = 20  # as many as the platform lets a handler have
WAITING = 100
BODY_BYTES = 1 << 20  # the platform's limit for a message
BODY_SECONDS = 10.0
OPEN_AGAIN_S = 5.0  # least time between attempts to open the catalog while the function is not ready
_PROBE_WAIT_S = 0.5  # how long a probe waits for such an attempt: Kubernetes gives up after a second
_SHUTDOWN_SECONDS = 60


def make_app(
    ctx: LocalContext,
    *,
    token: str | None = None,
    threads: int = THREADS,
    waiting: int = WAITING,
    open_again_s: float = OPEN_AGAIN_S,
) -> Starlette:
    """The web application. With a `token`, events need it as bearer.

    It serves at once; the catalog is opened meanwhile. While the function is not ready, a probe of /readiness opens it
    again, at the earliest `open_again_s` after the last attempt.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None

    pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
    accepted = 0
    opener = _Opener(ctx, open_again_s)

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
            return PlainTextResponse("a bearer token is needed\n", 401, {"WWW-Authenticate": "Bearer"})
        if accepted >= threads + waiting:
            return PlainTextResponse("too many events wait\n", 503, {"Retry-After": "1"})
        accepted += 1
        try:
            body = await _body(request)
            if body is None:
                return PlainTextResponse(f"an event has {BODY_BYTES} bytes at most\n", 413)
            event = from_http(request.headers.items(), body)
            return await asyncio.get_running_loop().run_in_executor(pool, serve, event, _wants_json(request))
        except EventError as problem:
            return PlainTextResponse(f"{problem}\n", 400)
        except asyncio.TimeoutError:
            return PlainTextResponse(f"the event did not come within {BODY_SECONDS:.0f} seconds\n", 408)
        finally:
            accepted -= 1

    def serve(event: CloudEvent, wants_json: bool) -> Response:
        began = time.monotonic()
        try:
            result = handle(ctx, event)
        except RedeliveryError as again:
            if wants_json and isinstance(again.result, list):
                return JSONResponse(again.result[0], 500)
            return PlainTextResponse(f"{again}\n", 500)
        post_to_sink(event, result, began=began)
        return JSONResponse(result) if wants_json else Response(status_code=204)

    async def options(_request: Request) -> Response:
        return Response(headers={"Allow": "POST, OPTIONS"})

    async def ready(_request: Request) -> Response:
        if readiness.error(ctx) is not None:
            await opener.try_again()
        error = readiness.error(ctx)
        if error is None:
            return PlainTextResponse("Ready")
        return PlainTextResponse(f"Not ready: {category(error)}; the log has the error\n", 503)

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
    """Opens the catalog in a thread of its own, as events may occupy all of the pool. Used by the event loop only."""

    def __init__(self, ctx: LocalContext, interval_s: float) -> None:
        self._ctx, self._interval_s = ctx, interval_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="opener")
        self._attempt: asyncio.Task[None] | None = None
        self._next_at = 0.0

    def start(self, how: Callable[[LocalContext], None]) -> asyncio.Task[None]:
        """Begin an attempt."""
        self._attempt = asyncio.create_task(self._run(how))
        return self._attempt

    async def try_again(self) -> None:
        """Begin an attempt if none is running and the last one is long enough ago; wait a moment for its result."""
        is_running = self._attempt is not None and not self._attempt.done()
        if not is_running and asyncio.get_running_loop().time() >= self._next_at:
            await asyncio.wait({self.start(readiness.open)}, timeout=_PROBE_WAIT_S)

    def close(self) -> None:
        """Wait until no attempt is running."""
        self._pool.shutdown(wait=True)

    async def _run(self, how: Callable[[LocalContext], None]) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._pool, how, self._ctx)
        self._next_at = loop.time() + self._interval_s


def run(app: Any, *, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C; what was accepted is finished. Raises SettingsError for a port that is taken."""
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None
    try:
        uvicorn.run(
            app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=_SHUTDOWN_SECONDS
        )
    except SystemExit:
        raise SettingsError(f"cannot listen on {host}:{port}; the log says why") from None


def _is_allowed(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "").lower()


async def _body(request: Request) -> bytes | None:
    """The body; None when it is too long, of which no more than the limit is kept. Raises TimeoutError."""

    async def read() -> bytes | None:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > BODY_BYTES:
                return None
        return bytes(body)

    return await asyncio.wait_for(read(), BODY_SECONDS)
