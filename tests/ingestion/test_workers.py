"""Worker processes: results in order, and batches whose worker dies."""

from __future__ import annotations

import os
import signal
from multiprocessing import active_children

import pytest

from exr_inspector.errors import ExrInspectorError
from exr_inspector.ingestion import workers
from exr_inspector.ingestion.workers import run_batches

BATCHES = [list(range(start, start + 4)) for start in range(0, 32, 4)]
BLOB = 1000


def squares(batch):
    return [number * number for number in batch]


def squares_unless_killed(batch):
    if 13 in batch:
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(batch)


def raise_at_thirteen(batch):
    if 13 in batch:
        raise LookupError("13")
    return squares(batch)


def blob(batch):
    return bytes(BLOB)


def report_death(item, how):
    return [f"{item}: {how}"]


class EndsTheProcessThatReceivesIt:
    def __reduce__(self):
        return os._exit, (7,)

    def __call__(self, batch):
        return squares(batch)


@pytest.mark.slow
def test_results_are_in_the_order_of_the_batches():
    assert list(run_batches(iter(BATCHES), squares, report_death, 2)) == [squares(batch) for batch in BATCHES]


@pytest.mark.slow
@pytest.mark.parametrize(("bytes_ahead", "most_ahead"), [(64 << 20, 26), (5 * BLOB, 6)])
def test_fewer_batches_are_submitted_ahead_if_results_are_large(monkeypatch, bytes_ahead, most_ahead):
    monkeypatch.setattr(workers, "_BYTES_AHEAD", bytes_ahead)
    batches = iter(range(100))
    results = run_batches(([number] for number in batches), blob, report_death, 1)
    for _ in range(40):
        next(results)
    assert next(batches) - 40 == most_ahead
    results.close()


@pytest.mark.slow
def test_only_the_item_that_kills_its_worker_has_no_result():
    """All others have results in order, also those of the same batch."""
    results = run_batches(iter(BATCHES), squares_unless_killed, report_death, 2)
    expected = squares(range(32))
    expected[13] = "13: killed by signal 9"
    assert [number for result in results for number in result] == expected


@pytest.mark.slow
def test_an_exception_is_raised_and_no_worker_is_left():
    results = run_batches(iter(BATCHES), raise_at_thirteen, report_death, 2)
    assert next(results) == squares(BATCHES[0])
    with pytest.raises(LookupError):
        list(results)
    assert active_children() == []


@pytest.mark.slow
def test_workers_that_cannot_start_are_an_error():
    """As in a script without `if __name__ == '__main__':`."""
    results = run_batches(iter(BATCHES), EndsTheProcessThatReceivesIt(), report_death, 2)
    with pytest.raises(ExrInspectorError, match=r"end while they start \(exit code 7\).*__main__"):
        next(results)
