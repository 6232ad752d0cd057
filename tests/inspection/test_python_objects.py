"""Inspections as Python objects: attributes of a part by name, and short representations."""

from __future__ import annotations

import pickle
from html.parser import HTMLParser

import pytest

from exr_inspector import inspect
from tests.support import exr_writer as w

HOSTILE = "<script>alert('x')</script>\x1b]0;owned\x07\r\n" + "long " * 1000
EXTRA = [
    w.text("owner", "someone"),
    w.fixed("isoSpeed", "float", 100),
    w.fixed("isoSpeed", "float", 200),
    w.text("comments", "c" * 100_000),
    w.attribute("mystery", "unheard", b"\xff" * 500),
    w.attribute("proxy", "preview", w.preview(64, 64)),
    w.attribute("weights", "floatvector", bytes(400_000)),
]


@pytest.fixture(scope="module")
def inspection():
    return inspect(w.build([w.part(name="beauty", extra=EXTRA), w.part(name="depth")]).data, name="a.1001.exr")


def test_a_part_maps_names_to_values(inspection):
    """In file order; the first of two with one name, as readers do; None for a value that cannot be decoded."""
    part, depth = inspection.parts
    assert part["owner"] == part.get("owner") == "someone"
    assert (part["isoSpeed"], part["mystery"], part["compression"]) == (100, None, part.compression)
    assert "owner" in part
    assert "owner" not in depth
    assert depth.get("owner", "nobody") == "nobody"
    assert list(part) == list(dict.fromkeys(a.attr_name for a in part.attributes))
    assert len(part) == len(part.attributes) - 1
    assert dict(part)["name"] == "beauty"
    assert [a.value for a in part.attributes if a.attr_name == "isoSpeed"] == [100, 200]


def test_an_unknown_name_is_answered_with_the_closest(inspection):
    """The error names the attribute and its part."""
    with pytest.raises(KeyError, match="part 0 has no attribute 'ownr'; closest names: 'owner'"):
        inspection.parts[0]["ownr"]
    with pytest.raises(KeyError, match="part 1 has no attribute 'qqqqqq'\""):
        inspection.parts[1]["qqqqqq"]


def test_a_part_can_be_pickled_and_compared(inspection):
    """Also after its values were read."""
    part = inspection.parts[0]
    assert part["owner"]
    again = pickle.loads(pickle.dumps(inspection))
    assert again == inspection
    assert again.parts[0]["owner"] == "someone"


def test_representations_are_one_short_line(inspection):
    """Without raw bytes."""
    assert repr(inspection) == "<Inspection 'a.1001.exr': invalid, 2 parts, 6 channels, 3 problems>"
    assert repr(inspection.parts[1]) == ("<Part 1 'depth': scanlineimage, NONE, 16×8, 3 channels, 11 attributes>")
    shown = {attribute.attr_name: repr(attribute) for attribute in inspection.parts[0].attributes}
    assert shown["owner"] == "<Attribute 'owner': string 'someone'>"
    assert shown["mystery"] == "<Attribute 'mystery': unheard 500 bytes>"
    assert shown["proxy"] == "<Attribute 'proxy': preview 16392 bytes>"
    assert repr(inspection.parts[0].channels[0]) == "<Channel 'B': HALF>"
    assert repr(inspection.problems[0]).startswith("<Problem ")
    assert max(map(len, shown.values())) < 120
    assert r"\xff" not in "".join(shown.values())


def test_hostile_names_make_no_lines_and_no_markup():
    """In a terminal and in a notebook; all of them are cut."""
    channels = [(f"{HOSTILE}{n}.R", w.HALF, 2, 1, 7) for n in range(30)]
    extra = [w.text(HOSTILE[:200], HOSTILE), w.attribute("a", HOSTILE[:200], b"x")]
    data = w.build([w.part(name=HOSTILE, channels=channels, extra=extra) for _ in range(30)]).data
    inspection = inspect(data, name=f"{HOSTILE}.exr")
    part = inspection.parts[0]
    for shown in (inspection, part, *part.channels, *part.attributes, *inspection.problems):
        text = repr(shown)
        assert text.isprintable()
        assert len(text) < 300
    html = inspection._repr_html_()
    assert len(html) < 30_000
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(html)
    assert set(tags) == {"b", "table", "tr", "th", "td", "ul", "li"}
    assert "… and 10 more" in html


def test_notebooks_show_a_table(inspection):
    """Status, parts and problems."""
    html = inspection._repr_html_()
    assert "<b>a.1001.exr</b>: invalid, " in html
    assert "<td>depth</td><td>scanlineimage</td><td>NONE</td><td>16×8</td><td>3</td>" in html
    assert html.count("<li>") == len(inspection.problems)
