"""Structure: equal in all frames of a sequence, another one where somebody changed a setting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.exr import read_header
from exr_inspector.inspection.identity import structure_hash
from exr_inspector.inspection.volatility import is_volatile, structure_of
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.small_exr import FRAMES_PER_SEQUENCE, small_file


def hash_of(*parts: w.Part) -> str:
    return structure_hash(read_header(w.build(list(parts)).data).parts)


def with_attribute(*attributes: bytes) -> str:
    return hash_of(w.part(extra=attributes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
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
    ],
)
def test_what_changes_from_frame_to_frame_is_left_out(name, value):
    """By its name, or by what it looks like; that it is there still counts."""
    assert is_volatile(name, "string", value)
    assert with_attribute(w.text(name, value)) == with_attribute(w.text(name, f"x {value}"))
    assert with_attribute(w.text(name, value)) != with_attribute()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("owner", "studio"),
        ("colorInteropID", "lin_ap1_scene"),
        ("software", "Renderer 7.3.2"),
        ("arnold/AA_samples", "4"),
        ("exposureTime", "0.5"),
        ("frameRate", "24"),
        ("shutterTime", "180"),
        ("version", "v012"),
        ("show", "harbor"),
        ("cryptomatte/3ae39a5/name", "CryptoObject"),
    ],
)
def test_what_should_not_change_counts(name, value):
    """Another value is drift."""
    assert not is_volatile(name, "string", value)
    assert with_attribute(w.text(name, value)) != with_attribute(w.text(name, value + "x"))


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
def test_another_setting_is_another_structure(one, other):
    """What a supervisor wants to be told."""
    assert hash_of(one) != hash_of(other)


def test_a_moving_camera_is_no_drift():
    """Data window, matrices, time codes and plain floats follow the shot."""
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


def test_the_order_of_attributes_does_not_count_but_that_of_parts_does():
    """Writers sort attributes as they like; the order of parts is seen by everyone who reads by number."""
    a, b = w.text("a", "1"), w.text("b", "2")
    assert with_attribute(a, b) == with_attribute(b, a)
    one, two = w.part(name="one"), w.part(name="two", channels=[("Z", w.FLOAT, 1, 1, 0)])
    assert hash_of(one, two) != hash_of(two, one)


def test_attributes_do_not_run_together():
    """A text cannot be made to look like two attributes."""
    together = w.text("a", "1\0b\0string\0002")
    assert with_attribute(w.text("a", "1"), w.text("b", "2")) != with_attribute(together)


def test_frames_of_a_sequence_share_their_structure():
    """A hundred frames of two sequences: two structures."""
    frames = [small_file(number, False, 30) for number in range(0, 2 * FRAMES_PER_SEQUENCE, 7)]
    hashes = [structure_hash(read_header(data).parts) for data in frames]
    assert len(set(hashes)) == 2


@corpus.need_corpus
def test_frames_of_real_sequences_share_their_structure():
    """Four frames of a multipart and of a single-part stereo render."""
    for pattern in ("multipart", "singlepart"):
        paths = [path for path in corpus.VALID_FILES if path.name.startswith(f"{pattern}.0")]
        hashes = {structure_hash(read_header(path.read_bytes()).parts) for path in paths}
        assert len(paths) == 4
        assert len(hashes) == 1


@given(
    st.text(min_size=1).filter(lambda name: "\0" not in name), st.sampled_from(["string", "int", "float"]), st.text()
)
def test_any_attribute_has_one_item(name, attr_type, value):
    """Deciding never fails and is the same every time."""
    assert is_volatile(name, attr_type, value) is is_volatile(name, attr_type, value)
    assert len(structure_of([])) == 0
