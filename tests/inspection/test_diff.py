"""The differences between two headers."""

from __future__ import annotations

import json

from exr_inspector import inspect
from exr_inspector.inspection.diff import Difference, diff
from tests.support import exr_writer as w


def differences(a, b) -> list[Difference]:
    return diff(inspect(w.build(a).data), inspect(w.build(b).data))


def test_equal_headers_have_no_differences():
    """Pixels are ignored."""
    part = w.part(extra=[w.text("owner", "someone")])
    assert differences(part, w.part(extra=[w.text("owner", "someone")], pixels=lambda size: b"x" * size)) == []


def test_attributes_are_compared_by_value_and_type():
    """An absent value is None."""
    a = w.part(compression=0, extra=[w.text("owner", "a"), w.fixed("take", "int", 1), w.text("only", "here")])
    b = w.part(compression=3, extra=[w.text("owner", "b"), w.fixed("take", "float", 1), w.text("new", "there")])
    assert differences(a, b) == [
        Difference(part_index=0, kind="attribute", name="compression", a="NONE", b="ZIP"),
        Difference(part_index=0, kind="attribute", name="owner", a="a", b="b"),
        Difference(part_index=0, kind="attribute", name="take", a=1, b=1.0),
        Difference(part_index=0, kind="attribute", name="only", a="here", b=None),
        Difference(part_index=0, kind="attribute", name="new", a=None, b="there"),
    ]


def test_values_are_compared_by_their_bytes():
    """A NaN equals itself, 0 and -0 differ, and so do values of an unknown type."""
    nan = w.fixed("x", "float", float("nan"))
    assert differences(w.part(extra=[nan]), w.part(extra=[nan])) == []
    (zero,) = differences(w.part(extra=[w.fixed("x", "float", 0.0)]), w.part(extra=[w.fixed("x", "float", -0.0)]))
    assert (str(zero.a), str(zero.b)) == ("0.0", "-0.0")
    (unknown,) = differences(
        w.part(extra=[w.attribute("x", "studio", b"\0")]), w.part(extra=[w.attribute("x", "studio", b"\1")])
    )
    assert (unknown.a, unknown.b) == ("AA==", "AQ==")


def test_channels_are_compared_one_by_one():
    """Pixel type, sampling, linearity and presence; the attribute `channels` is not compared as well."""
    a = w.part(channels=[("A", w.HALF, 1, 1, 0), ("B", w.HALF, 1, 1, 0), ("Y", w.HALF, 1, 1, 0)])
    b = w.part(channels=[("A", w.FLOAT, 1, 1, 0), ("B", w.HALF, 2, 2, 1), ("Z", w.FLOAT, 1, 1, 0)])
    assert [(d.kind, d.name, d.a, d.b) for d in differences(a, b)] == [
        ("channel", "A", "HALF", "FLOAT"),
        ("channel", "B", "HALF", "HALF 2×2 linear"),
        ("channel", "Y", "HALF", None),
        ("channel", "Z", None, "FLOAT"),
    ]


def test_parts_are_compared_in_order_and_additional_parts_are_listed():
    a = [w.part(name="rgba"), w.part(name="depth", channels=[("Z", w.FLOAT, 1, 1, 0)])]
    b = [*a, w.part(name="N", channels=[("N.X", w.FLOAT, 1, 1, 0)])]
    assert differences(a, b) == [
        Difference(part_index=None, kind="file", name="parts", a=2, b=3),
        Difference(part_index=2, kind="part", name="N", a=None, b="scanlineimage, 1 channel"),
    ]
    assert [d.name for d in differences(b, a)] == ["parts", "N"]
    assert differences(w.part(), a)[0] == Difference(part_index=None, kind="file", name="flags", a=[], b=["multipart"])


def test_a_difference_in_a_later_part_names_it():
    """By its index."""
    a, b = ([w.part(name="a"), w.part(name="b", compression=code)] for code in (0, 2))
    assert [(d.part_index, d.name) for d in differences(a, b)] == [(1, "compression")]


def test_completeness_is_compared():
    """The headers are equal."""
    data = w.build(w.part()).data
    (found,) = diff(inspect(data), inspect(data[:-1]))
    assert found == Difference(part_index=None, kind="file", name="completeness", a="complete", b="truncated")


def test_long_values_are_truncated_and_show_their_size():
    """Values of up to 200 characters are shown in full."""
    (found,) = differences(w.part(extra=[w.text("m", "x" * 1_000_000)]), w.part(extra=[w.text("m", "x" * 200)]))
    assert found.a == f"string, 1000000 bytes: {'x' * 60}…"
    assert found.b == "x" * 200
    (blob,) = differences(w.part(extra=[w.attribute("m", "studio", bytes(10_000))]), w.part())
    assert len(blob.a) < 100


def test_long_values_that_differ_at_the_end_are_reported():
    """Although both are shown alike."""
    a, b = (w.part(extra=[w.text("m", "x" * 5000 + end)]) for end in "ab")
    (found,) = differences(a, b)
    assert found.a == found.b


def test_every_shown_value_is_strict_json():
    """NaN as a string, bytes as base64."""
    extra = [
        w.fixed("f", "float", float("nan")),
        w.attribute("p", "preview", w.preview(8, 8)),
        w.attribute("t", "timecode", w.timecode(1, 2, 3, 4)),
        w.attribute("u", "studio", b"\xff"),
        w.fixed("c", "chromaticities", *range(8)),
    ]
    for found in differences(w.part(extra=extra), w.part()):
        json.dumps([found.a, found.b], allow_nan=False)
