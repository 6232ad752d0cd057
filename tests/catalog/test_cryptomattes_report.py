"""The report `cryptomattes` agrees with the module `cryptomatte` on what a Cryptomatte and a valid manifest are."""

import json
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.catalog.queries.named import named_query
from exr_inspector.cryptomatte import cryptomattes
from exr_inspector.sources.memory import MemorySource
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.demo_catalog import demo_show

MANIFESTS = [
    '{"a":"00000001","b/c":"0000000f","d \\"e\\"":"ABCDEF12","$":"00000002","*":"00000003","x.y":"00000004"}',
    "{}",
    "",
    "{",
    "7",
    "null",
    '["a"]',
    '["00000000"]',
    '"00000000"',
    '{"a":"00000000",}',
    '{"a":"00000000" , }\n',
    '{"a":"00000000",\n"b":"00000001"}',
    '{"a":12345678}',
    '{"a":"1234567"}',
    '{"a":"0000000g"}',
    '{"a":{"b":"00000000"}}',
    '{"a":{"b":"00000000",}}',
    '{"a":NaN}',
    '{"a":"00000000","a":"00000001"}',
    '{"a":"0000000a","a":"0000000A"}',
    '{"a":"00000000","\\u0061":"00000001"}',
    '{"a":"0000000\\u0061"}',
    '{"a":"00000000\\n"}',
    '{"\\ud800":"00000000"}',
    '{"\\ud83d\\ude00":"00000000"}',
    '{"a\\u0000":"00000000"}',
    '{"a\t":"00000000"}',
    '\ufeff{"a":"00000000"}',
    '{"a":"00000000"}}',
    '{"a":"00000000"} // comment',
    "{'a':'00000000'}",
    "[" * 5000,
    "1" * 5000,
]


def matte_attributes(key="1", **fields):
    return [w.text(f"cryptomatte/{key}/{field}", value) for field, value in fields.items()]


def exr_file(uri, *parts):
    return inspect(MemorySource(w.build(list(parts)).data, uri))


def expected(inspections):
    """Manifests, objects and invalid manifests by file and name, from the module."""
    rows = defaultdict(lambda: [0, None, 0])
    for inspection in inspections:
        for part in inspection.parts:
            for matte in cryptomattes(part.attributes):
                name = matte.key if matte.name is None else matte.name
                row = rows[inspection.file.file_path_normalized, name]
                row[0] += 1
                if matte.object_count is not None:
                    row[1] = max(row[1] or 0, matte.object_count)
                row[2] += matte.manifest_error is not None
    return {key: tuple(row) for key, row in rows.items()}


def assert_agreement(catalog, inspections):
    """Without sequences, as the report counts a sequence as one render."""
    inspections = [replace(one, file=replace(one.file, sequence=None)) for one in inspections]
    catalog.persist(inspections)
    rows = named_query("cryptomattes").run(catalog, {"path": "*"}).to_pylist()
    assert not any(row["is_estimate"] for row in rows)
    names = ("manifests", "objects", "broken")
    reported = {(row["render"], row["cryptomatte"]): tuple(row[name] for name in names) for row in rows}
    assert reported == expected(inspections)


@pytest.mark.slow
def test_valid_and_invalid_manifests(new_catalog):
    mattes = [matte_attributes(name="CryptoObject", manifest=manifest) for manifest in MANIFESTS]
    inspections = [exr_file(f"s3://a/{number}.exr", w.part(extra=matte)) for number, matte in enumerate(mattes)]
    assert {row[2] for row in expected(inspections).values()} == {0, 1}
    assert_agreement(new_catalog(), inspections)


def test_names_types_and_parts(new_catalog):
    """Repeated and similar attributes, other types, sidecar manifests, and mattes of several parts."""
    one, other = '{"a":"00000001"}', '{"a":"00000001","b":"00000002"}'
    matte = matte_attributes(name="CryptoObject", manifest=one)
    files = [
        [w.part(extra=[*matte, *matte_attributes(name="Second", manifest="{")])],
        [w.part(extra=matte_attributes("a/b", name="x") + matte_attributes("", name="y", manifest=other))],
        [
            w.part(
                extra=[w.text("cryptomatte/x", "z"), w.text("cryptomattes/k/name", "z"), w.text("cryptomatte/k/", "")]
            )
        ],
        [w.part(extra=[w.fixed("cryptomatte/k/name", "int", 7), w.attribute("cryptomatte/k/manifest", "my", b"{}")])],
        [w.part(extra=[w.fixed("cryptomatte/k/name", "int", 7), w.text("cryptomatte/k/name", "z")])],
        [w.part(extra=[w.attribute("cryptomatte/k/name", "timecode", w.timecode(1, 2, 3, 4))])],
        [w.part(extra=matte_attributes(manif_file="m.json", name="new\nline"))],
        [w.part(name="l", extra=matte), w.part(name="r", extra=matte_attributes(name="CryptoObject", manifest=other))],
        [w.part(name="l", extra=matte), w.part(name="r", extra=matte_attributes(name="CryptoObject", manifest="["))],
    ]
    assert_agreement(new_catalog(), [exr_file(f"s3://a/{n}.exr", *parts) for n, parts in enumerate(files)])


@pytest.mark.slow
def test_a_manifest_of_many_files_is_fetched_once(new_catalog):
    catalog, query = new_catalog(), named_query("cryptomattes")
    manifests = ['{"a":"00000001"}', "{", '{"a":"00000001"}', "{", '{"a":"00000001"}']
    mattes = [matte_attributes(name="CryptoObject", manifest=manifest) for manifest in manifests]
    catalog.persist(
        [exr_file(f"s3://a/{x}.exr", w.part(extra=matte)) for x, matte in zip("abcde", mattes, strict=True)]
    )
    fetched = catalog.sql(query.sql, query.bind({}))["text"].to_pylist()
    assert sorted(text for text in fetched if text is not None) == sorted(set(manifests))
    rows = query.run(catalog, {}).to_pylist()
    assert sorted((row["objects"] or 0, row["broken"]) for row in rows) == [(0, 1), (0, 1), (1, 0), (1, 0), (1, 0)]


@pytest.mark.slow
def test_demo_show(new_catalog):
    inspections, _ = demo_show()
    assert expected(inspections)
    assert_agreement(new_catalog(), inspections)


@pytest.mark.slow
@corpus.need_corpus
def test_public_samples(new_catalog):
    inspections = [inspect(path) for path in corpus.VALID_FILES]
    assert_agreement(new_catalog(), inspections)


JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["00000000", "abcdefAB"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=4,
).map(json.dumps)
ID = st.sampled_from(["00000000", "0000000a", "0000000A", "1", "\\u0030000000a", "00000000 "])
MEMBER = st.builds('"{}":"{}"'.format, st.sampled_from(["a", "b", "\\u0061", "", "\\ud800", "\\\\", "\x1f"]), ID)
OBJECT = st.builds(
    "{}{{{}{}}}{}".format,
    st.sampled_from(["", " ", "\xa0"]),
    st.lists(MEMBER, max_size=3).map(",".join),
    st.sampled_from(["", ",", " ,\n"]),
    st.sampled_from(["", "\n", "}", "\x0c"]),
)


@pytest.fixture(scope="module")
def duckdb_catalog(tmp_path_factory):
    from exr_inspector import open_catalog

    with open_catalog(f"duckdb:{tmp_path_factory.mktemp('mattes')}/c.duckdb") as catalog:
        yield catalog


@pytest.mark.slow
@given(st.lists(JSON_TEXT | OBJECT | st.text(max_size=5), min_size=40, max_size=40, unique=True))
@settings(max_examples=10, deadline=None)
def test_any_manifest(duckdb_catalog, manifests):
    """The manifests of one example are parts of one file."""
    parts = [
        w.part(name=f"p{n}", extra=matte_attributes(name=f"m{n}", manifest=text)) for n, text in enumerate(manifests)
    ]
    assert_agreement(duckdb_catalog, [exr_file("s3://a/file.exr", *parts)])
