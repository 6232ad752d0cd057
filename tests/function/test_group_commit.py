"""Persists that wait while a transaction is under way share the next one."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exr_inspector import open_catalog
from exr_inspector.deadline import seconds_left, time_limit
from exr_inspector.errors import CatalogConnectionError, CatalogError
from exr_inspector.function.group_commit import MAX_SUBMISSIONS, GroupCommit, Submission
from tests.support.exr_bytes import inspection


def submission(*numbers: int) -> Submission:
    """Inspections of files."""
    return Submission(inspections=[inspection(f"s3://b/{number}.exr") for number in numbers], embeddings={})


class Gated:
    """A real catalog whose transactions wait while `gate` is closed, and fail as `failure` decides."""

    def __init__(self, catalog):
        self.catalog, self.uri, self.files_per_transaction = catalog, catalog.uri, catalog.files_per_transaction
        self.gate, self.begun = threading.Event(), threading.Semaphore(0)
        self.transactions: list[list[str]] = []
        self.failure = lambda _paths: None

    def persist_rows(self, rows):
        paths = rows.tables["files"]["file_path_normalized"].to_pylist()
        self.transactions.append(paths)
        self.begun.release()
        assert self.gate.wait(20)
        if error := self.failure(paths):
            raise error
        return self.catalog.persist_rows(rows)

    @property
    def sizes(self) -> list[int]:
        return list(map(len, self.transactions))


@pytest.fixture
def gated(tmp_path):
    with open_catalog(f"duckdb:{tmp_path}/c.duckdb") as catalog:
        yield Gated(catalog)


@pytest.fixture
def group(gated):
    return GroupCommit(gated)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(MAX_SUBMISSIONS + 8) as pool:
        yield pool


def submit(pool, group, submissions):
    """Persist the submissions in threads, which wait in this order."""
    futures = []
    for waiting, each in enumerate(submissions, 1):
        futures.append(pool.submit(group.persist, each))
        while len(group._waiting) < waiting:
            time.sleep(0.001)
    return futures


def hold(pool, group, gated, first):
    """A transaction that is under way until the gate opens."""
    future = pool.submit(group.persist, first)
    assert gated.begun.acquire(timeout=20)
    return future


def outcomes(futures):
    return [[outcome.inserted for outcome in future.result(20)] for future in futures]


@pytest.mark.slow
def test_waiting_submissions_share_a_transaction(pool, group, gated):
    """Each thread has its own outcomes, in its order; a thread that finds no transaction does not wait."""
    gated.catalog.persist([inspection("s3://b/2.exr")])
    first = hold(pool, group, gated, submission(0))
    waiting = submit(pool, group, [submission(1), submission(2), submission(3, 4)])
    gated.gate.set()
    assert outcomes([first, *waiting]) == [[True], [True], [False], [True, True]]
    assert gated.sizes == [1, 4]
    assert outcomes([pool.submit(group.persist, submission(5))]) == [[True]]
    assert gated.catalog.status().row_counts["files"] == 6


@pytest.mark.slow
def test_a_transaction_has_a_limited_size(pool, group, gated):
    """Of submissions, and of the files that suit the database; the lead passes to a thread that waits."""
    hold(pool, group, gated, submission(0))
    waiting = submit(pool, group, [submission(number) for number in range(1, MAX_SUBMISSIONS + 4)])
    gated.gate.set()
    assert outcomes(waiting) == [[True]] * (MAX_SUBMISSIONS + 3)
    assert gated.sizes == [1, MAX_SUBMISSIONS, 3]
    gated.files_per_transaction = 2
    gated.gate.clear()
    hold(pool, group, gated, submission(100))
    waiting = submit(pool, group, [submission(number) for number in range(101, 104)])
    gated.gate.set()
    assert outcomes(waiting) == [[True]] * 3
    assert gated.sizes[3:] == [1, 2, 1]


@pytest.mark.slow
def test_submissions_of_the_same_file_are_not_joined(pool, group, gated):
    """Each may have other results about it; their order is that of the threads."""
    hold(pool, group, gated, submission(0))
    waiting = submit(pool, group, [submission(1), submission(1), submission(2)])
    gated.gate.set()
    assert outcomes(waiting) == [[True], [False], [True]]
    assert gated.sizes == [1, 1, 2]


@pytest.mark.slow
def test_a_bad_submission_does_not_make_others_fail(pool, group, gated):
    gated.failure = lambda paths: CatalogError("bad row") if "s3://b/2.exr" in paths else None
    hold(pool, group, gated, submission(0))
    waiting = submit(pool, group, [submission(1), submission(2), submission(3)])
    gated.gate.set()
    assert outcomes([waiting[0], waiting[2]]) == [[True], [True]]
    with pytest.raises(CatalogError, match="bad row"):
        waiting[1].result(20)
    assert sorted(gated.sizes) == [1, 1, 1, 1, 3]
    assert outcomes([pool.submit(group.persist, submission(4))]) == [[True]]


@pytest.mark.slow
def test_a_thread_does_not_wait_longer_than_its_time_limit(pool, group, gated):
    """Its submission is not persisted, and others are."""

    def persist_soon(late):
        with time_limit(0.05):
            return group.persist(late)

    first = hold(pool, group, gated, submission(0))
    late = pool.submit(persist_soon, submission(1))
    while not group._waiting:
        time.sleep(0.001)
    waiting = pool.submit(group.persist, submission(2))
    with pytest.raises(CatalogConnectionError, match="no time left in the queue"):
        late.result(20)
    gated.gate.set()
    assert outcomes([first, waiting]) == [[True], [True]]
    assert [path for paths in gated.transactions for path in paths] == ["s3://b/0.exr", "s3://b/2.exr"]


def persist_within(seconds, group, each):
    with time_limit(seconds):
        return group.persist(each)


@pytest.mark.slow
def test_the_thread_with_the_most_time_leads(pool, group, gated):
    """Otherwise the oldest submission, which has the least, would make a whole group fail."""
    gated.failure = lambda _paths: CatalogConnectionError("slow") if seconds_left() < 10 else None
    first = hold(pool, group, gated, submission(0))
    waiting = []
    for number, seconds in enumerate((5, 60, 90, 60), 1):
        waiting.append(pool.submit(persist_within, seconds, group, submission(number)))
        while len(group._waiting) < number:
            time.sleep(0.001)
    gated.gate.set()
    assert outcomes([first, *waiting]) == [[True]] * 5
    assert gated.sizes == [1, 4]


@pytest.mark.slow
def test_a_transient_error_is_not_tried_again_for_each_submission(pool, group, gated):
    """An overloaded database would get as many transactions as there are threads."""
    gated.failure = lambda paths: CatalogConnectionError("overloaded") if len(paths) > 1 else None
    hold(pool, group, gated, submission(0))
    waiting = submit(pool, group, [submission(number) for number in (1, 2, 3)])
    gated.gate.set()
    assert ["overloaded" in str(each.exception(20)) for each in waiting] == [True] * 3
    assert gated.sizes == [1, 3]


@pytest.mark.slow
def test_a_time_limit_that_ends_during_the_transaction_leaves_the_result_open(pool, group, gated):
    """The message says so; the submission is persisted nevertheless."""
    first, ended = hold(pool, group, gated, submission(0)), threading.Event()
    gated.failure = lambda paths: None if len(paths) == 1 or ended.wait(20) else CatalogError("no")
    late = pool.submit(persist_within, 1.0, group, submission(1))
    while not group._waiting:
        time.sleep(0.001)
    waiting = pool.submit(group.persist, submission(2))
    while len(group._waiting) < 2:
        time.sleep(0.001)
    gated.gate.set()
    with pytest.raises(CatalogConnectionError, match="not confirmed in time, the rows may be stored"):
        late.result(20)
    ended.set()
    assert outcomes([first, waiting]) == [[True], [True]]
    assert gated.catalog.status().row_counts["files"] == 3


def test_an_interrupt_does_not_stop_later_persists(pool, group, gated):
    """Of a thread that waits; it would lead next."""

    def interrupt():
        while not group._waiting:
            time.sleep(0.001)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        first = hold(pool, group, gated, submission(0))
        pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            group.persist(submission(1))
    finally:
        signal.signal(signal.SIGINT, handler)
    gated.gate.set()
    assert outcomes([first, pool.submit(group.persist, submission(2))]) == [[True], [True]]
    assert gated.sizes == [1, 1]


@pytest.mark.slow
def test_the_function_joins_events_of_its_threads(store, deployed, pool):
    """On the platform, whose 20 threads call the handler: fewer commits than events, and each row once."""
    from exr_inspector import function

    from .conftest import GOOD, Context, element

    ctx = Context()
    for number in range(13):
        store.put(f"{number}.exr", GOOD)
    function.handle(ctx, element("12.exr"))
    deployed.database.reset_requests()
    deployed.database.fail("delay", seconds=0.3, operation="begin")
    results = list(pool.map(lambda number: function.handle(ctx, element(f"{number}.exr")), range(12)))
    assert [(result["status"], result["inserted"]) for result in results] == [("success", True)] * 12
    commits = [request for request in deployed.database.requests if request.operation == "commit"]
    assert len(commits) <= 6
    with open_catalog(deployed.uri, read_only=True) as catalog:
        assert catalog.sql("FROM files").num_rows == 13
