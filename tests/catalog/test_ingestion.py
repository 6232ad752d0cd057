"""Runs of ingest over what the catalog has from earlier runs, and what they change in it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from exr_inspector import inspect
from exr_inspector.ingestion import inspect_file
from exr_inspector.ingestion.run import IngestOptions, ingest
from tests.support import exr_writer as w
from tests.support.s3_server import BUCKET

from .test_contract import as_judged_by, row_count

GOOD = w.build(w.part(extra=[w.text("owner", "someone")])).data
OTHER = w.build(w.part(extra=[w.text("owner", "another")])).data


@pytest.fixture
def show(tmp_path) -> Path:
    folder = tmp_path / "show"
    folder.mkdir()
    (folder / "a.exr").write_bytes(GOOD)
    return folder


def run(catalog, *paths, **options):
    return ingest(paths, catalog, IngestOptions(workers=1, **options))


def current(catalog) -> list[str]:
    found = catalog.sql("SELECT file_path_normalized AS uri FROM files WHERE is_current ORDER BY uri").to_pylist()
    return [row["uri"].rpartition("/")[2] for row in found]


def with_a_hole() -> bytes:
    """A file with zeros in place of a chunk that only a check of all leaders reads."""
    written = w.build(w.part(window=(0, 0, 3, 63), pixels=lambda size: b"\1" * size))
    _, offset, size = written.chunks[20]
    return written.data[: offset - 8] + bytes(size + 8) + written.data[offset + size :]


@pytest.mark.slow
def test_rows_that_were_never_judged_are_inspected_by_the_next_run(catalog, show):
    """Once: the row then has its severity."""
    path = show / "a.exr"
    path.write_bytes(w.build(w.part(replace={"pixelAspectRatio": w.text("pixelAspectRatio", "1")})).data)
    catalog.persist([as_judged_by("0.1.0", inspect(path))])
    judged = run(catalog, show)
    assert (judged.known, judged.unchanged, [file.status for file in judged.damaged]) == (1, 0, ["invalid"])
    again = run(catalog, show)
    assert (again.known, again.unchanged, [file.status for file in again.damaged]) == (0, 1, ["invalid"])


@pytest.mark.slow
@pytest.mark.parametrize("rescan", [False, True])
def test_a_weaker_check_does_not_take_back_damage(catalog, show, rescan):
    (show / "a.exr").write_bytes(with_a_hole())
    for chunks, counts in (("all", (1, 0)), ("table", (0, 1))):
        summary = run(catalog, show, chunks=chunks, rescan=rescan)
        assert (summary.inserted, summary.known, summary.replaced) == (*counts, 0)
        assert [file.status for file in summary.damaged] == ["incomplete"]


def test_a_file_with_other_content_and_equal_size_and_time_is_no_new_one(catalog, show):
    """Its new version replaces the one of the catalog; only a rescan reads it."""
    run(catalog, show)
    path = show / "a.exr"
    times = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    summary = run(catalog, show, rescan=True)
    assert (summary.inserted, summary.replaced, summary.known) == (0, 1, 0)


@pytest.mark.slow
def test_a_rescan_knows_the_files_that_failed_before(catalog, show):
    """Unless they have changed since."""
    path = show / "a.exr"
    for data, is_known in ((b"oops", False), (b"oops", True), (b"oh no!", False)):
        if path.read_bytes() != data:
            path.write_bytes(data)
        (failure,) = run(catalog, show, rescan=True).failures
        assert (failure.was_read, failure.is_known) == (True, is_known)
    (failure,) = run(catalog, show).failures
    assert failure.is_known


def test_an_existing_version_stays_current_if_its_file_is_gone_when_it_is_opened(catalog, show, monkeypatch):
    """It has vanished, which the run reports; no error is recorded."""
    (show / "b.exr").write_bytes(GOOD)
    run(catalog, show)
    (show / "b.exr").write_bytes(OTHER + b"\0")

    def inspect_when_gone(path, **options):
        Path(path).unlink()
        return inspect(path, **options)

    monkeypatch.setattr(inspect_file, "inspect", inspect_when_gone)
    summary = run(catalog, show)
    assert [failure.message for failure in summary.failures] == ["no such file"]
    assert [uri.rpartition("/")[2] for uri in summary.vanished] == ["b.exr"]
    assert current(catalog) == ["a.exr", "b.exr"]
    assert row_count(catalog, "ingest_errors") == 0


@pytest.mark.slow
def test_an_existing_version_stays_current_if_the_client_rejects_the_settings(catalog, store, monkeypatch):
    """The object is not the cause, and the next run reads it."""
    uri = store.put("show/a.exr", GOOD)
    run(catalog, uri, s3=store.access)
    store.put("show/a.exr", OTHER)
    with monkeypatch.context() as patched:
        invalid = replace(store.access, region="\n")
        patched.setattr(inspect_file, "inspect", lambda path, **options: inspect(path, **options | {"s3": invalid}))
        (failure,) = run(catalog, f"s3://{BUCKET}/show", s3=store.access).failures
    assert "cannot be accessed with these settings" in failure.message
    assert current(catalog) == ["a.exr"]
    assert row_count(catalog, "ingest_errors") == 0
    assert run(catalog, uri, s3=store.access).replaced == 1
