"""Attributes: a value of every type from hand-written bytes, and invalid bytes."""

from __future__ import annotations

import json
import math
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.exr import Attribute, decode
from exr_inspector.exr.attributes import (
    COMPRESSIONS,
    DECODERS,
    Box2f,
    Box2i,
    Bytes,
    Chromaticities,
    KeyCode,
    Preview,
    Rational,
    TileDesc,
)
from exr_inspector.exr.channels import Channel
from exr_inspector.exr.idmanifest import decode_idmanifest
from exr_inspector.inspection.json_form import json_float, json_value, shortest_single
from tests.support import exr_writer as w

ONE, TWO, MINUS_TWO, HALF = "0000803f", "00000040", "000000c0", "0000003f"
D_ONE, D_TENTH = "000000000000f03f", "9a9999999999b93f"

# Type, bytes in hex, value, JSON value; from the file layout document, not from the code.
VALUES = [
    ("box2i", "ffffffff feffffff 80070000 38040000", Box2i(-1, -2, 1920, 1080), [-1, -2, 1920, 1080]),
    ("box2f", f"{MINUS_TWO}{HALF}{ONE}{TWO}", Box2f(-2.0, 0.5, 1.0, 2.0), [-2.0, 0.5, 1.0, 2.0]),
    (
        "chlist",
        "5200 01000000 01 000000 01000000 02000000 00",
        (Channel("R", "HALF", 1, 2, 1),),
        [{"channel_name": "R", "channel_type": "HALF", "x_sampling": 1, "y_sampling": 2, "p_linear": 1}],
    ),
    (
        "chromaticities",
        f"{ONE}{TWO}{HALF}{ONE}{ONE}{HALF}{TWO}{TWO}",
        Chromaticities((1.0, 2.0), (0.5, 1.0), (1.0, 0.5), (2.0, 2.0)),
        {"red": [1.0, 2.0], "green": [0.5, 1.0], "blue": [1.0, 0.5], "white": [2.0, 2.0]},
    ),
    ("compression", "04", "PIZ", "PIZ"),
    ("double", D_TENTH, 0.1, 0.1),
    ("envmap", "01", "ENVMAP_CUBE", "ENVMAP_CUBE"),
    ("float", "cdcccc3d", 0.10000000149011612, 0.1),
    ("int", "feffffff", -2, -2),
    (
        "keycode",
        "01000000 02000000 39300000 4e000000 03000000 04000000 40000000",
        KeyCode(1, 2, 12345, 78, 3, 4, 64),
        {
            "filmMfcCode": 1,
            "filmType": 2,
            "prefix": 12345,
            "count": 78,
            "perfOffset": 3,
            "perfsPerFrame": 4,
            "perfsPerCount": 64,
        },
    ),
    ("lineOrder", "01", "DECREASING_Y", "DECREASING_Y"),
    ("m33f", (ONE + TWO + HALF) * 3, ((1.0, 2.0, 0.5),) * 3, [[1.0, 2.0, 0.5]] * 3),
    ("m44f", (ONE + TWO + HALF + ONE) * 4, ((1.0, 2.0, 0.5, 1.0),) * 4, [[1.0, 2.0, 0.5, 1.0]] * 4),
    (
        "preview",
        "02000000 01000000 01020304 05060708",
        Preview(2, 1, b"\1\2\3\4\5\6\7\10"),
        {"width": 2, "height": 1, "pixels": "AQIDBAUGBwg="},
    ),
    ("rational", "c05d0000 e8030000", Rational(24000, 1000), {"numerator": 24000, "denominator": 1000}),
    ("string", "4164612043c3b6", "Ada Cö", "Ada Cö"),
    ("stringvector", "04000000 6c656674 00000000 01000000 72", ("left", "", "r"), ["left", "", "r"]),
    (
        "tiledesc",
        "40000000 20000000 11",
        TileDesc(64, 32, "MIPMAP_LEVELS", "ROUND_UP"),
        {"xSize": 64, "ySize": 32, "levelMode": "MIPMAP_LEVELS", "roundingMode": "ROUND_UP"},
    ),
    ("v2i", "01000000 ffffffff", (1, -1), [1, -1]),
    ("v2f", f"{ONE}{MINUS_TWO}", (1.0, -2.0), [1.0, -2.0]),
    ("v3i", "01000000 ffffffff 00000080", (1, -1, -(2**31)), [1, -1, -(2**31)]),
    ("v3f", f"{ONE}{MINUS_TWO}{HALF}", (1.0, -2.0, 0.5), [1.0, -2.0, 0.5]),
    ("bytes", "03000000 706e67 ff00", Bytes("png", b"\xff\0"), {"typeHint": "png", "data": "/wA="}),
    ("deepImageState", "03", "TIDY", "TIDY"),
    ("floatvector", f"{ONE}{HALF}", (1.0, 0.5), [1.0, 0.5]),
    ("m33d", (D_ONE + D_TENTH + D_ONE) * 3, ((1.0, 0.1, 1.0),) * 3, [[1.0, 0.1, 1.0]] * 3),
    ("m44d", (D_ONE + D_TENTH) * 8, ((1.0, 0.1, 1.0, 0.1),) * 4, [[1.0, 0.1, 1.0, 0.1]] * 4),
    ("v2d", D_ONE + D_TENTH, (1.0, 0.1), [1.0, 0.1]),
    ("v3d", D_ONE + D_TENTH + D_ONE, (1.0, 0.1, 1.0), [1.0, 0.1, 1.0]),
]
FIXED_SIZES = {
    "box2i": 16, "box2f": 16, "chromaticities": 32, "compression": 1, "deepImageState": 1, "double": 8, "envmap": 1,
    "float": 4, "int": 4, "keycode": 28, "lineOrder": 1, "m33f": 36, "m33d": 72, "m44f": 64, "m44d": 128,
    "rational": 8, "tiledesc": 9, "timecode": 8, "v2i": 8, "v2f": 8, "v2d": 16, "v3i": 12, "v3f": 12, "v3d": 24,
}  # fmt: skip


@pytest.mark.parametrize(("attr_type", "raw", "value", "in_json"), VALUES, ids=[row[0] for row in VALUES])
def test_a_value_of_each_type(attr_type, raw, value, in_json):
    """Value, Python type and JSON form are those of the file layout document."""
    found, note = decode(attr_type, bytes.fromhex(raw))
    assert (found, note) == (value, None)
    assert type(found) is type(value) or attr_type == "chlist"
    assert json_value(attr_type, found) == in_json
    json.dumps(json_value(attr_type, found), allow_nan=False)


def test_every_decoded_type_has_a_value_here():
    """A new decoder needs hand-written bytes; time codes and manifests have their own tests."""
    assert {row[0] for row in VALUES} | {"timecode", "idmanifest"} == set(DECODERS)


def test_a_timecode_is_binary_coded_decimal_with_flags():
    """01:59:59;28 with drop frame and the highest flag, whose word is negative if read as signed."""
    value, note = decode("timecode", bytes.fromhex("68595981 21436587"))
    assert note is None
    assert json_value("timecode", value) == {
        "hours": 1, "minutes": 59, "seconds": 59, "frame": 28,
        "dropFrame": True, "colorFrame": False, "fieldPhase": False, "bgf0": False, "bgf1": False, "bgf2": True,
        "timeAndFlags": 2170116456, "userData": 2271560481,
    }  # fmt: skip
    assert str(value) == "01:59:59;28"
    assert str(decode("timecode", w.timecode(10, 0, 9, 23))[0]) == "10:00:09:23"


@pytest.mark.parametrize(
    ("bit", "flag"), [(6, "dropFrame"), (7, "colorFrame"), (15, "fieldPhase"), (23, "bgf0"), (30, "bgf1"), (31, "bgf2")]
)
def test_a_timecode_flag_is_one_bit(bit, flag):
    """Each flag has its own bit and does not change the digits."""
    value = decode("timecode", pack("<II", 1 << bit, 0))[0]
    flags = ("dropFrame", "colorFrame", "fieldPhase", "bgf0", "bgf1", "bgf2")
    assert [name for name in flags if getattr(value, name)] == [flag]
    assert (value.hours, value.minutes, value.seconds, value.frame) == (0, 0, 0, 0)


@pytest.mark.parametrize("attr_type", sorted(FIXED_SIZES))
@pytest.mark.parametrize("change", [-1, 1])
def test_bytes_of_the_wrong_size_are_not_a_value(attr_type, change):
    """The note has the type, the expected size and the size of the bytes."""
    raw = bytes(FIXED_SIZES[attr_type] + change)
    value, note = decode(attr_type, raw)
    assert value is None
    message = f"not a value of type '{attr_type}': expected {FIXED_SIZES[attr_type]} bytes, found {len(raw)}"
    assert (note.code, note.message) == ("attribute_size" if raw else "empty_value", message)
    assert decode(attr_type, bytes(FIXED_SIZES[attr_type]))[1] is None


def test_types_of_fixed_size_are_all_listed():
    """All types have a fixed size but those whose size depends on the value."""
    assert set(DECODERS) - set(FIXED_SIZES) == {
        "bytes", "chlist", "floatvector", "idmanifest", "preview", "string", "stringvector"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attr_type", "raw", "code", "words"),
    [
        ("compression", b"\x0e", "skipped_value", "expected 0 to 13, found 14"),
        ("lineOrder", b"\x03", "skipped_value", "expected 0 to 2, found 3"),
        ("envmap", b"\xff", "skipped_value", "expected 0 to 1, found 255"),
        ("deepImageState", b"\x04", "skipped_value", "expected 0 to 3, found 4"),
        ("floatvector", b"\0" * 6, "attribute_size", "multiple of 4 bytes, found 6"),
        ("stringvector", pack("<i", 5) + b"four", "skipped_value", "string 0 declares 5 bytes, but 4 are left"),
        ("stringvector", pack("<i", -1), "skipped_value", "string 0 declares -1 bytes"),
        (
            "stringvector",
            pack("<i", 0) + b"\1\2",
            "skipped_value",
            "string 1 needs 4 bytes for its size, but 2 are left",
        ),
        ("preview", pack("<II", 2, 2) + b"\0" * 15, "attribute_value", "2 × 2 pixels need 16 bytes, found 15"),
        ("preview", pack("<II", 1 << 31, 1 << 31), "attribute_value", "pixels need"),
        ("preview", b"\0" * 7, "attribute_size", "expected at least 8 bytes, found 7"),
        ("bytes", pack("<i", 9) + b"png", "attribute_value", "type hint declares 9 bytes, but 3 are left"),
        ("bytes", b"\0\0\0", "attribute_size", "expected at least 4 bytes, found 3"),
        ("chlist", b"R\0" + bytes(15), "attribute_value", "channel 0 is cut off"),
        ("chlist", b"R\0" + bytes(16) + b"G", "attribute_value", "the name of channel 1 is not terminated"),
        ("v4f", b"\0" * 16, "unknown_type", "unknown attribute type 'v4f'"),
        ("myStudioType", b"", "unknown_type", "unknown attribute type 'myStudioType'"),
    ],
)
def test_invalid_bytes_give_a_note(attr_type, raw, code, words):
    """Instead of an exception or a guess: None, a stable code, and a sentence."""
    value, note = decode(attr_type, raw)
    assert value is None
    assert note.code == code
    assert words in note.message


@pytest.mark.parametrize(
    ("attr_type", "raw", "value"),
    [
        ("string", b"L\xf6we", "Löwe"),
        ("stringvector", w.stringvector(["a"]) + pack("<i", 1) + b"\xe9", ("a", "é")),
        ("chlist", b"\xe9\0" + pack("<iB3xii", 1, 0, 1, 1) + b"\0", (Channel("é", "HALF", 1, 1, 0),)),
    ],
)
def test_text_that_is_not_utf8_is_decoded_as_latin1(attr_type, raw, value):
    """The text of old files is not lost; a note reports the encoding."""
    found, note = decode(attr_type, raw)
    assert found == value
    assert note.code == "text_encoding"


def test_latin1_text_with_an_invalid_layout_is_not_a_value():
    """Decoding as Latin-1 may fail as well."""
    value, note = decode("stringvector", pack("<i", 1) + b"\xe9" + pack("<i", 7))
    assert value is None
    assert note.code == "skipped_value"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the channel list does not end with a zero byte"),
        (w.chlist(w.RGB)[:-1], "the channel list does not end with a zero byte"),
        (w.chlist(w.RGB) + b"odd", "3 bytes follow the end of the channel list"),
    ],
)
def test_a_channel_list_with_another_end_is_decoded(raw, message):
    """As the libraries do; the note is kept with the value."""
    value, note = decode("chlist", raw)
    assert [channel.channel_name for channel in value] == ["B", "G", "R"][: len(raw)]
    assert (note.code, note.message) == ("channel_list_end", message)


def test_a_fraction_is_not_reduced():
    """The denominator may be 0; the numerator is signed, the denominator is not."""
    assert decode("rational", pack("<iI", 7, 0)) == (Rational(7, 0), None)
    assert decode("rational", pack("<iI", -48, 2**32 - 1)) == (Rational(-48, 2**32 - 1), None)


def test_an_unknown_pixel_type_keeps_the_other_channels():
    """The channel is listed with type None."""
    raw = w.chlist([("A", 7, 1, 1, 0), ("B", w.FLOAT, 1, 1, 0), ("C", w.UINT, 1, 1, 0)])
    assert [c.channel_type for c in decode("chlist", raw)[0]] == [None, "FLOAT", "UINT"]


def test_unknown_modes_of_a_tile_description_are_none():
    """The sizes are kept."""
    assert decode("tiledesc", pack("<IIB", 8, 4, 0x33))[0] == TileDesc(8, 4, None, None)


def test_compressions_have_the_codes_of_the_library():
    """The position in the list is the byte in the file; OpenEXR is the oracle."""
    openexr = pytest.importorskip("OpenEXR")
    for code, name in enumerate(COMPRESSIONS):
        assert openexr.Compression(code).name.removesuffix("_COMPRESSION") in (name, {"NONE": "NO"}.get(name))


def test_strings_may_contain_any_character():
    """Empty, with line breaks, with a zero byte: the text is not trimmed."""
    for text in ("", " a ", "a\nb", "a\0b", "桜", "x" * 100_000):
        assert decode("string", text.encode()) == (text, None)


def test_attributes_are_equal_if_their_bytes_are():
    """The value is not compared: an attribute whose value is NaN equals itself."""
    nan = pack("<f", math.nan)
    one, other = (Attribute("x", "float", nan, *decode("float", nan)) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one.size_bytes == 4


@pytest.mark.slow
@given(attr_type=st.sampled_from(sorted(DECODERS)), raw=st.binary(max_size=64))
def test_any_bytes_give_a_value_or_a_note(attr_type, raw):
    """Decoding never raises, and values convert to strict JSON."""
    value, note = decode(attr_type, raw)
    assert value is not None or note is not None or attr_type == "idmanifest"
    json.dumps(json_value(attr_type, value), allow_nan=False)


def test_an_invalid_manifest_does_not_raise():
    """The decoder's ValueError becomes a note."""
    value, _note = decode("idmanifest", b"\1\2\3")
    assert value is None
    assert decode_idmanifest is DECODERS["idmanifest"]


# --- numbers in JSON ---


@given(bits=st.integers(0, 2**32 - 1))
def test_a_float_prints_as_the_shortest_exact_decimal(bits):
    """The text of any 32 bits reads back to the same bits; with one digit less it does not."""
    raw = pack("<I", bits)
    (value,) = unpack("<f", raw)
    text = json.dumps(json_float(value, single=True))
    if math.isnan(value):
        assert text == '"NaN"'
    elif math.isinf(value):
        assert text == ('"Infinity"' if value > 0 else '"-Infinity"')
    else:
        assert pack("<f", float(text)) == raw
        digits = len(text.partition("e")[0].replace(".", "").lstrip("-0").rstrip("0"))
        assert digits <= 9
        if digits > 1:
            shorter = float(f"{value:.{digits - 1}g}")
            assert abs(shorter) > 3.4028235e38 or pack("<f", shorter) != raw


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (0x00000000, "0.0"),
        (0x80000000, "-0.0"),
        (0x00000001, "1e-45"),
        (0x807FFFFF, "-1.1754942e-38"),
        (0x00800000, "1.1754944e-38"),
        (0x7F7FFFFF, "3.4028235e+38"),
        (0x3DCCCCCD, "0.1"),
        (0x3EAAAAAB, "0.33333334"),
        (0x4B800000, "16777216.0"),
        (0x42C80000, "100.0"),
        (0x3F400000, "0.75"),
    ],
)
def test_float_limits(bits, text):
    """Signed zeros, subnormal numbers, the largest number, and common numbers."""
    (value,) = unpack("<f", pack("<I", bits))
    assert json.dumps(shortest_single(value)) == text


def test_floats_are_as_short_as_in_numpy():
    """Every power of two, where the gaps to its neighbours differ, and a sample of the other numbers."""
    numpy = pytest.importorskip("numpy")
    powers = [exponent << 23 for exponent in range(255)] + [1 << bit for bit in range(23)]
    for bits in [*powers, *range(1, 0x7F800000, 0x7F800000 // 5003)]:
        (value,) = unpack("<f", pack("<I", bits))
        assert shortest_single(value) == float(numpy.format_float_scientific(numpy.float32(value))), hex(bits)


@given(value=st.floats())
def test_a_double_prints_exactly(value):
    """As the same number, or as text if it is not finite."""
    text = json_float(value, single=False)
    if isinstance(text, str):
        assert not math.isfinite(value)
        assert repr(float(text.replace("Infinity", "inf"))) == repr(value) or math.isnan(value)
    else:
        assert pack("<d", json.loads(json.dumps(text))) == pack("<d", value)


def test_numbers_in_structured_values_print_exactly():
    """Matrices, vectors and chromaticities have floats; the types ending in d have doubles."""
    tenth = unpack("<f", pack("<f", 0.1))[0]
    assert json_value("v2f", (tenth, math.inf)) == [0.1, "Infinity"]
    assert json_value("m33f", ((tenth, math.nan, -0.0),)) == [[0.1, "NaN", -0.0]]
    assert json_value("v2d", (tenth, -math.inf)) == [tenth, "-Infinity"]
    assert math.copysign(1, json_value("float", -0.0)) == -1
