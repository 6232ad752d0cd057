"""Volatility: what changes per frame is left out of structure hash and vectors alike, settings are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.exr import Attribute, decode, read_header
from exr_inspector.inspection.identity import structure_hash
from exr_inspector.inspection.json_form import json_value
from exr_inspector.inspection.volatility import Volatility, structure_of, volatility
from exr_inspector.vectors import metadata_vector
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.small_exr import FRAMES_PER_SEQUENCE, small_file


def hash_of(*parts: w.Part) -> str:
    return structure_hash(read_header(w.build(list(parts)).data).parts)


def with_attribute(*attributes: bytes) -> str:
    return hash_of(w.part(extra=attributes))


def vector_with(*attributes: bytes) -> bytes:
    return metadata_vector(inspect(w.build(w.part(extra=attributes)).data)).tobytes()


OTHER_DIGITS = str.maketrans("0123456789", "1234567890")


PER_FRAME = [
    ("capDate", "2026:03:01 12:00:00"),
    ("DateTime", "yesterday"),
    ("renderTime", "0h12m"),
    ("arnold/stats/time/render", "17"),
    ("arnold/host/name", "farm17"),
    ("frame", "1001"),
    ("nuke/node_hash", "8c5c3e1b"),
    ("cryptomatte/3ae39a5/manifest", '{"a": "00000000"}'),
    ("comments", "rendered at 12:34:56 on farm"),
    ("note", "peak 12.5 GB"),
    ("source", "d41d8cd98f00b204e9800998ecf8427e"),
    ("deadline/slave", "farm17"),
    ("gpu", "RTX 4090"),
    ("load", "87%"),
    ("source", "8c5c3e1b"),
    ("farm", '{"slot": 3, "path": "/tmp/a"}'),
    ("farm", "[3, 4]"),
    ("clock", "2400 MHz"),
    ("note", "2026/Mar/01"),
    ("note", "2026/03/01"),
    ("ticket", "1234567"),
    ("variance", "0.0151873"),
    ("pivot", "0.5 0.0151873 1"),
    ("log", "x" * 600 + "1"),
    ("log", "é" * 300 + "1"),
]


@pytest.mark.parametrize(("name", "value"), PER_FRAME)
def test_values_that_change_per_frame_do_not_count(name, value):
    """By name, or by value; the presence of the attribute counts."""
    assert volatility(name, "string", lambda: value) is Volatility.VOLATILE
    assert with_attribute(w.text(name, value)) != with_attribute()
    other = value.translate(OTHER_DIGITS) if value != "yesterday" else "today"
    assert with_attribute(w.text(name, value)) == with_attribute(w.text(name, other))
    assert vector_with(w.text(name, value)) == vector_with(w.text(name, other))


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("owner", "studio", "studiox"),
        ("colorInteropID", "lin_ap1_scene", "lin_rec709_scene"),
        ("software", "Renderer 7.3.2", "Renderer 7.3.3"),
        ("arnold/version", "Arnold 7.3.2 [5a4c1f0e]", "Arnold 7.3.3 [9b1d2e3f]"),
        ("software", "Renderer 7.3.2 built 2026-03-01", "Renderer 7.3.3 built 2026-04-01"),
        ("renderingTransform", "RRT_a", "RRT_b"),
        ("arnold/AA_samples", "4", "5"),
        ("exposureTime", "0.5", "0.25"),
        ("frameRate", "24", "25"),
        ("frameRate", "23.976", "29.97"),
        ("shutterTime", "180", "90"),
        ("assetVersion", "v012", "v013"),
        ("show", "harbor", "tundra"),
        ("scene", "/shows/harbor/sh010_012.hip", "/shows/tundra/sh010_012.hip"),
        ("cryptomatte/3ae39a5/name", "CryptoObject", "CryptoMaterial"),
    ],
)
def test_constant_values_count(name, value, other):
    """A different value is a difference between frames."""
    assert volatility(name, "string", lambda: value) is Volatility.CONSTANT
    assert with_attribute(w.text(name, value)) != with_attribute(w.text(name, other))
    assert vector_with(w.text(name, value)) != vector_with(w.text(name, other))


def test_a_value_is_not_decoded_if_the_name_decides():
    """It may be a manifest that takes much memory."""

    def value() -> None:
        pytest.fail("the value was read")

    assert volatility("renderTime", "string", value) is Volatility.VOLATILE
    assert volatility("frameRate", "float", value) is Volatility.CONSTANT
    assert volatility("manifest", "idmanifest", value) is Volatility.VOLATILE


def test_a_text_called_version_counts_in_the_structure_hash():
    """Vectors leave out the name: in multipart files it is the version of the data format."""
    assert volatility("version", "string", lambda: "v012") is Volatility.CONSTANT
    assert with_attribute(w.text("version", "v012")) != with_attribute(w.text("version", "v012x"))


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("/plates/sh010/sh010.1001.exr", "/plates/sh010/sh010.1002.exr"),
        ("husk -R BRAY -f 1001 /jobs/sh010.usd", "husk -R BRAY -f 1002 /jobs/sh010.usd"),
    ],
)
def test_paths_and_commands_count_in_vectors_without_their_frame_numbers(value, other):
    assert volatility("input", "string", lambda: value) is Volatility.UNCERTAIN
    assert with_attribute(w.text("input", value)) == with_attribute(w.text("input", other))
    assert vector_with(w.text("input", value)) == vector_with(w.text("input", other)) != vector_with()


@pytest.mark.parametrize(
    ("attribute", "name", "attr_type", "value", "expected"),
    [
        (w.fixed("threshold", "float", 0.015), "threshold", "float", 0.015, Volatility.UNCERTAIN),
        (w.fixed("threshold", "float", 0.0151873), "threshold", "float", 0.0151873, Volatility.VOLATILE),
        (w.fixed("bounces", "int", 12), "bounces", "int", 12, Volatility.CONSTANT),
        (w.fixed("samplesTaken", "int", 1234567), "samplesTaken", "int", 1234567, Volatility.VOLATILE),
        (w.fixed("budget", "int", 2_000_000), "budget", "int", 2_000_000, Volatility.CONSTANT),
        (w.fixed("crop", "box2i", 0, 0, 3, 3), "crop", "box2i", [0, 0, 3, 3], Volatility.VOLATILE),
    ],
    ids=["typed float", "measured float", "int", "counter", "round int", "window"],
)
def test_numbers(attribute, name, attr_type, value, expected):
    """A float that a person typed counts in vectors only: it may be animated."""
    assert volatility(name, attr_type, lambda: value) is expected
    other = attribute[:-1] + bytes([attribute[-1] ^ 1])
    assert (with_attribute(attribute) != with_attribute(other)) is (expected is Volatility.CONSTANT)
    plain = w.attribute(name, "unknown", b"")
    assert (vector_with(attribute) != vector_with(plain)) is (expected is not Volatility.VOLATILE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (w.part(compression=0), w.part(compression=3)),
        (w.part(), w.part(channels=[("R", w.HALF, 1, 1, 0)])),
        (w.part(), w.part(channels=[(c, w.FLOAT, 1, 1, 0) for c in "BGR"])),
        (w.part(), w.part(display=(0, 0, 99, 99))),
        (w.part(), w.part(replace={"pixelAspectRatio": w.fixed("pixelAspectRatio", "float", 2)})),
        (w.part(tiles=w.Tiles(8, 8)), w.part(tiles=w.Tiles(16, 8))),
        (w.part(), w.part(line_order=1)),
        (w.part(), w.part(extra=[w.fixed("lens", "float", 35)])),
        (
            w.part(extra=[w.fixed("framesPerSecond", "rational", 24, 1)]),
            w.part(extra=[w.fixed("framesPerSecond", "rational", 25, 1)]),
        ),
    ],
    ids=["compression", "channels", "pixel type", "display", "aspect", "tiles", "line order", "attribute", "rate"],
)
def test_a_changed_setting_changes_the_structure_hash(one, other):
    assert hash_of(one) != hash_of(other)


def test_an_animated_camera_does_not_change_the_structure_hash():
    """Data window, matrices, time codes and plain floats are animated."""
    frames = [
        w.part(
            window=(n, 0, 15 + n, 7),
            display=(0, 0, 15, 7),
            extra=[
                w.fixed("worldToCamera", "m44f", *range(n, n + 16)),
                w.fixed("focus", "float", n),
                w.attribute("timeCode", "timecode", w.timecode(1, 0, 0, n)),
            ],
        )
        for n in (1, 2)
    ]
    assert hash_of(frames[0]) == hash_of(frames[1])


def test_the_order_of_parts_counts_and_that_of_attributes_does_not():
    """Writers sort attributes in any order; readers address parts by number."""
    a, b = w.text("a", "1"), w.text("b", "2")
    assert with_attribute(a, b) == with_attribute(b, a)
    one, two = w.part(name="one"), w.part(name="two", channels=[("Z", w.FLOAT, 1, 1, 0)])
    assert hash_of(one, two) != hash_of(two, one)


def test_a_text_does_not_hash_like_two_attributes():
    together = w.text("a", "1\0b\0string\0002")
    assert with_attribute(w.text("a", "1"), w.text("b", "2")) != with_attribute(together)


def test_frames_of_a_sequence_have_one_structure_hash():
    """Thirty frames of two sequences have two hashes."""
    frames = [small_file(number, False, 30) for number in range(0, 2 * FRAMES_PER_SEQUENCE, 7)]
    hashes = [structure_hash(read_header(data).parts) for data in frames]
    assert len(set(hashes)) == 2


@corpus.need_corpus
def test_frames_of_real_sequences_have_one_structure_hash():
    """Four frames of a multipart and of a single-part stereo render."""
    for pattern in ("multipart", "singlepart"):
        paths = [path for path in corpus.VALID_FILES if path.name.startswith(f"{pattern}.0")]
        hashes = {structure_hash(read_header(path.read_bytes()).parts) for path in paths}
        assert len(paths) == 4
        assert len(hashes) == 1


@pytest.mark.slow
@given(
    st.text(min_size=1).filter(lambda name: "\0" not in name),
    st.sampled_from(["string", "int", "float", "rational", "stringvector"]),
    st.binary(max_size=64),
)
def test_the_hash_keeps_the_bytes_of_constant_values_only(name, attr_type, raw):
    """For any bytes; the JSON form of the value decides, as for vectors and outliers."""
    value, note = decode(attr_type, raw)
    ((_, kept),) = structure_of([Attribute(name, attr_type, raw, value, note)])
    is_constant = volatility(name, attr_type, lambda: json_value(attr_type, value)) is Volatility.CONSTANT
    assert kept == (raw if is_constant else b"")
