"""An object store and a database to run the function against: real servers in this process."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from exr_inspector.function import close_catalogs
from exr_inspector.settings import settings
from tests.vastdb_emulator import Emulator

DB_SECRET, S3_SECRET = "database-secret-of-tests", "store-secret-of-tests"
BUCKET = "renders"

_numbers = count()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """An S3 server that takes any keys."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str) -> Any:
    """An independent client, with an empty bucket `renders`."""
    client = boto3.client(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key=S3_SECRET
    )
    client.create_bucket(Bucket=BUCKET)
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="session")
def database() -> Iterator[Emulator]:
    """A VAST Database."""
    with Emulator(access_key="key", secret_key=DB_SECRET, buckets=["catalogs"]) as running:
        yield running


@pytest.fixture
def deployed(database: Emulator, s3_url: str, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The environment of a deployment: a store, a database and a schema that is not there yet."""
    schema = f"function_{next(_numbers)}"
    for name, value in {
        "VAST_DB_ENDPOINT": database.url, "VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": DB_SECRET,
        "VAST_DB_BUCKET": "catalogs", "VAST_DB_SCHEMA": schema,
        "S3_ENDPOINT": s3_url, "S3_ACCESS_KEY": "k", "S3_SECRET_KEY": S3_SECRET,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield SimpleNamespace(database=database, s3=s3, schema=schema, uri=f"vast://catalogs/{schema}")
    database.clear_faults()
    close_catalogs()
    settings.cache_clear()


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An environment without any store or database."""
    for name in ("VAST_DB_ENDPOINT", "VAST_DB_ACCESS_KEY", "VAST_DB_SECRET_KEY", "VAST_DB_BUCKET", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("EXR_INSPECTOR_CATALOG", raising=False)
    settings.cache_clear()
    yield
    close_catalogs()
    settings.cache_clear()
