"""Named queries: their heads, checks of parameters, and equal results on both backends."""

import re
from datetime import datetime

import duckdb
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.queries.computed import COMPLETIONS
from exr_inspector.catalog.queries.named import NamedQuery, Parameter, named_queries, named_query
from exr_inspector.catalog.queries.path_template import FIELDS, field_patterns
from exr_inspector.errors import SettingsError
from tests.support.demo_catalog import PARAMETERS, fill

from .conftest import BUCKET

QUERIES = named_queries()
every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)


def of_kind(kind, default=None):
    """A query with one parameter."""
    parameter = Parameter(name="p", kind=kind, default=default, meaning="")
    return NamedQuery(name="q", title="", question="", empty="", note="", completed="", parameters=(parameter,), sql="")


@every_query
def test_the_head_declares_title_question_and_empty(query):
    assert query.title
    assert query.question.endswith("?")
    assert query.empty
    assert all(parameter.meaning for parameter in query.parameters)
    assert len({parameter.name for parameter in query.parameters}) == len(query.parameters)


def test_the_head_of_a_query_that_python_completes_says_so():
    assert {query.name for query in QUERIES.values() if query.completed} == set(COMPLETIONS)


@every_query
def test_the_parameters_are_those_of_the_query(query):
    body = "\n".join(line for line in query.sql.splitlines() if not line.startswith("--"))
    assert set(re.findall(r"\$(\w+)", body)) == {parameter.name for parameter in query.parameters}


@every_query
def test_every_default_is_of_its_kind(query):
    query.bind({parameter.name: "x" for parameter in query.parameters if parameter.default is None})


@every_query
def test_old_and_deleted_files_are_excluded(query):
    assert "is_current" in query.sql
    assert "deleted_at" in query.sql


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "a=b, c", "a=b, c"),
        ("integer", "-7", -7),
        ("number", "1.5", 1.5),
        ("timestamp", "2026-03-05T12:00:00+02:00", datetime(2026, 3, 5, 10)),
        ("timestamp", "2026-03-05", datetime(2026, 3, 5)),
        ("list", " a, b.*,,", ["a", "b.*"]),
        ("list", "", []),
        ("a|b", "b", "b"),
        ("path", "*", {"prefix": "", "regex": ""}),
        ("path", "s3://a/b", {"prefix": "s3://a/b", "regex": "(?s)^(?:s3://a/b)(?:/|$)"}),
        ("file", "/a/../b.exr", {"given": "/a/../b.exr", "uri": "file:///b.exr"}),
    ],
)
def test_text_is_converted_to_the_kind(kind, text, value):
    assert of_kind(kind).bind({"p": text}) == {"p": value}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "9223372036854775808"),
        ("number", "many"),
        ("number", "nan"),
        ("timestamp", "yesterday"),
        ("a|b", "c"),
        ("template", "{shot"),
    ],
)
def test_text_of_another_kind_is_rejected_in_one_line(kind, text):
    with pytest.raises(SettingsError) as caught:
        of_kind(kind).bind({"p": text})
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_and_missing_parameters_and_reports_are_named():
    with pytest.raises(SettingsError, match="no parameter 'q'; it has p"):
        of_kind("text").bind({"q": "1", "p": "2"})
    with pytest.raises(SettingsError, match="needs a value for p"):
        of_kind("text").bind({})
    with pytest.raises(
        SettingsError, match=r"unknown report 'storag'; did you mean storage\?; the reports are anomalies, "
    ):
        named_query("storag")
    with pytest.raises(SettingsError, match="unknown report 'nothing'; the reports are anomalies, "):
        named_query("nothing")


# ── path templates ────────────────────────────────

PATH = "s3://studio/shows/harbor/sq010/sh0020/lighting/beauty/v003/harbor_sq010_sh0020_beauty_v003.1001.exr"


@pytest.mark.parametrize(
    ("template", "path", "fields"),
    [
        (
            "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**",
            PATH,
            {"show": "harbor", "sequence": "sq010", "shot": "sh0020", "task": "lighting", "layer": "beauty"},
        ),
        (
            "{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**",
            "file:///harbor/sq010/sh0020/reference/a.exr",
            {"show": "harbor", "sequence": "sq010", "shot": "sh0020", "task": "reference"},
        ),
        ("{show}/{sequence:sq*}/{shot:sh*}/**", "s3://studio/shows/harbor/assets/buoy/v001/a.exr", {}),
        ("{sequence}/{shot}/*/*/*/{name}_v*.exr", PATH,
         {"sequence": "sq010", "shot": "sh0020", "name": "harbor_sq010_sh0020_beauty"}),
        ("{show}_{sequence}_{shot}_{layer}_v{version:???}.*", PATH,
         {"show": "harbor", "sequence": "sq010", "shot": "sh0020", "layer": "beauty", "version": "003"}),
        ("/shows/{show}/**", PATH, {"show": "harbor"}),
        ("{show:a.b*}/**", "/a.b+c/x.exr", {"show": "a.b+c"}),
        ("{show:a.b*}/**", "/axb/x.exr", {}),
    ],
)  # fmt: skip
def test_a_template_extracts_the_fields_of_a_path(template, path, fields):
    patterns = field_patterns(template)
    assert set(patterns) == set(FIELDS)
    found = ", ".join(f"regexp_extract($path, $patterns.{field}, 1)" for field in FIELDS)
    with duckdb.connect() as connection:
        row = connection.execute(f"SELECT {found}", {"path": path, "patterns": patterns}).fetchone()
    assert {field: value for field, value in zip(FIELDS, row, strict=True) if value} == fields


@pytest.mark.parametrize(
    "template", ["", "a/b", "{shot", "shot}", "{shott}", "{shot}/{shot}", "{shot}]", "[{shot}", "{}/{shot}"]
)
def test_an_invalid_template_is_rejected(template):
    with pytest.raises(SettingsError, match="path template"):
        field_patterns(template)


# ── both backends ────────────────────────────────


@pytest.mark.slow
def test_every_report_has_the_same_result_on_both_backends(tmp_path, vast_settings):
    """On the demo show; all have rows except those on features that the show does not have."""
    uris = (f"duckdb:{tmp_path}/c.duckdb", f"vast://{BUCKET}/{tmp_path.name}")
    with open_catalog(uris[0]) as first, open_catalog(uris[1]) as second:
        fill(first)
        fill(second)
        for name, query in QUERIES.items():
            given = PARAMETERS.get(name, {})
            one, other = query.run(first, given), query.run(second, given)
            assert one.schema == other.schema, name
            assert one.to_pylist() == other.to_pylist(), name
            assert one.num_rows, name
