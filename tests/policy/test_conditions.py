"""Conditions: errors with positions, and the same answers on inspections and on rows of a catalog."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import TABLES
from exr_inspector.errors import PolicyError
from exr_inspector.exr import Channel
from exr_inspector.inspection.model import Inspection
from exr_inspector.policy.compile import compile_policy
from exr_inspector.policy.condition_fields import FIELDS, Field
from exr_inspector.policy.conditions import MAX_DEPTH, MAX_TESTS, MAX_VALUES, OPERATORS, parse_condition, predicate
from exr_inspector.policy.conditions_sql import SqlConditions
from exr_inspector.policy.evaluate import unreadable
from exr_inspector.policy.yaml_marks import read_document
from tests.policy.test_rules import flat
from tests.support.policies import parse_policy

TEMPLATE = "{show}/{sequence:sq*}/{shot:sh*}/{task}/**"
TEXTS = ["", "a", "b", "ab", "ba", "a-b", "a]b", "a*b", "A", "é", "a\nb", "ZIP"]
GLOBS = ["*", "a*", "*b", "?", "a?b", "[ab]", "[!a]*", "[a-b]*", "[b-a]", "*a*b*", "a[*]b", "[]a]*", "**", "[", "[!]"]
PATHS = [
    "file:///a/xyz/sq010/sh0420/comp/a.1001.exr",
    "file:///a/xyz/sq010/sh0420/mattes/b.1001.exr",
    "file:///b.exr",
    "file:///a/50%2541/b_-5.exr",
    "file:///a/%FF/b.exr",
    "s3://bucket/xyz/sq020/sh0010/comp/a.0001.exr",
]
PATH_PATTERNS = [
    "**/mattes/**",
    "/a/**",
    "b.exr",
    "**/*.####.exr",
    "*.#.exr",
    "s3://bucket/**",
    "/a/**/a.*.exr",
    "**/s*/*/a.1001.exr",
    "**/sh????/*/*.exr",
    "/a/50%41/*",
    "/a/*/**/s*0/c*",
    "**a**exr",
    "[a-b].*",
    "*_*#*.exr",
]
NUMBERS = [-1, 0, 1, 2, 24]
FLOATS = [float("nan"), float("inf"), -1.0, 0.0, 1.0, 23.976, 24.0]
VALUES: dict[str, Any] = {
    "path": PATHS,
    "text": TEXTS,
    "integer": NUMBERS,
    "number": FLOATS,
    "flag": [False, True],
}
GIVEN: dict[str, Any] = {
    **VALUES,
    "path": PATH_PATTERNS,
    "text": [*TEXTS, *GLOBS],
    "number": [0, 1, 24, 23.976],
}


def parsed(value: Any) -> Any:
    document = read_document("test.yaml", json.dumps({"when": value}).encode())
    return parse_condition(document, ("when",), document.value["when"])


@st.composite
def trees(draw: Any, depth: int = 3) -> dict[str, Any]:
    """Random conditions as YAML has them."""
    kind = draw(st.sampled_from(["test", "test", "all", "any", "not"])) if depth else "test"
    if kind == "not":
        return {"not": draw(trees(depth - 1))}
    if kind != "test":
        return {kind: draw(st.lists(trees(depth - 1), min_size=1, max_size=3))}
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), max_size=2, unique=True))
    return {name: draw(_tests(FIELDS[name])) for name in names}


def _tests(field: Field) -> st.SearchStrategy[Any]:
    kind, of_known = field.kind, [*field.values, *(f"*{value[1:]}" for value in field.values), "*"]
    value = st.sampled_from(of_known if field.values else GIVEN[kind])
    several = st.one_of(value, st.none(), st.lists(st.one_of(value, st.none()), min_size=1, max_size=3))
    checks = {name: several if name == "ne" else value for name in OPERATORS[kind]}
    some = st.sets(st.sampled_from(sorted(checks)), min_size=1, max_size=2)
    compared = some.flatmap(lambda names: st.fixed_dictionaries({name: checks[name] for name in names}))
    return st.one_of(several, compared)


def _values(table: str, chosen: random.Random) -> dict[str, Any]:
    """Random values of the fields of a table, null too where the column may be null."""
    values = {}
    for field in FIELDS.values():
        if field.table == table and field.column and field.kind != "path":
            is_null = TABLES[table].field(field.column).nullable and chosen.random() < 0.3
            values[field.column] = None if is_null else chosen.choice(field.values or VALUES[field.kind])
    return values


def _inspection(number: int, example: Inspection, chosen: random.Random) -> Inspection:
    uri = chosen.choice(PATHS)
    of_file = {**_values("files", chosen), "file_id": str(number), "sequence": chosen.choice((None, uri))}
    names, types = ["R", "a.R", "a.b.R", ".R", "ab.Z"], [None, "HALF", "UINT"]
    parts = []
    for index in range(chosen.randint(1, 3)):
        channels = [Channel(chosen.choice(names), chosen.choice(types), 1, 2, 0) for _ in range(chosen.randint(0, 2))]
        of_part = {**_values("parts", chosen), "part_index": index}
        parts.append(replace(example.parts[0], **of_part, channels=tuple(channels)))
    return replace(example, file=replace(example.file, **of_file, file_path_normalized=uri), parts=tuple(parts))


@pytest.fixture(scope="module")
def catalog() -> tuple[list[Inspection], duckdb.DuckDBPyConnection]:
    """Random inspections, and the tables of a catalog that has them."""
    chosen, example = random.Random(19), flat()
    inspections = [_inspection(number, example, chosen) for number in range(80)]
    files = from_inspections(inspections, vectors=False).tables
    database = duckdb.connect()
    for name in ("files", "parts", "channels"):
        database.register(name, files[name])
        database.execute(f"CREATE TABLE stored_{name} AS FROM {name}")
        database.unregister(name)
        database.execute(f"ALTER TABLE stored_{name} RENAME TO {name}")
    return inspections, database


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(values=st.lists(trees(), min_size=3, max_size=6))
def test_both_readings_are_equal(catalog, values):
    """On files, and on parts; in SQL too each condition is true or false."""
    inspections, database = catalog
    conditions = [parsed(value) for value in values]
    holds = [predicate(condition, TEMPLATE) for condition in conditions]
    for of_part in (False, True):
        tables, order = ("files JOIN parts USING (file_id)", ", part_index") if of_part else ("files", "")
        found = []
        for condition in conditions:
            sql = SqlConditions(TEMPLATE)
            query = f"SELECT {sql.holds(condition, of_part=of_part)} FROM {tables} ORDER BY file_id::INT{order}"
            found.append([row[0] for row in database.execute(query, sql.parameters).fetchall()])
        subjects = [(each, part) for each in inspections for part in (each.parts if of_part else (None,))]
        for value, answers, applies in zip(values, found, holds, strict=True):
            wrong = [
                subject for subject, answer in zip(subjects, answers, strict=True) if answer is not applies(*subject)
            ]
            assert not wrong, (value, wrong[0])


@pytest.mark.parametrize(
    ("when", "position", "message"),
    [
        ("{compresion: ZIP}", (1, 8), "when.compresion: unknown; did you mean compression"),
        ("{Q: ZIP}", (1, 8), "when.Q: unknown; expected all, any, not, path, sequence, show"),
        ("{compression: 3}", (1, 21), "when.compression: expected a string"),
        ("{compression: []}", (1, 21), "when.compression: expected a value"),
        ("{compression: [ZIP, 3]}", (1, 27), "when.compression.1: expected a string"),
        ("{compression: {lt: a}}", (1, 22), "when.compression.lt: unknown; expected ne, glob"),
        ("{compression: {}}", (1, 21), "when.compression: expected ne, glob"),
        ("{width: 1.5}", (1, 15), "when.width: expected an integer"),
        ("{width: {le: [1]}}", (1, 20), "when.width.le: expected an integer"),
        ("{width: {glob: a}}", (1, 16), "when.width.glob: unknown; expected lt, le, gt, ge, ne"),
        ("{is_deep: 1}", (1, 17), "when.is_deep: expected true or false"),
        ("{width: true}", (1, 15), "when.width: expected an integer"),
        ("{any: []}", (1, 13), "when.any: expected a list of conditions"),
        ("{all: [a]}", (1, 14), "when.all.0: expected keys with values"),
        ("[]", (1, 7), "when: expected keys with values"),
        ("{not: " * MAX_DEPTH + "{}" + "}" * MAX_DEPTH, (1, 7 + 6 * MAX_DEPTH), "nested more than 8 levels deep"),
        ("{any: [" + "{width: 1}," * (MAX_TESTS + 1) + "]}", (1, 7), "when: more than 100 tests"),
        ("{width: [" + "1," * (MAX_VALUES + 1) + "]}", (1, 7), "when: more than 1000 values"),
        (f"{{part_name: {'a' * 201}}}", (1, 19), "when.part_name: expected at most 200 characters"),
    ],
)
def test_errors_have_a_position(when, position, message):
    document = read_document("test.yaml", f"when: {when}".encode())
    with pytest.raises(PolicyError) as raised:
        parse_condition(document, ("when",), document.value["when"])
    assert (raised.value.line, raised.value.column) == position, str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"path": "**/xyz/**"}, True),
        ({"path": "comp/a.####.exr"}, True),
        ({"path": "omp/a.####.exr"}, False),
        ({"show": "xyz", "shot": "sh*", "task": ["comp", "roto"]}, True),
        ({"shot": {"ne": None}, "sequence": {"glob": "**/a.#.exr"}}, True),
        ({"width": {"ge": 16, "lt": 17}, "height": [1, 8], "part_index": 0}, True),
        ({"width": {"ge": 16, "ne": 16}}, False),
        ({"renderer": None, "color_space": {"ne": "ACES*"}}, True),
        ({"not": {"renderer": "Arnold*"}, "frames_per_second": {"ne": 24}}, True),
        ({"frames_per_second": {"lt": 24}}, False),
        ({"channel": "B", "channel_type": "HALF", "layer": None}, True),
        ({"layer": "*"}, False),
        ({"any": [{"compression": "ZIP"}, {"all": [{"compression": "NONE"}, {"is_deep": False}]}]}, True),
        ({}, True),
    ],
)
def test_what_holds_for_a_file(when, expected):
    """A part of 16×8 pixels without frame rate, renderer and color space."""
    inspection = replace(flat(), file=replace(flat().file, file_path_normalized=PATHS[0], sequence=PATHS[0]))
    assert predicate(parsed(when), TEMPLATE)(inspection, None) is expected


def test_overrides_by_path_apply_to_unreadable_files():
    """Those that test what the header says do not: a negated test would be true of each of these files."""
    policy = compile_policy(
        parse_policy(
            "show.yaml",
            b"""
policy: show
version: "1"
select: [EXR101, frame-padding, compression]
overrides:
  - when: {path: "**/wip/**", frame_number: {ge: 1001}}
    rules: {unreadable: {severity: info}}
    ignore: [compression]
  - when: {not: {compression: ZIP}}
    rules: {unreadable: {severity: warning}}
  - when: {path: "**", size_bytes: null}
    rules: {unreadable: {severity: warning}}
""",
        )
    )
    for uri, expected in (("s3://b/wip/a.1001.exr", "info"), ("s3://b/wip/a.1000.exr", "error")):
        verdict = unreadable(policy, uri, "cut")
        assert verdict.severity == expected
        assert any(each.rule_name == "compression" for each in verdict.not_evaluated) == (expected == "error")
