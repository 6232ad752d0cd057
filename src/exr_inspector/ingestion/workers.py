"""Worker processes: batches in, results out, even if the system kills a worker.

Each worker has its own pipe and its own thread that reads it: a worker that is killed, even in the middle of a message,
affects no other. Knows nothing of files and catalogs.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from queue import LifoQueue
from typing import Any, Generic, TypeVar

from ..errors import ExrInspectorError

_BATCHES_PER_WORKER = 2  # one that runs, and the next one
# More batches are submitted ahead, so that workers continue while the caller persists results; less if those are large.
_BATCHES_AHEAD, _BYTES_AHEAD = 24, 64 << 20
_START_ATTEMPTS = 3  # a worker may be killed while it starts; after this many, something else is the cause
_GC_THRESHOLD = 20_000  # the objects of a batch are many, and have no cycles: collecting them took 8 % of the time
_SPAWN = get_context("spawn")
_REAP_LOCK = threading.Lock()  # Process.start() reaps any child, whose exit code another thread may be reading

MIN_ITEMS_FOR_WORKERS = 200  # for fewer files, starting worker processes takes longer than it saves

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_order(
    items: Iterator[Item],
    function: Callable[[Sequence[Item]], Result],
    on_death: Callable[[Item, str], Result],
    *,
    workers: int,
    batch_size: int,
    min_items: int = MIN_ITEMS_FOR_WORKERS,
    weight: Callable[[Item], float] = lambda _: 1,
) -> Generator[Result]:
    """The results of `function` for batches of consecutive items, in order.

    In this process for less than `min_items` or one worker, otherwise as `run_batches`; 0 workers are one per core.
    An item counts `weight` times.
    """
    batches = _batches(items, batch_size, weight)
    first = list(islice(batches, -(-min_items // batch_size)))
    workers = workers or os.cpu_count() or 1
    if workers == 1 or sum(map(weight, chain.from_iterable(first))) < min_items:
        yield from map(function, chain(first, batches))
    else:
        yield from run_batches(chain(first, batches), function, on_death, workers)


def _batches(items: Iterable[Item], size: int, weight: Callable[[Item], float]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    total = 0.0
    for item in items:
        batch.append(item)
        total += weight(item)
        if total >= size:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def run_batches(
    batches: Iterable[Sequence[Item]],
    function: Callable[[Sequence[Item]], Result],
    on_death: Callable[[Item, str], Result],
    workers: int,
) -> Generator[Result]:
    """The results of `function` for the batches, in order, computed by `workers` processes.

    If a worker dies, its batch is run again. If the second worker dies too, the batch is halved, each half with its own
    result, until one item is left, whose result is `on_death(item, cause)`. Exceptions of `function` are raised here.
    No worker outlives the generator or this process.
    """
    pool = [_Worker(function, on_death) for _ in range(workers)]
    idle: LifoQueue[_Worker[Item, Result]] = LifoQueue()
    for worker in pool:
        idle.put(worker)

    def run(batch: Sequence[Item]) -> tuple[list[Result], int]:
        worker = idle.get()
        try:
            return worker.run(batch), worker.received_bytes
        finally:
            idle.put(worker)

    resource_tracker.ensure_running()  # in this thread, because starting it unblocks SIGINT in the calling thread
    threads = ThreadPoolExecutor(workers, initializer=_block_sigint)
    running: deque[Future[tuple[list[Result], int]]] = deque()
    ahead = 0  # until the size of results is known
    try:
        for batch in batches:
            running.append(threads.submit(run, batch))
            while len(running) > _BATCHES_PER_WORKER * workers + ahead:
                results, size = running.popleft().result()
                yield from results
                ahead = min(_BATCHES_AHEAD, _BYTES_AHEAD // max(1, size))
        while running:
            yield from running.popleft().result()[0]
    finally:
        for worker in pool:
            worker.stop()
        threads.shutdown(cancel_futures=True)
        for worker in pool:
            worker.reap()


def _block_sigint() -> None:
    """Block SIGINT in this thread and the processes that it starts: only the parent handles Ctrl-C."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class _WorkerDiedError(Exception):
    """A worker ended without a result; the message is the cause."""


class _Worker(Generic[Item, Result]):
    """A process that runs a function; started for the first batch, restarted after its death."""

    received_bytes = 0  # size of the last message from the process

    _process: BaseProcess | None = None
    _pipe: Connection[Any, Any]
    _stopped = False

    def __init__(self, function: Callable[[Sequence[Item]], Result], on_death: Callable[[Item, str], Result]) -> None:
        self._function, self._on_death = function, on_death

    def run(self, batch: Sequence[Item], *, is_retry: bool = False) -> list[Result]:
        """The result of a batch; the results of its parts if the process died of it twice."""
        if self._process is None or not self._process.is_alive():
            self._start()
        try:
            result = self._exchange(batch)
        except _WorkerDiedError as death:
            if self._stopped:
                raise
            if not is_retry:
                return self.run(batch, is_retry=True)
            if len(batch) == 1:
                return [self._on_death(batch[0], str(death))]
            middle = len(batch) // 2
            return self.run(batch[:middle], is_retry=True) + self.run(batch[middle:], is_retry=True)
        if isinstance(result, Exception):
            raise result
        return [result]

    def stop(self) -> None:
        """Kill the process; its current batch fails."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def reap(self) -> int | None:
        """The exit code of a process that is ending; None if it was not started."""
        if self._process is None:
            return None
        with _REAP_LOCK:
            self._process.join(1)
        return self._process.exitcode

    def _start(self) -> None:
        for _ in range(_START_ATTEMPTS):
            self._pipe, worker_end = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_serve, args=(worker_end, self._function), daemon=True)
            with _REAP_LOCK:
                process.start()
            worker_end.close()  # otherwise the pipe would stay open after the process ends
            self._process = process
            if self._stopped:  # during the start
                process.kill()
            try:
                self._exchange()
            except _WorkerDiedError as death:
                cause = death
                if self._stopped:
                    raise
            else:
                return
        raise ExrInspectorError(
            f"worker processes end while they start ({cause}); in a script, call ingest inside "
            "`if __name__ == '__main__':`, or with workers=1"
        )

    def _exchange(self, *messages: Sequence[Item]) -> Any:
        """Send messages and receive the response; a new process sends a first message when it is ready."""
        try:
            for message in messages:
                self._pipe.send(message)
            received = self._pipe.recv_bytes()
        except (EOFError, OSError):
            code = self.reap()
            raise _WorkerDiedError(f"killed by signal {-code}" if code and code < 0 else f"exit code {code}") from None
        self.received_bytes = len(received)
        return ForkingPickler.loads(received)


def _serve(pipe: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    """In a worker: run batches until the parent ends."""
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
    gc.freeze()  # of modules
    gc.set_threshold(_GC_THRESHOLD)
    try:
        pipe.send(None)
        while True:
            batch = pipe.recv()
            try:
                result = function(batch)
            except Exception as error:
                result = error
            pipe.send(result)
    except (EOFError, OSError):  # the parent has ended
        pass
