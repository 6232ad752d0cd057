"""Inspections with statistics: the rows, and what happens to files whose pixels are not decoded or change."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jsonschema
import numpy as np
import OpenEXR
import pytest

from exr_inspector import inspect
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.deadline import seconds_left
from exr_inspector.errors import SourceChangedError
from exr_inspector.inspection.json_schema import inspection_schema
from exr_inspector.inspection.pixel_rows import ChannelStatsRow, PartStatsRow
from exr_inspector.pixels.model import PixelLimits, StatsOptions
from exr_inspector.pixels.worker import PixelWorker
from tests.support.pixels import located, statistics_of, write, write_deep, write_file

STATS = StatsOptions()


@pytest.fixture(scope="module")
def worker():
    with PixelWorker() as running:
        yield running


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("files") / "plate.1001.exr", "parts", size=(20, 40))


def stats_of(inspection, key="stats"):
    data = json.loads(inspection.to_json())
    jsonschema.validate(data, inspection_schema())
    return data[key]


@pytest.mark.slow
def test_statistics_are_rows_of_the_json_form(worker, path):
    plain, inspection = inspect(path), inspect(path, stats=STATS, decoder=worker)
    assert [stats_of(plain, key) for key in ("stats", "part_stats", "stats_errors")] == [None] * 3
    assert replace(inspection, pixels=None) == plain
    report = statistics_of(path.read_bytes())
    assert inspection.pixels.parts == report.parts
    rows = stats_of(inspection)
    assert [(row["part_index"], row["channel_name"]) for row in rows] == [
        (0, "B"),
        (0, "G"),
        (0, "R"),
        (1, "Z"),
        (2, "A"),
    ]
    for row, channel in zip(rows, (each for part in report.parts for each in part.channels), strict=True):
        figures = {**asdict(channel), "histogram": [*channel.histogram]}
        del figures["channel_type"]
        assert {name: row[name] for name in figures} == figures
    assert stats_of(inspection, "part_stats")[1] == {
        "part_index": 1, "used_window": "[0,0,19,39]", "pixel_digest": report.parts[1].pixel_digest,
        "empty_regions": "[]", "layers": [], "samples_histogram": None,
    }  # fmt: skip
    assert stats_of(inspection, "stats_errors") == []
    assert inspection.to_json() == inspect(path, stats=STATS, decoder=worker).to_json()


@pytest.mark.slow
def test_the_json_form_has_every_figure(worker, tmp_path):
    """Of layers with alpha, of sample counts, and whether the used window is empty or unknown."""
    planes = {name: np.zeros((20, 20), "float16") for name in ("R", "A", "Z")}
    planes["R"][3, 4:7] = 1
    planes["A"][5, :3], planes["A"][6, 0] = 2, -1
    write_file(tmp_path / "x.exr", {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, planes)
    (part,) = stats_of(inspect(tmp_path / "x.exr", stats=STATS, decoder=worker), "part_stats")
    assert part["layers"] == [
        {"layer": "", "alpha_negative_count": 1, "alpha_above_one_count": 3, "color_without_alpha_count": 3}
    ]
    deep = inspect(write_deep(tmp_path / "deep.exr"), stats=STATS, decoder=worker)
    (part,) = stats_of(deep, "part_stats")
    assert part["samples_histogram"] == [*deep.pixels.parts[0].deep.histogram]
    assert part["samples_histogram"][0] > 37
    assert (part["used_window"], part["empty_regions"]) == (None, None)
    assert {row["histogram"] for row in stats_of(deep)} == {None}
    black = {name: plane * 0 for name, plane in planes.items()}
    write_file(tmp_path / "x.exr", {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, black)
    data = (tmp_path / "x.exr").read_bytes()
    windows = [
        stats_of(inspect(given, stats=STATS, decoder=worker), "part_stats")[0]["used_window"]
        for given in (data, data[:-10])
    ]
    assert windows == ["[]", None]


@pytest.mark.slow
def test_statistics_of_bytes_and_binary_files(worker, path):
    expected = stats_of(inspect(path, stats=STATS, decoder=worker))
    data = path.read_bytes()
    with open(path, "rb") as file:
        for source in (data, io.BytesIO(data), file):
            assert stats_of(inspect(source, stats=STATS, decoder=worker)) == expected


@pytest.mark.parametrize("deep", [False, True])
def test_deep_parts_have_the_numbers_of_samples(worker, tmp_path, deep):
    data = write_deep(tmp_path / "deep.exr").read_bytes()
    (part,) = statistics_of(data, deep=True).parts
    rows = stats_of(inspect(data, stats=StatsOptions(deep=deep, stride=1), decoder=worker))
    assert [row["channel_name"] for row in rows] == ["A", "Z", "id"]
    for row, channel in zip(rows, part.channels, strict=True):
        assert (row["samples_total"], row["samples_max"], row["empty_pixels"]) == (
            part.deep.total, part.deep.max, part.deep.empty_pixels,
        )  # fmt: skip
        assert (row["sample_count"], row["max"]) == ((channel.sample_count, channel.max) if deep else (0, None))


def test_the_stride_is_in_rows_without_samples(worker, tmp_path):
    deep = write_deep(tmp_path / "deep.exr")
    options = StatsOptions(stride=3, limits=PixelLimits(band_bytes=1))
    assert {row["stride"] for row in stats_of(inspect(deep, stats=options, decoder=worker))} == {3}


@pytest.mark.slow
def test_damaged_chunks_are_errors_of_the_statistics(worker, tmp_path):
    data = bytearray(write(tmp_path / "x.exr").read_bytes())
    (chunks,) = located(bytes(data))
    data[chunks.leaders.offsets[5] + 8 : chunks.leaders.offsets[5] + 90] = b"\xff" * 82
    inspection = inspect(bytes(data), stats=STATS, decoder=worker)
    (error,) = stats_of(inspection, "stats_errors")
    assert (error["part_index"], error["code"], error["where"]) == (0, "decode_failed", "lines 80-95")
    assert {row["decode_errors"] for row in stats_of(inspection)} == {1}
    assert inspection.is_sound  # the header and the chunks' leaders are


@pytest.mark.slow
def test_a_failing_decoder_does_not_lose_the_header(worker, path):
    inspection = inspect(path, stats=StatsOptions(limits=PixelLimits(seconds=0)), decoder=worker)
    assert inspection.completeness == "complete"
    assert [(error["code"], error["where"]) for error in stats_of(inspection, "stats_errors")] == [
        ("decode_timeout", "all")
    ] * 3
    rows = stats_of(inspection)
    assert [(row["sample_count"], row["decode_errors"]) for row in rows] == [(0, 0)] * 5


@dataclass
class Rewriting:
    """A worker that reads another version of a file than was inspected, `times` times."""

    worker: PixelWorker
    times: int

    def statistics(self, path, options):
        if self.times:
            self.times -= 1
            os.utime(path, (self.times, self.times))
        return self.worker.statistics(path, options)


def test_pixels_are_those_of_the_inspected_version(worker, tmp_path):
    path = write(tmp_path / "x.exr", size=(20, 20))
    inspection = inspect(path, stats=STATS, decoder=Rewriting(worker, 1))
    assert inspection.file.mtime == inspection.pixels.mtime == inspect(path).file.mtime
    with pytest.raises(SourceChangedError, match="replaced or rewritten before its pixels were read"):
        inspect(path, stats=STATS, decoder=Rewriting(worker, 9))


def test_attempts_to_read_a_replaced_file_share_one_time_limit(path):
    left = []

    class Failing:
        def statistics(self, path, options):
            left.append(seconds_left())
            time.sleep(0.01)
            raise SourceChangedError(path, "the file was replaced")

    with pytest.raises(SourceChangedError):
        inspect(path, stats=STATS, decoder=Failing())
    assert len(left) == 3
    assert left[0] == math.inf
    assert STATS.limits.seconds - 0.01 >= left[1] >= left[2] + 0.01


@pytest.mark.slow
def test_rows_of_the_catalog(worker, path, tmp_path):
    with_stats = inspect(path, stats=STATS, decoder=worker)
    plain = inspect(write(tmp_path / "plain.exr", size=(20, 20)))
    batch = pickle.loads(pickle.dumps(from_inspections([plain, with_stats])))
    channels, parts = (batch.tables[table].to_pylist() for table in ("channel_stats", "part_stats"))
    assert {row.pop("file_id") for row in (*channels, *parts)} == {with_stats.file.file_id}
    assert len({row.pop("evaluated_at") is None for row in (*channels, *parts)}) == 1
    for rows, key in ((channels, "stats"), (parts, "part_stats")):
        shown = [{name: row.get(name) for name in rows[0]} for row in stats_of(with_stats, key)]
        assert rows == shown
    assert (set(channels[0]), set(parts[0])) == (set(ChannelStatsRow._fields), set(PartStatsRow._fields))
