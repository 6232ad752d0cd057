"""The runtime over HTTP, as a process of its own, with clients that are not ours."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from exr_inspector.catalog import open_catalog
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.cli.main import main
from exr_inspector.inspector import inspect
from exr_inspector.object_store import ObjectSource
from tests.catalog.exr_bytes import exr_bytes, text

from .conftest import BUCKET, DB_SECRET, S3_SECRET
from .platform import ElementEvent, record


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def serving(*arguments, **environment):
    """A runtime in a process of its own; its URL, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", str(port), *arguments]
    with subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                if httpx.get(f"{url}/readiness").text == "Ready":
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        try:
            yield url, process
        finally:
            process.kill()


@pytest.fixture
def runtime(deployed):
    with serving() as (url, _):
        yield url


def element(key, bucket=BUCKET, name="ObjectCreated:Put"):
    """The event of a real log, made by the CloudEvents SDK."""
    attributes = {
        name: value
        for name, value in ElementEvent(bucket, key).get_attributes().items()
        if name not in ("time", "specversion")
    }
    attributes |= {"specversion": "1.0", "datacontenttype": "application/json"}
    return CloudEvent(attributes=attributes, data={"Records": [record(bucket, key, name)]})


def send(url, message, **headers):
    return httpx.post(url, headers=dict(message.headers) | headers, content=message.body, timeout=60)


JSON = {"accept": "application/json"}


def test_fifty_uploads_become_rows(deployed, runtime):
    """Object, event, handler, byte range, inspection, transaction, rows: equal to the inspections."""
    keys = [f"shows/ab/beauty {n:04}+é.exr" for n in range(50)]
    for n, key in enumerate(keys):
        deployed.s3.put_object(Bucket=BUCKET, Key=key, Body=exr_bytes(text("note", f"frame {n}")))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: send(runtime, to_binary_event(element(key))), keys))
    assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}
    expected = from_inspections([inspect(ObjectSource(f"s3://{BUCKET}/{key}")) for key in keys]).tables
    with open_catalog(deployed.uri, read_only=True) as catalog:
        assert catalog.status().row_counts["files"] == 50
        for table in ("parts", "channels", "attributes"):
            found = catalog.sql(f"SELECT * FROM {table}").to_pylist()
            assert sorted(map(repr, found)) == sorted(map(repr, expected[table].to_pylist()))


@pytest.mark.parametrize("mode", ["binary", "structured", "envelope in binary"])
def test_every_mode_is_taken(deployed, runtime, mode):
    deployed.s3.put_object(Bucket=BUCKET, Key="a.exr", Body=exr_bytes())
    event = element("a.exr")
    message = to_structured_event(event) if mode == "structured" else to_binary_event(event)
    content = to_structured_event(event).body if mode == "envelope in binary" else message.body
    answer = httpx.post(runtime, headers=dict(message.headers) | JSON, content=content, timeout=60)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["inserted"]) == ("success", True)


def test_what_is_no_event_is_refused_for_good(runtime):
    assert httpx.post(runtime, content=b"hello").status_code == 400
    assert httpx.post(runtime, content=b"{}", headers={"content-type": "application/json"}).status_code == 400
    assert httpx.post(runtime, content=b"x" * (1 << 21)).status_code == 413
    assert httpx.options(runtime).headers["allow"] == "POST, OPTIONS"
    assert httpx.get(f"{runtime}/liveness").status_code == 200


def test_a_malformed_file_is_done_and_a_dead_database_comes_again(deployed):
    deployed.s3.put_object(Bucket=BUCKET, Key="bad.exr", Body=b"\x89PNG\r\n\x1a\n" + bytes(60))
    deployed.s3.put_object(Bucket=BUCKET, Key="good.exr", Body=exr_bytes())
    with serving() as (url, _):
        assert send(url, to_binary_event(element("bad.exr"))).status_code == 204
    with serving(VAST_DB_ENDPOINT="http://127.0.0.1:9", EXR_INSPECTOR_DEADLINE_S="8") as (url, _):
        answer = send(url, to_binary_event(element("good.exr")))
        assert answer.status_code == 500
        assert "127.0.0.1:9" in answer.text
        assert DB_SECRET not in answer.text


def test_events_are_delivered_until_the_database_is_back(deployed):
    """As the platform retries (scaled down): every file arrives, a malformed one is attempted once."""
    deployed.s3.put_object(Bucket=BUCKET, Key="good.exr", Body=exr_bytes())
    deployed.s3.put_object(Bucket=BUCKET, Key="bad.exr", Body=exr_bytes()[:100])
    answers = {"good.exr": [], "bad.exr": []}
    with serving(EXR_INSPECTOR_DEADLINE_S="6") as (url, _):
        deployed.database.stop()
        for _attempt in range(3):
            answers["good.exr"].append(send(url, to_binary_event(element("good.exr"))).status_code)
        deployed.database.start()
        for key, statuses in answers.items():
            statuses.append(send(url, to_binary_event(element(key))).status_code)
    assert answers == {"good.exr": [500, 500, 500, 204], "bad.exr": [204]}
    with open_catalog(deployed.uri, read_only=True) as catalog:
        counts = catalog.status().row_counts
    assert (counts["files"], counts["ingest_errors"]) == (1, 1)


def test_a_token_is_asked_for(deployed):
    with serving("--token", "open-sesame") as (url, _):
        message = to_binary_event(element("x.png"))
        assert send(url, message).status_code == 401
        assert send(url, message, authorization="Bearer wrong").status_code == 401
        assert send(url, message, authorization="Bearer open-sesame").status_code == 204


def test_what_was_accepted_is_finished_before_the_end(deployed):
    deployed.s3.put_object(Bucket=BUCKET, Key="a.exr", Body=exr_bytes())
    with serving() as (url, process), ThreadPoolExecutor(1) as pool:
        fault = deployed.database.fail("delay", seconds=1.0, operation="insert")
        answer = pool.submit(send, url, to_binary_event(element("a.exr")))
        while not fault.hits:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 204
        assert process.wait(30) in (0, -signal.SIGTERM)


def test_the_summary_goes_on_to_the_sink(deployed):
    taken = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    deployed.s3.put_object(Bucket=BUCKET, Key="a.exr", Body=exr_bytes())
    with HTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True).start()
        with serving(K_SINK=f"http://127.0.0.1:{sink.server_port}") as (url, _):
            assert send(url, to_binary_event(element("a.exr"))).status_code == 204
        sink.shutdown()
    ((headers, body),) = taken
    assert headers["ce-id"] == "1004356627333135"
    assert headers["ce-type"] == "vastdata.com:Function"
    assert body["summary"]["completeness"] == "complete"


def test_invoke_sends_one_and_prints_the_result(deployed, runtime, capsys, tmp_path):
    deployed.s3.put_object(Bucket=BUCKET, Key="a.exr", Body=exr_bytes())
    assert main(["function", "invoke", "--s3", f"s3://{BUCKET}/a.exr", "--url", runtime]) == 0
    assert json.loads(capsys.readouterr().out)["inserted"] is True
    assert main(["function", "invoke", "--s3", f"s3://{BUCKET}/a.exr"]) == 0
    assert json.loads(capsys.readouterr().out)["inserted"] is False
    (tmp_path / "x.exr").write_bytes(exr_bytes())
    assert main(["function", "invoke", "--path", str(tmp_path / "x.exr")]) == 0
    assert json.loads(capsys.readouterr().out)["file"]["completeness"] == "complete"
    assert main(["function", "invoke", "--path", str(tmp_path / "none.exr")]) == 3
    config = tmp_path / "config.yaml"
    config.write_text(f"secrets:\n  store:\n    S3_ENDPOINT: {os.environ['S3_ENDPOINT']}\n    S3_ACCESS_KEY: k\n")
    capsys.readouterr()
    assert main(["function", "invoke", "--s3", f"s3://{BUCKET}/a.exr", "--config", str(config)]) == 3
    assert "S3_SECRET_KEY" in capsys.readouterr().out
    assert main(["function", "invoke"]) == 2
    assert S3_SECRET not in capsys.readouterr().err
