"""stats and inspect --stats: formats, exit codes, damaged files among others, limits in the settings."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from struct import pack

import jsonschema
import numpy as np
import OpenEXR
import pytest

from exr_inspector.cli.main import main
from exr_inspector.cli.stats_table import COLUMNS
from exr_inspector.inspection.json_schema import inspection_schema
from exr_inspector.pixels.cuts import MAX_RUN_CHUNKS
from exr_inspector.pixels.model import PixelLimits
from exr_inspector.settings import Settings
from tests.support import exr_writer as w
from tests.support.pixels import located, statistics_of, write, write_deep, write_file
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.support.terminal import on_terminal

INF, NAN = float("inf"), float("nan")
# The lines of a file of 4×2 pixels with a HALF channel A and a FLOAT channel Z.
LINES = [([0, 1, 1.5, -1], [0.25, 1, 2, 20000]), ([1, 1, 1, 1], [NAN, -INF, INF, INF])]


def small(path: str) -> None:
    channels = [("A", w.HALF, 1, 1, 0), ("R", w.HALF, 1, 1, 0), ("Z", w.FLOAT, 1, 1, 0)]
    lines = iter(pack("<4e4e4f", *alpha, *alpha[::-1], *depth) for alpha, depth in LINES)
    data = w.build(w.part(window=(0, 0, 3, 1), channels=channels, pixels=lambda _: next(lines))).data
    Path(path).write_bytes(data)


def make_show() -> None:
    Path("shots").mkdir()
    small("small.exr")
    write(Path("shots/a.1001.exr"), "parts", size=(20, 40))
    data = bytearray(write(Path("shots/a.1002.exr")).read_bytes())
    (chunks,) = located(bytes(data))
    data[chunks.leaders.offsets[5] + 8 : chunks.leaders.offsets[5] + 90] = b"\xff" * 82
    Path("shots/a.1002.exr").write_bytes(data)
    Path("shots/a.1003.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    write_deep(Path("deep.exr"))


@pytest.mark.slow
def test_a_line_for_each_channel(show, capfd):
    assert main(["stats", "small.exr", "--columns", "channel,min,max,mean,stddev,nan,inf,negative,histogram"]) == 0
    alpha, red, depth = capfd.readouterr().out.splitlines()[1:]
    assert alpha.split() == ["A", "-1", "1.5", "0.6875", "0.74739", "0", "0", "1", "--|........|@......."]
    assert red.split()[:5] == ["R", *alpha.split()[1:5]]
    assert depth.split() == ["Z", "0.25", "20000", "5000.8", "8659.8", "1", "3", "1", "..|.......+|@......+"]


@pytest.mark.slow
def test_the_table_of_a_pipe_has_every_column(show, capfd):
    assert main(["stats", "small.exr"]) == 0
    heading, alpha, *_ = capfd.readouterr().out.splitlines()
    assert tuple(heading.split()) == COLUMNS
    assert " ".join(alpha.split()).endswith(" [0,0,3,1] 1 below 0, 1 above 1, 1 at 0 with color")


@pytest.mark.slow
def test_a_damaged_file_does_not_stop_the_others(show, capfd):
    """Each is one line on stderr, or has its lines in the table; those that cannot be read decide the exit code."""
    assert main(["stats", "shots", "--columns", "file,part,channel,undecoded"]) == 1
    shown = capfd.readouterr()
    first, *_, last = shown.out.splitlines()[1:]
    assert first.split() == ["shots/a.1001.exr", "beauty", "B"]
    assert last == "shots/a.1002.exr          id       lines 80-95 (decode_failed)"
    assert shown.err == "shots/a.1003.exr: not an EXR file: PNG signature (not_exr at byte 0)\n"
    assert main(["stats", "none.exr", "small.exr", "--fail-on", "never"]) == 3
    assert capfd.readouterr().out.count("small.exr") == 3


@pytest.mark.slow
def test_workers_change_nothing(show, monkeypatch, capfd):
    printed = []
    for workers in ("1", "3"):
        monkeypatch.setenv("EXR_INSPECTOR_WORKERS", workers)
        assert main(["stats", ".", "-r", "--jsonl", "--fail-on", "never"]) == 0
        printed.append(capfd.readouterr())
    assert printed[0] == printed[1]
    assert len(printed[0].out.splitlines()) == 5


@pytest.mark.slow
def test_the_json_has_the_rows_of_channel_stats(show, capfd):
    assert main(["stats", "shots/a.1001.exr", "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    assert list(data) == ["schema_version", "inspector_version", "file", "stats", "part_stats", "stats_errors"]
    report = statistics_of(Path("shots/a.1001.exr").read_bytes())
    assert [row["pixel_digest"] for row in data["stats"]] == [
        channel.pixel_digest for part in report.parts for channel in part.channels
    ]
    assert main(["inspect", "shots/a.1001.exr", "--stats", "--json"]) == 0
    inspection = json.loads(capfd.readouterr().out)
    jsonschema.validate(inspection, inspection_schema())
    assert {key: inspection[key] for key in data} == data


@pytest.mark.slow
def test_csv_has_a_row_for_each_channel(show, capfd):
    assert main(["stats", "small.exr", "shots/a.1003.exr", "--format", "csv"]) == 1
    table = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    assert [(row["file_path"], row["channel_name"]) for row in table] == [("small.exr", name) for name in "ARZ"]
    assert float(table[0]["stddev"]) == pytest.approx(np.std([0, 1, 1.5, -1, 1, 1, 1, 1]), rel=1e-15)
    assert (table[2]["neg_inf_count"], table[2]["pos_inf_count"], table[2]["first_nonfinite_y"]) == ("1", "2", "1")


@pytest.mark.slow
def test_deep_parts(show, capfd):
    """Their samples are counted; --deep decodes them."""
    totals, maxima = [], []
    for options in ([], ["--deep"], ["--deep", "--stride", "2"]):  # one run of chunks, which no stride leaves out
        assert main(["stats", "deep.exr", "--json", *options]) == 0
        row = json.loads(capfd.readouterr().out)["stats"][0]
        totals.append((row["samples_total"], row["sample_count"], row["stride"]))
        maxima.append(row["max"])
    (all_samples, *counted), decoded, some = totals
    assert counted == [0, 1]
    assert decoded == some == (all_samples, all_samples, 1)
    assert (maxima[0], maxima[1] > 100) == (None, True)
    assert main(["stats", "deep.exr", "--columns", "channel,samples_per_pixel"]) == 0
    (line,) = capfd.readouterr().out.splitlines()[1:]
    assert line.endswith("; --deep decodes their values")


@pytest.mark.slow
def test_the_limit_of_a_chunk_is_a_setting(show, monkeypatch, tmp_path, capfd):
    defaults = Settings()
    assert (defaults.max_chunk_pixel_bytes, defaults.pixel_seconds) == (
        PixelLimits().chunk_bytes,
        PixelLimits().seconds,
    )
    monkeypatch.setenv("EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES", "65536")
    path = write(tmp_path / "wide.exr", size=(600, 20))
    assert main(["stats", str(path), "--fail-on", "warning"]) == 1  # the file may be sound
    assert main(["stats", str(path), "--columns", "channel,max,undecoded"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].split() == ["id", "all", "(chunk_too_large)"]
    monkeypatch.setenv("EXR_INSPECTOR_PIXEL_SECONDS", "0")
    assert main(["stats", str(path)]) == 2
    assert "EXR_INSPECTOR_PIXEL_SECONDS" in capfd.readouterr().err


@pytest.mark.slow
def test_without_the_extra(show, monkeypatch, tmp_path, capfd):
    """One line that names it, whatever the number of files."""
    (tmp_path / "OpenEXR.py").write_text("raise ModuleNotFoundError\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for command in (["stats", "small.exr", "deep.exr"], ["inspect", "small.exr", "--stats"]):
        assert main(command) == 2
        assert capfd.readouterr().err.splitlines() == [
            "exr-inspector: decoding pixels needs an optional package: pip install 'exr-inspector[pixels]'"
        ]


@pytest.mark.slow
def test_inspect_shows_statistics_on_the_page_and_in_the_table(show, capfd):
    assert main(["inspect", "small.exr", "--stats"]) == 0
    page = capfd.readouterr().out
    assert page.startswith("small.exr  complete\n")
    statistics = page.partition("\nstatistics\n")[2].splitlines()
    assert statistics[0].split() == ["channel", "min", "max", "mean", "histogram", "nan", "inf", "negative", "stddev"]
    assert statistics[4:] == ["used window [0,0,3,1]", "A: 1 below 0, 1 above 1, 1 at 0 with color"]
    assert main(["inspect", "small.exr", "shots/a.1002.exr", "--stats", "--columns", "file,nan,inf,undecoded"]) == 1
    assert [line.split() for line in capfd.readouterr().out.splitlines()[1:]] == [
        ["small.exr", "1", "3"],
        ["shots/a.1002.exr", "0", "0", "lines", "80-95", "(decode_failed)"],
    ]


@pytest.mark.parametrize("options", [["--deep"], ["--stride", "2"], ["--stats", "--attribute", "owner"]])
def test_combinations_of_inspect_that_make_no_sense(show, capfd, options):
    assert main(["inspect", "small.exr", *options]) == 2
    assert "leave them out" in (error := capfd.readouterr().err) or "excludes" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoding", "histogram"),
    [("utf-8", "▂▂ ········ █·······"), pytest.param("ascii", "--|........|@.......", marks=pytest.mark.slow)],
)
def test_the_terminal_has_block_characters(show, monkeypatch, encoding, histogram):
    """If its encoding has them; errors and used windows are below the table."""
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    code, shown = on_terminal("stats", "small.exr", "-q", cwd=show, columns=120)
    assert code == 0
    assert histogram in shown
    assert "used window [0,0,3,1]" in shown


@pytest.mark.slow
def test_objects(show, store, monkeypatch, capfd):
    """The process that decodes reads the version that was inspected; an object that is missing exits with 3."""
    for name, value in {"ENDPOINT": store.url, "ACCESS_KEY": ACCESS_KEY, "SECRET_KEY": SECRET_KEY}.items():
        monkeypatch.setenv(f"S3_{name}", value)
    store.client.put_object(Bucket=BUCKET, Key="a/small.exr", Body=Path("small.exr").read_bytes())
    assert main(["stats", f"s3://{BUCKET}/a/", f"s3://{BUCKET}/none.exr", "--columns", "file,channel,max"]) == 3
    shown = capfd.readouterr()
    assert shown.out.splitlines()[1].split() == [f"s3://{BUCKET}/a/small.exr", "A", "1.5"]
    assert shown.err.startswith(f"s3://{BUCKET}/none.exr: ")


@pytest.mark.slow
def test_csv_has_what_is_known_of_layers_and_parts(show, capfd):
    assert main(["stats", "small.exr", "deep.exr", "shots/a.1002.exr", "--format", "csv"]) == 1
    table = list(csv.DictReader(io.StringIO(capfd.readouterr().out)))
    alpha, red, *_ = table
    assert (alpha["color_without_alpha_count"], red["color_without_alpha_count"]) == ("1", "")
    assert sum(json.loads(alpha["histogram"])) == 8
    assert (alpha["used_window"], alpha["empty_regions"]) == ("[0,0,3,1]", "[]")
    assert alpha["part_pixel_digest"] != alpha["pixel_digest"]
    (counts,) = {row["samples_histogram"] for row in table if row["file_path"] == "deep.exr"}
    assert sum(json.loads(counts)) == 37 * 21
    assert table[-1]["undecoded"] == "lines 80-95 (decode_failed)"


@pytest.mark.slow
def test_80_columns_have_the_histogram(show):
    """And the numbers of NaN, whatever the width; the others are left out."""
    _, shown = on_terminal("stats", "small.exr", "shots/a.1002.exr", "-q", cwd=show, columns=80)
    assert "row 1" not in shown
    assert shown.count("histogram") == 2
    first = next(line for line in shown.splitlines() if "histogram" in line)
    assert [word for word in ("min", "max", "mean", "nan") if word not in first] == []


@pytest.mark.parametrize("output_format", ["table", "csv"])
def test_the_names_of_the_columns_of_both_formats(show, capfd, output_format):
    assert main(["stats", "small.exr", "--columns", "none", "--format", output_format]) == 2
    message = capfd.readouterr().err
    assert "nan_count" in message
    assert "samples_per_pixel" in message


@pytest.mark.slow
def test_parts_have_tables_of_their_own_in_80_columns(show):
    """With the figures in lines; what else there is to say of the part is below each."""
    Path("tall.exr").write_bytes(w.build(w.part(width=1, height=MAX_RUN_CHUNKS + 1)).data)  # two runs
    _, shown = on_terminal("stats", "shots/a.1001.exr", "tall.exr", "--stride", "2", "-q", cwd=show, columns=80)
    assert [shown.count(words) for words in ("stddev", "row 1", "one run of chunks is decoded of every 2")] == [4, 0, 1]
    assert "shots/a.1001.exr, beauty" in shown


@pytest.mark.slow
def test_the_table_has_regions_that_were_not_rendered(show, tmp_path, capfd):
    plane = np.ones((40, 60), "float16")
    plane[12:24] = 0
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    for name, values in (("killed", plane), ("black", plane * 0)):
        write_file(tmp_path / f"{name}.exr", header, {"R": values})
    paths = [str(tmp_path / f"{name}.exr") for name in ("killed", "black")]
    assert main(["stats", *paths, "--columns", "used_window,empty_regions"]) == 0
    lines = [line.split() for line in capfd.readouterr().out.splitlines()[1:]]
    assert lines == [["[0,0,59,39]", "x", "0–59,", "y", "12–23"], ["empty"]]
