"""Identity: a place as a URI, and what makes a file another file."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector import inspect
from exr_inspector.exr import read_header
from exr_inspector.inspection.identity import file_id, header_hash
from exr_inspector.sources.uris import normalize_path
from tests.support import exr_writer as w

TIME = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HASH = "0" * 64


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("/show/a.exr", "file:///show/a.exr"),
        ("/show/./x/../a.exr", "file:///show/a.exr"),
        ("/show//a.exr", "file:///show/a.exr"),
        ("//show/a.exr", "file:///show/a.exr"),
        ("///show/a.exr", "file:///show/a.exr"),
        ("/../a.exr", "file:///a.exr"),
        ("file:///show/a.exr", "file:///show/a.exr"),
        ("FILE:///show/x/../a.exr", "file:///show/a.exr"),
        ("/Show/A.EXR", "file:///Show/A.EXR"),
        ("/show/a b#c?.exr", "file:///show/a b#c?.exr"),
        ("/show/l\udcf6we.exr", "file:///show/l%F6we.exr"),
        ("/show/Löwe.exr", "file:///show/Löwe.exr"),
        ("s3://bucket/a.exr", "s3://bucket/a.exr"),
        ("S3://bucket/a.exr", "s3://bucket/a.exr"),
        # A key is a name and no path: these are three objects.
        ("s3://bucket//a.exr", "s3://bucket//a.exr"),
        ("s3://bucket/x/../a.exr", "s3://bucket/x/../a.exr"),
        ("s3://bucket/./a.exr", "s3://bucket/./a.exr"),
        ("memory://bytes", "memory://bytes"),
    ],
)
def test_a_place_has_one_uri(path, uri):
    """However it is spelled."""
    assert normalize_path(path) == uri


def test_a_relative_path_is_that_of_the_working_directory(tmp_path, monkeypatch):
    """Two spellings of one file are one file."""
    monkeypatch.chdir(tmp_path)
    assert normalize_path("a.exr") == normalize_path("./x/../a.exr") == f"file://{tmp_path}/a.exr"


def test_a_link_is_not_followed(tmp_path):
    """Publishing links: the name that was given is the one that people look for."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert normalize_path(tmp_path / "link" / "a.exr") == f"file://{tmp_path}/link/a.exr"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_uri_is_its_own_uri(name):
    """Normalizing twice changes nothing, and composed and decomposed letters are the same."""
    uri = normalize_path(f"/show/{name}")
    assert normalize_path(uri) == uri
    assert normalize_path(f"/show/{unicodedata.normalize('NFD', name)}") == uri
    uri.encode()


def test_a_file_id_changes_with_each_of_its_parts():
    """Place, size, time or etag, header: nothing else, and no two run together."""
    ids = [
        file_id("file:///a.exr", 1, TIME, None, HASH),
        file_id("file:///b.exr", 1, TIME, None, HASH),
        file_id("file:///a.exr", 2, TIME, None, HASH),
        file_id("file:///a.exr", 1, TIME.replace(microsecond=1), None, HASH),
        file_id("file:///a.exr", 1, None, None, HASH),
        file_id("file:///a.exr", 1, TIME, "etag", HASH),
        file_id("file:///a.exr", 1, TIME, None, "1" * 64),
        file_id("file:///a.exr1", 1, None, "2", HASH),
        file_id("file:///a.exr", 11, None, "2", HASH),
        file_id("file:///a.exr", 1, None, "12", HASH),
    ]
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 32 and int(each, 16) >= 0 for each in ids)


def test_an_etag_stands_for_the_time():
    """Copying an object within a store changes its time and not its content."""
    assert file_id("s3://b/a", 1, TIME, "etag", HASH) == file_id("s3://b/a", 1, None, "etag", HASH)


def test_file_ids_are_stable():
    """They are in catalogs: another value here makes every known file a new one."""
    assert file_id("file:///a.exr", 1, TIME, None, HASH) == "0779265f0f2ae5b0a3a490e9451ead2a"


def test_the_header_hash_is_that_of_the_headers_bytes():
    """Pixels do not enter, every byte of the header does."""
    one = w.build(w.part(pixels=lambda size: b"\1" * size)).data
    other = w.build(w.part(pixels=lambda size: b"\2" * size)).data
    changed = w.build(w.part(extra=[w.text("owner", "x")])).data
    assert one != other
    assert inspect(one).file.header_hash == inspect(other).file.header_hash
    assert inspect(one).file.header_hash == header_hash(one[: read_header(one).header_bytes])
    assert inspect(one).file.header_hash != inspect(changed).file.header_hash


def test_a_new_version_of_a_file_has_another_id(tmp_path):
    """The same place, other content or another time."""
    path = tmp_path / "a.exr"
    path.write_bytes(w.build(w.part()).data)
    first = inspect(path).file
    assert inspect(path).file.file_id == first.file_id
    path.write_bytes(w.build(w.part(extra=[w.text("owner", "x")])).data)
    second = inspect(path).file
    assert second.file_id != first.file_id
    assert second.file_path_normalized == first.file_path_normalized
