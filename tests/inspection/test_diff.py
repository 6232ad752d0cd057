"""The differences between two headers."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from exr_inspector import inspect
from exr_inspector.inspection.diff import Difference, diff
from tests.support import corpus
from tests.support import exr_writer as w


def differences(a, b) -> list[Difference]:
    found = diff(inspect(w.build(a).data), inspect(w.build(b).data))
    assert all(each.a != each.b for each in found), "the same words on both sides"
    json.dumps([asdict(each) for each in found], allow_nan=False)
    return found


def shown(a, b) -> list[tuple[str, str, str | None, str | None]]:
    return [(each.kind, each.name, each.a, each.b) for each in differences(a, b)]


def test_equal_headers_have_no_differences():
    """Pixels are ignored."""
    part = w.part(extra=[w.text("owner", "someone")])
    assert differences(part, w.part(extra=[w.text("owner", "someone")], pixels=lambda size: b"x" * size)) == []


def test_attributes_are_compared_by_value_and_type():
    """An absent value is None; the type is named where it differs."""
    a = w.part(compression=0, extra=[w.text("owner", "a"), w.fixed("take", "int", 1), w.text("only", "here")])
    b = w.part(compression=3, extra=[w.text("owner", "b"), w.fixed("take", "float", 1), w.text("new", "there")])
    assert shown(a, b) == [
        ("attribute", "compression", "NONE", "ZIP"),
        ("attribute", "owner", "a", "b"),
        ("attribute", "take", "int 1", "float 1.0"),
        ("attribute", "only", "here", None),
        ("attribute", "new", None, "there"),
    ]


def test_values_are_shown_as_on_the_page_of_a_file():
    """No Python containers."""
    box, rational = w.fixed("w", "box2i", 0, 0, 1, 1), w.fixed("r", "rational", 24000, 1001)
    a = w.part(extra=[box, rational, w.fixed("v", "v2f", 1, 2)])
    b = w.part(extra=[w.fixed("w", "box2i", 0, 0, 2, 1), w.fixed("r", "rational", 25, 1), w.fixed("v", "v2f", 1, 3)])
    assert [row[2:] for row in shown(a, b)] == [
        ("[0,0,1,1]", "[0,0,2,1]"), ("24000/1001", "25/1"), ("1.0 2.0", "1.0 3.0"),
    ]  # fmt: skip


def test_values_are_compared_by_their_bytes():
    """A NaN equals itself, 0 and -0 differ, and so do values of an unknown type and NaNs of different bits."""
    nan = w.fixed("x", "float", float("nan"))
    assert differences(w.part(extra=[nan]), w.part(extra=[nan])) == []
    zeros = w.fixed("x", "float", 0.0), w.fixed("x", "float", -0.0)
    assert shown(w.part(extra=[zeros[0]]), w.part(extra=[zeros[1]])) == [("attribute", "x", "0.0", "-0.0")]
    raw = [w.attribute("x", "studio", bytes([0, byte])) for byte in (1, 2)]
    assert shown(w.part(extra=[raw[0]]), w.part(extra=[raw[1]])) == [
        ("attribute", "x", "studio, 2 bytes, from byte 1: 01", "studio, 2 bytes, from byte 1: 02")
    ]
    nans = [w.attribute("x", "float", bytes([byte, 0, 0xC0, 0x7F])) for byte in (0, 1)]
    assert len(differences(w.part(extra=[nans[0]]), w.part(extra=[nans[1]]))) == 1


@pytest.mark.parametrize(("a", "b"), [("x", "x "), ("", " "), (" x", "x")])
def test_blanks_are_in_quotes(a, b):
    assert shown(w.part(extra=[w.text("t", a)]), w.part(extra=[w.text("t", b)])) == [
        ("attribute", "t", f'"{a}"', f'"{b}"')
    ]


def test_the_second_attribute_of_a_name_is_compared():
    """Readers use the first one."""
    a, b = (w.part(extra=[w.text("t", "x"), w.text("t", end)]) for end in "ab")
    assert shown(a, b) == [("attribute", "t (no. 2)", "a", "b")]


def test_channels_are_compared_one_by_one():
    """Pixel type, sampling, linearity and presence; the attribute `channels` is not compared as well."""
    a = w.part(channels=[("A", w.HALF, 1, 1, 0), ("B", w.HALF, 1, 1, 0), ("Y", w.HALF, 1, 1, 0)])
    b = w.part(channels=[("A", w.FLOAT, 1, 1, 0), ("B", w.HALF, 2, 2, 1), ("Z", w.FLOAT, 1, 1, 0)])
    assert shown(a, b) == [
        ("channel", "A", "HALF", "FLOAT"),
        ("channel", "B", "HALF", "HALF 1/2×1/2 linear"),
        ("channel", "Y", "HALF", None),
        ("channel", "Z", None, "FLOAT"),
    ]


RGBA, N = w.part(name="rgba"), w.part(name="N", channels=[("N.X", w.FLOAT, 1, 1, 0)])
DEPTH, PACKED = (w.part(name="depth", channels=[("Z", w.FLOAT, 1, 1, 0)], compression=code) for code in (0, 2))


def test_parts_are_paired_by_name():
    """Wherever they are; one that only one file has is a single difference."""
    added = Difference(kind="part", name="N", a=None, b="scanlineimage, 1 channel", part_index=1, part_name="N")
    types = {"type_a": "compression", "type_b": "compression"}
    packed = Difference(
        kind="attribute", name="compression", a="NONE", b="ZIPS", part_index=1, part_name="depth", **types
    )
    assert differences([RGBA, DEPTH], [RGBA, N, PACKED]) == [packed, added]
    assert [(each.kind, each.name) for each in differences([RGBA, N, DEPTH], [RGBA, DEPTH])] == [("part", "N")]
    assert differences([RGBA, DEPTH], [DEPTH, RGBA]) == []


def test_parts_without_a_partner_are_paired_by_their_position():
    """A part may have another name."""
    renamed = w.part(name="beauty")
    assert shown([RGBA, DEPTH], [renamed, DEPTH]) == [("attribute", "name", "rgba", "beauty")]
    assert shown(w.part(), [RGBA, DEPTH])[0] == ("file", "flags", "none", "multipart")
    assert ("part", "depth", None, "scanlineimage, 1 channel") in shown(w.part(), [RGBA, DEPTH])


def test_parts_with_other_names_and_channels_are_no_pair():
    """What is at a position says nothing about them."""
    swapped = [w.part(name="depth2", channels=[("Z", w.FLOAT, 1, 1, 0)]), w.part(name="rgba2")]
    assert [(name, a is None, b is None) for _, name, a, b in shown([RGBA, DEPTH], swapped)] == [
        ("rgba", False, True), ("depth", False, True), ("depth2", True, False), ("rgba2", True, False),
    ]  # fmt: skip


def test_what_is_missing_is_compared():
    """The headers are equal."""
    data = w.build(w.part()).data
    assert [(each.kind, each.name, each.a, each.b) for each in diff(inspect(data), inspect(data[:-1]))] == [
        ("file", "completeness", "complete", "truncated"),
        ("pixels", "missing", "nothing", "line 7 (7 in part)"),
    ]


def test_long_values_show_their_size_and_where_they_differ():
    """Values of up to 200 characters are shown in full."""
    ((*_, a, b),) = shown(w.part(extra=[w.text("m", "x" * 200)]), w.part(extra=[w.text("m", "x" * 199)]))
    assert (a, b) == ("x" * 200, "x" * 199)
    for common in (5000, 1_000_000):
        long = [w.part(extra=[w.text("m", "x" * common + end)]) for end in ("a", "b", "")]
        ((*_, a, b),) = shown(long[0], long[1])
        assert a == f"{common + 1:,} bytes, from byte {common:,}: …{'x' * 20}a"
        assert b == f"{common + 1:,} bytes, from byte {common:,}: …{'x' * 20}b"
        ((*_, a, b),) = shown(long[0], long[2])
        assert b == f"{common:,} bytes, from byte {common:,}: …{'x' * 20}"
    ((*_, summary, _),) = shown(w.part(extra=[w.attribute("m", "studio", bytes(10_000))]), w.part())
    assert summary == "studio, 10000 bytes"


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 1001])
def test_the_first_difference_is_found_at_any_position(size):
    """The first, the last and one in the middle; also if a later byte differs."""
    for at in {0, size // 2, size - 1}:
        raw = bytearray(size)
        raw[at] = raw[-1] = 1
        (found,) = shown(blob(bytes(size)), blob(bytes(raw)))
        assert f"from byte {at:,}: 01" in found[3]


def blob(raw):
    return w.part(extra=[w.attribute("m", "studio", raw)])


def test_bytes_that_are_not_text_differ_too():
    """Two bytes that are not UTF-8 are decoded alike."""
    a, b = (w.part(extra=[w.attribute("m", "string", b"x" * 300 + byte)]) for byte in (b"\xfe", b"\xff"))
    ((*_, left, right),) = shown(a, b)
    assert (left[-2:], right[-2:]) == ("fe", "ff")


def test_attributes_that_change_from_frame_to_frame_are_marked():
    a, b = (w.part(extra=[w.text("owner", x), w.text("capDate", f"2026:01:0{x} 10:00:00")]) for x in "12")
    assert [(each.name, each.is_volatile) for each in differences(a, b)] == [("owner", False), ("capDate", True)]


@pytest.mark.parametrize("sidecar", [case for case in corpus.REPORTS_2 if str(case.id).startswith(("39", "no corpus"))])
def test_no_row_has_the_same_words_on_both_sides(sidecar):
    """Another type, another part of a long text, a repeated attribute."""
    pairs = corpus.sidecar(sidecar)["expect"]["pairs"]
    files = sidecar.parent / "39-diff-same-words"
    rows = []
    for pair in pairs:
        found = diff(inspect(files / pair["a"]), inspect(files / pair["b"]))
        assert found
        assert all(each.a != each.b for each in found)
        rows += [(each.name, each.a, each.b) for each in found]
    (rate, long, twice) = rows
    assert rate == ("frameRate", "int 24", 'string "24"')
    assert all(f"from byte 400: …{'x' * 20}{letter}y" in text for letter, text in zip("AB", long[1:], strict=True))
    assert twice == ("x (no. 2)", "2", "3")
