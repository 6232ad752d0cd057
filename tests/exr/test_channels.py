"""Channels: layer and view in their names, and the number of samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.exr import split_name, view_of
from exr_inspector.exr.channels import MAX_CHANNELS, decode_channels, is_depth, samples_along
from tests.support import exr_writer as w


@pytest.mark.parametrize(
    ("name", "layer", "component"),
    [
        ("R", "", "R"),
        ("diffuse.R", "diffuse", "R"),
        ("bg_wall.Diffuse Direct.R", "bg_wall.Diffuse Direct", "R"),
        ("right.diffuse.R", "right.diffuse", "R"),
        ("trailing.", "", "trailing."),
        ("a.b.", "", "a.b."),
        (".R", "", "R"),
        ("a..R", "a.", "R"),
        (".", "", "."),
        ("", "", ""),
        ("crypto00.r", "crypto00", "r"),
    ],
)
def test_a_layer_is_the_text_before_the_last_dot(name, layer, component):
    """A dot at the end belongs to the name."""
    assert split_name(name) == (layer, component)


@pytest.mark.slow
@given(st.text(alphabet="ab.", max_size=12))
def test_no_character_of_a_name_is_lost(name):
    """Layer and component, joined with a dot, are the name."""
    layer, component = split_name(name)
    assert name in (component, f"{layer}.{component}")
    assert component or not name


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("R", "left"),
        ("right.R", "right"),
        ("left.R", "left"),
        ("diffuse.right.R", "right"),
        ("diffuse.R", ""),
        ("right.diffuse.R", ""),
        ("right", "left"),
    ],
)
def test_the_word_before_the_last_names_the_view(name, view):
    """Names without dots belong to the first view; a layer that is not a view has none."""
    assert view_of(name, ["left", "right"]) == view


def test_a_part_without_views():
    """Without `multiView` no channel has a view."""
    assert view_of("R", []) == view_of("right.R", []) == ""


@pytest.mark.parametrize(
    "name",
    ["Z", "z", "ZBack", "left.Z", "beauty.Z", "depth", "Depth.R", "zdepth", "VRayZDepth.r", "deep_zback"],
)
def test_names_of_depth(name):
    """In any layer or view, also beside luminance."""
    assert is_depth(name, {"R", "G", "B", "Y", "left.Y", name})


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("P.Z", ["P.X", "P.Y"]),
        ("velocity.z", ["velocity.x"]),
        ("Z", ["X", "Y"]),
        ("worldNormals.Z", []),
        ("depth_of_field_mask", []),
        ("DepthOfField.R", []),
        ("R", []),
        ("buzz", []),
    ],
)
def test_names_that_are_not_depth(name, others):
    """Such as the Z of a vector."""
    assert not is_depth(name, {name, *others})


@pytest.mark.slow
@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 9))
def test_samples_are_the_multiples_of_the_sampling_inside_the_window(first, length, sampling):
    """Also below zero and in windows that begin between two samples."""
    last = first + length
    assert samples_along(first, last, sampling) == sum(x % sampling == 0 for x in range(first, last + 1))


@pytest.mark.parametrize("sampling", [1, 0, -3])
def test_an_empty_window_has_no_samples_and_a_bad_sampling_counts_as_one(sampling):
    """Damaged headers have both."""
    assert samples_along(5, 4, sampling) == 0
    assert samples_along(5, 9, sampling) == 5


@pytest.mark.slow
def test_the_number_of_channels_is_limited():
    """The limit is far above the thousands of light groups that renderers write."""
    few = w.chlist([("R", w.HALF, 1, 1, 0)])[:-1]
    assert len(decode_channels(few * MAX_CHANNELS + b"\0")) == MAX_CHANNELS
    with pytest.raises(ValueError, match=f"more than {MAX_CHANNELS} channels"):
        decode_channels(few * (MAX_CHANNELS + 1) + b"\0")


def test_faults_of_a_hostile_list_are_counted():
    """A list of many faulty channels gives few messages."""
    faults = decode_channels(w.chlist([("x" * 300, 7, 1, 1, 9)] * 5000)).faults
    assert {code for code, _ in faults} == {"unknown_pixel_type", "bad_linear_flag", "duplicate_channel", "long_name"}
    assert [message for _, message in faults].count("4900 more channels have this problem") == 3
    assert max(len(message) for _, message in faults) < 400
