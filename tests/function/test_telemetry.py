"""Metrics, traces and logs of the local runtime."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cloudevents.core.bindings.http import to_binary_event
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client.parser import text_string_to_metric_families

from exr_inspector import function
from exr_inspector.function.local.context import JsonLines, LocalContext
from tests.support.exr_bytes import exr_bytes
from tests.support.http import HTTP
from tests.support.otlp import otlp_receiver
from tests.support.prometheus import prometheus, prometheus_folder, values

from .test_runtime import element, in_this_process, send, serving

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector(monkeypatch):
    """A receiver to which telemetry is exported."""
    with otlp_receiver() as receiver:
        for name, value in receiver.environment.items():
            monkeypatch.setenv(name, value)
        yield receiver


def test_spans_and_metrics_are_exported(collector, tmp_path):
    """In the trace of the sender; a file that failed sets the status."""
    ctx = LocalContext()
    (tmp_path / "a.exr").write_bytes(exr_bytes())
    for name in ("a.exr", "missing.exr"):
        with ctx.telemetry.joined(f"00-{TRACE}-{PARENT}-01"):
            function.handle(ctx, {"data": {"path": str(tmp_path / name)}})
    ctx.close()
    spans = collector.spans()
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    invocations = [span for span in spans if span.name == "exr_inspector.invocation"]
    assert {span.parent_span_id.hex() for span in invocations} == {PARENT}
    assert [span.status.code for span in invocations] == [Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR]
    attributes = {attribute.key: attribute.value.string_value for attribute in invocations[1].attributes}
    assert attributes["error.type"] == "file_not_found"
    others = {span.parent_span_id for span in spans if span not in invocations}
    assert others == {span.span_id for span in invocations}
    metrics = ExportMetricsServiceRequest.FromString(collector.bodies["/v1/metrics"][-1])
    names = {metric.name for each in metrics.resource_metrics[0].scope_metrics for metric in each.metrics}
    assert {"exr_inspector.files", "exr_inspector.persisted", "exr_inspector.duration"} <= names


@pytest.mark.parametrize("is_exported", [True, False])
def test_results_are_sent_in_the_trace(monkeypatch, is_exported):
    """Their parent is the span of the event; that of the sender if spans are not exported."""
    posted = queue.Queue()

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.put(self.headers["ce-traceparent"])
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_):
            pass

    if is_exported:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as sink:
        threading.Thread(target=sink.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("K_SINK", f"http://127.0.0.1:{sink.server_port}")
        with in_this_process() as url:
            headers = {"ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-specversion": "1.0"}
            assert HTTP.post(url, headers=headers | {"traceparent": f"00-{TRACE}-{PARENT}-01"}).status_code == 204
            _, trace, parent, _ = posted.get(timeout=20).split("-")
        sink.shutdown()
    assert trace == TRACE
    assert (parent != PARENT) == is_exported


def samples(text):
    """The values of an exposition by name and labels."""
    return {
        (sample.name.removeprefix("exr_inspector_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.slow
def test_metrics_count_answers_and_effects(deployed):
    """Counters exist from the start; each file has one effect; the catalog is down after an outage."""
    deployed.store.put("a.exr", exr_bytes())
    deployed.store.put("bad.exr", b"nothing")
    with in_this_process(reopen_interval_s=0.1) as url:
        while HTTP.get(f"{url}/readiness").status_code != 200:
            time.sleep(0.02)
        before = samples(HTTP.get(f"{url}/metrics").text)
        for key in ("a.exr", "a.exr", "bad.exr", "x.png"):
            send(url, to_binary_event(element(key)))
        send(url, to_binary_event(element("gone.exr", "ObjectRemoved:Delete")))
        HTTP.post(url, content=b"hello")
        after = samples(HTTP.get(f"{url}/metrics").text)
        deployed.database.stop()
        assert send(url, to_binary_event(element("a.exr"))).status_code == 500
        down = samples(HTTP.get(f"{url}/metrics").text)
        assert HTTP.get(f"{url}/readiness").status_code == 200
        assert samples(HTTP.get(f"{url}/metrics").text)["catalog_up", "connection"] == 0
        deployed.database.start()
        while ("catalog_up", "") not in samples(HTTP.get(f"{url}/metrics").text):
            assert HTTP.get(f"{url}/readiness").status_code == 200
    results = ("inserted", "known", "noted_error", "deleted", "failed", "redelivered", "skipped")
    assert [before["persisted_total", result] for result in results] == [0] * 7
    assert [after["persisted_total", result] for result in results] == [1, 1, 1, 1, 0, 0, 1]
    assert (down["persisted_total", "failed"], down["persisted_total", "redelivered"]) == (0, 1)
    assert [after["events_total", code] for code in ("204", "400", "500")] == [5, 1, 0]
    assert [before["files_total", category, "error"] for category in ("format", "authentication", "schema")] == [0] * 3
    assert after["files_total", "format", "error"] == 1
    assert after["duration_seconds_count",] == 5
    assert after["stage_duration_seconds_count", "embed"] == after["stage_duration_seconds_count", "persist"] == 4
    assert 0 <= after["duration_seconds_bucket", "0.005"] <= after["duration_seconds_bucket", "30.0"] == 5
    assert (after["in_flight",], after["waiting",]) == (0, 0)
    assert after["catalog_up", ""] == 1
    assert down["catalog_up", "connection"] == 0
    assert [labels[0] for labels in after].count("build_info") == 1


def test_json_lines_have_the_fields_of_a_file(tmp_path, caplog):
    """Beside the message."""
    caplog.set_level(logging.DEBUG)
    function.handle(LocalContext(), {"data": {"path": str(tmp_path / "missing.exr")}})
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if hasattr(record, "fields")]
    error, file = lines
    assert (error["level"], error["category"]) == ("ERROR", "file_not_found")
    assert (file["level"], file["status"], file["category"]) == ("INFO", "error", "file_not_found")
    assert file["file"] == str(tmp_path / "missing.exr")
    assert isinstance(file["duration_ms"], int)
    assert file["message"].startswith("file=")


@pytest.mark.slow
def test_prometheus_scrapes_the_runtime(deployed):
    """The real server, and its check of the metrics."""
    programs = prometheus_folder()
    if programs is None:
        pytest.skip("prometheus is not installed; `make deploy-check` stores it where apt-get is available")
    deployed.store.put("a.exr", exr_bytes())
    with serving() as (url, _), prometheus(programs / "prometheus", url) as server:
        assert send(url, to_binary_event(element("a.exr"))).status_code == 204
        wait_for(server, 'exr_inspector_persisted_total{result="inserted"}', "1")
        wait_for(server, 'exr_inspector_events_total{code="204"}', "1")
        wait_for(server, "up", "1")
        metrics = HTTP.get(f"{url}/metrics").text
    checked = subprocess.run(
        [programs / "promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def wait_for(server: str, query: str, value: str) -> None:
    """Wait until Prometheus has a series with this value."""
    for _ in range(300):
        if (found := values(server, query)) == [value]:
            return
        time.sleep(0.1)
    raise AssertionError(f"{query} is {found}, not {value}")
