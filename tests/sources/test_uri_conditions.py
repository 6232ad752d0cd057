"""The condition for the URIs in a catalog that a path or pattern selects, as DuckDB evaluates it."""

from __future__ import annotations

import os

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.sources.patterns import uri_condition

HERE = os.getcwd()
CONDITION = "starts_with(uri, $c.prefix) AND regexp_matches(uri, $c.regex)"


@pytest.fixture(scope="module")
def database():
    with duckdb.connect() as connection:
        yield connection


def selects(database, patterns, uri):
    condition = uri_condition(patterns)._asdict()
    ((found,),) = database.execute(
        f"SELECT {CONDITION} FROM (SELECT $uri AS uri)", {"c": condition, "uri": uri}
    ).fetchall()
    return found


@pytest.mark.parametrize(
    ("pattern", "uri", "expected"),
    [
        ("*", "s3://a/b.exr", True),
        ("s3://a/shows", "s3://a/shows/b.exr", True),
        ("s3://a/shows/", "s3://a/shows/b.exr", True),
        ("s3://a/shows", "s3://a/shows2/b.exr", False),
        ("s3://a/shows/*.exr", "s3://a/shows/x/b.exr", True),
        ("s3://a/shows/*.exr", "s3://a/shows/b.tif", False),
        ("/show", "file:///show/b.exr", True),
        ("/show", "file:///other/show/b.exr", False),
        ("/show", "s3:///show/b.exr", False),
        ("./show", f"file://{HERE}/show/b.exr", True),
        ("./show", "file:///show/b.exr", False),
        ("../b.exr", f"file://{os.path.dirname(HERE)}/b.exr", True),
        ("show", "s3://a/myshow/b.exr", True),
        ("b.####.exr", "s3://a/b.1001.exr", True),
        ("b.####.exr", "s3://a/b.10010.exr", True),
        ("b.####.exr", "s3://a/b.001.exr", False),
        ("b.####.exr", "s3://a/b.1001.25.exr", True),
        ("b.####.exr", "s3://a/b.#.exr", True),
        ("b.####.exr", "s3://a/bob.1001.exr", False),
        ("b.####.exr", "s3://a/mob.1001.exr", False),
        ("b.%04d.exr", "s3://a/b.1001.exr", True),
        ("b.$F4.exr", "s3://a/b.1001.exr", True),
        ("a/*/b.@@@@.exr", "file:///x/a/v1/b.1001.exr", True),
        ("a/*/b.@@@@.exr", "file:///x/sea/v1/b.1001.exr", False),
        ("b[1].exr", "file:///x/b[1].exr", True),
        ("b[1].exr", "file:///x/b1.exr", True),
        ("b\udcff", "file:///x/b%FF.exr", True),
        ("/proj@v1/b.####.exr", "file:///proj@v1/b.1001.exr", True),
        ("s3://a/proj@v1", "s3://a/proj@v1/b.exr", True),
        ("b.%00d.exr", "s3://a/b.1001.exr", True),
        ("b.<UDIM>.exr", "s3://a/b.1001.exr", True),
        ("b.%(UDIM)d.exr", "s3://a/b.1001.exr", True),
        ("/50%ab", "file:///50%25ab/b.exr", True),
        ("[z-a]", "file:///x/[z-a].exr", True),
        ("#" * 2000, "file:///x/b.1001.exr", False),
    ],
)
def test_a_pattern_selects_uris(database, pattern, uri, expected):
    assert selects(database, [pattern], uri) == expected


def test_several_patterns_select_what_one_of_them_does(database):
    patterns = ["s3://a/shows/x.####.exr", "s3://a/shots"]
    assert [selects(database, patterns, f"s3://a/{name}") for name in ("shows/x.1001.exr", "shots/a.exr", "b.exr")] == [
        True,
        True,
        False,
    ]
    assert uri_condition(patterns).prefix == "s3://a/sho"
    assert uri_condition([*patterns, "*"]) == ("", "")


@pytest.mark.slow
@given(st.lists(st.sampled_from([*"ab/.[]!-^*?#@%\\(){}|+$<>", "%04d", "$F4", "<UDIM>", "**/", "s3://"]), max_size=12))
def test_every_text_is_a_valid_condition(tokens):
    """DuckDB accepts the expression."""
    with duckdb.connect() as database:
        selects(database, ["".join(tokens)], "file:///a/b.1001.exr")
