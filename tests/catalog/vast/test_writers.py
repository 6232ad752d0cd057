"""Concurrent writers: their rows converge, and tables are created once."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import vastdb

from exr_inspector.catalog.schema import CHILD_TABLES, PRIMARY_KEYS, TABLES
from exr_inspector.catalog.vast import VastCatalog, coordination
from exr_inspector.catalog.vast.tables import Rows
from exr_inspector.inspection.pixel_rows import pending_report
from tests.support.exr_bytes import exr_bytes, inspection, text
from tests.support.pixels import statistics_of

from ..at_once import at_once
from ..conftest import BUCKET
from ..test_contract import A_AGAIN, FAULTY, A, all_rows, as_judged_by, error_at, path_of
from .conftest import SECRET, connection_to, start, stored
from .writers import files


def environment_of(server):
    """Connects vast:// to a server."""
    return {
        "VAST_DB_ENDPOINT": server.url,
        "VAST_DB_ACCESS_KEY": "key",
        "VAST_DB_SECRET_KEY": SECRET,
        "VAST_DB_DEADLINE_S": "120",
    }


def processes(server, *commands):
    """Runs writers at the same time, and returns their output."""
    environment = os.environ | environment_of(server)
    program = [sys.executable, "-m", "tests.catalog.vast.writers"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([*program, *command], env=environment, **pipes) for command in commands]
    results = [process.communicate(timeout=600) for process in running]
    assert [process.returncode for process in running] == [0] * len(running), [error for _, error in results]
    assert [error for _, error in results] == [""] * len(running)
    return [output for output, _ in results]


@pytest.mark.slow
@pytest.mark.parametrize("conflicts", ["request", "commit"])
def test_writers_of_the_same_files_leave_one_set_of_rows(conflicts):
    """8 files, many times in random order, from 16 threads in 4 processes."""
    count, rounds = 8, 2
    with start(row_conflicts=conflicts) as server:
        uri = f"vast://{BUCKET}/shared"
        commands = [("persist", uri, str(count), str(rounds), "4", str(seed)) for seed in range(4)]
        printed = [json.loads(text) for text in processes(server, *commands)]
        assert sum(one["persisted"] for one in printed) == count * 4 * rounds
        with VastCatalog(uri, connection=connection_to(server)) as catalog:
            found = {table: stored(server, catalog, table) for table in ("files", *CHILD_TABLES)}
            assert {row["file_id"]: row["inspection_count"] for row in found["files"]} == {
                one.file.file_id: 4 * rounds for one in files(count)
            }
            assert Counter(row["is_current"] for row in found["files"]) == {True: count}
            assert [len(found[table]) for table in ("files", *CHILD_TABLES[:3])] == [count, count, 3 * count, 9 * count]


@pytest.mark.slow
def test_eight_processes_create_tables_once():
    with start() as server:
        modules = "tests.catalog.vast.writers,exr_inspector.catalog.vast"
        results = at_once(8, modules, "create", f"vast://{BUCKET}/shared", **environment_of(server))
        assert results == [(0, "")] * 8
        session = vastdb.connect("key", SECRET, server.url)
        with session.transaction() as tx:
            assert sorted(tx.bucket(BUCKET).schema("shared").tablenames()) == sorted(TABLES)
        assert server.read_table(BUCKET, "shared", "schema_version").num_rows == 1


@pytest.mark.slow
def test_many_threads_create_tables_once(emulator, open_vast):
    uri = f"{open_vast().uri}_many"
    with ThreadPoolExecutor(8) as pool:
        catalogs = list(pool.map(lambda _: open_vast(uri), range(8)))
    assert len(stored(emulator, catalogs[0], "schema_version")) == 1


# ── duplicates, step by step ────────────────────────────────


OLDER = as_judged_by("0.1.0", FAULTY)
EVALUATED = replace(A, pixels=statistics_of(exr_bytes()))
PENDING = replace(A, pixels=pending_report(A.file, A.parts, "no time is left"))


def wait_until(holds, seconds=60.0):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.fixture
def during(monkeypatch, no_timer):
    """Runs one write of a table completely while another one is inside its transaction, about to insert."""

    def run(table, slow, fast):
        waits, may_insert = threading.Event(), threading.Event()
        insert = Rows.insert

        def insert_later(rows, name, values):
            if name == table and not waits.is_set():
                waits.set()
                assert may_insert.wait(120)
            insert(rows, name, values)

        with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
            patch.setattr(Rows, "insert", insert_later)
            result = pool.submit(slow)
            try:
                assert waits.wait(120)
                first = fast()
            finally:
                may_insert.set()
            return first, result.result()

    return run


@pytest.fixture
def meet(during, open_vast):
    """Two catalogs that persist at the same time: neither sees what the other is about to commit."""

    def persist(first, second):
        """Inspections that one process persists while the other one is inside its transaction."""
        a = open_vast()
        b = open_vast(a.uri)
        outcomes = during("files", partial(a.persist, first), partial(b.persist, second))
        assert all(outcome.inserted for found in outcomes for outcome in found)
        return a, b

    return persist


@pytest.mark.slow
def test_duplicates_are_removed_by_either_writer(emulator, meet, open_vast):
    a, b = meet([A], [A])
    assert len(stored(emulator, a, "files")) == 2
    a.deduplicate()
    b.deduplicate()
    alone = open_vast()
    alone.persist([A])
    alone.persist([A])
    assert all_rows(a) == all_rows(alone)


@pytest.mark.slow
def test_the_next_persist_finds_duplicates_of_queued_paths(emulator, meet):
    a, b = meet([A], [A])
    b.persist([inspection("s3://renders/other.exr")])
    b.deduplicate()
    assert [row["inspection_count"] for row in stored(emulator, a, "files") if row["file_id"] == A.file.file_id] == [2]


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("other", [A, PENDING], ids=["plain", "pending"])
def test_of_two_copies_the_richest_results_of_pixels_stay(emulator, meet, other, order):
    a, b = meet(*[[other], [EVALUATED]][::order])
    b.deduplicate()
    a.deduplicate()
    assert len(stored(emulator, a, "files")) == 1
    assert [row["sample_count"] for row in stored(emulator, a, "channel_stats")] == [16] * 3
    assert len(stored(emulator, a, "part_stats")) == 1
    assert [row["sample_count"] for row in a.rows_of(path_of(A))["channel_stats"].to_pylist()] == [16] * 3


@pytest.mark.slow
def test_the_copy_that_was_written_last_decides_whether_a_file_is_deleted(emulator, meet):
    a, b = meet([A], [A])
    a.mark_deleted([path_of(A)])
    b.persist([A])  # changes the copy that stays
    b.deduplicate()
    (row,) = stored(emulator, a, "files")
    assert row["is_current"]
    assert row["deleted_at"] is None
    assert row["inspection_count"] == 3


@pytest.mark.slow
def test_of_two_copies_the_one_of_the_newer_program_stays(emulator, meet):
    """In either order; with its problems, and with the counts of both."""
    for first, second in ((OLDER, FAULTY), (FAULTY, OLDER)):
        a, b = meet([first], [second])
        b.deduplicate()
        (row,) = stored(emulator, a, "files")
        assert (row["inspector_version"], row["inspection_count"]) == (FAULTY.inspector_version, 2)
        assert row["problem_severity"] == FAULTY.problem_severity
        assert len(stored(emulator, a, "problems")) == len(FAULTY.problems)
        assert len(stored(emulator, a, "parts")) == 1


@pytest.mark.slow
def test_a_version_without_copies_keeps_its_rows(emulator, meet):
    a, b = meet([A], [A])
    b.persist([A_AGAIN])
    b.deduplicate()
    versions = Counter(row["file_id"] for row in stored(emulator, a, "files"))
    assert versions == {A.file.file_id: 1, A_AGAIN.file.file_id: 1}
    for table in ("parts", "channels", "attributes"):
        rows = stored(emulator, a, table)
        assert {row["file_id"] for row in rows} == set(versions), table
        assert len({tuple(row[key] for key in PRIMARY_KEYS[table]) for row in rows}) == len(rows), table


@pytest.mark.slow
def test_of_two_concurrent_versions_one_is_current(emulator, meet):
    a, b = meet([A], [A_AGAIN])
    b.deduplicate()
    rows = stored(emulator, a, "files")
    assert len(rows) == 2
    assert sum(row["is_current"] for row in rows) == 1


@pytest.mark.slow
def test_duplicates_of_killed_writers_are_removed_with_the_next_persist(emulator, meet, open_vast):
    """Both writers ended before they could deduplicate."""
    a, _ = meet([A], [A])
    other = open_vast(a.uri)
    other.persist([A])
    other.deduplicate()
    (row,) = stored(emulator, a, "files")
    assert row["inspection_count"] == 3
    assert len(stored(emulator, a, "parts")) == 1


@pytest.mark.slow
def test_deduplication_runs_by_itself_after_a_moment(emulator, open_vast, monkeypatch):
    monkeypatch.setattr(coordination, "DELAY_S", 0.01)
    catalog = open_vast()
    emulator.reset_requests()
    catalog.persist([A])
    wait_until(lambda: len(emulator.requests) >= 10)
    assert [request.operation for request in emulator.requests][7:10] == ["begin", "select", "commit"]


@pytest.mark.slow
def test_duplicate_errors_are_merged(emulator, open_vast, during):
    a = open_vast()
    b = open_vast(a.uri)
    slow, fast = ([error_at(path_of(A), message)] for message in ("slow", "fast"))
    during("ingest_errors", partial(a.record_errors, slow), partial(b.record_errors, fast))
    assert len(stored(emulator, a, "ingest_errors")) == 2
    a.deduplicate()
    (row,) = stored(emulator, a, "ingest_errors")
    assert row["count"] == 2
    b.deduplicate()
    assert stored(emulator, a, "ingest_errors") == [row]


@pytest.mark.slow
def test_a_large_batch_with_duplicates_is_deduplicated(emulator, meet):
    many = [inspection(f"s3://renders/{n}.exr", text("note", str(n))) for n in range(120)]
    a, b = meet(many, many[::-1])
    b.deduplicate()
    a.deduplicate()
    assert len(stored(emulator, a, "files")) == 120
    assert len(stored(emulator, a, "attributes")) == 120 * 9
    assert {row["inspection_count"] for row in stored(emulator, a, "files")} == {2}
