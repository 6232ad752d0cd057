"""Paths and URIs: all spellings of one file have one meaning, and one module reads them."""

from __future__ import annotations

import ast
import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import exr_inspector
from exr_inspector import inspect, open_catalog
from exr_inspector.errors import SourceError
from exr_inspector.ingestion.run import IngestOptions, ingest
from exr_inspector.sources import open_source
from exr_inspector.sources.uris import (
    bucket_and_key,
    display_path,
    encode,
    exact_uri,
    is_object,
    local_path,
    normalize_path,
    object_uri,
    parse,
    path_as_text,
)
from tests.support import exr_writer as w
from tests.support.strategies import examples

SOURCE = Path(exr_inspector.__file__).parent
NAMES = st.text(string.ascii_letters + string.digits + " _-.%#?=&+~é\u0308漢\udcff", min_size=1, max_size=12)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def spellings(scheme: str) -> st.SearchStrategy[str]:
    """A scheme in any mix of upper and lower case."""
    return st.tuples(*(st.sampled_from((letter, letter.upper())) for letter in scheme)).map("".join)


@pytest.mark.slow
@given(spelling=spellings("file"), path=PATHS)
@examples(200)
def test_a_file_uri_is_its_path_in_any_spelling_of_the_scheme(spelling, path):
    for given_path in (f"/{path}", f"/shows//{path}/../{path}", path):
        uri = f"{spelling}://{encode(given_path)}"
        assert parse(uri) == parse(given_path) == ("file", given_path)
        assert local_path(uri) == local_path(given_path) == given_path
        assert not is_object(uri)
        assert normalize_path(uri) == normalize_path(given_path)
        assert normalize_path(normalize_path(uri)) == normalize_path(uri)
        with pytest.raises(SourceError):
            bucket_and_key(uri)


@pytest.mark.slow
@given(spelling=spellings("s3"), key=PATHS)
@examples(200)
def test_an_object_has_its_bucket_and_key_in_any_spelling_of_the_scheme(spelling, key):
    uri = f"{spelling}://renders/{encode(key)}"
    assert is_object(uri)
    assert local_path(uri) is None
    assert normalize_path(uri) == object_uri("renders", key)
    if "\udcff" not in key:
        assert bucket_and_key(uri) == ("renders", key)


FILE_NAMES = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {0, ord("/")} & set(name) and name not in (b".", b"..")
)


@pytest.mark.slow
@given(
    one=FILE_NAMES
    | st.sampled_from([b"%FF", b"\xff", b"%25FF", b"%", b"%2", b"%41", "é".encode(), "e\u0301".encode()]),
    other=FILE_NAMES,
)
@examples(500)
def test_names_that_differ_in_a_byte_have_different_uris_which_lead_back_to_them(one, other):
    """What is printed, as a URI or as a path, can be given back."""
    uris = []
    for name in (one, other):
        path = b"/shows/" + name
        uri = normalize_path(os.fsdecode(path))
        uri.encode()  # is text
        for shown in (uri, display_path(uri), path_as_text(os.fsdecode(path))):
            assert os.fsencode(local_path(shown) or "") == path
            assert normalize_path(shown) == uri
        uris.append(uri)
    assert (uris[0] == uris[1]) == (one == other)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b.exr", "/a%20b.exr"),  # no other encoding is undone
        ("file:///100%.exr", "/100%.exr"),
        ("file:///a%25.exr", "/a%25.exr"),
        ("file:///a%2541.exr", "/a%41.exr"),
        ("file:///a%C3%A9.exr", "/aé.exr"),
        ("file:///a%ff.exr", "/a\udcff.exr"),
        ("/a%2541.exr", "/a%2541.exr"),  # a plain path is a name as it is
    ],
)
def test_only_the_encoding_of_this_package_is_decoded(uri, path):
    assert local_path(uri) == path


V1_URIS = [  # the path that was given, the URI that version 1 stored, and the exact one
    ("s3://renders/50%41.exr", "s3://renders/50%41.exr", "s3://renders/50%2541.exr"),
    ("s3://renders/a%2541.exr", "s3://renders/a%2541.exr", "s3://renders/a%252541.exr"),
    ("s3://renders/e\u0301//../x.exr", "s3://renders/\u00e9//../x.exr", "s3://renders/e\u0301//../x.exr"),
    ("./e\u0301.exr", "file:///shows/\u00e9.exr", "file:///shows/e\u0301.exr"),
    ("e\u0301/../o\u0308//./u\u0308.exr", "file:///shows/\u00f6/\u00fc.exr", "file:///shows/o\u0308/u\u0308.exr"),
    ("../e\u0301/x.exr", "file:///\u00fc/\u00e9/x.exr", "file:///\u00fc/e\u0301/x.exr"),
    ("file:///shows//e\u0301.exr", "file:///shows/\u00e9.exr", "file:///shows/e\u0301.exr"),
    ("e\u0301.exr", "file:///50%41/\u00e9.exr", "file:///50%2541/e\u0301.exr"),
    ("caf%E9/50%41.exr", "file:///caf%E9/50%41.exr", "file:///caf%E9/50%2541.exr"),
    ("\u00e9.exr", "file:///shows/\u00e9.exr", "file:///shows/\u00e9.exr"),
    ("", "s3://renders/cut%41.exr", "s3://renders/cut%2541.exr"),
]


@pytest.mark.parametrize(("path", "stored", "exact"), V1_URIS)
def test_the_exact_uri_of_one_that_version_1_stored_has_the_names_of_the_path(path, stored, exact):
    assert exact_uri(stored, path) == exact
    assert exact_uri(exact, path) == exact


def test_a_path_through_a_link_and_its_parent_is_that_of_the_opened_file(tmp_path):
    (tmp_path / "elsewhere" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "inner")
    (tmp_path / "elsewhere" / "x.exr").write_bytes(w.build(w.part()).data)
    (tmp_path / "alias").symlink_to(tmp_path / "elsewhere")
    base = tmp_path.resolve()
    assert inspect(tmp_path / "link" / ".." / "x.exr").file.file_path_normalized == f"file://{base}/elsewhere/x.exr"
    assert normalize_path(base / "alias" / "x.exr") == f"file://{base}/alias/x.exr"
    assert normalize_path(base / "alias" / "inner" / ".." / "x.exr") == f"file://{base}/alias/x.exr"


@pytest.mark.slow
def test_files_whose_names_look_alike_are_different_files(tmp_path):
    """Composed and decomposed, a byte and its escaped form: all are stored, and none vanishes."""
    names = [b"\xff.exr", b"%FF.exr", b"%25FF.exr", "é.exr".encode(), "e\u0301.exr".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(w.build(w.part()).data)
    with open_catalog(f"duckdb:{tmp_path}/catalog.duckdb") as catalog:
        for inserted in (len(names), 0):
            summary = ingest([os.fspath(tmp_path)], catalog, IngestOptions(workers=1, prune=True))
            assert (summary.inserted, summary.failures, summary.vanished) == (inserted, [], [])
        stored = catalog.sql("SELECT file_path, file_path_normalized FROM files WHERE is_current").to_pylist()
    assert {os.fsencode(Path(local_path(row["file_path_normalized"])).name) for row in stored} == set(names)
    for row in stored:
        assert inspect(row["file_path"]).file.file_path_normalized == row["file_path_normalized"]


@pytest.mark.parametrize("uri", ["gs://bucket/a.exr", "HTTP://host/a.exr"])
def test_a_uri_of_another_scheme_is_neither_file_nor_object(uri):
    assert local_path(uri) is None
    with pytest.raises(SourceError, match="is not supported; give a path, file:// or s3:// URI"):
        is_object(uri)


@pytest.mark.parametrize("path", ["a://b.exr/..", "C:/a.exr", "file:/a.exr", "a b://c", "1s://c", "://c", "s3:/b/k"])
def test_a_path_with_a_colon_is_a_path(path):
    """A scheme begins with a letter, contains no space and no slash, and ends with ://."""
    assert local_path(path) == (None if path.startswith("a:") else path)


@pytest.mark.parametrize("scheme", ["file", "FILE", "File"])
def test_inspect_and_ingest_read_a_file_by_any_spelling_of_its_uri(tmp_path, scheme):
    path = tmp_path / "show" / "a.1001.exr"
    path.parent.mkdir()
    path.write_bytes(w.build(w.part()).data)
    assert inspect(f"{scheme}://{path}").file.file_path_normalized == f"file://{path}"
    open_source(f"{scheme}://{path}", roots=[os.fspath(tmp_path.resolve())]).close()
    with open_catalog(f"duckdb:{tmp_path}/catalog.duckdb") as catalog:
        options = IngestOptions(workers=1, prune=True)
        for uri in (f"{scheme}://{path}", f"{scheme}://{path.parent}"):
            summary = ingest([uri], catalog, options)
            assert (summary.inserted + summary.unchanged, summary.failures, summary.vanished) == (1, [], [])


_SEARCHES = {"startswith", "removeprefix", "partition", "rpartition", "split", "find", "index", "count", "replace"}
_SCHEMES = ("://", "file://", "s3://")


def parses_by_hand(code: str) -> list[int]:
    """The lines that search or compare text with a scheme of files or objects, or cut off its length."""
    lines = []
    for node in ast.walk(ast.parse(code)):
        operands: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_regex = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            operands = node.args if is_regex or node.func.attr in _SEARCHES else []
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            bounds = [bound.value for bound in (node.slice.lower, node.slice.upper) if isinstance(bound, ast.Constant)]
            if any(bound in (len("s3://"), len("file://")) for bound in bounds):
                lines.append(node.lineno)
        constants = [part.value for operand in operands for part in ast.walk(operand) if isinstance(part, ast.Constant)]
        if any(isinstance(c, str) and c.lower().lstrip("^(").startswith(_SCHEMES) for c in constants):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "line",
    [
        'path[7:] if path.startswith("file://") else path',
        'place[:5].lower() == "s3://"',
        'uri.removeprefix("file://")',
        'uri.partition("://")',
        'scheme, rest = uri.split("://", 1)',
        'is_s3 = "://" in uri',
        'uri.lower().startswith(("s3://", "gs://"))',
        're.match("^file://(.*)", uri)',
    ],
)
def test_the_check_finds_a_parser_written_by_hand(line):
    assert parses_by_hand(line)


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_no_other_module_parses_uris(path):
    """Use sources.uris: parse, local_path, is_object or bucket_and_key."""
    if path != SOURCE / "sources" / "uris.py":
        assert parses_by_hand(path.read_text(encoding="utf-8")) == []
