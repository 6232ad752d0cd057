"""The runtime over HTTP, in a separate process, with independent clients."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import uvicorn
import yaml
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from exr_inspector import open_catalog
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.cli.main import main
from exr_inspector.function.local import connections, worker
from exr_inspector.function.local.context import LocalContext, context_of
from exr_inspector.function.local.messages import Start, encoded, read
from exr_inspector.function.local.runtime import make_app
from exr_inspector.function.local.telemetry import Telemetry
from exr_inspector.function.local.worker_client import WorkerClient, start_worker
from exr_inspector.inspection.inspector import inspect
from exr_inspector.settings import function_settings
from tests.support.exr_bytes import exr_bytes, text
from tests.support.http import HTTP
from tests.support.programs import free_port
from tests.support.secrets import secrets_in

from .conftest import BUCKET, DATABASE, element_request

pytestmark = pytest.mark.slow


@contextmanager
def serving(*arguments, until="readiness", **environment):
    """A runtime in separate processes, as soon as it is ready or only handles events; its URL and the first process."""
    port = free_port()
    command = [sys.executable, "-m", "exr_inspector", "function", "serve", "--port", str(port), *arguments]
    with subprocess.Popen(
        command, env=os.environ | environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        url = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                answer = HTTP.get(f"{url}/readiness")
                if answer.is_success or (until == "liveness" and "does not answer yet" not in answer.text):
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        try:
            yield url, process
        finally:
            process.kill()


@pytest.fixture
def runtime(just_deployed):
    with serving() as (url, _):
        yield url


def element(key, name="ObjectCreated:Put"):
    """The event of a real log, created by the CloudEvents SDK."""
    headers, body = element_request(key, name)
    attributes = {header[3:]: value for header, value in headers.items() if header.startswith("ce-")}
    return CloudEvent(attributes=attributes | {"datacontenttype": "application/json"}, data=json.loads(body))


def send(url, message, **headers):
    return HTTP.post(url, headers=dict(message.headers) | headers, content=message.body)


JSON = {"accept": "application/json"}


def test_fifty_uploads_become_rows(just_deployed, runtime):
    """Object, event, handler, byte range, inspection, transaction, rows: equal to the inspections."""
    keys = [f"shows/ab/beauty {n:04}+é.exr" for n in range(50)]
    for n, key in enumerate(keys):
        just_deployed.store.put(key, exr_bytes(text("note", f"frame {n}")))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda key: send(runtime, to_binary_event(element(key))), keys))
    assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}
    expected = from_inspections([inspect(f"s3://{BUCKET}/{key}") for key in keys]).tables
    with open_catalog(just_deployed.uri, read_only=True) as catalog:
        assert catalog.sql("FROM files").num_rows == 50
        for table in ("parts", "channels", "attributes"):
            columns = ", ".join(expected[table].column_names)
            stored_rows = catalog.sql(f"SELECT {columns} FROM {table}").to_pylist()
            assert sorted(map(repr, stored_rows)) == sorted(map(repr, expected[table].to_pylist()))


@pytest.mark.parametrize("mode", ["binary", "structured", "envelope in binary"])
def test_every_mode_is_accepted(deployed, runtime, mode):
    deployed.store.put("a.exr", exr_bytes())
    event = element("a.exr")
    message = to_structured_event(event) if mode == "structured" else to_binary_event(event)
    content = to_structured_event(event).body if mode == "envelope in binary" else message.body
    answer = HTTP.post(runtime, headers=dict(message.headers) | JSON, content=content)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["inserted"]) == ("success", True)


def test_invalid_requests_are_rejected(runtime):
    assert HTTP.post(runtime, content=b"hello").status_code == 400
    assert HTTP.post(runtime, content=b"{}", headers={"content-type": "application/json"}).status_code == 400
    assert HTTP.post(runtime, content=b"x" * (1 << 21)).status_code == 413
    assert HTTP.options(runtime).headers["allow"] == "POST, OPTIONS"
    assert HTTP.get(f"{runtime}/liveness").status_code == 200


def test_a_malformed_file_is_acknowledged_and_an_outage_is_not(deployed):
    deployed.store.put("bad.exr", b"\x89PNG\r\n\x1a\n" + bytes(60))
    deployed.store.put("good.exr", exr_bytes())
    with serving() as (url, _):
        assert send(url, to_binary_event(element("bad.exr"))).status_code == 204
    with serving(until="liveness", VAST_DB_ENDPOINT="http://127.0.0.1:9") as (url, _):
        answer = send(url, to_binary_event(element("good.exr")))
        assert answer.status_code == 500
        assert "127.0.0.1:9" in answer.text
        assert DATABASE["secret_key"] not in answer.text


def test_events_are_delivered_until_the_database_is_up(deployed):
    """As the platform retries: every file is persisted, a malformed one is attempted once."""
    deployed.store.put("good.exr", exr_bytes())
    deployed.store.put("bad.exr", exr_bytes()[:100])
    answers = {"good.exr": [], "bad.exr": []}
    with serving() as (url, _):
        deployed.database.stop()
        for _attempt in range(3):
            answers["good.exr"].append(send(url, to_binary_event(element("good.exr"))).status_code)
        deployed.database.start()
        for key, statuses in answers.items():
            statuses.append(send(url, to_binary_event(element(key))).status_code)
    assert answers == {"good.exr": [500, 500, 500, 204], "bad.exr": [204]}
    with open_catalog(deployed.uri, read_only=True) as catalog:
        assert [catalog.sql(f"FROM {table}").num_rows for table in ("files", "ingest_errors")] == [1, 1]


def test_a_token_is_required(deployed):
    with serving("--token", "open-sesame") as (url, _):
        message = to_binary_event(element("x.png"))
        assert send(url, message).status_code == 401
        assert send(url, message, authorization="Bearer wrong").status_code == 401
        assert send(url, message, authorization="Bearer open-sesame").status_code == 204


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process that handles events in /proc")
def test_a_process_that_handles_events_and_does_not_respond_is_killed_at_shutdown():
    with serving() as (_, process):
        (handling,) = children(process.pid)
        os.kill(handling, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == -signal.SIGTERM
            assert not Path(f"/proc/{handling}").exists()
        finally:
            with suppress(ProcessLookupError):
                os.kill(handling, signal.SIGKILL)
        assert "was killed" in process.stderr.read()


def test_metrics_are_exported_at_shutdown_before_the_catalog_responds(monkeypatch):
    closed, context = threading.Event(), LocalContext()
    monkeypatch.setattr(context, "close", closed.set, raising=False)
    monkeypatch.setattr(worker, "prepare", lambda _: closed.wait(30))  # the catalog is being opened
    ours, theirs = socket.socketpair()
    with theirs, theirs.makefile("rb") as stream:
        ours.close()
        began = time.monotonic()
        worker.serve(theirs, stream, context)
    assert closed.is_set()
    assert time.monotonic() - began < 25


def test_accepted_events_are_finished_before_shutdown(deployed):
    """Also those that wait for a thread."""
    for number in range(25):
        deployed.store.put(f"{number}.exr", exr_bytes())
    with serving() as (url, process), ThreadPoolExecutor(25) as pool:
        fault = deployed.database.fail("delay", seconds=1.0, operation="insert")
        answers = [pool.submit(send, url, to_binary_event(element(f"{number}.exr"))) for number in range(25)]
        while not fault.hits or "exr_inspector_waiting 5.0" not in HTTP.get(f"{url}/metrics").text:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert {answer.result().status_code for answer in answers} == {204}
        assert process.wait(60) in (0, -signal.SIGTERM)
        assert "was killed" not in process.stderr.read()
    with open_catalog(deployed.uri, read_only=True) as catalog:
        assert catalog.sql("FROM files").num_rows == 25


def test_the_summary_is_sent_to_the_sink(deployed):
    posted = []

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            posted.append(({name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    deployed.store.put("a.exr", exr_bytes())
    with HTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True).start()
        overrides = json.dumps({"extensions": {"show": "ab"}})
        with serving(K_SINK=f"http://127.0.0.1:{sink.server_port}", K_CE_OVERRIDES=overrides) as (url, _):
            event = element("a.exr")
            event._attributes["subject"] = "bröker.tópic %"
            assert send(url, to_structured_event(event)).status_code == 204
        sink.shutdown()
    ((headers, body),) = posted
    assert headers["ce-id"] == "1004356627333135"
    assert headers["ce-type"] == "vastdata.com:Function"
    assert headers["ce-subject"] == "br%C3%B6ker.t%C3%B3pic%20%25"
    assert headers["ce-show"] == "ab"
    assert body["summary"]["completeness"] == "complete"


def test_invoke_sends_an_event_and_prints_the_result(deployed, runtime, capsys, tmp_path):
    deployed.store.put("a.exr", exr_bytes())
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
    assert "the secret 'store' names an object store without secret key" in capsys.readouterr().out
    assert main(["function", "invoke"]) == 2
    assert "give exactly one of --path, --s3 and --event" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["direct", "notification", "cloud event"])
def test_invoke_sends_events_of_every_format(deployed, runtime, capsys, tmp_path, how):
    """A direct call, an S3 notification, a CloudEvent in YAML; in this process, and over HTTP."""
    deployed.store.put("a b.exr", exr_bytes())
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": {"key": "a+b.exr"}}}
    event = {
        "direct": {"data": {"path": f"s3://{BUCKET}/a b.exr"}},
        "notification": {"Records": [record]},
        "cloud event": {
            "specversion": "1.0",
            "id": "1",
            "source": "s",
            "type": "t",
            "elementpath": f"{BUCKET}/a b.exr",
        },
    }[how]
    (tmp_path / "event.yaml").write_text(yaml.safe_dump(event))
    for url in (["--url", runtime], []):
        assert main(["function", "invoke", "--event", str(tmp_path / "event.yaml"), *url]) == 0
        assert json.loads(capsys.readouterr().out)["path"] == f"s3://{BUCKET}/a b.exr"


@contextmanager
def serving_http(connection, threads=20, token=None):
    """The URL of an application in a thread; the connection is that to the process that handles events."""
    deadline_s = function_settings().deadline_s
    app = make_app(WorkerClient(connection), Telemetry("test"), deadline_s=deadline_s, threads=threads, token=token)
    config = uvicorn.Config(app, port=free_port(), log_level="error", http=connections.LimitedProtocol, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.config.port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def in_this_process(threads=20, token=None, **options):
    """The URL of an application; one thread serves HTTP, another one is the process that handles events."""
    ours, theirs = socket.socketpair()

    def work():
        with theirs, theirs.makefile("rb") as stream:
            worker.serve(theirs, stream, LocalContext(), threads=threads, **options)

    thread = threading.Thread(target=work)
    thread.start()
    with serving_http(ours, threads, token) as url:
        yield url
    thread.join()


@pytest.mark.slow
def test_requests_are_answered_that_arrive_before_the_other_process_reads():
    process, connection = start_worker(Start(secrets={}, log_level=logging.INFO, log_formatter=logging.Formatter()))
    with connection:
        connection.sendall(encoded((0, "heartbeat")) + encoded((1, "readiness")))
        connection.settimeout(60)
        with connection.makefile("rb") as stream:
            assert {read(stream)[0], read(stream)[0]} == {0, 1}
    assert process.wait(60) == 0


def test_events_are_rejected_while_too_many_are_waiting(deployed):
    """With Retry-After; accepted events are not affected."""
    deployed.store.put("a.exr", exr_bytes())
    with in_this_process(threads=1) as url, ThreadPoolExecutor(8) as pool:
        send(url, to_binary_event(element("a.exr")))
        deployed.database.fail("delay", seconds=1.0, operation="begin")
        answers = list(pool.map(lambda _: send(url, to_binary_event(element("a.exr"))), range(8)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [204] * 2 + [503] * 6
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} == {"1"}


def test_a_rejected_event_does_not_end_its_connection(store):
    """Its body is dropped; probes are answered meanwhile, also on the same connection."""
    reached, released = threading.Event(), threading.Event()

    def hold(_request, _start_response):
        reached.set()
        released.wait(60)

    store.fault = hold
    message = to_binary_event(element("a.exr"))
    with in_this_process(threads=1) as url, ThreadPoolExecutor(2) as pool, httpx.Client(timeout=60) as client:
        accepted = [pool.submit(send, url, message)]
        assert reached.wait(60)
        accepted.append(pool.submit(send, url, message))
        while "exr_inspector_waiting 1.0" not in client.get(f"{url}/metrics").text:
            time.sleep(0.01)
        for body in (message.body, b" " * (1 << 20)):
            assert client.post(url, headers=message.headers, content=body).status_code == 503
            assert client.get(f"{url}/liveness").status_code == 200
        closing = client.post(url, headers={**message.headers, "connection": "close"}, content=message.body)
        assert (closing.status_code, closing.headers["connection"]) == (503, "close")
        assert 'exr_inspector_events_total{code="503"} 3.0' in client.get(f"{url}/metrics").text
        released.set()
        assert {answer.result().status_code for answer in accepted} <= {204, 500}


def test_the_deadline_counts_from_acceptance(store, monkeypatch):
    """An event that spent it in the queue is to be delivered again, and sends no request to the store."""
    store.put("first.exr", exr_bytes())
    reached, released = threading.Event(), threading.Event()

    def hold(_request, _start_response):
        reached.set()
        released.wait(60)

    store.fault = hold  # answers normally after that
    with in_this_process(threads=1) as url, ThreadPoolExecutor(2) as pool:
        monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "600")
        monkeypatch.setenv("S3_REQUEST_TIMEOUT_S", "100")
        first = pool.submit(send, url, to_binary_event(element("first.exr")))
        assert reached.wait(60)
        monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "0.5")
        second = pool.submit(send, url, to_binary_event(element("second.exr")))
        time.sleep(3)
        store.requests.clear()
        released.set()
        assert first.result().status_code == 204
        assert (second.result().status_code, "no time left" in second.result().text) == (500, True)
    assert [request for request in store.requests if "second" in request.path] == []


def test_a_request_without_its_body_times_out(deployed, monkeypatch):
    monkeypatch.setattr("exr_inspector.function.local.runtime.BODY_TIMEOUT_S", 0.2)
    with in_this_process() as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert b" 408 " in connection.recv(1000)


def connect(url):
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_connections_without_a_request_are_closed(monkeypatch):
    """If its head does not arrive in time, or is too large; also after a first request."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.3)
    get = b"GET /liveness HTTP/1.1\r\nHost: x\r\n\r\n"
    with in_this_process() as url:
        for sent in (b"", get[:-2], get + get[:9]):
            with connect(url) as connection:
                connection.sendall(sent)
                answer = b"".join(iter(lambda: receive(connection), b""))
                assert answer.count(b"Alive") == sent.count(b"\r\n\r\n")
        monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 60)
        with connect(url) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * (1 << 17))
            assert receive(connection) == b""


def receive(connection):
    """What arrives; nothing also if the connection was reset."""
    try:
        return connection.recv(1000)
    except ConnectionResetError:
        return b""


def test_idle_connections_do_not_keep_probes_out(monkeypatch):
    """A new connection above the limit replaces the one that waits longest."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with in_this_process() as url:
        idle = [connect(url) for _ in range(3)]
        assert HTTP.get(f"{url}/liveness").status_code == 200
        assert receive(idle[0]) == b""
        for connection in idle:
            connection.close()


def test_a_caller_that_gives_up_leaves_no_traceback(caplog):
    """In the middle of the body."""
    with in_this_process() as url:
        with connect(url) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        while 'events_total{code="400"} 1.0' not in HTTP.get(f"{url}/metrics").text:
            time.sleep(0.02)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_server_ends_if_its_worker_is_killed(deployed):
    """Accepted events are to be delivered again."""
    deployed.store.put("a.exr", exr_bytes())
    with serving() as (url, process), ThreadPoolExecutor(1) as pool:
        fault = deployed.database.fail("delay", seconds=2.0, operation="insert")
        answer = pool.submit(send, url, to_binary_event(element("a.exr")))
        while not fault.hits:
            time.sleep(0.01)
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        assert (answer.result().status_code, answer.result().text) == (
            500, "the process that handles events has ended\n",
        )  # fmt: skip
        assert process.wait(30) == 3


def test_metrics_are_served(deployed):
    """In the text format of Prometheus."""
    deployed.store.put("a.exr", exr_bytes())
    deployed.store.put("bad.exr", b"nothing")
    with in_this_process() as url:
        for key in ("a.exr", "a.exr", "bad.exr", "x.png"):
            send(url, to_binary_event(element(key)))
        metrics = HTTP.get(f"{url}/metrics").text
    assert 'exr_inspector_events_total{code="204"} 4.0' in metrics
    assert 'exr_inspector_files_total{category="",status="success"} 2.0' in metrics
    assert 'exr_inspector_files_total{category="format",status="error"} 1.0' in metrics
    assert 'exr_inspector_files_total{category="",status="skipped"} 1.0' in metrics
    assert "exr_inspector_duration_seconds_count 4.0" in metrics


def test_the_log_can_be_json(deployed):
    """Every line; without tokens and keys."""
    with serving("--token", "bearer-hidden", EXR_INSPECTOR_LOG_FORMAT="json") as (url, process):
        assert send(url, to_binary_event(element("x.png")), authorization="Bearer bearer-hidden").status_code == 204
        process.terminate()
        lines = process.stderr.read()
    assert secrets_in(lines) == []
    records = [json.loads(line) for line in lines.splitlines()]
    (line,) = [record for record in records if record["message"].startswith("file=")]
    assert (line["level"], line["logger"]) == ("INFO", "exr_inspector.function.handler")


def test_the_local_context_has_the_members_of_the_platform():
    ctx = LocalContext({"db": {"key": "value"}})
    for name in ("logger", "secrets", "tracer", "counter", "gauge", "histogram", "updowncounter",
                 "start_as_current_span", "function_name", "pipeline_triggers_map"):  # fmt: skip
        assert getattr(ctx, name) is not None
    gauge, up_down = ctx.gauge("a.gauge"), ctx.updowncounter("up-down")
    gauge.set(5)
    up_down.add(-1, {"x": "y"})
    text = ctx.telemetry.exposition()
    assert "a_gauge 5.0" in text
    assert 'up_down{x="y"} -1.0' in text
    ctx.set_global_ctx(5)
    assert ctx.get_global_ctx() == 5


@pytest.mark.parametrize("content", ["- a list", "envs: 5", "secrets: [1]", "\tnot: yaml: :"])
def test_an_invalid_config_is_a_usage_error(tmp_path, content, capsys):
    """The message does not repeat its content."""
    config = tmp_path / "config.yaml"
    config.write_text(content)
    assert main(["function", "serve", "--config", str(config)]) == 2
    assert content not in capsys.readouterr().err


def test_the_example_config_is_read(monkeypatch):
    """The one in the folder of the deployment."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    ctx = context_of(str(Path(__file__).parents[2] / "deploy" / "config.yaml"))
    assert ctx.secrets["exr-inspector"]["VAST_DB_ENDPOINT"].startswith("http://")
    assert os.environ["VAST_DB_BUCKET"] == "catalogs"


def test_a_body_that_is_not_json_as_declared_is_rejected(runtime):
    """Otherwise it would be acknowledged and lost."""
    headers = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}
    answer = HTTP.post(runtime, content=b"{nope", headers=headers | {"content-type": "application/json"})
    assert (answer.status_code, "JSON" in answer.text) == (400, True)
