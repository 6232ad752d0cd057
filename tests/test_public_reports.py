"""Files made after public bug reports: inspections match the sidecars.

Each key of a sidecar has a check here or is listed as a key of another feature; an unknown key fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from struct import pack, unpack_from
from typing import Any

import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.cryptomatte import cryptomattes, file_channels
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import levels, read_header, view_of
from exr_inspector.exr.channels import samples_along
from exr_inspector.exr.geometry import chunk_sizes, lines_per_chunk
from exr_inspector.findings.model import Finding
from exr_inspector.findings.rules import RULES
from exr_inspector.frames.names import parse_name
from exr_inspector.frames.ranges import display_pattern, frame_range, missing_numbers, padding
from exr_inspector.ingestion.run import ingest
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.load import load_policy
from exr_inspector.sequence.summary import SequenceSummary, sequences
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.pixels import decoded, statistics_of

# Reports of the second folder that are not about completeness, and the features they need.
OTHER_FEATURES = {
    "30": "times outside the calendar: tests/ingestion",
}
# Reports of the second folder that other modules compare with their sidecars.
CHECKED_ELSEWHERE = {"33": "tests/cli/test_query_command.py", "39": "tests/inspection/test_diff.py"}
CATALOG_IN_USE = "54"  # needs two processes and thousands of files
# The warnings of the sidecars that are not codes of problems.
WARNINGS = {
    "the offset table was never written; the chunks follow it in order": "offset_table_unwritten",
    "3 bytes stand behind the end of the list of channels": "channel_list_end",
}
# Remarks for people.
NOTES = {"note", "statsRule", "layerRule", "sequence.note"}


@dataclass
class Case:
    """A file and its inspection."""

    path: Path

    @cached_property
    def inspection(self):
        return inspect(self.path)

    @cached_property
    def json(self) -> dict[str, Any]:
        return self.inspection.to_dict()

    @cached_property
    def header(self):
        return read_header(self.path.read_bytes())

    @cached_property
    def level_planes(self) -> list[dict[str, Any]]:
        """The decoded pixels of each level by channel."""
        data = self.path.read_bytes()
        return [decoded(data, level=number)[0] for number in range(len(levels(self.header.parts[0])) or 1)]

    @cached_property
    def channel_stats(self) -> dict[str, Any]:
        (part,) = statistics_of(self.path.read_bytes()).parts
        return {channel.channel_name: channel for channel in part.channels}

    @property
    def file(self) -> dict[str, Any]:
        return self.json["file"]

    @property
    def part(self) -> dict[str, Any]:
        (only,) = self.json["parts"]
        return only

    @cached_property
    def matte(self):
        parts = self.inspection.parts
        (only,) = cryptomattes(parts[0].attributes, file_channels(parts))
        return only

    def attribute(self, name: str) -> dict[str, Any]:
        (only,) = (a for a in self.json["attributes"] if a["attr_name"] == name)
        return only

    def group(self, key: Callable[[dict[str, Any]], str]) -> dict[str, list[str]]:
        """Channel names grouped by a property of the channel."""
        groups: dict[str, list[str]] = {}
        for channel in self.json["channels"]:
            groups.setdefault(key(channel), []).append(channel["channel_name"])
        return groups


CHECKS: dict[str, Callable[[Case, Any], None]] = {}


def check(function: Callable[[Case, Any], None]) -> Callable[[Case, Any], None]:
    CHECKS[function.__name__.strip("_")] = function
    return function


@check
def error(case, expected):
    if expected:
        with pytest.raises(ExrFormatError):
            _ = case.inspection
    else:
        assert case.inspection.completeness


@check
def reason(case, expected):
    with pytest.raises(ExrFormatError) as raised:
        _ = case.inspection
    # The reader inspects only the first bytes of a large file, so the number of zero bytes differs.
    assert raised.value.message.startswith(expected.removesuffix(" are zero"))


@check
def headerReadable(case, expected):  # noqa: N802
    assert bool(case.json["attributes"]) == expected


@check
def version(case, expected):
    assert case.file["flags"]["version"] == expected


@check
def flags(case, expected):
    assert case.header.flags == int(expected, 16)


@check
def longNames(case, expected):  # noqa: N802
    assert case.file["flags"]["long_names"] == expected


@check
def tiled(case, expected):
    assert case.file["flags"]["tiled"] == case.file["is_tiled"] == expected


@check
def deep(case, expected):
    assert case.file["flags"]["deep"] == case.file["is_deep"] == expected


@check
def multipart(case, expected):
    assert case.file["flags"]["multipart"] == expected


@check
def partCount(case, expected):  # noqa: N802
    assert case.file["multipart_count"] == len(case.json["parts"]) == expected


@check
def channels(case, expected):
    keys = ("channel_name", "channel_type", "x_sampling", "y_sampling")
    assert [tuple(c[key] for key in keys) for c in case.json["channels"]] == [tuple(c.values()) for c in expected]


@check
def channelCount(case, expected):  # noqa: N802
    assert case.file["channel_count"] == expected


@check
def layers(case, expected):
    assert case.group(lambda channel: channel["layer_name"]) == expected


@check
def views(case, expected):
    names = case.attribute("multiView")["value"]
    assert case.group(lambda channel: view_of(channel["channel_name"], names)) == expected


@check
def defaultView(case, expected):  # noqa: N802
    assert view_of("R", case.attribute("multiView")["value"]) == expected


@check
def attributes(case, expected):
    for name, given in expected.items():
        found, wanted = case.attribute(name), dict(given)
        assert found["attr_type"] == wanted.pop("type")
        assert found["size_bytes"] == wanted.pop("size", found["size_bytes"])
        value = wanted.pop("value")
        if isinstance(value, dict):
            value |= wanted.pop("raw", {})
            assert found["value"].items() >= value.items()
        elif found["attr_type"] == "rational":
            assert list(found["value"].values()) == value
        else:
            assert found["value"] == value
        wanted.pop("textNote", None)
        if texts := wanted.pop("text", None):
            assert case.part["timecode"] in texts
        assert not wanted


@check
def attributeNameLengths(case, expected):  # noqa: N802
    lengths = {len(a["attr_name"]) for a in case.json["attributes"]}
    assert lengths >= set(expected)
    assert max(lengths) == max(expected)


@check
def completeness(case, expected):
    assert case.file["completeness"] in ([expected] if isinstance(expected, str) else expected)


CHECKS["perFileCompleteness"] = completeness


@check
def chunks(case, expected):
    assert case.file["chunk_count"] == expected["expected"]
    assert case.file["chunks_present"] == expected["present"]
    if "linesPerChunk" in expected:
        lines, height = lines_per_chunk(case.header.parts[0]), case.part["height"]
        assert [min(lines, height - y) for y in range(0, height, lines)] == expected["linesPerChunk"]


@check
def missing(case, expected):
    # The text of a sidecar may end with a remark; the ranges and their kind are the same.
    missing = case.part["missing"]
    assert missing.split(" (")[0] == expected.split(" (")[0]
    for words in ("in part", "zero-filled"):
        assert (words in missing) == (words in expected)


@check
def warning(case, expected):
    (problem,) = case.inspection.problems
    assert (problem.code, problem.severity) == (WARNINGS.get(expected, expected), "warning")


@check
def offsetsZero(case, expected):  # noqa: N802
    count = case.file["chunk_count"]
    table = unpack_from(f"<{count}Q", case.path.read_bytes(), case.file["header_bytes"])
    assert table.count(0) == expected
    assert case.file["chunks_present"] == count - expected


@check
def _bytes(case, expected):
    assert case.file["size_bytes"] == expected


@check
def compression(case, expected):
    assert case.part["compression"] == expected.upper()


@check
def _type(case, expected):
    assert case.json["parts"][0]["part_type"] == expected


def window(expected) -> str:
    return f"[{','.join(map(str, expected))}]"


@check
def dataWindow(case, expected):  # noqa: N802
    assert case.part["data_window"] == window(expected)
    assert [case.part["data_x_offset"], case.part["data_y_offset"]] == expected[:2]


@check
def displayWindow(case, expected):  # noqa: N802
    assert case.part["display_window"] == window(expected)


@check
def dataSize(case, expected):  # noqa: N802
    assert [case.part["width"], case.part["height"]] == expected


@check
def displaySize(case, expected):  # noqa: N802
    assert [case.part["display_width"], case.part["display_height"]] == expected


def windows(case):
    part = case.header.parts[0]
    return part.data_window, part.value("displayWindow", "box2i")


@check
def overscan(case, expected):
    data, display = windows(case)
    reaches_out = (
        data.xMin < display.xMin or data.yMin < display.yMin or data.xMax > display.xMax or data.yMax > display.yMax
    )
    assert reaches_out == expected


@check
def cropped(case, expected):
    data, display = windows(case)
    smaller = (
        data.xMin > display.xMin or data.yMin > display.yMin or data.xMax < display.xMax or data.yMax < display.yMax
    )
    assert smaller == expected


def planes(case) -> dict[str, list[int]]:
    box = case.header.parts[0].data_window
    return {
        c["channel_name"]: [
            samples_along(box.xMin, box.xMax, c["x_sampling"]),
            samples_along(box.yMin, box.yMax, c["y_sampling"]),
        ]
        for c in case.json["channels"]
    }


@check
def planeSize(case, expected):  # noqa: N802
    assert planes(case) == expected


@check
def sampleCount(case, expected):  # noqa: N802
    assert {name: width * height for name, (width, height) in planes(case).items()} == expected


@check
def rawBytes(case, expected):  # noqa: N802
    part = case.header.parts[0]
    size = chunk_sizes(part, levels(part))
    assert sum(size(slot) for slot in range(case.file["chunk_count"])) == expected


@check
def _levels(case, expected):
    assert [[level.width, level.height] for level in levels(case.header.parts[0])] == expected


@check
def tilesPerLevel(case, expected):  # noqa: N802
    assert [level.tiles_x * level.tiles_y for level in levels(case.header.parts[0])] == expected


@check
def manifestEntries(case, expected):  # noqa: N802
    assert case.matte.object_count == expected


@check
def frames_per_second(case, expected):
    assert case.part["frames_per_second"] == expected


@check
def cryptomatte(case, expected):
    matte = case.matte
    found = {
        "key": matte.key,
        "name": matte.name,
        "hash": matte.hash,
        "conversion": matte.conversion,
        "names": list(matte.manifest),
        "manifestValidJson": matte.manifest_error is None,
        "manifestBytes": matte.manifest_bytes,
        "manifestEntries": matte.object_count,
        "manifest": matte.manifest,
        "rankChannels": list(matte.layers),
        "layers": list(matte.layers),
        "ranks": matte.ranks,
    }
    if "namesSeenInPixels" in expected:
        seen = ids(case)
        found["namesSeenInPixels"] = [name for name, id_ in matte.manifest.items() if id_ in seen]
        found["namesNotInPixels"] = [name for name, id_ in matte.manifest.items() if id_ not in seen]
    assert {key: found[key] for key in expected} == expected


def ids(case) -> Counter[str]:
    """How many pixels have each id in the first rank, in hexadecimal digits."""
    (layer,) = {name for name in case.matte.layers if name.endswith("00")}
    (plane,) = (plane for name, plane in case.level_planes[0].items() if name.lower() == f"{layer}.r".lower())
    return Counter(f"{code:08x}" for code in plane.view("uint32").ravel().tolist())


def findings_about_ids(case) -> list[Finding]:
    """The findings of the policy of renders about compressions that change values that are not colors."""
    verdict = evaluate(compile_policy(load_policy("render")), case.inspection)
    return [finding for finding in verdict.findings if finding.rule_name == "lossy-data"]


@check
def idsLossy(case, expected):  # noqa: N802
    """The finding is about the channels that the codec changes."""
    lossy = {finding.channel_name for finding in findings_about_ids(case)}
    assert lossy == ({f"ObjectIds00.{color}" for color in "RGB"} if expected else set())


@check
def finding(case, expected):
    assert expected == "id channels stored with a lossy codec"
    assert {found.severity for found in findings_about_ids(case)} == {"error"}
    assert "changes values that are not colors, such as depth, normals or ids" in RULES["EXR303"].meaning


# --- pixels ---


@check
def stats(case, expected):
    for name, figures in expected.items():
        channel = case.channel_stats[name]
        assert {
            "count": channel.sample_count,
            "nan": channel.nan_count,
            "posInf": channel.pos_inf_count,
            "negInf": channel.neg_inf_count,
            "min": channel.min,
            "max": channel.max,
        } == figures, name


@check
def nonFinite(case, expected):  # noqa: N802
    found = case.channel_stats
    assert {name: found[name].sample_count - found[name].finite_count for name in expected} == expected


@check
def nonFiniteAtLeast(case, expected):  # noqa: N802
    found = case.channel_stats
    assert all(found[name].sample_count - found[name].finite_count >= count for name, count in expected.items())


@check
def samplesAtHalfMax(case, expected):  # noqa: N802
    """Both signs are counted together."""
    assert {name: case.channel_stats[name].max_finite_count for name in expected} == {
        name: sum(counts.values()) for name, counts in expected.items()
    }


@check
def pixels(case, expected):
    """The number of pixels, or some values by position in the image."""
    if isinstance(expected, int):
        assert {channel.sample_count for channel in case.channel_stats.values()} == {expected}
        return
    window = case.header.parts[0].data_window
    for name, values in expected.items():
        for position, value in values.items():
            x, y = map(int, position.split(","))
            assert case.level_planes[0][name][y - window.yMin, x - window.xMin] == value


@check
def levelValue(case, expected):  # noqa: N802
    """All pixels of a level have the same value."""
    for name, values in expected.items():
        assert [set(planes[name].ravel().tolist()) for planes in case.level_planes] == [{value} for value in values]


@check
def pixelsWhoseIdIsInManifest(case, expected):  # noqa: N802
    assert sum(count for id_, count in ids(case).items() if id_ in case.matte.manifest.values()) == expected


# --- sequences: all files of a case ---


def sequence(paths: list[Path], expected: dict[str, Any]) -> None:
    names = [parse_name(path.name) for path in paths]
    frames, numbers = [name.frame for name in names], [name.frame_number for name in names]
    pattern = display_pattern(names[0].sequence, frames)
    wide = padding(frames)
    gaps = missing_numbers(numbers)
    found = {
        "count": len({name.sequence for name in names}),
        "pattern": pattern,
        "printf": pattern.replace("#" * wide, f"%0{wide}d"),
        "padding": wide,
        "frames": numbers if isinstance(expected["frames"], list) else frame_range(numbers),
        "first": min(numbers),
        "last": max(numbers),
        "missing": frame_range(gaps),
        "missingCount": len(gaps),
    }
    wanted = {key: value for key, value in expected.items() if f"sequence.{key}" not in NOTES}
    assert {key: found[key] for key in wanted} == wanted


def frames_that(paths: list[Path], *, are_good: bool) -> list[int]:
    found = []
    for path in paths:
        try:
            good = inspect(path).completeness == "complete"
        except ExrFormatError:
            good = False
        if good == are_good:
            found.append(parse_name(path.name).frame_number)
    return found


@pytest.mark.parametrize("sidecar", corpus.REPORTS)
def test_inspections_match_the_sidecar(sidecar):
    """Each key of the sidecar holds."""
    report = corpus.sidecar(sidecar)
    paths = [sidecar.parent / name for name in report["files"]]
    expect = report["expect"]
    per_file = expect.pop("perFile", {})
    if "sequence" in expect:
        sequence(paths, expect.pop("sequence"))
    if "badFrames" in expect:
        assert frames_that(paths, are_good=False) == expect.pop("badFrames")
        assert frames_that(paths, are_good=True) == expect.pop("goodFrames")
    assert_files(paths, expect, per_file, sidecar.name)


def assert_files(paths: list[Path], expect: dict[str, Any], per_file: dict[str, Any], sidecar: str) -> None:
    assert set(per_file) <= {path.name for path in paths}
    for path in paths:
        case = Case(path)
        for key, expected in {**expect, **per_file.get(path.name, {})}.items():
            if key not in NOTES:
                assert key in CHECKS, f"{sidecar}: no check for key {key!r}"
                CHECKS[key](case, expected)


@pytest.mark.parametrize(
    "sidecar",
    [
        pytest.param(
            *case.values,
            marks=[*case.marks, *([pytest.mark.slow] if case.id[:2] == CATALOG_IN_USE else [])],
            id=case.id,
        )
        for case in corpus.REPORTS_2
        if case.id[:2] not in CHECKED_ELSEWHERE
    ],
)
def test_completeness_matches_the_sidecar(sidecar, tmp_path):
    """Each key of the sidecar holds; a file that the sidecar only describes is written first."""
    report = corpus.sidecar(sidecar)
    if report["case"] in OTHER_FEATURES:
        pytest.skip(OTHER_FEATURES[report["case"]])
    paths = [sidecar.parent / name for name in report["files"]]
    if report["case"] == "32":
        paths = [tmp_path / "aligned-4-KiB.exr"]
        paths[0].write_bytes(aligned(4096))
    expect = report["expect"]
    if report["case"] == CATALOG_IN_USE:
        catalog_in_use(expect, tmp_path)
        return
    if "sequences" in expect:
        ingested_sequences(paths, expect, tmp_path)
    assert_files(paths, expect, expect.pop("perFile", {}), sidecar.name)


def catalog_in_use(expect: dict[str, Any], folder: Path) -> None:
    """Two ingests of one folder at once: the second fails with a message, the first counts each file once."""
    data = w.build(w.part()).data
    (folder / "show").mkdir()
    for number in range(3000):
        (folder / f"show/a.{number:04}.exr").write_bytes(data)
    command = [sys.executable, "-m", "exr_inspector", "ingest", "show", "--catalog", "duckdb:catalog.duckdb"]
    first = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    while not (folder / "catalog.duckdb").exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    printed, _ = first.communicate()
    assert (first.returncode, second.returncode) == (0, expect.pop("exitCode"))
    assert expect.pop("message") == "names the file, the process that has it, and what to do"
    assert re.search(rf"catalog\.duckdb is in use by .* \(PID {first.pid}\); .*--wait SECONDS", second.stderr)
    assert printed.startswith("3,000 files: 3,000 new, 0 unchanged")
    assert not expect.keys() - NOTES


def ingested_sequences(paths: list[Path], expect: dict[str, Any], folder: Path) -> None:
    """Check and remove the keys about all sequences of a folder."""
    with open_catalog(f"duckdb:{folder}/c.duckdb") as catalog:
        summary = ingest(sorted({str(path.parent) for path in paths}), catalog)
        found = {each.pattern.rpartition("/")[2]: each for each in sequences(catalog)}
        without = catalog.sql("SELECT 1 FROM files WHERE sequence IS NULL").num_rows
    if facts := expect.pop("ingest", None):
        assert (summary.inserted, summary.failures) == (facts["inserted"], [])
        assert summary.damaged == []
    wanted = {each.pop("pattern"): each for each in expect.pop("sequences")}
    assert without == expect.pop("filesWithoutSequence", without)
    for pattern, facts in wanted.items():
        ingested_sequence(found[pattern], facts)
    if expect.pop("noMissingFramesIn", None):
        assert {pattern for pattern, each in found.items() if each.missing} <= wanted.keys()


def ingested_sequence(found: SequenceSummary, facts: dict[str, Any]) -> None:
    differs = facts.pop("differs", None)
    if differs is None:
        assert not found.outliers
        assert not found.splits
    elif "groups" in differs:
        (split,) = found.splits
        assert (split.field, [group.frames for group in split.groups]) == (differs["field"], differs["groups"])
    else:
        (outlier,) = found.outliers
        assert (outlier.field, outlier.frames) == (differs["field"], differs["frames"])
    if "frames" in facts:
        numbers = facts.pop("frames")
        assert found.frames == (numbers if isinstance(numbers, str) else frame_range(numbers))
    assert found.missing == facts.pop("missing", "")
    assert not facts


def aligned(page: int) -> bytes:
    """An uncompressed file of 1,024 lines whose chunks begin at page borders."""
    written = w.build(w.part(width=8, height=1024))
    table, body = [], bytearray()
    for _, offset, size in written.chunks:
        at = -(-(written.chunks[0][1] + len(body)) // page) * page
        body += bytes(at - written.chunks[0][1] - len(body)) + written.data[offset : offset + size]
        table.append(at)
    return written.data[: written.header_bytes] + pack(f"<{len(table)}Q", *table) + body
