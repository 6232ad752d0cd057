"""A host for the function outside of the platform: CloudEvents over HTTP in, what the platform's runtime answers out.

204 without a body for what is done, or failed for good; 500 for what has to come again; 400 for what is no CloudEvent;
503 when too many wait. A caller that accepts JSON gets 200 with the result instead. Runs on plain Knative.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import urllib.request
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from ..errors import EventError, MissingExtraError, RedeliveryError
from .envelope import CloudEvent, from_http
from .handler import close_catalogs, handle, prepare

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

THREADS = 20  # as many as the platform lets a handler have
WAITING = 100
BODY_BYTES = 1 << 20  # the platform's limit for a message
_SINK_TIMEOUT_S = 10


def make_app(ctx: Any, *, token: str | None = None, threads: int = THREADS, waiting: int = WAITING) -> Starlette:
    """The web application. With a `token`, requests need it as bearer."""
    try:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse, PlainTextResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None

    pool = ThreadPoolExecutor(threads, thread_name_prefix="handler")
    accepted = 0

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(pool, prepare, ctx)
        yield
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
            try:
                event = from_http(request.headers.items(), body)
            except EventError as problem:
                return PlainTextResponse(f"{problem}\n", 400)
            return await asyncio.get_running_loop().run_in_executor(pool, serve, event, _wants_json(request))
        finally:
            accepted -= 1

    def serve(event: CloudEvent, wants_json: bool) -> Response:
        try:
            result = handle(ctx, event)
        except RedeliveryError as again:
            answer = again.result[0] if isinstance(again.result, list) and again.result else None
            return JSONResponse(answer, 500) if wants_json else PlainTextResponse(f"{again}\n", 500)
        except Exception as problem:
            log.exception("the handler failed")
            return PlainTextResponse(f"unexpected {type(problem).__name__}\n", 500)
        post_to_sink(event, result)
        return JSONResponse(result) if wants_json else Response(status_code=204)

    async def options(_request: Request) -> Response:
        return Response(status_code=200, headers={"Allow": "POST, OPTIONS"})

    async def ready(_request: Request) -> Response:
        return PlainTextResponse("Ready")  # the lifespan has come so far, or nobody would listen

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("Alive")

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", receive, methods=["POST"]),
            Route("/", options, methods=["OPTIONS"]),
            Route("/readiness", ready),
            Route("/liveness", alive),
        ],
    )


def run(app: Any, *, host: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C; what was accepted is finished."""
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise MissingExtraError("web", "serving the function") from None
    uvicorn.run(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=60)


def post_to_sink(event: CloudEvent, result: dict[str, Any]) -> None:
    """Send the summary on where the platform says so (K_SINK), as an event of the same id."""
    sink = os.environ.get("K_SINK")
    if not sink:
        return
    given = event.get_attributes()
    source = f"vastdata.com:{os.environ.get('K_NAME', 'exr-inspector')}"
    attributes = {"specversion": "1.0", "id": given["id"], "source": source, "type": "vastdata.com:Function"}
    attributes |= {name: given[name] for name in ("subject", "partitionkey", "traceparent") if name in given}
    headers = {f"ce-{name}": value for name, value in attributes.items()} | {"content-type": "application/json"}
    request = urllib.request.Request(sink, json.dumps(result).encode(), headers, method="POST")  # noqa: S310 (the platform's)
    try:
        with urllib.request.urlopen(request, timeout=_SINK_TIMEOUT_S):  # noqa: S310
            pass
    except OSError as problem:
        log.warning("the result was not taken by the sink: %s", type(problem).__name__)


def _is_allowed(request: Request, token: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


async def _body(request: Request) -> bytes | None:
    """The body; None when it is too long, of which no more than the limit is kept."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            return None
    return body
