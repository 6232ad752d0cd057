"""Statistics of pixels that events request: computed by one process, stored with the file, or pending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import OpenEXR
import pytest

from exr_inspector import IngestOptions, function, ingest, open_catalog
from exr_inspector.catalog.schema import PIXEL_TABLES
from exr_inspector.errors import MissingExtraError, PixelError
from exr_inspector.function.envelope import CloudEvent
from exr_inspector.pixels import worker
from exr_inspector.pixels.model import StatsOptions
from tests.support.pixels import decoders, picture, statistics_of, wait_for_end, write, write_deep
from tests.support.s3_server import BUCKET


@pytest.fixture
def path(tmp_path):
    return str(write(tmp_path / "plate.1001.exr", size=(20, 40)))


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """The configured catalog; a call returns the rows of a file in it."""
    uri = f"duckdb:{tmp_path}/catalog.duckdb"
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", uri)

    def rows_of(path):
        with open_catalog(uri, read_only=True) as catalog:
            return {table: rows.to_pylist() for table, rows in catalog.rows_of(f"file://{path}").items()}

    rows_of.uri = uri
    return rows_of


def complete(catalog, path):
    """Ingest with statistics."""
    with open_catalog(catalog.uri) as opened:
        return ingest(path, opened, IngestOptions(stats=StatsOptions()))


def codes(result):
    return {error["code"] for error in result["stats_errors"]}


@pytest.mark.slow
def test_one_process_decodes_for_all_events(handle, path, catalog, tmp_path):
    """The rows are in the result, and in the catalog in the transaction of the file."""
    deep = str(write_deep(tmp_path / "deep.1001.exr"))
    events = [{"path": path, "stats": True}, {"path": deep, "stats": True}, {"path": deep, "deep_stats": True}] * 2
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda data: handle({"data": data}), events))
    (process,) = decoders()
    assert [result["status"] for result in results] == ["success"] * 6
    for data, result in zip(events, results, strict=True):
        report = statistics_of(Path(data["path"]).read_bytes(), deep="deep_stats" in data)
        digests = {part.pixel_digest for part in report.parts}
        assert {row["pixel_digest"] for row in result["part_stats"]} == digests
        assert result["stats_errors"] == []
    assert [row["sample_count"] for row in results[0]["stats"]] == [800] * 6
    assert {bool(row["sample_count"]) for row in results[1]["stats"]} == {False}
    assert {bool(row["sample_count"]) for row in results[2]["stats"]} == {True}
    rows = catalog(path)
    assert {row["batch_id"] for table in ("files", *PIXEL_TABLES) for row in rows[table]} == {
        rows["files"][0]["batch_id"]
    }
    assert complete(catalog, path).unchanged == 1
    assert decoders() == [process]
    function.close_catalogs()
    assert decoders() == []


@pytest.mark.slow
def test_results_have_the_statistics_that_their_event_requests(handle, path, monkeypatch):
    """Of several events about one file in a batch."""
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(Path(path).parent))
    attributes = {"specversion": "1.0", "source": "x", "type": "x"}
    events = [CloudEvent({**attributes, "id": str(n)}, {"path": path, "stats": n == 1}) for n in range(2)]
    assert ["stats" in each.get("summary", each) for each in handle(events)] == [False, True]


@pytest.mark.slow
def test_statistics_without_time_are_pending(handle, path, catalog, monkeypatch):
    """The header is stored, the event is acknowledged, and an ingest computes them."""
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "0.9")  # less than half of it is too little to decode
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(Path(path).parent))
    attributes = {"specversion": "1.0", "id": "1", "source": "x", "type": "x"}
    result = handle(CloudEvent(attributes, {"path": path, "stats": True}))
    assert (result["status"], result["inserted"]) == ("success", True)
    assert result["message"] == "inspected; inserted; statistics pending"
    assert (result["summary"]["stats"], codes(result["summary"])) == ("pending", {"pending"})
    rows = catalog(path)
    assert {(row["sample_count"], row["decode_errors"], row["evaluated_at"]) for row in rows["channel_stats"]} == {
        (0, 0, None)
    }
    assert rows["part_stats"] == []
    assert complete(catalog, path).known == 1
    rows = catalog(path)
    assert {row["sample_count"] for row in rows["channel_stats"]} == {800}
    assert rows["part_stats"][0]["batch_id"] > rows["files"][0]["batch_id"]
    assert complete(catalog, path).unchanged == 1
    result = handle(CloudEvent(attributes, {"path": path, "stats": True}))  # delivered again
    assert result["message"] == "inspected; already known, counted again; statistics stored before"
    assert result["summary"]["stats"] == "stored"
    assert "stats_errors" not in result["summary"]
    assert catalog(path)["channel_stats"] == rows["channel_stats"]
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "30")
    assert handle({"data": {"path": path}})["stats"] is None


@pytest.mark.slow
def test_statistics_that_another_run_can_compute_are_pending(handle, path, catalog, tmp_path, monkeypatch):
    """Chunks above the limit of the function, and files that change before they are decoded."""
    monkeypatch.setenv("EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES", str(1 << 20))
    planes = picture(5000, 16, "RGBAXY", "float32")
    parts = [  # chunks of one line, and of 16 lines
        OpenEXR.Part({"compression": compression, "type": OpenEXR.scanlineimage, "name": str(compression)}, planes)
        for compression in (OpenEXR.NO_COMPRESSION, OpenEXR.ZIP_COMPRESSION)
    ]
    wide = str(tmp_path / "wide.exr")
    OpenEXR.File(parts).write(wide)
    result = handle({"data": {"path": wide, "stats": True}})
    assert (codes(result), result["message"]) == ({"chunk_too_large"}, "inspected; inserted; statistics pending")
    assert [row["sample_count"] for row in catalog(wide)["channel_stats"]] == [80000] * 6 + [0] * 6  # the others count
    assert {(row["decode_errors"], row["evaluated_at"]) for row in catalog(wide)["channel_stats"]} == {(0, None)}
    assert catalog(wide)["part_stats"] == []
    statistics = worker.PixelWorker.statistics

    def after_a_change(self, path, options):
        os.utime(path, (1, 1))
        return statistics(self, path, options)

    monkeypatch.setattr(worker.PixelWorker, "statistics", after_a_change)
    assert codes(handle({"data": {"path": path, "stats": True}})) == {"pending"}
    monkeypatch.setattr(worker.PixelWorker, "statistics", statistics)
    assert complete(catalog, path).replaced == 1


@pytest.mark.slow
def test_files_that_crash_the_decoder_are_not_decoded_again(handle, path, catalog, monkeypatch):
    monkeypatch.setattr(worker, "_PROGRAM", "import os; os.abort()")
    result = handle({"data": {"path": path, "stats": True}})
    assert (result["status"], codes(result)) == ("success", {"decoder_crashed"})
    assert {row["decode_errors"] for row in catalog(path)["channel_stats"]} == {3}
    assert complete(catalog, path).unchanged == 1


@pytest.mark.slow
@pytest.mark.parametrize("code", ["decoder_ended", "decoder_unusable"])
def test_files_whose_decoder_the_system_ends_are_decoded_again(handle, path, catalog, monkeypatch, code):
    """By the function as by ingest: the file may be sound."""
    with monkeypatch.context() as patched:

        def ended(self, path, options):
            raise PixelError(path, code, "the decoder ended by SIGKILL")

        patched.setattr(worker.PixelWorker, "statistics", ended)
        assert codes(handle({"data": {"path": path, "stats": True}})) == {"pending"}
        for _ in range(2):
            assert complete(catalog, path).known == 1
        assert {(row["decode_errors"], row["evaluated_at"]) for row in catalog(path)["channel_stats"]} == {(0, None)}
    assert complete(catalog, path).known == 1
    assert {row["sample_count"] for row in catalog(path)["channel_stats"]} == {800}


@pytest.mark.slow
def test_a_request_for_deep_samples_is_completed(handle, catalog, tmp_path, monkeypatch):
    """By an ingest that does not ask for them, also if their numbers are stored."""
    path = str(write_deep(tmp_path / "deep.exr"))
    handle({"data": {"path": path, "stats": True}})
    monkeypatch.setenv("EXR_INSPECTOR_DEADLINE_S", "0.9")
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(tmp_path))
    attributes = {"specversion": "1.0", "id": "1", "source": "x", "type": "x"}
    result = handle(CloudEvent(attributes, {"path": path, "deep_stats": True}))
    assert codes(result["summary"]) == {"pending_deep"}
    assert result["message"].endswith("; statistics pending")
    assert complete(catalog, path).known == 1
    assert 0 not in {row["sample_count"] for row in catalog(path)["channel_stats"]}


@pytest.mark.slow
def test_objects_are_decoded(handle, store, path):
    store.put("a.exr", Path(path).read_bytes())
    result = handle({"data": {"path": f"s3://{BUCKET}/a.exr", "stats": True}})
    assert [row["sample_count"] for row in result["stats"]] == [800] * 6


def test_a_missing_extra_is_reported_once(handle, path, caplog, monkeypatch):
    """As every event fails with it; statistics are pending."""

    def without_extra(self, path, options):
        raise MissingExtraError("pixels", "decoding pixels")

    monkeypatch.setattr(worker.PixelWorker, "statistics", without_extra)
    for _ in range(2):
        result = handle({"data": {"path": path, "stats": True}})
        assert (result["status"], codes(result)) == ("success", {"pending"})
        assert "exr-inspector[pixels]" in result["stats_errors"][0]["message"]
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


@pytest.mark.slow
def test_the_decoder_ends_with_the_function(path):
    """Also if SIGTERM ends it, as on the platform."""
    program = f"""
import time
from exr_inspector import function
function.handle(None, {{"data": {{"path": {path!r}, "stats": True}}}})
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        (decoder,) = decoders(process.pid)
        process.send_signal(signal.SIGTERM)
    wait_for_end(decoder)
