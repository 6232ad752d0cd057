"""Identity: URIs, hashes and `file_id`."""

from __future__ import annotations

import os
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
        # Keys are not paths: these are three objects.
        ("s3://bucket//a.exr", "s3://bucket//a.exr"),
        ("s3://bucket/x/../a.exr", "s3://bucket/x/../a.exr"),
        ("s3://bucket/./a.exr", "s3://bucket/./a.exr"),
        ("memory://bytes", "memory://bytes"),
    ],
)
def test_all_spellings_of_a_path_have_one_uri(path, uri):
    assert normalize_path(path) == uri


def test_relative_paths_start_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert normalize_path("a.exr") == normalize_path("./x/../a.exr") == f"file://{tmp_path}/a.exr"


def test_a_link_is_not_followed(tmp_path):
    """Links publish files under names that users search for."""
    (tmp_path / "link").symlink_to(tmp_path)
    assert normalize_path(tmp_path / "link" / "a.exr") == f"file://{tmp_path}/link/a.exr"


@pytest.mark.slow
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_normalizing_a_uri_does_not_change_it(name):
    uri = normalize_path(f"/show/{name}")
    assert normalize_path(uri) == uri
    uri.encode()


def test_a_file_id_depends_on_uri_size_time_or_etag_and_header():
    """Digits that move from one to the next give another id."""
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


def test_a_file_that_is_completed_without_a_change_of_size_and_time_is_a_new_version(tmp_path):
    """And the reverse; the id of a complete file does not depend on its chunks."""
    whole = w.build(w.part(window=(0, 0, 3, 63), pixels=lambda size: b"\1" * size)).data
    path = tmp_path / "a.exr"
    ids = []
    for data in (whole[:-90] + bytes(90), whole[:-200] + bytes(200), whole, whole[:-90] + bytes(90)):
        path.write_bytes(data)
        os.utime(path, ns=(10**18, 10**18))
        facts = inspect(path).file
        assert (facts.completeness == "complete") == (data == whole)
        ids.append(facts.file_id)
    assert ids[0] == ids[3]
    assert len(set(ids)) == 3
    assert ids[2] == file_id(path.resolve().as_uri(), len(whole), facts.mtime, None, facts.header_hash)


def test_an_etag_replaces_the_time():
    """Copying an object within a store changes only its time."""
    assert file_id("s3://b/a", 1, TIME, "etag", HASH) == file_id("s3://b/a", 1, None, "etag", HASH)


def test_file_ids_are_stable():
    """Catalogs store them: with another value here, every known file would be new."""
    assert file_id("file:///a.exr", 1, TIME, None, HASH) == "0779265f0f2ae5b0a3a490e9451ead2a"


def test_the_header_hash_covers_the_bytes_of_the_header():
    """And no pixels."""
    one = w.build(w.part(pixels=lambda size: b"\1" * size)).data
    other = w.build(w.part(pixels=lambda size: b"\2" * size)).data
    changed = w.build(w.part(extra=[w.text("owner", "x")])).data
    assert one != other
    assert inspect(one).file.header_hash == inspect(other).file.header_hash
    assert inspect(one).file.header_hash == header_hash(one[: read_header(one).header_bytes])
    assert inspect(one).file.header_hash != inspect(changed).file.header_hash


def test_a_new_version_of_a_file_has_another_id(tmp_path):
    """The same path, with other content or another time."""
    path = tmp_path / "a.exr"
    path.write_bytes(w.build(w.part()).data)
    first = inspect(path).file
    assert inspect(path).file.file_id == first.file_id
    path.write_bytes(w.build(w.part(extra=[w.text("owner", "x")])).data)
    second = inspect(path).file
    assert second.file_id != first.file_id
    assert second.file_path_normalized == first.file_path_normalized
