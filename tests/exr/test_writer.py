"""The writer: the reader reads every value and file that it writes."""

from __future__ import annotations

import pytest

from exr_inspector import inspect
from exr_inspector.exr import Attribute, Channel, read_header
from exr_inspector.exr.attributes import Box2i, Chromaticities, Rational, TileDesc, TimeCode
from exr_inspector.exr.writer import NewPart, file_bytes, flat_chunk, required_values

WINDOW = Box2i(-1, -2, 2, 1)
CHANNELS = (Channel("B", "HALF", 1, 1, 0), Channel("Z", "FLOAT", 1, 1, 1), Channel("id", "UINT", 1, 1, 0))
VALUES = {
    "chromaticities": Chromaticities((0.5, 0.25), (0.125, 0.75), (0.0, 1.0), (0.25, 0.5)),
    "crop": Box2i(1, 2, 3, 4),
    "float": -0.5,
    "framesPerSecond": Rational(24000, 1001),
    "int": -7,
    "text": "größe",
    "matrix": tuple(tuple(float(4 * row + column) for column in range(4)) for row in range(4)),
    "timeCode": TimeCode(10, 21, 5, 23, False, False, False, False, False, False, 0x10210523, 7),
    "tileSize": TileDesc(16, 32, "MIPMAP_LEVELS", "ROUND_UP"),
}


def part(compression="NONE", **header):
    lines = [flat_chunk((y,), bytes(4 * (2 + 4 + 4))) for y in range(WINDOW.yMin, WINDOW.yMax + 1)]
    required = required_values(CHANNELS, WINDOW, compression=compression, line_order="DECREASING_Y")
    return NewPart({**required, **header}, lines)


def test_values_are_read_back():
    """Values of every type; attributes are sorted by name."""
    (read,) = read_header(file_bytes([part(**VALUES)])).parts
    found = {attribute.attr_name: attribute.value for attribute in read.attributes}
    assert found == required_values(CHANNELS, WINDOW, line_order="DECREASING_Y") | VALUES
    assert list(found) == sorted(found)


def test_an_attribute_is_written_with_its_own_type_and_bytes():
    """Also of a type without an encoder, and bytes that are not a value of their type."""
    stored = [Attribute("studio", "myStudioType", b"\0\xff", None), Attribute("size", "int", b"\1", None)]
    (read,) = read_header(file_bytes([part(**{attribute.attr_name: attribute for attribute in stored})])).parts
    assert [read.by_name[attribute.attr_name] for attribute in stored] == stored


@pytest.mark.parametrize("count", [1, 3])
def test_files_are_complete_and_without_problems(count):
    """With one part, and with several parts, which need a name and a type."""
    parts = [part("ZIPS", name=f"part {number}", type="scanlineimage") for number in range(count)]
    inspection = inspect(file_bytes(parts))
    assert inspection.completeness == "complete"
    assert not inspection.problems
    assert [each.part_name for each in inspection.parts] == [f"part {number}" for number in range(count)]


LONG = Channel("c" * 32, "HALF", 1, 1, 0)


@pytest.mark.parametrize(
    ("header", "declared"), [({"n" * 31: 1}, 0), ({"n" * 32: 1}, 0x400), ({"channels": [LONG]}, 0x400)]
)
def test_long_names_are_declared(header, declared):
    """Names of more than 31 bytes, of attributes and of channels."""
    assert int.from_bytes(file_bytes([part(**header)])[4:8], "little") == 2 | declared
