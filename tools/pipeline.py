"""`make pipeline`: the whole path from upload to rows on this machine, with real servers.

Objects are uploaded to an S3 server, an event for each is sent over HTTP to the runtime, and the rows are read from the
database: the emulator of a VAST cluster, through the vendor's SDK.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent
from moto.server import ThreadedMotoServer

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.demo import make_show
from tests.support.http import HTTP
from tests.vastdb_emulator import Emulator

BUCKET = "renders"
FILES = "SELECT completeness, channel_count, inspection_count FROM files WHERE file_path_normalized = ? AND is_current"

logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the request log of the S3 server


@contextmanager
def servers() -> Iterator[tuple[str, Any]]:
    """The URL of the runtime, and a client of the object store."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    with Emulator(access_key="key", secret_key="secret", buckets=["catalogs"]) as database:
        os.environ |= {
            "S3_ENDPOINT": f"http://{host}:{port}", "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret",
            "VAST_DB_ENDPOINT": database.url, "VAST_DB_ACCESS_KEY": "key", "VAST_DB_SECRET_KEY": "secret",
            "VAST_DB_BUCKET": "catalogs",
        }  # fmt: skip
        client = boto3.client(
            "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
            aws_access_key_id="key", aws_secret_access_key="secret",
        )  # fmt: skip
        client.create_bucket(Bucket=BUCKET)
        print(f"object store  http://{host}:{port}\ndatabase      {database.url}")
        with runtime() as url:
            print(f"runtime       {url}\n")
            yield url, client
    store.stop()


@contextmanager
def runtime() -> Iterator[str]:
    """The URL of `exr-inspector function serve` in a separate process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stderr=log) as process:
        try:
            while not is_ready(url):
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"the runtime ended: {log.read().decode()}")
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()


def is_ready(url: str) -> bool:
    """Whether the runtime is ready."""
    try:
        return HTTP.get(f"{url}/readiness").is_success
    except httpx.TransportError:
        return False


def deliver(url: str, key: str) -> dict[str, object]:
    """Send the event of a created object, and return the result."""
    attributes = {
        "specversion": "1.0", "id": "1004356627333135", "type": "vastdata.com:Element.ElementCreated",
        "source": "vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05", "subject": "broker.topic",
        "elementpath": f"{BUCKET}/{key}", "datacontenttype": "application/json",
    }  # fmt: skip
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    message = to_binary_event(CloudEvent(attributes=attributes, data={"Records": [record]}))
    headers = dict(message.headers) | {"accept": "application/json"}
    result: dict[str, object] = HTTP.post(url, headers=headers, content=message.body).json()
    return result


def main() -> None:
    """Upload objects, deliver their events, and print their rows."""
    with tempfile.TemporaryDirectory() as folder, servers() as (url, store):
        paths = [path for path in make_show(Path(folder)) if "beauty" in path.name or "reference" in path.name]
        keys = [str(path.relative_to(folder)) for path in paths]
        with open_catalog("vast://catalogs/exr_metadata") as catalog:
            print("uploaded, delivered, and read back from the database")
            for key, path in zip(keys, paths, strict=True):
                store.upload_file(str(path), BUCKET, key)
                print_rows(catalog, key, deliver(url, key))
            print("\nthe first event is delivered again")
            print_rows(catalog, keys[0], deliver(url, keys[0]))
            counts = catalog.status().row_counts
            print("\nrows: " + ", ".join(f"{count} {table}" for table, count in counts.items() if count))


def print_rows(catalog: Catalog, key: str, result: dict[str, object]) -> None:
    """Print the rows of an object after its event was handled."""
    uri, name = f"s3://{BUCKET}/{key}", key.rpartition("/")[2]
    for row in catalog.sql(FILES, [uri]).to_pylist():
        persistence = result["persistence"]
        assert isinstance(persistence, dict)
        seen = f"seen {row['inspection_count']}x"
        print(f"  {name}  {row['completeness']}, {row['channel_count']} channels, {seen}: {persistence['message']}")
    for row in catalog.sql("SELECT code, message FROM ingest_errors WHERE file_path_normalized = ?", [uri]).to_pylist():
        print(f"  {name}  {row['code']}: {row['message']}: recorded in ingest_errors")


if __name__ == "__main__":
    main()
