"""Findings about pixels, from the statistics in a catalog, on both backends."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import OpenEXR
import pytest

from exr_inspector import check, inspect, open_catalog, outliers
from exr_inspector.catalog import FileStat, IngestError, PolicyRules
from exr_inspector.catalog.queries.named import named_query
from exr_inspector.gate import check_sequences
from exr_inspector.inspection.pixel_rows import pending_report
from exr_inspector.pixels.model import DecodeError
from exr_inspector.sequence import pixel_outliers
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w
from tests.support.pixels import picture, statistics_of, write_file

ROOT = "s3://renders/"
ZIP = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Writes a file of these channels, and inspects it with statistics."""
    folder = tmp_path_factory.mktemp("files")

    def make(name: str, *parts: dict[str, np.ndarray], header: dict = ZIP, damage: int = 0, cut: int = 0):
        path = folder / "file.exr"
        if len(parts) == 1:
            write_file(path, header, parts[0])
        else:
            layers = [OpenEXR.Part({**ZIP, "name": f"part{n}"}, planes) for n, planes in enumerate(parts)]
            OpenEXR.File(layers).write(str(path))
        data = bytearray(path.read_bytes())
        if damage:
            data[-damage:] = b"\xff" * damage
        if cut:
            del data[-cut:]
        return replace(inspect(MemorySource(bytes(data), ROOT + name)), pixels=statistics_of(bytes(data)))

    return make


def planes(gain: float = 1.0, **changed) -> dict[str, np.ndarray]:
    """The same picture, brighter or with other values in pixels of channels."""
    made = {name: plane * np.float16(gain) for name, plane in picture(24, 20, "RGB", "float16").items()}
    made |= {name: plane for name, plane in changed.items() if isinstance(plane, np.ndarray)}
    for name, pixels in changed.items():
        if isinstance(pixels, dict):
            for (x, y), value in pixels.items():
                made[name][y, x] = value
    return made


def filled(value: float) -> np.ndarray:
    return np.full((20, 24), value, "float16")


def color(value: float, **more) -> dict[str, np.ndarray]:
    return {**dict.fromkeys("RGB", filled(value)), **more}


def found(catalog, *inspections):
    """Rule, severity, name, frames and message of each finding."""
    catalog.persist(inspections)
    return [(f.rule_id, f.severity, f.pattern.removeprefix(ROOT), f.frames, f.message) for f in check(catalog).findings]


@pytest.mark.slow
def test_sound_pixels_have_no_findings(catalog, make):
    """Empty layers, infinite depth, textures of one color, and files without statistics."""
    empty = {f"diffuse.{name}": filled(0) for name in "RGB"}
    mip = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.tiledimage}
    mip["tiles"] = OpenEXR.TileDescription()
    mip["tiles"].xSize = mip["tiles"].ySize = 32
    mip["tiles"].mode = OpenEXR.MIPMAP_LEVELS
    files = [
        make("layers.exr", planes(**empty, A=filled(1), **dict.fromkeys(("Z", "depth.Z", "left.Z"), filled(np.inf)))),
        make("parts.exr", planes(), color(0), {"Z": filled(1)}),
        make("matte.exr", {"R": filled(0)}),
        replace(make("unknown.exr", color(0)), pixels=None),
    ]
    assert found(catalog, *files) == []


@pytest.mark.slow
def test_each_fault_of_a_file(catalog, make):
    files = [
        make("nan.exr", planes(G={(3, 4): np.nan, (5, 6): np.nan})),
        make("inf.exr", planes(R={(7, 8): -np.inf}, A=filled(1))),
        make("depth.exr", planes(Z=filled(-np.inf))),
        make("vector.exr", planes(**{"P.X": filled(1), "P.Z": filled(np.inf)})),
        make("black.exr", {**planes(0), "A": filled(1), "N.X": filled(0.5)}),
        make("constant.exr", color(0.5)),
        make("luminance.exr", {"Y": filled(0.25)}),
        make("combined.exr", {f"ViewLayer.Combined.{name}": filled(0) for name in "RGB"} | {"Z": planes()["R"]}),
        make("second.exr", {"Z": planes()["R"]}, color(0)),
        make("damaged.exr", planes(), damage=40),
        make("s.1.exr", planes(B={(1, 2): np.nan})),
        make("s.2.exr", planes(B={(0, 0): np.nan, (9, 9): np.nan, (1, 2): np.inf})),
    ]
    assert found(catalog, *files) == [
        ("EXR804", "warning", "black.exr", "", "the color channels are zero"),
        ("EXR804", "warning", "combined.exr", "", "the color channels are zero"),
        ("EXR805", "warning", "constant.exr", "", "all pixels have the same color"),
        ("EXR809", "error", "damaged.exr", "", "1 chunk cannot be decoded: lines 16-19 (decode_failed)"),
        ("EXR802", "error", "depth.exr", "", "Z: 480 infinite values; first NaN or infinity at 0, 0"),
        ("EXR802", "error", "inf.exr", "", "R: 1 infinite value; first NaN or infinity at 7, 8"),
        ("EXR805", "warning", "luminance.exr", "", "all pixels have the same color"),
        ("EXR801", "error", "nan.exr", "", "G: 2 NaN; first NaN or infinity at 3, 4"),
        ("EXR801", "error", "s.#.exr", "1-2", "B: 1–2 NaN; first NaN or infinity at 1, 2 of frame 1"),
        ("EXR802", "error", "s.#.exr", "2", "B: 1 infinite value; first NaN or infinity at 0, 0"),
        ("EXR804", "warning", "second.exr", "", "part 1: the color channels are zero"),
        ("EXR802", "error", "vector.exr", "", "P.Z: 480 infinite values; first NaN or infinity at 0, 0"),
    ]
    (of_channel,) = check(catalog, "nan.exr").findings
    assert (of_channel.channel_name, of_channel.part_index) == ("G", 0)


@pytest.mark.slow
def test_regions_that_were_not_rendered(catalog, make):
    """Between filled ones; frames with the same ones are one finding."""
    killed = planes()
    for plane in killed.values():
        plane[6:14] = 0
    files = [make(f"a.{n}.exr", planes(R={(0, 0): n}) if n == 2 else killed) for n in (1, 2, 3)]
    assert [each for each in found(catalog, *files) if each[0] == "EXR811"] == [
        ("EXR811", "warning", "a.#.exr", "1,3", "all channels are zero between filled pixels: x 0–23, y 6–13")
    ]


@pytest.mark.slow
def test_the_newest_statistics_count(catalog, make):
    """An earlier program found other figures, and a file is still to be decoded."""
    frames = [make(f"a.{n}.exr", planes(1 + n / 10)) for n in range(1, 8)]
    wrong = [make("x.exr", color(value)).pixels for value in (np.nan, 0)]
    first = [replace(frame, pixels=wrong[number % 2]) for number, frame in enumerate(frames)]
    assert {each[0] for each in found(catalog, *first)} == {"EXR801", "EXR804"}
    later = make("later.exr", planes())
    assert found(catalog, *frames, replace(later, pixels=pending_report(later.file, later.parts, "no time"))) == []


@pytest.mark.slow
def test_limits_of_decoding_are_no_faults_of_files(catalog, make):
    """Nor do the figures of some parts or lines count as those of the whole."""
    files = []
    for code in ("decode_timeout", "out_of_memory", "chunk_too_large", "decoder_ended"):
        file = make(f"{code}.exr", color(0))
        error = DecodeError(part_index=0, code=code, where="all", chunk_count=4, message="a limit")
        (part,) = file.pixels.parts
        files.append(replace(file, pixels=replace(file.pixels, parts=(replace(part, errors=(error,)),))))
    assert found(catalog, *files) == []


@pytest.mark.slow
def test_lost_chunks_are_reported_once(catalog, make):
    """As damage of the file, not as chunks that cannot be decoded; the rest does not count as black."""
    assert [each[0] for each in found(catalog, make("cut.exr", color(0), cut=10))] == ["EXR102"]


@pytest.mark.slow
def test_a_flash_and_a_half_image_are_unlike_their_neighbours(catalog, make, monkeypatch):
    """Whether one query reads all rows or several do."""
    half = planes()
    for plane in half.values():
        plane[10:] = 0
    files = [make(f"a.{n}.exr", planes(2.5 if n == 4 else 1 + n / 100)) for n in range(1, 10)]
    files += [make(f"fade.{n}.exr", planes(n / 10)) for n in range(1, 10)]
    files += [make(f"half.{n}.exr", half if n == 6 else planes(1 + n / 100)) for n in range(1, 10)]
    results = found(catalog, *files)
    assert [each[:4] for each in results] == [
        ("EXR918", "warning", "a.#.exr", "4"),
        ("EXR810", "warning", "half.#.exr", "6"),
        ("EXR918", "warning", "half.#.exr", "6"),
    ]
    at_once = check(catalog).findings
    monkeypatch.setattr(pixel_outliers, "_ROWS_PER_QUERY", 30)
    assert check(catalog).findings == at_once
    figures = ("B mean 2.31, neighbours 0.951–0.978", "G mean 2.42, neighbours 0.999–1.03")
    figures += ("R mean 2.55, neighbours 1.05–1.08",)
    assert results[0][4] == "; ".join(figures)
    assert results[1][4] == "used area 0.5, neighbours 1"
    listed = {outlier.file_path_normalized.removeprefix(ROOT): outlier.pixels for outlier in outliers(catalog)}
    assert list(listed) == ["a.4.exr", "half.6.exr"]
    assert listed["a.4.exr"] == figures
    assert listed["half.6.exr"][-1] == "used area 0.5, neighbours 1"


REPEATS = {
    "frozen": ("abcddefg", ("EXR906", "5", "the pixels are those of frame 4, the frame before")),
    "longer": ("abcdddefghi", ("EXR906", "5-6", "the pixels are those of frame 4, the frame before")),
    "duplicate": ("abcdefbg", ("EXR919", "7", "the pixels are those of frame 2")),
    "static": ("aaaaaa", None),
    "on_twos": ("aabbccdd", None),
    "loop": ("abcabcab", None),
    "black_ends": ("..abcdefg..", ("EXR804", "1-2,10-11", "the color channels are zero")),
}


@pytest.mark.slow
def test_frames_that_repeat(catalog, make):
    """Each letter is a picture, a dot a black frame."""
    reports = {
        letter: make("x.exr", color(0) if letter == "." else planes(R={(0, 0): ord(letter)}))
        for letter in {letter for letters, _ in REPEATS.values() for letter in letters}
    }
    files = [
        replace(make(f"{name}/a.{number}.exr", planes()), pixels=reports[letter].pixels)
        for name, (letters, _) in REPEATS.items()
        for number, letter in enumerate(letters, 1)
    ]
    reported = [(name, (rule, numbers, message)) for rule, _, name, numbers, message in found(catalog, *files)]
    assert sorted(reported) == sorted((f"{name}/a.#.exr", finding) for name, (_, finding) in REPEATS.items() if finding)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "unreadable"])
def test_a_damaged_frame_is_between_others(damage, catalog, make):
    """The frame after it does not have the pixels of the frame before."""
    files = [make(f"a.{n}.exr", planes(R={(0, 0): 1 if n == 3 else n})) for n in (1, 3, 4, 5)]
    if damage == "truncated":
        files.append(make("a.2.exr", planes(), cut=10))
    else:
        known = {"size_bytes": 9, "mtime": None, "code": "truncated", "message": "cut", "byte_offset": 8}
        catalog.record_errors([IngestError(file_path_normalized=f"{ROOT}a.2.exr", **known)])
    (repeated,) = [each for each in found(catalog, *files) if each[0] in ("EXR906", "EXR919")]
    assert (repeated[0], *repeated[3:]) == ("EXR919", "3", "the pixels are those of frame 1")


@pytest.mark.slow
def test_versions_that_are_not_current_have_no_findings(catalog, make):
    """Whichever of several patterns selects the file."""
    for value in (np.nan, 1):
        catalog.persist([make("x.exr", planes(G={(3, 4): value}))])
    for patterns in (["x.exr"], ["other.exr", "x.exr"]):
        assert check_sequences(catalog, patterns, []).findings == ()


@pytest.mark.slow
def test_a_picture_that_moves_does_not_repeat(catalog, make):
    """The same pixels in another data window."""
    moved = {**ZIP, "dataWindow": (np.array([5, 0], "int32"), np.array([28, 19], "int32"))}
    files = [make(f"a.{n}.exr", planes(R={(0, 0): n % 8}), header=moved if n > 7 else ZIP) for n in range(9)]
    assert found(catalog, *files) == []


@pytest.mark.slow
def test_chunks_that_are_missing_do_not_count_as_undecodable(catalog, make):
    """Of a file that has both."""
    cut = make("both.exr", planes(), cut=10)
    (part,) = cut.pixels.parts
    error = DecodeError(part_index=0, code="decode_failed", where="lines 0-15", chunk_count=1, message="damage")
    both = replace(cut, pixels=replace(cut.pixels, parts=(replace(part, errors=(*part.errors, error)),)))
    (rule, *_, message) = found(catalog, both)[-1]
    assert (rule, message) == ("EXR809", "1 chunk cannot be decoded: lines 0-15 (decode_failed)")


@pytest.mark.slow
def test_tiles_of_a_texture_are_not_compared(catalog, make):
    files = [make(f"a.{1001 + n}.exr", planes(1 + (n == 4), R={(0, 0): n % 8})) for n in range(9)]
    catalog.persist(files)
    assert {f.rule_id for f in check(catalog).findings} == {"EXR918", "EXR919"}
    assert check(catalog, "a.<UDIM>.exr").findings == ()


def _answers(uri: str, stats: list[FileStat]):
    """What the newest statistics and problems of files decide."""
    with open_catalog(uri, read_only=True) as catalog:
        seen = catalog.seen(stats, pixels="flat", policy=PolicyRules("render", "", about_pixels=True))
        batches = {file.file_id: file.statistics.batch_id for file in seen.values() if file.statistics}
        found = catalog.statistics(batches)
        return (
            check(catalog).findings,
            [frame.pixels for frame in outliers(catalog)],
            named_query("duplicates").run(catalog, {}).to_pylist(),
            {path: (file.has_stats, file.pixel_errors) for path, file in seen.items()},
            {table: rows.num_rows for table, rows in found.items()},
        )


@pytest.mark.slow
def test_results_without_a_batch_count(make, tmp_path):
    """`batch_id` is null in rows of table version 1."""
    uri = f"duckdb:{tmp_path}/catalog.duckdb"
    values = (1, 1.01, 1.02, 9, 1.03, 1.04, 1.05)
    twice = w.build(w.part(extra=[w.fixed("focus", "float", 1)] * 2)).data
    files = [
        inspect(MemorySource(twice, ROOT + "twice.exr")),
        make("nan.exr", planes(G={(3, 4): np.nan})),
        make("damaged.exr", planes(), damage=40),
        *(make(f"s.{number}.exr", planes(gain)) for number, gain in enumerate(values, 1)),
        make("same.exr", planes()),
    ]
    with open_catalog(uri) as catalog:
        catalog.persist(files)
    stats = [
        FileStat(
            file_path_normalized=file.file.file_path_normalized,
            size_bytes=file.file.size_bytes,
            mtime=file.file.mtime,
            etag=file.file.etag,
        )
        for file in files
    ]
    expected = _answers(uri, stats)
    assert all(expected)
    with duckdb.connect(f"{tmp_path}/catalog.duckdb") as database:
        for table in ("problems", "channel_stats", "part_stats"):
            (count,) = database.execute(f"UPDATE {table} SET batch_id = NULL").fetchone()
            assert count
    assert _answers(uri, stats) == expected
