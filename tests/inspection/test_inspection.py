"""Inspections: deterministic, strict JSON, with few reads."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from exr_inspector import inspect
from exr_inspector.exr import read_header
from exr_inspector.inspection.json_schema import inspection_schema
from exr_inspector.sources.memory import MemorySource
from exr_inspector.sources.reader import PREFIX_BYTES, SMALL_FILE_BYTES
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.strategies import files

# Fields that depend on the path, not on the bytes.
OF_THE_PLACE = (
    "file_path", "file_path_normalized", "file_id", "mtime", "etag", "inode", "sequence", "frame", "frame_number"
)  # fmt: skip

PICTURE = w.build(
    [
        w.part(name="beauty", extra=[w.text("owner", "Löwe"), w.fixed("x", "float", 0.1)]),
        w.part(name="depth", tiles=w.Tiles(8, 8)),
    ]
).data


def without_place(inspection) -> str:
    data = inspection.to_dict(raw=True)
    for name in OF_THE_PLACE:
        del data["file"][name]
    return json.dumps(data)


def strictly(text: str):
    def refuse(word: str):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@dataclass
class CountingSource(MemorySource):
    """A memory source that records the ranges that are read."""

    data: bytes
    storage: str = "local"
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        MemorySource.__init__(self, self.data, "memory://counting")

    def read(self, offset, length):
        self.ranges.append((offset, length))
        return super().read(offset, length)


# --- the same bytes, the same text ---


def test_the_same_bytes_give_the_same_text(tmp_path):
    """From a path, from memory, from any source."""
    path = tmp_path / "plate.1001.exr"
    path.write_bytes(PICTURE)
    texts = {without_place(inspect(source)) for source in (path, str(path), PICTURE, CountingSource(PICTURE))}
    assert len(texts) == 1
    assert (
        inspect(path).to_json()
        == inspect(str(path)).to_json()
        == inspect(f"file://{path}").to_json().replace(f'"file_path": "file://{path}"', f'"file_path": "{path}"')
    )


def in_another_process(paths: list[Path], seed: str) -> str:
    code = "import sys; from exr_inspector import inspect\nfor p in sys.argv[1:]: print(inspect(p).to_json(raw=True))"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", code, *map(str, paths)]
    return subprocess.run(command, env=environment, capture_output=True, check=True, encoding="utf-8").stdout


@pytest.mark.slow
def test_another_process_gives_the_same_text(tmp_path):
    """With another seed of string hashes."""
    path = tmp_path / "plate.1001.exr"
    path.write_bytes(PICTURE)
    paths = [path, *corpus.VALID_FILES[::6], *corpus.REPORTED_FILES]
    here = "".join(inspect(str(each)).to_json(raw=True) + "\n" for each in paths)
    assert in_another_process(paths, "1") == in_another_process(paths, "4242") == here


def test_a_second_inspection_gives_the_same_text():
    """The attributes come from the cache."""
    assert inspect(PICTURE).to_json(raw=True) == inspect(PICTURE).to_json(raw=True)


# --- JSON ---

SCHEMA = inspection_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_valid():
    """In its dialect, and as JSON."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("path", corpus.VALID + corpus.REPORTED)
def test_inspections_of_the_corpus_are_strict_json_of_the_schema(path):
    """No NaN, and no key that is not in the schema."""
    inspection = corpus.inspected(path)
    for raw in (False, True):
        data = strictly(inspection.to_json(raw=raw))
        VALIDATOR.validate(data)
        assert data == inspection.to_dict(raw=raw)


@pytest.mark.slow
@given(files())
def test_inspections_of_any_file_are_strict_json_of_the_schema(written):
    """Attributes of any type with any bytes."""
    VALIDATOR.validate(strictly(inspect(written.data).to_json()))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.pop("problems"),
        lambda data: data.update(more=1),
        lambda data: data["file"].update(more=1),
        lambda data: data["file"].update(size_bytes="12"),
        lambda data: data["file"].update(completeness="perhaps"),
        lambda data: data["parts"][0].update(width=1.5),
        lambda data: data["channels"][0].update(channel_type="half"),
        lambda data: data["attributes"][0].pop("value"),
        lambda data: data["problems"].append({"code": "x"}),
        lambda data: data.update(schema_version=1),
    ],
)
def test_the_schema_rejects_other_documents(change):
    data = inspect(PICTURE).to_dict()
    VALIDATOR.validate(data)
    change(data)
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(data)


def test_problems_have_part_attribute_and_offset_in_the_json():
    """Unknown ones are left out."""
    data = w.build(w.part(extra=[w.attribute("odd", "v4f", b"\0" * 16)], replace={"lineOrder": None})).data
    unknown, missing = inspect(data).to_dict()["problems"]
    assert unknown["code"] == "unknown_type"
    assert unknown["byte_offset"] == data.index(b"odd\0v4f\0") + 12
    assert missing == {
        "code": "missing_attribute",
        "severity": "error",
        "message": "required attribute 'lineOrder' is missing",
        "part_index": 0,
        "attr_name": "lineOrder",
    }


# --- raw bytes ---


@pytest.mark.parametrize("path", corpus.VALID)
def test_raw_bytes_are_the_files_bytes(path):
    """With raw, the header can be rebuilt from the attributes in the JSON."""
    data = path.read_bytes()
    parsed = strictly(inspect(path).to_json(raw=True))
    parts = [b""] * len(parsed["parts"])
    for attribute in parsed["attributes"]:
        raw = base64.b64decode(attribute["raw"], validate=True)
        parts[attribute["part_index"]] += w.attribute(attribute["attr_name"], attribute["attr_type"], raw)
    again = b"".join(part + b"\0" for part in parts) + b"\0" * parsed["file"]["flags"]["multipart"]
    assert data[8 : parsed["file"]["header_bytes"]] == again


def test_raw_bytes_of_undecoded_values_are_always_in_the_json():
    """Unknown types, undecodable values, text that is not UTF-8, opaque bytes."""
    odd = [
        w.attribute("unknown", "v4f", b"\1\2"),
        w.attribute("short", "float", b"\3"),
        w.attribute("latin", "string", b"\xe9"),
        w.attribute("opaque", "bytes", b"\0\0\0\0\4"),
        w.text("plain", "x"),
    ]
    inspection = inspect(w.build(w.part(extra=odd)).data)
    rows = {row.attr_name: row for row in inspection.attributes()}
    raw = {name: rows[name].raw for name in ("unknown", "short", "latin", "opaque", "plain")}
    assert raw == {"unknown": "AQI=", "short": "Aw==", "latin": "6Q==", "opaque": "AAAAAAQ=", "plain": None}
    assert rows["latin"].value == "é"
    assert {row.attr_name: row.raw for row in inspection.attributes(raw=True)}["plain"] == "eA=="


# --- cost ---


def test_a_small_file_takes_one_read():
    """Up to 64 KiB."""
    source = CountingSource(PICTURE)
    inspection = inspect(source)
    assert source.ranges == [(0, len(PICTURE))]
    assert (inspection.reads, inspection.bytes_read) == (1, len(PICTURE))


def test_a_large_header_takes_three_reads_at_most():
    """With a manifest of 500 KB: the first 8 KiB, the header, the chunks."""
    data = w.build(w.part(height=16, compression=3, extra=[w.text("manifest", "x" * 500_000)])).data
    source = CountingSource(data, storage="object")
    inspection = inspect(source)
    assert inspection.completeness == "complete"
    assert len(source.ranges) <= 3
    assert source.ranges[0] == (0, PREFIX_BYTES)
    assert inspection.bytes_read <= len(data) + 4096
    assert (inspection.reads, inspection.bytes_read) == (len(source.ranges), sum(n for _, n in source.ranges))


def test_a_remote_file_takes_two_reads():
    """The first has the offset table, the second is the leader of the last chunk with the first bytes of its data."""
    data = w.build(w.part(width=400, height=200)).data
    assert len(data) > SMALL_FILE_BYTES
    source = CountingSource(data, storage="object")
    inspection = inspect(source)
    assert source.ranges == [(0, PREFIX_BYTES), (len(data) - (8 + 400 * 3 * 2), 8 + 8)]
    assert inspection.completeness == "complete"
    assert (inspection.file.chunks_checked, inspection.parts[0].packed_bytes) == (1, 200 * 400 * 3 * 2)


def test_leaders_of_large_chunks_are_read_one_by_one():
    """With the first bytes of the pixels."""
    written = w.build(w.part(width=2400, height=200, pixels=lambda size: b"\1" * size))
    source = CountingSource(written.data)
    inspection = inspect(source)
    assert inspection.completeness == "complete"
    assert inspection.bytes_read <= PREFIX_BYTES + (8 + 8) * len(written.chunks)
    assert len(source.ranges) <= 1 + len(written.chunks)


def test_small_chunks_are_read_together():
    """A read of all bytes is faster than a read for each leader."""
    written = w.build(w.part(width=400, height=1000, pixels=lambda size: b"\1" * size))
    source = CountingSource(written.data)
    inspection = inspect(source)
    assert inspection.completeness == "complete"
    assert inspection.bytes_read <= len(written.data) + PREFIX_BYTES
    assert len(source.ranges) <= 1000 / 40


def test_bytes_beyond_the_end_of_a_truncated_file_are_not_read():
    data = w.build(w.part()).data
    header = data[: read_header(data).header_bytes]
    source = CountingSource(header)
    assert inspect(source).completeness == "truncated"
    assert source.ranges == [(0, len(header))]


# --- columns ---


def test_the_columns_of_a_part():
    """Inclusive windows, sizes, tiles, and attributes of renderers."""
    extra = [
        w.fixed("framesPerSecond", "rational", 24000, 1001),
        w.attribute("timeCode", "timecode", w.timecode(1, 2, 3, 4, drop=True)),
        w.text("colorInteropID", "lin_ap1_scene"),
        w.text("software", "Renderer 7"),
        w.fixed("chromaticities", "chromaticities", 0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329),
        w.text("view", "left"),
        w.attribute("multiView", "stringvector", w.stringvector(["left", "right"])),
    ]
    tiles = w.Tiles(32, 16, w.MIPMAP_LEVELS, w.ROUND_UP)
    data = w.build(w.part(window=(-3, 5, 96, 54), display=(0, 0, 89, 49), tiles=tiles, extra=extra)).data
    (part,) = inspect(data).parts
    assert (part.data_window, part.display_window) == ("[-3,5,96,54]", "[0,0,89,49]")
    assert (part.width, part.height, part.display_width, part.display_height) == (100, 50, 90, 50)
    assert (part.data_x_offset, part.data_y_offset) == (-3, 5)
    assert (part.tile_width, part.tile_height, part.level_mode, part.rounding_mode) == (
        32, 16, "MIPMAP_LEVELS", "ROUND_UP",
    )  # fmt: skip
    assert (part.is_tiled, part.is_deep, part.multi_view, part.view_name) == (True, False, True, "left")
    assert part.frames_per_second == pytest.approx(23.976, abs=1e-3)
    assert (part.timecode, part.color_space, part.render_software) == ("01:02:03;04", "lin_ap1_scene", "Renderer 7")
    assert part.chromaticities == "[0.64,0.33,0.3,0.6,0.15,0.06,0.3127,0.329]"
    assert (part.pixel_aspect_ratio, part.line_order, part.compression) == (1.0, "INCREASING_Y", "NONE")


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (w.fixed("framesPerSecond", "rational", 24000, 1001), 24000 / 1001),
        (w.fixed("framesPerSecond", "float", 23.976), 23.976),
        (w.fixed("framesPerSecond", "double", 23.976), 23.976),
        (w.fixed("framesPerSecond", "int", 24), 24.0),
        (w.fixed("framesPerSecond", "float", float("inf")), None),
        (w.text("framesPerSecond", "24"), None),
    ],
    ids=["rational", "float", "double", "int", "infinity", "text"],
)
def test_a_frame_rate_of_any_number_type(attribute, expected):
    """A 32-bit float prints as its shortest decimal."""
    (part,) = inspect(w.build(w.part(extra=[attribute])).data).parts
    assert part.frames_per_second == expected
    assert part.frames_per_second is None or type(part.frames_per_second) is float


def test_columns_of_unusable_values_are_none():
    """A fraction n/0, a NaN, an empty text; the attribute is in the JSON."""
    odd = [w.fixed("framesPerSecond", "rational", 24, 0), w.text("software", "")]
    nan = {"pixelAspectRatio": w.fixed("pixelAspectRatio", "float", float("nan"))}
    inspection = inspect(w.build(w.part(extra=odd, replace=nan)).data)
    (part,) = inspection.parts
    assert (part.frames_per_second, part.render_software, part.pixel_aspect_ratio) == (None, None, None)
    values = {row.attr_name: row.value for row in inspection.attributes()}
    assert values["framesPerSecond"] == {"numerator": 24, "denominator": 0}
    assert values["pixelAspectRatio"] == "NaN"


def test_duplicate_part_names_are_reported():
    inspection = inspect(w.build([w.part(name="a"), w.part(name="a")]).data)
    assert [(p.code, p.part_index) for p in inspection.problems] == [("duplicate_part_name", 1)]
