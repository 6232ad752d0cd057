"""The header: every byte is kept, values equal those of OpenEXR, hostile bytes cost little."""

from __future__ import annotations

import io
import math
import pickle
import time
import tracemalloc
from struct import pack

import pytest

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import HeaderCutError, Limits, read_header
from exr_inspector.exr.part import DEEP, LONG_NAMES, MULTIPART, TILED
from tests.support import corpus
from tests.support import exr_writer as w

LAYERS = (("A", w.HALF, 1, 1, 0), ("depth.Z", w.FLOAT, 1, 1, 1), ("id", w.UINT, 1, 1, 0))
ONE_OF_EACH = [
    w.text("owner", "Ada Löwe"),
    w.fixed("int", "int", -7),
    w.fixed("v2i", "v2i", 1, -2),
    w.fixed("v2f", "v2f", 0.1, -2),
    w.fixed("v2d", "v2d", 0.1, -2),
    w.fixed("v3i", "v3i", 1, -2, 3),
    w.fixed("v3f", "v3f", 0.1, -2, 3),
    w.fixed("v3d", "v3d", 0.1, -2, 3),
    w.fixed("box2f", "box2f", 0.1, 2, 3, 4),
    w.fixed("m33f", "m33f", *range(9)),
    w.fixed("m33d", "m33d", *range(9)),
    w.fixed("m44f", "m44f", *range(16)),
    w.fixed("m44d", "m44d", *range(16)),
    w.fixed("double", "double", 0.1),
    w.fixed("infinite", "float", math.inf),
    w.fixed("keyCode", "keycode", 1, 2, 3, 4, 5, 6, 64),
    w.fixed("framesPerSecond", "rational", 24000, 1000),
    w.fixed("chromaticities", "chromaticities", *(n / 10 for n in range(8))),
    w.fixed("envmap", "envmap", 1),
    w.attribute("floats", "floatvector", pack("<3f", 0.1, -0.0, 3)),
    w.attribute("multiView", "stringvector", w.stringvector(["left", "right"])),
    w.attribute("png", "bytes", b"\3\0\0\0png\xff\0"),
    w.attribute("studio", "myStudioType", b"\0\1\2"),
    w.attribute("timeCode", "timecode", w.timecode(10, 59, 58, 23, drop=True)),
    w.attribute("preview", "preview", w.preview(4, 2)),
]


def codes(header) -> list[str]:
    return [problem.code for problem in header.problems]


def attribute_bytes(attribute) -> bytes:
    return w.attribute(attribute.attr_name, attribute.attr_type, attribute.raw)


def rewritten(header) -> bytes:
    """The header's bytes, written from the attributes that the reader kept."""
    parts = [b"".join(map(attribute_bytes, part.attributes)) + b"\0" for part in header.parts]
    start = pack("<II", w.MAGIC, header.version | header.flags)
    return start + b"".join(parts) + b"\0" * header.is_multipart


# --- the libraries as oracles ---


def assert_same_as_openexr(path):
    oracles = pytest.importorskip("tests.support.oracles", reason="needs OpenEXR and OpenImageIO", exc_type=ImportError)
    try:
        expected = oracles.openexr_headers(path)
    except RuntimeError as error:
        if "deepImageState" in str(error):  # the library's Python module cannot read this type
            return
        raise
    parts = read_header(path.read_bytes()).parts
    assert len(parts) == len(expected)
    for part, theirs in zip(parts, expected, strict=True):
        if "type" not in part.by_name:  # the library adds it
            assert oracles.plain(theirs.pop("type")) == part.part_type
        assert sorted(theirs) == sorted(part.by_name)
        for name, value in theirs.items():
            ours = part.by_name[name]
            assert ours.attr_type in oracles.types_of(value), name
            form = oracles.same_form(ours.value, ours.raw)
            assert form == oracles.plain(value) or form != form, name


@pytest.mark.parametrize("path", corpus.VALID)
def test_attributes_are_those_that_openexr_reads(path):
    """Names, types and values of every part, bit for bit."""
    assert_same_as_openexr(path)


@pytest.mark.parametrize("path", corpus.REPORTED)
def test_attributes_of_reported_files_are_those_that_openexr_reads(path):
    """Also for the files made from bug reports."""
    assert_same_as_openexr(path)


def test_an_attribute_of_each_type_equals_that_of_openexr(tmp_path):
    """Includes types that the corpus does not have."""
    path = tmp_path / "types.exr"
    path.write_bytes(w.build(w.part(channels=LAYERS, tiles=w.Tiles(), extra=ONE_OF_EACH)).data)
    assert_same_as_openexr(path)
    assert codes(read_header(path.read_bytes())) == ["unknown_type"]


@pytest.mark.parametrize("path", corpus.VALID)
def test_pixel_types_are_those_that_openimageio_reads(path):
    """Channel by channel; subsampled files, which OpenImageIO rejects, are read with OpenEXR."""
    oracles = pytest.importorskip("tests.support.oracles", reason="needs OpenEXR and OpenImageIO", exc_type=ImportError)
    expected = oracles.openimageio_pixel_types(path) or oracles.openexr_pixel_types(path)
    parts = read_header(path.read_bytes()).parts
    assert [{c.channel_name: c.channel_type for c in part.channels} for part in parts] == expected


# --- every byte ---


@pytest.mark.parametrize("path", corpus.VALID)
def test_every_byte_of_the_header_is_kept(path):
    """The kept attributes give the header of the file, byte for byte."""
    data = path.read_bytes()
    header = read_header(data)
    assert rewritten(header) == data[: header.header_bytes]
    assert header.problems == ()


@pytest.mark.parametrize(
    "parts",
    [
        w.part(extra=ONE_OF_EACH),
        w.part(extra=[w.text(n * "x", n * "y") for n in (31, 32, 255)]),
        [w.part(name="a"), w.part(name="b", tiles=w.Tiles()), w.part(name="c", deep=True)],
        w.part(deep=True, tiles=w.Tiles()),
    ],
    ids=["one of each type", "long names", "multipart", "deep tiles"],
)
def test_every_byte_of_a_written_header_is_kept(parts):
    """The header ends where the offset table begins."""
    written = w.build(parts)
    header = read_header(written.data)
    assert header.header_bytes == written.header_bytes == written.table_offsets[0]
    assert rewritten(header) == written.data[: header.header_bytes]


def test_names_may_have_255_bytes():
    """A longer name is an error; without the flag a name over 31 bytes is reported."""
    longest = w.build(w.part(extra=[w.text("x" * 255, "end")]), flags=LONG_NAMES).data
    header = read_header(longest)
    assert header.parts[0].value("x" * 255, "string") == "end"
    assert codes(header) == []
    assert codes(read_header(w.build(w.part(extra=[w.text("x" * 32, "end")])).data)) == ["long_name"]
    with pytest.raises(ExrFormatError, match="name of an attribute is longer than 255 bytes") as raised:
        read_header(w.build(w.part(extra=[w.text("x" * 256, "end")]), flags=LONG_NAMES).data)
    assert raised.value.code == "bad_attribute"


def test_a_name_that_is_not_utf8_is_decoded_as_latin1():
    """With a note, as in texts."""
    header = read_header(w.build(w.part(extra=[w.attribute(b"\xe9", "int", pack("<i", 7))])).data)
    assert header.parts[0].value("é", "int") == 7
    assert codes(header) == ["text_encoding"]


def test_problems_of_attributes_name_them():
    """Also those of values, of which a file may have several of a kind."""
    extra = [w.attribute(name, "string", b"\xff") for name in ("owner", "shot")]
    extra += [w.text("x" * 32, "a"), w.attribute("v", "v2i", b""), w.attribute(b"\xff", "string", b"a")]
    header = read_header(w.build(w.part(extra=[*extra, w.attribute("w", "own", b"")])).data)
    assert len(header.problems) == 6
    for problem in header.problems:
        assert problem.message.startswith(f"attribute {problem.attr_name!r}: ")


def test_a_type_that_is_not_utf8_is_decoded_as_latin1():
    """The bytes of the value are kept, as of any unknown type."""
    data = w.build(w.part(extra=[b"x\0\xe9\0" + pack("<i", 1) + b"y"])).data
    (attribute,) = (each for each in read_header(data).parts[0].attributes if each.attr_name == "x")
    assert (attribute.attr_type, attribute.raw) == ("é", b"y")


# --- multipart ---


def test_each_part_has_its_own_attributes():
    """In file order; deep and tiled are properties of a part, not of the file."""
    parts = [w.part(name="a"), w.part(name="b", tiles=w.Tiles()), w.part(name="c", deep=True)]
    header = read_header(w.build(parts).data)
    assert header.is_multipart
    assert header.flags == MULTIPART | DEEP
    assert [part.value("name", "string") for part in header.parts] == ["a", "b", "c"]
    assert [(part.is_tiled, part.is_deep) for part in header.parts] == [(False, False), (True, False), (False, True)]
    assert header.problems == ()


def test_a_multipart_file_of_one_part():
    """With the multipart flag an empty header ends the list, also after one part."""
    written = w.build(w.part(name="only"), flags=MULTIPART)
    data = written.data[: written.header_bytes] + b"\0"
    header = read_header(data)
    assert len(header.parts) == 1
    assert header.header_bytes == len(data)


def test_a_multipart_file_without_parts():
    """Two zero bytes are read as one part that lacks all required attributes."""
    header = read_header(pack("<II", w.MAGIC, 2 | MULTIPART) + b"\0\0")
    assert [part.attributes for part in header.parts] == [()]
    assert codes(header) == ["missing_attribute"] * 10 + ["no_version_or_count"]


# --- missing, repeated and contradictory attributes ---


@pytest.mark.parametrize("name", sorted(w.required()))
def test_a_missing_attribute_is_reported_and_has_no_default(name):
    """Its value is None."""
    header = read_header(w.build(w.part(replace={name: None})).data)
    assert [(p.code, p.attr_name, p.part_index) for p in header.problems] == [("missing_attribute", name, 0)]
    assert name not in header.parts[0].by_name
    assert header.parts[0].value(name, "int") is None


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (w.part(tiles=w.Tiles(), replace={"tiles": None}), "tiles"),
        (w.part(deep=True, replace={"version": None}), "version"),
        (w.part(deep=True, replace={"chunkCount": None}), "chunkCount"),
        (w.part(deep=True, replace={"type": None}), "type"),
    ],
    ids=["tiles", "version", "chunkCount", "type"],
)
def test_tiled_and_deep_parts_require_more(part, name):
    """Other parts do not require these attributes."""
    header = read_header(w.build(part).data)
    code = "no_version_or_count" if name in ("version", "chunkCount") else "missing_attribute"
    assert [(p.code, p.attr_name) for p in header.problems] == [(code, name)]


@pytest.mark.parametrize("name", ["name", "type", "chunkCount"])
def test_parts_of_a_multipart_file_require_more(name):
    """The problem has the index of the part."""
    header = read_header(w.build([w.part(name="a"), w.part(name="b", replace={name: None})]).data)
    assert [(p.attr_name, p.part_index) for p in header.problems] == [(name, 1)]


def test_a_required_attribute_of_another_type_has_no_value():
    """A window of floats is not read as a window of integers."""
    header = read_header(w.build(w.part(replace={"dataWindow": w.fixed("dataWindow", "box2f", 0, 0, 9, 9)})).data)
    assert [(p.code, p.attr_name) for p in header.problems] == [("attribute_type", "dataWindow")]
    assert header.parts[0].data_window is None


def test_the_first_of_two_attributes_is_used_and_both_are_kept():
    """The attributes after them are read as well."""
    twice = [w.text("owner", "one"), w.text("owner", "two"), w.fixed("after", "int", 7)]
    written = w.build(w.part(extra=twice))
    header = read_header(written.data)
    (part,) = header.parts
    assert codes(header) == ["conflicting_attribute"]
    assert header.problems[0].byte_offset == written.data.index(w.text("owner", "two"))
    assert part.value("owner", "string") == "one"
    assert part.value("after", "int") == 7
    assert [a.value for a in part.attributes if a.attr_name == "owner"] == ["one", "two"]
    assert rewritten(header) == written.data[: header.header_bytes]


TYPE = {name: {"type": w.text("type", name)} for name in ("scanlineimage", "tiledimage", "deepscanline", "deeptile")}


@pytest.mark.parametrize(
    ("flags", "replace", "tiles", "part_type", "problem"),
    [
        (0, {}, None, "scanlineimage", []),
        (0, TYPE["scanlineimage"], None, "scanlineimage", []),
        (0, TYPE["tiledimage"], w.Tiles(), "scanlineimage", ["flags_type_mismatch"]),
        (0, TYPE["deepscanline"], None, "scanlineimage", ["flags_type_mismatch"]),
        (TILED, TYPE["tiledimage"], w.Tiles(), "tiledimage", []),
        (TILED, TYPE["scanlineimage"], w.Tiles(), "tiledimage", ["flags_type_mismatch"]),
        (TILED, {}, w.Tiles(), "tiledimage", []),
        (DEEP, TYPE["deeptile"], w.Tiles(), "deeptile", []),
        (DEEP, TYPE["scanlineimage"], None, "deepscanline", ["flat_type_in_deep_file"]),
        (DEEP, {"type": w.text("type", "hologram")}, None, "deepscanline", ["unknown_part_type"]),
        (DEEP | TILED, TYPE["deeptile"], w.Tiles(), "deeptile", ["contradicting_flags"]),
        (0, {"type": w.fixed("type", "int", 1)}, None, "scanlineimage", []),
    ],
)  # fmt: skip
def test_contradictions_of_flags_and_type_are_reported(flags, replace, tiles, part_type, problem):
    """Flags decide for flat files of one part, as in the library."""
    header = read_header(w.build(w.part(tiles=tiles, replace=replace), flags=flags).data)
    assert header.parts[0].part_type == part_type
    assert [code for code in codes(header) if code not in ("missing_attribute", "no_version_or_count")] == problem


def test_contradictions_of_multipart_flags_and_types_are_reported():
    """The tiled flag must be off, the deep flag on if a part is deep; an unknown type is reported."""
    two = [w.part(name="a"), w.part(name="b", deep=True)]
    assert codes(read_header(w.build(two).data)) == []
    assert codes(read_header(w.build(two, flags=MULTIPART).data)) == ["flags_type_mismatch"]
    flat = [w.part(name="a"), w.part(name="b")]
    assert codes(read_header(w.build(flat, flags=MULTIPART | TILED).data)) == ["contradicting_flags"]
    unknown = [w.part(name="a", replace={"type": w.text("type", "hologram")}), w.part(name="b")]
    header = read_header(w.build(unknown).data)
    assert codes(header) == ["unknown_part_type"]
    assert header.parts[0].part_type == "hologram"


@pytest.mark.parametrize(
    ("replace", "code"),
    [
        ({"dataWindow": w.fixed("dataWindow", "box2i", 0, 0, -1, 5)}, "empty_window"),
        ({"displayWindow": w.fixed("displayWindow", "box2i", 0, 9, 5, 5)}, "empty_window"),
        ({"channels": w.attribute("channels", "chlist", w.chlist([("R", 3, 1, 1, 0)]))}, "unknown_pixel_type"),
        ({"channels": w.attribute("channels", "chlist", w.chlist([("R", 1, 0, 1, 0)]))}, "bad_sampling"),
        ({"channels": w.attribute("channels", "chlist", w.chlist([("R", 1, 1, -2, 0)]))}, "bad_sampling"),
        ({"channels": w.attribute("channels", "chlist", w.chlist([("R", 1, 1, 1, 0)] * 2))}, "duplicate_channel"),
        ({"compression": w.fixed("compression", "compression", 99)}, "attribute_value"),
        ({"pixelAspectRatio": w.attribute("pixelAspectRatio", "float", b"\0\0")}, "attribute_size"),
    ],
)
def test_invalid_values_are_reported_and_do_not_stop_the_reader(replace, code):
    """The other attributes are read."""
    header = read_header(w.build(w.part(replace=replace)).data)
    assert codes(header) == [code]
    assert len(header.parts[0].attributes) == 8


@pytest.mark.parametrize(
    ("window", "fits"),
    [
        ((0, 0, 21, 37), True),
        ((-4, 2, 3, 5), True),
        ((1, 0, 22, 37), False),
        ((0, 0, 21, 36), False),
        ((1, 0, 21, 37), False),
    ],
)
def test_a_window_ends_with_whole_samples(window, fits):
    """The library rejects a file whose subsampled channels do not fit the data window; here it is a problem."""
    chroma = (("BY", w.HALF, 2, 2, 0), ("Y", w.HALF, 1, 1, 0))
    data = w.build(w.part(window=window, channels=chroma)).data
    assert codes(read_header(data)) == ([] if fits else ["bad_sampling"])
    openexr = pytest.importorskip("OpenEXR")
    if fits:
        openexr.File(io.BytesIO(data), header_only=True)
    else:
        with pytest.raises(RuntimeError, match="Unable to open"):
            openexr.File(io.BytesIO(data), header_only=True)


def test_invalid_tiles_are_reported():
    """A tile without a width."""
    zero = {"tiles": w.attribute("tiles", "tiledesc", pack("<IIB", 0, 8, 0))}
    assert codes(read_header(w.build(w.part(tiles=w.Tiles(), replace=zero)).data)) == ["bad_tiles"]


def test_unknown_flags_are_reported():
    """Files with newer features are read."""
    header = read_header(w.build(w.part(), flags=0x2000).data)
    assert codes(header) == ["unknown_flags"]
    assert header.flags == 0x2000


# --- cut headers, other formats, hostile bytes ---


def test_every_cut_of_a_header_has_the_number_of_needed_bytes():
    """At each length: more than the given bytes, at most one more than the header has."""
    written = w.build([w.part(name="a", extra=ONE_OF_EACH), w.part(name="b")])
    for length in range(5, written.header_bytes):
        with pytest.raises(HeaderCutError) as cut:
            read_header(written.data[:length])
        assert length < cut.value.needed <= written.header_bytes + 1
        assert cut.value.code == "truncated"
    assert read_header(written.data[: written.header_bytes]).header_bytes == written.header_bytes


def test_header_cut_error_can_be_pickled():
    """With all fields."""
    cut = HeaderCutError(7, "cut", 99)
    again = pickle.loads(pickle.dumps(cut))
    assert (again.code, again.offset, again.message, again.needed) == ("truncated", 7, "cut", 99)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "empty_file", "empty file (0 bytes)"),
        (b"\x89PNG\r\n\x1a\n" + bytes(90), "not_exr", "PNG signature"),
        (b"\xff\xd8\xff\xe0" + bytes(90), "not_exr", "JPEG signature"),
        (b"II*\0" + bytes(90), "not_exr", "TIFF signature"),
        (b"MM\0*" + bytes(90), "not_exr", "TIFF signature"),
        (b"SDPX" + bytes(90), "not_exr", "DPX signature"),
        (b"XPDS" + bytes(90), "not_exr", "DPX signature"),
        (b"<!DOCTYPE html>", "not_exr", "HTML or XML"),
        (b'{"error": "no such key"}', "not_exr", "JSON"),
        (bytes(5305), "not_exr", "all 5305 bytes"),
        (b"\0", "not_exr", "zero"),
        (b"\x01\x31\x2f\x76\0\0\0\2", "not_exr", "reversed byte order"),
        (b"random bytes", "not_exr", "72 61 6e 64"),
        (w.build(w.part(), version=1).data, "unsupported_version", "version 1"),
        (w.build(w.part(), version=3).data, "unsupported_version", "version 3"),
        (b"v/1\x01\2", "truncated", "the version field is cut off"),
        (b"v/1", "truncated", "the version field is cut off"),
    ],
)
def test_other_formats_are_named(data, code, words):
    """The message names another format, an empty file or an error page under an EXR name."""
    with pytest.raises(ExrFormatError, match=r"\(.+ at byte \d+\)$") as raised:
        inspect(data)
    assert raised.value.code == code
    assert words in raised.value.message
    assert raised.value.offset <= len(data)


NAME_AND_TYPE = b"a\0string\0"
START = pack("<II", w.MAGIC, 2)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (NAME_AND_TYPE + pack("<i", 2**31 - 1), "header_too_large"),
        (NAME_AND_TYPE + pack("<i", 200 << 20), "truncated"),
        (NAME_AND_TYPE + pack("<i", -1), "bad_attribute"),
        (b"channels\0chlist\0" + pack("<i", 2**31 - 1), "header_too_large"),
        (b"channels\0chlist\0" + pack("<i", 255 << 20), "truncated"),
        (b"preview\0preview\0" + pack("<iII", 80, 2**32 - 1, 2**32 - 1), "truncated"),
        (b"a\0\0" + pack("<i", 4), "bad_attribute"),
        (b"a" * 90, "truncated"),
        (b"a" * 400, "bad_attribute"),
        (b"a\0" + b"t" * 400, "bad_attribute"),
    ],
)
def test_small_files_that_declare_large_sizes_cost_little(body, code):
    """A hundred bytes that declare two gigabytes are rejected in little time and memory."""
    data = (START + body).ljust(100, b"\1")
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(ExrFormatError) as raised:
            inspect(data)
        duration = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert raised.value.code == code
    assert 0 <= raised.value.offset <= len(data)
    assert peak < 1 << 20
    assert duration < 1


@pytest.mark.parametrize(
    "part",
    [
        w.part(replace={"dataWindow": w.fixed("dataWindow", "box2i", -(2**31), -(2**31), 2**31 - 1, 2**31 - 1)}),
        w.part(
            tiles=w.Tiles(1, 1, w.RIPMAP_LEVELS),
            replace={"dataWindow": w.fixed("dataWindow", "box2i", -(2**31), -(2**31), 2**31 - 1, 2**31 - 1)},
            pixels=b"",
        ),
        w.part(deep=True, replace={"chunkCount": w.fixed("chunkCount", "int", 2**31 - 1)}),
        w.part(replace={"preview": w.attribute("preview", "preview", pack("<II", 2**31, 2**31))}),
        w.part(replace={"channels": w.attribute("channels", "chlist", w.chlist([("R", 1, 2**31 - 1, 1, 0)]))}),
    ],
    ids=["huge window", "huge rip map", "huge chunkCount", "huge preview", "huge sampling"],
)
def test_huge_numbers_in_small_files_cost_little(part):
    """Nothing is allocated for chunks, tiles or pixels that are only declared."""
    data = w.build(part).data
    tracemalloc.start()
    begin = time.process_time()
    try:
        inspection = inspect(data)
        duration = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert inspection.problems
    assert peak < 1 << 20
    assert duration < 1


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(header_bytes=100), "header_too_large"),
        (Limits(parts=2), "too_many_parts"),
        (Limits(attributes=20), "too_many_attributes"),
    ],
)
def test_limits_are_enforced(limits, code):
    """A header above a limit is an error with the code of the limit."""
    data = w.build([w.part(name=name) for name in "abc"]).data
    assert len(read_header(data, Limits(parts=3)).parts) == 3
    with pytest.raises(ExrFormatError) as raised:
        read_header(data, limits)
    assert raised.value.code == code


def test_completeness_is_unknown_above_the_limit_of_chunks():
    """The chunks are not checked, which is reported."""
    data = w.build(w.part()).data
    inspection = inspect(data, limits=Limits(chunks=7))
    assert inspection.completeness == "unknown"
    assert [problem.code for problem in inspection.problems] == ["too_many_chunks"]


def test_a_file_that_ends_inside_its_offset_table_is_truncated_above_the_limit_of_chunks():
    """A table of 2³⁰ entries that the file has no room for."""
    window = w.fixed("dataWindow", "box2i", 0, 0, 15, 2**30 - 3)
    inspection = inspect(w.build(w.part(replace={"dataWindow": window})).data)
    assert (inspection.completeness, inspection.file.chunk_count) == ("truncated", 2**30 - 2)
    assert [problem.code for problem in inspection.problems] == ["offset_table_cut"]


def test_problems_above_the_limit_are_counted():
    """A few kilobytes of empty parts must not give a report of megabytes."""
    data = pack("<II", w.MAGIC, 2 | MULTIPART) + b"a\0b\0\0\0\0\0\0" * 500 + b"\0"
    problems = read_header(data).problems
    assert len(problems) == 1001
    assert problems[-1].message == f"{500 * 12 - 1000} more problems are not listed"


def test_equal_attributes_of_files_share_an_object():
    """Repeated attributes are decoded once; attributes above 16 KiB are not cached."""
    long = w.text("long", "x" * 20_000)
    first, second = (read_header(w.build(w.part(extra=[long])).data).parts[0].by_name for _ in range(2))
    assert first["channels"] is second["channels"]
    assert first["long"] is not second["long"]
    assert first["long"] == second["long"]


def test_equal_attributes_of_files_with_many_share_an_object():
    many = [w.text(f"aov{number}/lpe", f"C<.'aov{number}'>.*") for number in range(2600)]
    frames = [read_header(w.build(w.part(extra=[*many, w.text("note", str(n))])).data).parts[0] for n in range(3)]
    names = ["channels", *(f"aov{number}/lpe" for number in range(2600))]
    assert all(frames[1].by_name[name] is frames[2].by_name[name] for name in names)
