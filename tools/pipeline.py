"""`make pipeline`: the path from upload to rows on this machine, and an outage of the database, with real servers.

Objects are uploaded to an S3 server, an event for each is sent over HTTP to the runtime, and the rows are read from the
database: the emulator of a VAST cluster, through the vendor's SDK. Spans are exported to a receiver, and a Prometheus
scrapes the runtime.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.demo import make_show
from tests.support.http import HTTP
from tests.support.otlp import OtlpReceiver, otlp_receiver
from tests.support.programs import free_port, running
from tests.support.prometheus import firing, prometheus, prometheus_folder, shortened, values
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from tests.vastdb_emulator import Emulator
from tools.deploy import DEPLOY

FILES = "SELECT completeness, channel_count, inspection_count FROM files WHERE file_path_normalized = ? AND is_current"
PATHS = "SELECT file_path_normalized FROM files UNION ALL SELECT file_path_normalized FROM ingest_errors"
ALERT = "ExrInspectorCatalogDown"
KEYS = {"access_key": "key", "secret_key": "secret"}  # of the database
WAIT_S = 120


def main() -> None:
    """Upload files and deliver their events, also while the database is down; print rows, spans, metrics and alerts."""
    sys.stdout.reconfigure(line_buffering=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that all servers are ended
    with tempfile.TemporaryDirectory() as folder, servers() as (store, database, receiver, url):
        files = {str(path.relative_to(folder)): path.read_bytes() for path in make_show(Path(folder))}
        keys = [key for key in files if "beauty" in key or "reference" in key]
        late = next(key for key in files if "stereo" in key)
        with alerts(url) as server, open_catalog("vast://catalogs/exr_metadata") as catalog:
            print("\nuploaded, delivered, and read back from the database")
            for key in keys:
                store.put(key, files[key])
                print_rows(catalog, key, deliver(url, key))
            print("\nthe spans of the first event")
            print_spans(receiver, keys[0])
            print("\nthe first event is delivered again")
            print_rows(catalog, keys[0], deliver(url, keys[0]))
            print("\nmetrics of the runtime")
            print_metrics(url, "persisted_total", "catalog_up")

            database.stop()
            print("\nthe database is stopped, and a file is uploaded")
            store.put(late, files[late])
            answer = send(url, late)
            result = answer.json()
            print(f"  {name(late)}  status {answer.status_code}, {result['category']}: {result['message']}")
            print_metrics(url, "redeliveries_total", "catalog_up")
            if server is not None:
                (alert,) = wait_for(f"{ALERT} fires", lambda: firing(server, ALERT))
                print(f"  alert {ALERT} fires: {alert['annotations']['summary']}")
                print(f"    action: {alert['annotations']['action']}")

            database.start()
            print("\nthe database is started, and the event is delivered again")
            print_rows(catalog, late, deliver(url, late))
            print_metrics(url, "catalog_up")
            if server is not None:
                is_up = 'exr_inspector_catalog_up{reason=""} == 1'
                wait_for(f"{ALERT} ends", lambda: values(server, is_up) and not firing(server, ALERT))
                print(f"  alert {ALERT} has ended")
            print_totals(catalog, [*keys, late])


@contextmanager
def servers() -> Iterator[tuple[S3Server, Emulator, OtlpReceiver, str]]:
    """The object store, the database, the receiver of spans, and the URL of `exr-inspector function serve`."""
    store = S3Server()
    try:
        with Emulator(**KEYS, buckets=["catalogs"]) as database, otlp_receiver() as spans:
            os.environ |= {
                "S3_ENDPOINT": store.url, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY,
                "VAST_DB_ENDPOINT": database.url, "VAST_DB_ACCESS_KEY": KEYS["access_key"],
                "VAST_DB_SECRET_KEY": KEYS["secret_key"], "VAST_DB_BUCKET": "catalogs",
                "OTEL_BSP_SCHEDULE_DELAY": "200",
            } | spans.environment  # fmt: skip
            print(f"object store  {store.url}\ndatabase      {database.url}")
            port = str(free_port())
            url = f"http://127.0.0.1:{port}"
            command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", port]
            with running(command, f"{url}/readiness"):
                print(f"runtime       {url}")
                yield store, database, spans, url
    finally:
        store.stop()


@contextmanager
def alerts(url: str) -> Iterator[str | None]:
    """The URL of a Prometheus that evaluates the rules of a deployment; None if it is not installed."""
    folder = prometheus_folder()
    if folder is None:
        print("prometheus    not installed, so no alert is shown: apt-get install prometheus, or make deploy-check")
        yield None
        return
    rules = (DEPLOY / "prometheus" / "rules.yml").read_text("utf-8")
    with prometheus(folder / "prometheus", url, shortened(rules)) as server:
        print(f"prometheus    {server}; in its copy of deploy/prometheus/rules.yml, minutes are seconds")
        yield server


def send(url: str, key: str) -> httpx.Response:
    """The response of the runtime to the event of a created object."""
    attributes = {
        "specversion": "1.0", "id": "1004356627333135", "type": "vastdata.com:Element.ElementCreated",
        "source": "vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05", "subject": "broker.topic",
        "elementpath": f"{BUCKET}/{key}", "datacontenttype": "application/json",
        "traceparent": f"00-{trace_id(key)}-b7ad6b7169203331-01",
    }  # fmt: skip
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}
    message = to_binary_event(CloudEvent(attributes=attributes, data={"Records": [record]}))
    return HTTP.post(url, headers=dict(message.headers) | {"accept": "application/json"}, content=message.body)


def deliver(url: str, key: str) -> dict[str, Any]:
    """Send an event until it is acknowledged, as a broker does, and return the result."""
    return wait_for(f"the event of {key} is acknowledged", lambda: (r := send(url, key)).is_success and r.json())


def trace_id(key: str) -> str:
    """The identifier of the trace in which an object was uploaded."""
    return uuid.uuid5(uuid.NAMESPACE_URL, key).hex


def name(key: str) -> str:
    """The last part of a key."""
    return key.rpartition("/")[2]


def print_rows(catalog: Catalog, key: str, result: dict[str, Any]) -> None:
    """Print the rows of an object after its event was handled."""
    uri = f"s3://{BUCKET}/{key}"
    for row in catalog.sql(FILES, [uri]).to_pylist():
        seen = f"seen {row['inspection_count']}x: {result['persistence']['message']}"
        print(f"  {name(key)}  {row['completeness']}, {row['channel_count']} channels, {seen}")
    for row in catalog.sql("SELECT code, message FROM ingest_errors WHERE file_path_normalized = ?", [uri]).to_pylist():
        print(f"  {name(key)}  {row['code']}: {row['message']}: recorded in ingest_errors")


def print_spans(receiver: OtlpReceiver, key: str) -> None:
    """Print the spans of an event, children below their parents, as soon as the whole event is exported."""

    def spans() -> list[Any]:
        received = [span for span in receiver.spans() if span.trace_id.hex() == trace_id(key)]
        return received if any(span.name == "exr_inspector.event" for span in received) else []

    print(f"  trace {trace_id(key)}")
    depths: dict[bytes, int] = {}
    received = wait_for(f"the spans of {key} are exported", spans)
    for span in sorted(received, key=lambda span: (span.start_time_unix_nano, -span.end_time_unix_nano)):
        depth = depths[span.span_id] = depths.get(span.parent_span_id, 0) + 1
        print(f"  {'  ' * depth}{span.name}  {(span.end_time_unix_nano - span.start_time_unix_nano) / 1e6:.0f} ms")


def print_metrics(url: str, *names: str) -> None:
    """Print these metrics of the runtime, without counters that are 0."""
    prefixes = tuple(f"exr_inspector_{name}" for name in names)
    for line in HTTP.get(f"{url}/metrics").text.splitlines():
        if line.startswith(prefixes) and not (line.endswith(" 0.0") and "_total" in line):
            print(f"  {line}")


def print_totals(catalog: Catalog, keys: list[str]) -> None:
    """Print the number of rows. Raises SystemExit unless each object is in the catalog once."""
    stored = catalog.sql(PATHS)["file_path_normalized"].to_pylist()
    if sorted(stored) != sorted(f"s3://{BUCKET}/{key}" for key in keys):
        raise SystemExit(f"{len(keys)} objects were uploaded, but these are in the catalog: {sorted(stored)}")
    print(f"\neach of the {len(keys)} uploaded files is in the catalog once")
    counts = catalog.status().row_counts
    print("rows: " + ", ".join(f"{count} {table}" for table, count in counts.items() if count))


def wait_for(event: str, condition: Callable[[], Any]) -> Any:
    """The value of a condition as soon as it is true. Raises SystemExit after WAIT_S."""
    ends_at = time.monotonic() + WAIT_S
    while not (value := condition()):
        if time.monotonic() > ends_at:
            raise SystemExit(f"{event}: not within {WAIT_S} s")
        time.sleep(0.1)
    return value


if __name__ == "__main__":
    main()
