"""A real S3 server in this process: moto's, which counts requests and fails on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from exr_inspector.settings import S3Access, SecretStr
from exr_inspector.sources.uris import object_uri

ACCESS_KEY, SECRET_KEY = "AKIASTORE00000000001", "store-secret-that-nobody-may-see"
BUCKET = "renders"


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    method: str
    path: str  # as it came, percent-encoded
    range: str | None
    headers: dict[str, str]


Fault = Callable[[Request, Callable[..., Any]], "Iterable[bytes] | None"]


class S3Server:
    """moto's server on a port of its own, with a bucket. `requests` is what came, boto3's own not counted.

    `fault` may answer in the place of the server: it gets the request and the WSGI start_response, and gives the
    body, or None to let the request pass.
    """

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self.requests: list[Request] = []
        self.fault: Fault | None = None
        self.cut_bodies = 0  # so many answers end in the middle
        self.before: Callable[[Request], None] | None = None
        self._has_changed = False
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"}, user_agent_extra="test-client", retries={"total_max_attempts": 1}
            ),
        )
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def access(self) -> S3Access:
        """The way to it."""
        return S3Access(endpoint=self.url, access_key=SecretStr(ACCESS_KEY), secret_key=SecretStr(SECRET_KEY))

    def put(self, key: str, data: bytes) -> str:
        """Upload an object; its URI."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)
        return object_uri(BUCKET, key)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def reset(self) -> None:
        """Forget requests, faults and objects."""
        self.requests.clear()
        self.fault = self.before = None
        self.cut_bodies = 0
        if not self._has_changed:
            return
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            keys = [facts["Key"] for facts in page.get("Contents", ())]
            together = [{"Key": key} for key in keys if key.isprintable()]
            if together:
                self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": together, "Quiet": True})
            for key in keys:
                if not key.isprintable():  # XML has no control characters
                    self.delete(key)
        self._has_changed = False

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._has_changed |= environ["REQUEST_METHOD"] not in ("GET", "HEAD")
        if "test-client" in environ.get("HTTP_USER_AGENT", ""):
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        request = Request(
            environ["REQUEST_METHOD"],
            environ.get("RAW_URI") or environ["PATH_INFO"],
            environ.get("HTTP_RANGE"),
            {name[5:].lower().replace("_", "-"): v for name, v in environ.items() if name.startswith("HTTP_")},
        )
        self.requests.append(request)
        if self.before is not None:
            self.before(request)
        if self.fault is not None and (body := self.fault(request, start_response)) is not None:
            return body
        body = self._app(environ, start_response)
        if self.cut_bodies:
            self.cut_bodies -= 1
            return _half(body)
        return body  # type: ignore[no-any-return]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass


def _half(body: Iterable[bytes]) -> Iterator[bytes]:
    """Half of a body; then the connection ends, as the announced length does not come."""
    whole = b"".join(body)
    yield whole[: len(whole) // 2]


def status(code: int, text: str = "InternalError") -> Fault:
    """A fault: always this error."""
    return answer(f"<Error><Code>{text}</Code><Message>{SECRET_KEY}</Message></Error>".encode(), code)


def answer(body: bytes, code: int = 200) -> Fault:
    """A fault: always this answer."""

    def respond(_request: Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(f"{code} Error", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return respond


def blackhole(seconds: float) -> Fault:
    """A fault: no answer, for so long."""

    def answer(_request: Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        time.sleep(seconds)
        return status(503)(_request, start_response)

    return answer


def stall_in_body(seconds: float) -> Fault:
    """A fault: the head of an answer, some of its body, and then nothing for so long."""

    def answer(request: Request, start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = (request.range or "bytes=0-999").removeprefix("bytes=")
        first, last = map(int, asked.split("-"))
        headers = [
            ("Content-Length", str(last + 1 - first)),
            ("Content-Range", f"bytes {first}-{last}/{last + 1}"),
            ("ETag", '"e"'),
            ("Last-Modified", "Wed, 25 Nov 2026 10:00:00 GMT"),
        ]
        start_response("206 Partial Content", headers)

        def body() -> Iterator[bytes]:
            yield b"v/1\x01" * 100
            time.sleep(seconds)

        return body()

    return answer
