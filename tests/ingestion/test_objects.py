"""Ingest of many objects of an S3 store: the number of requests and lookups, and memory."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from urllib.parse import unquote

import duckdb
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog.duckdb.catalog import DuckDBCatalog
from exr_inspector.errors import CatalogError
from exr_inspector.ingestion.objects import ListedObjects
from exr_inspector.ingestion.run import IngestOptions, ingest
from tests.support import exr_writer as w
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server, answer, status

PICTURE = w.build(w.part()).data
KEYS_PER_PAGE = 1000


@pytest.fixture
def uri(tmp_path) -> str:
    return f"duckdb:{tmp_path}/c.duckdb"


@pytest.fixture
def lookups(monkeypatch) -> list[str]:
    """The prefixes of all lookups of current paths."""
    prefixes = []
    current_paths = DuckDBCatalog.current_paths
    monkeypatch.setattr(
        DuckDBCatalog, "current_paths", lambda self, prefix: prefixes.append(prefix) or current_paths(self, prefix)
    )
    return prefixes


def run(store: S3Server, uri: str, *paths: str, prune: bool = True):
    with open_catalog(uri) as catalog:
        return ingest(paths, catalog, IngestOptions(workers=1, s3=store.access, prune=prune))


@pytest.mark.slow
def test_objects_that_are_named_need_no_lookup_of_vanished_ones(store, uri, lookups):
    """One request for each, and one more for each that is new."""
    objects = [store.put(f"show/a.{number}.exr", PICTURE) for number in range(10)]
    assert run(store, uri, *objects).inserted == 10
    assert len(store.requests) == 20
    store.requests.clear()
    assert run(store, uri, *objects).unchanged == 10
    assert (len(store.requests), lookups) == (10, [])


@pytest.mark.slow
def test_any_number_of_prefixes_takes_few_lookups(store, uri, lookups):
    """The vanished objects are those of a lookup for each prefix; a prefix of a name is another folder."""
    for number in range(30):
        for name in ("a", "b"):
            store.put(f"show/{number}/{name}.exr", PICTURE)
    prefixes = [f"s3://{BUCKET}/show/{number}" for number in range(1, 30)]
    run(store, uri, f"s3://{BUCKET}/show")
    lookups.clear()
    assert run(store, uri, *prefixes).vanished == []
    vanished = [f"{prefix}/b.exr" for prefix in prefixes if prefix.endswith("7")]
    for object_uri in [*vanished, f"s3://{BUCKET}/show/0/b.exr"]:
        store.delete(object_uri.removeprefix(f"s3://{BUCKET}/"))
    lookups.clear()
    summary = run(store, uri, *prefixes)
    assert (sorted(summary.vanished), summary.pruned) == (sorted(vanished), 3)
    assert 1 < len(lookups) <= 16


@pytest.mark.slow
def test_below_an_object_that_is_named_nothing_vanishes(store, uri):
    """What is below its name is not listed."""
    for key in ("show/a.exr/b.exr", "show/a.exr/c.exr"):
        store.put(key, PICTURE)
    assert run(store, uri, f"s3://{BUCKET}/show").inserted == 2
    summary = run(store, uri, store.put("show/a.exr", PICTURE))
    assert (summary.inserted, summary.vanished) == (1, [])


@pytest.mark.slow
def test_a_prefix_that_is_named_twice_is_not_listed_completely_either(store, uri):
    """With and without a slash at the end."""
    prefix = f"s3://{BUCKET}/show"
    store.put("show/a.exr", PICTURE)
    assert run(store, uri, prefix).inserted == 1
    store.fault = status(403, "AccessDenied")
    for paths in ((prefix, f"{prefix}/"), (f"{prefix}/", prefix)):
        summary = run(store, uri, *paths)
        assert (len(summary.failures), summary.vanished) == (1, [])


def list_numbers(count: int):
    """A fault: the store has this number of objects, `show/a.NUMBER.exr`."""

    def respond(request, start_response):
        token = re.search(r"continuation-token=(\d+)", request.path)
        start = int(token[1]) if token else 0
        end = min(start + KEYS_PER_PAGE, count)
        assert unquote(request.path).startswith(f"/{BUCKET}?")
        objects = "".join(
            f"<Contents><Key>show/a.{number:06}.exr</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            '<ETag>"e"</ETag><Size>1</Size></Contents>'
            for number in range(start, end)
        )
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < count else ""
        truncated = "true" if more else "false"
        page = f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{objects}</ListBucketResult>"
        return answer(page.encode())(request, start_response)

    return respond


def fill(uri: str, count: int) -> None:
    """Multiply the one file of a catalog: the objects of list_numbers()."""
    with duckdb.connect(uri.removeprefix("duckdb:")) as connection:
        connection.execute(f"""
            INSERT INTO files SELECT files.* REPLACE (
                'f' || n AS file_id, format('s3://{BUCKET}/show/a.{{:06}}.exr', n) AS file_path_normalized,
                1 AS size_bytes, 'e' AS etag)
            FROM files, range({count}) AS numbers(n)""")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_objects(store, tmp_path):
    """The objects are unchanged, and one of the catalog has vanished."""
    peaks = []
    for count in (5_000, 15_000):
        store.reset()
        uri, vanished = f"duckdb:{tmp_path}/{count}.duckdb", store.put("show/a.exr", PICTURE)
        run(store, uri, f"s3://{BUCKET}/show")
        fill(uri, count)
        store.fault = list_numbers(count)
        tracemalloc.start()
        try:
            summary = run(store, uri, f"s3://{BUCKET}/show")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (summary.unchanged, summary.vanished) == (count, [vanished])
    assert peaks[1] - peaks[0] < 0.5e6  # 10,000 URIs are 1.2 MB


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_the_remedy(store, uri):
    """Nothing counts as vanished then."""
    store.put("show/a.exr", PICTURE)
    run(store, uri, f"s3://{BUCKET}/show")
    fill(uri, count := 60_000)
    store.fault = list_numbers(count)
    script = f"""
import resource, signal
from exr_inspector.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 12, -1))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
raise SystemExit(main(["ingest", "s3://{BUCKET}/show", "--prune", "--catalog", "{uri}"]))
"""
    environment = {**os.environ, "S3_ENDPOINT": store.url, "S3_ACCESS_KEY": ACCESS_KEY, "S3_SECRET_KEY": SECRET_KEY}
    run_ = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (run_.returncode, "SQLITE_TMPDIR" in run_.stderr) == (3, True), run_.stderr


def test_a_file_for_objects_that_cannot_be_created_is_a_catalog_error(monkeypatch):
    """With what SQLite says, and the remedy."""
    with closing(sqlite3.connect("")) as full:
        full.execute("PRAGMA max_page_count = 1")
        monkeypatch.setattr(sqlite3, "connect", lambda _: full)
        with pytest.raises(CatalogError, match=r"is full.*SQLITE_TMPDIR"):
            ListedObjects()


def test_listed_objects_are_kept_exactly():
    """Keys that sort in another order than their URIs, are contained in each other, or are not text."""
    uris = [f"s3://b/{key}" for key in ("a", "a/b", "a%25", "%2525", "z\0z", "é", "\U0001f600", "\ud800")]
    objects = ListedObjects()
    for _ in range(2):
        objects.add(uris)
    assert all(uri in objects for uri in uris)
    assert not any(uri in objects for uri in ("s3://b/", "s3://b/a/", "s3://b/z", "s3://b/%25", "", None))
    objects.close()
