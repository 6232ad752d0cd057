"""Inspections as rows: the cells of attributes, cut cells, and the way between processes."""

import json
import pickle
from struct import pack

import pytest

from exr_inspector import inspect
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import CHILD_TABLES, TABLES, batch_schema
from tests.support.exr_bytes import attribute, exr_bytes, inspection, required, text

TIMECODE = attribute("timeCode", "timecode", pack("<II", 0x01020304, 0))


def attributes(*extra, cell_limit=64 * 1024):
    """The rows of the extra attributes of one file, by name."""
    rows = from_inspections([inspection("a.exr", *extra)], cell_limit=cell_limit).tables["attributes"].to_pylist()
    return {row["attr_name"]: row for row in rows[len(required()) :]}


@pytest.mark.parametrize(
    ("attr", "value_json", "value_text", "value_int", "value_float"),
    [
        (text("a", 'say "ü"\0'), '"say \\"ü\\"\\u0000"', 'say "ü"\u2400', None, None),
        (attribute("a", "int", pack("<i", -7)), "-7", None, -7, -7.0),
        (attribute("a", "float", pack("<f", 0.1)), "0.1", None, None, 0.1),
        (attribute("a", "double", pack("<d", 0.1)), "0.1", None, None, 0.1),
        (attribute("a", "float", pack("<f", float("nan"))), '"NaN"', None, None, None),
        (attribute("a", "double", pack("<d", float("-inf"))), '"-Infinity"', None, None, None),
        (attribute("a", "envmap", b"\1"), '"ENVMAP_CUBE"', "ENVMAP_CUBE", None, None),
        (
            attribute("a", "rational", pack("<iI", 24, 1)),
            '{"numerator":24,"denominator":1}',
            None,
            None,
            None,
        ),
        (attribute("a", "v2i", pack("<2i", 1, 2)), "[1,2]", None, None, None),
        (attribute("a", "stringvector", b""), "[]", None, None, None),
    ],
    ids=["string", "int", "float", "double", "nan", "infinity", "enum", "rational", "vector", "no strings"],
)
def test_cells_of_a_value(attr, value_json, value_text, value_int, value_float):
    row = attributes(attr)["a"]
    assert (row["value_json"], row["value_text"], row["value_int"], row["value_float"]) == (
        value_json, value_text, value_int, value_float,
    )  # fmt: skip
    assert row["raw"] is None
    assert row["truncated"] is False


def test_a_time_code_reads_as_people_write_it():
    row = attributes(TIMECODE)["timeCode"]
    assert row["value_text"] == "01:02:03:04"
    assert json.loads(row["value_json"])["hours"] == 1


@pytest.mark.parametrize(
    "attr",
    [
        attribute("a", "ourOwnType", b"\1\2"),
        attribute("a", "float", b"\1\2"),
        attribute("a", "string", b"\xff\xfe"),
    ],
    ids=["unknown type", "wrong size", "not UTF-8"],
)
def test_raw_bytes_are_kept_where_the_value_is_not_lossless(attr):
    assert attributes(attr)["a"]["raw"] == attr[-2:]


def test_value_json_is_the_value_of_the_json_form():
    one = inspection("a.exr", text("owner", "me"), TIMECODE, attribute("x", "m33f", pack("<9f", *range(9))))
    rows = from_inspections([one]).tables["attributes"].to_pylist()
    for row, form in zip(rows, one.to_dict()["attributes"], strict=True):
        assert json.loads(row["value_json"]) == form["value"]
        assert [row[key] for key in ("part_index", "attr_index", "attr_name", "attr_type", "size_bytes")] == [
            form[key] for key in ("part_index", "attr_index", "attr_name", "attr_type", "size_bytes")
        ]


def test_an_attribute_too_large_for_a_cell_keeps_its_size_and_first_part():
    rows = attributes(text("t", "ü" * 100), attribute("u", "ourOwnType", b"x" * 101), cell_limit=99)
    assert rows["t"]["value_text"] == "ü" * 49  # never half a letter
    assert rows["u"]["raw"] == b"x" * 99
    for name, size in (("t", 200), ("u", 101)):
        assert rows[name]["truncated"] is True
        assert rows[name]["value_json"] is None
        assert rows[name]["size_bytes"] == size


def test_json_that_is_longer_than_the_bytes_is_cut_too():
    """100 control characters are 600 in JSON."""
    row = attributes(text("t", "\1" * 100), cell_limit=100)["t"]
    assert (row["truncated"], row["value_json"], row["value_text"]) == (True, None, "\1" * 100)


def test_the_limit_holds_for_attributes_that_were_seen_with_another_one():
    one = inspection("a.exr", text("t", "x" * 50))
    cut = [
        from_inspections([one], cell_limit=limit).tables["attributes"]["truncated"].to_pylist()[-1]
        for limit in (100, 20, 100)
    ]
    assert cut == [False, True, False]


def test_a_file_that_occurs_twice_has_its_other_rows_once():
    one, other = inspection("a.exr"), inspection("b.exr")
    tables = from_inspections([one, other, one]).tables
    assert tables["files"]["file_id"].to_pylist() == [i.file.file_id for i in (one, other, one)]
    assert tables["parts"]["file_id"].to_pylist() == [one.file.file_id, other.file.file_id]


def test_large_headers_are_converted_in_groups(monkeypatch):
    """An Arrow array of texts has at most 2 GiB."""
    made = [inspection(f"/{name}.exr", text("note", name * 1000)) for name in "abc"]
    expected = from_inspections(made).tables
    for header_bytes in (2 * made[0].file.header_bytes, 1):
        monkeypatch.setattr("exr_inspector.catalog.rows._HEADER_BYTES", header_bytes)
        tables = from_inspections(made).tables
        assert tables["attributes"]["value_text"].num_chunks > 1
        assert all(tables[table].equals(rows) for table, rows in expected.items())
    assert from_inspections([]).tables["attributes"].num_rows == 0


def test_tables_have_the_columns_of_the_schema():
    for batch in (from_inspections([]), from_inspections([inspection()])):
        assert set(batch.tables) == {"files", *CHILD_TABLES}
        for table, rows in batch.tables.items():
            assert rows.schema == batch_schema(table)
            rows.validate(full=True)


def test_bytes_without_a_name_have_no_rows():
    """All of them would be versions of one path."""
    unnamed = inspect(exr_bytes())
    with pytest.raises(ValueError, match=r"bytes without a name cannot be stored; give one: inspect\(data, name=PATH"):
        from_inspections([inspection("a.exr"), unnamed])


def test_a_header_without_its_required_attributes_has_rows_with_nulls():
    damaged = b"v/1\x01" + pack("<I", 2) + text("owner", "me") + b"\0"
    tables = from_inspections([inspect(damaged, name="a.exr")]).tables
    part = tables["parts"].to_pylist()[0]
    assert (part["width"], part["compression"], part["data_window"]) == (None, None, None)
    assert tables["channels"].num_rows == 0
    for table, rows in tables.items():
        for column in TABLES[table]:
            if column.name in rows.column_names and not column.nullable:
                assert rows[column.name].null_count == 0, (table, column.name)


def test_a_batch_can_be_pickled():
    batch = from_inspections([inspection("a.exr", TIMECODE), inspection("b.exr")])
    again = pickle.loads(pickle.dumps(batch))
    assert again == batch


def test_a_path_that_is_not_utf_8_is_encoded(tmp_path):
    from exr_inspector import inspect
    from tests.support.exr_bytes import exr_bytes

    path = tmp_path / "a\udcff.exr"
    path.write_bytes(exr_bytes())
    assert from_inspections([inspect(path)]).tables["files"]["file_path"].to_pylist()[0].endswith("a%FF.exr")


def test_files_have_the_vectors_of_their_headers():
    from exr_inspector.vectors import VERSION, embed

    one, other = inspection("a.exr"), inspection("b.exr", text("owner", "me"), channels="AZ")
    rows = from_inspections([one, other]).tables["files"].to_pylist()
    for row, each in zip(rows, (one, other), strict=True):
        vectors = embed(each)
        assert row["metadata_embedding"] == vectors.metadata.tolist()
        assert row["channel_fingerprint"] == vectors.channels.tolist()
        assert row["embedding_version"] == VERSION


def test_vectors_are_null_unless_requested():
    row = from_inspections([inspection("a.exr")], vectors=False).tables["files"].to_pylist()[0]
    assert (row["metadata_embedding"], row["channel_fingerprint"], row["embedding_version"]) == (None, None, None)
