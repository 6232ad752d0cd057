"""The whole path on this machine, with real servers: `make pipeline`.

Objects are uploaded to an S3 server, an event for each goes over HTTP to the runtime, and the rows are read back from
the database: the stand-in for a VAST cluster, through the vendor's SDK.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent
from moto.server import ThreadedMotoServer

from exr_inspector.catalog import open_catalog
from exr_inspector.demo import make_show
from tests.vastdb_emulator import Emulator

BUCKET = "renders"

logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the store's log of requests


@contextmanager
def servers() -> Iterator[tuple[str, object]]:
    """The URL of the runtime, and a client of the store."""
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
    """`exr-inspector function serve` in a process of its own."""
    command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", "18080"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        url = "http://127.0.0.1:18080"
        for _ in range(300):
            try:
                httpx.get(f"{url}/readiness")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
        process.terminate()


def deliver(url: str, key: str) -> dict[str, object]:
    """Send the event that the store would, and take the result instead of 204."""
    attributes = {
        "specversion": "1.0", "id": "1004356627333135", "type": "vastdata.com:Element.ElementCreated",
        "source": "vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05", "subject": "broker.topic",
        "elementpath": f"{BUCKET}/{key}", "datacontenttype": "application/json",
    }  # fmt: skip
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    message = to_binary_event(CloudEvent(attributes=attributes, data={"Records": [record]}))
    headers = dict(message.headers) | {"accept": "application/json"}
    result: dict[str, object] = httpx.post(url, headers=headers, content=message.body, timeout=60).json()
    return result


def main() -> None:
    """Upload, deliver, and show what is there."""
    with tempfile.TemporaryDirectory() as folder, servers() as (url, store):
        files = [path for path in make_show(Path(folder)) if "beauty" in path.name or "reference" in path.name]
        for path in files:
            key = str(path.relative_to(folder))
            store.upload_file(str(path), BUCKET, key)  # type: ignore[attr-defined]
            tell(path.name, deliver(url, key))
        print("\nthe first one is delivered again")
        tell(files[0].name, deliver(url, str(files[0].relative_to(folder))))
        with open_catalog("vast://catalogs/exr_metadata", read_only=True) as catalog:
            print("\nrows in the database")
            for table, count in catalog.status().row_counts.items():
                print(f"  {table:<20} {count}")
            print("\ningest_errors")
            for row in catalog.sql("SELECT file_path_normalized, code, message FROM ingest_errors").to_pylist():
                print(f"  {row['file_path_normalized']}  {row['code']}: {row['message']}")


def tell(name: str, result: dict[str, object]) -> None:
    """One line for one delivery."""
    what = {True: "inserted", False: "seen again"}[bool(result["inserted"])] if result["file_id"] else result["error"]
    print(f"  {name:<48} {result['status']:<8} {what}")


if __name__ == "__main__":
    main()
