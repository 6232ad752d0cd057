"""An S3 store, a VAST Database, and a context like the platform's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from exr_inspector import function, open_catalog
from exr_inspector.catalog import Catalog
from tests.support import exr_writer as w
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from tests.support.secrets import Watch
from tests.support.vast_event import VastEvent
from tests.vastdb_emulator import STRICT, Emulator

GOOD = w.build(w.part(extra=[w.text("owner", "someone")])).data
OTHER = w.build(w.part(extra=[w.text("owner", "another")])).data
BROKEN = GOOD[:100]
CUT = GOOD[:-5]

DATABASE = {"access_key": "key", "secret_key": "not-a-real-secret"}
PREFIXES = ("EXR_INSPECTOR_", "VAST_DB_", "S3_", "AWS_")


@pytest.fixture(scope="session")
def vast_server() -> Iterator[Emulator]:
    with Emulator(**DATABASE, buckets=["catalogs"], assumptions=STRICT) as running:
        yield running


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings but those of the test."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    yield
    function.close_catalogs()


@pytest.fixture
def store(store: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The empty object store, configured in the environment."""
    for name, value in (("ENDPOINT", store.url), ("ACCESS_KEY", ACCESS_KEY), ("SECRET_KEY", SECRET_KEY)):
        monkeypatch.setenv(f"S3_{name}", value)
    return store


@pytest.fixture
def database(vast_server: Emulator, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A database with an empty schema, configured in the environment."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", vast_server.url)
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", DATABASE["access_key"])
    monkeypatch.setenv("VAST_DB_SECRET_KEY", DATABASE["secret_key"])
    monkeypatch.setenv("VAST_DB_BUCKET", "catalogs")
    monkeypatch.setenv("VAST_DB_SCHEMA", tmp_path.name)
    vast_server.reset_requests()
    yield vast_server
    function.close_catalogs()
    vast_server.clear_faults()


def copy_empty_schema(database: Emulator, name: str) -> None:
    """Put empty tables into a schema. Copying is faster than creating, which the first event does otherwise."""
    if "empty" not in database.schemas("catalogs"):
        open_catalog("vast://catalogs/empty").close()
    database.copy_schema("catalogs", "empty", name)
    database.reset_requests()


@pytest.fixture(params=["duckdb", pytest.param("vast", marks=pytest.mark.slow)])
def catalog(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    """A catalog of each backend, configured in the environment; a call opens it for reading."""
    if request.param == "vast":
        copy_empty_schema(request.getfixturevalue("database"), tmp_path.name)
        uri = f"vast://catalogs/{tmp_path.name}"
    else:
        uri = f"duckdb:{tmp_path}/catalog.duckdb"
        monkeypatch.setenv("EXR_INSPECTOR_CATALOG", uri)

    @contextmanager
    def opened() -> Iterator[Catalog]:
        function.close_catalogs()
        with open_catalog(uri, read_only=True) as catalog:
            yield catalog

    return opened


@pytest.fixture
def deployed(just_deployed: SimpleNamespace) -> SimpleNamespace:
    """The environment of a deployment: a store, a database and the name of a schema with empty tables."""
    copy_empty_schema(just_deployed.database, just_deployed.schema)
    return just_deployed


@pytest.fixture
def just_deployed(store: S3Server, database: Emulator, tmp_path: Any) -> SimpleNamespace:
    """That environment before the first event, which creates the schema."""
    return SimpleNamespace(database=database, store=store, schema=tmp_path.name, uri=f"vast://catalogs/{tmp_path.name}")


class Span:
    """A span that stores its attributes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attributes: dict[str, Any] = {}

    def set_attribute(self, name: str, value: Any) -> None:
        self.attributes[name] = value


class Context:
    """The context of DataEngine, as far as it is documented or was observed."""

    def __init__(self, **secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.spans: list[Span] = []
        self.counted: list[tuple[str, float, dict[str, str]]] = []
        self.tracer = self

    @contextmanager
    def start_as_current_span(self, name: str) -> Iterator[Span]:
        span = Span(name)
        self.spans.append(span)
        yield span

    def counter(self, name: str, description: str = "") -> Any:
        return _Instrument(self, name)

    def histogram(self, name: str, description: str = "", unit: str = "") -> Any:
        return _Instrument(self, name)


class _Instrument:
    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx, self._name = ctx, name

    def add(self, amount: float, attributes: dict[str, str]) -> None:
        self._ctx.counted.append((self._name, amount, attributes))

    record = add


@pytest.fixture
def ctx() -> Context:
    return Context()


@pytest.fixture
def handle(ctx: Context, watch: Watch) -> Callable[[Any], Any]:
    """The handler; checks that its results are strict JSON without secrets."""

    def call(event: Any) -> Any:
        result = function.handle(ctx, event)
        watch.check("result", json.dumps(result, allow_nan=False))
        return result

    return call


def element(key: str, name: str = "ObjectCreated:Put", *, bucket: str = BUCKET, data: Any = None) -> VastEvent:
    """The platform's event of an object."""
    return VastEvent.from_http(*element_request(key, name, bucket=bucket, data=data))


def element_request(
    key: str, name: str = "ObjectCreated:Put", *, bucket: str = BUCKET, data: Any = None
) -> tuple[dict[str, str], bytes]:
    """The request with this event: attributes in headers, as on a cluster."""
    kind = "ElementDeleted" if "Removed" in name else "ElementCreated"
    record = {"eventName": name, "eventSource": "vast:s3", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1004356627333135",
        "ce-source": "vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05",
        "ce-type": f"vastdata.com:Element.{kind}",
        "ce-subject": "vast-broker-engine-broker.main",
        "ce-elementpath": f"{bucket}/{key}",
    }
    return headers, json.dumps(data or {"Records": [record]}).encode()
