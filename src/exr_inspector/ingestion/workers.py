"""Worker processes: batches in, results out, also when the system kills a worker.

Each worker has a pipe of its own, read by a thread of its own: one that is killed, even halfway through a message, ends
this pipe and no other. Knows nothing of files and catalogs.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from queue import LifoQueue
from typing import Any, Generic, TypeVar

from ..errors import ExrInspectorError

_BATCHES_PER_WORKER = 4  # submitted ahead, so that workers go on while results are stored
_STARTS = 3  # a worker may be killed while it starts; where this many in a row end, the next ones would, too
_SPAWN = get_context("spawn")
_REAPING = threading.Lock()  # Process.start() reaps any child that ended, whose exit code another thread may be reading

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_batches(
    batches: Iterable[Sequence[Item]],
    function: Callable[[Sequence[Item]], Result],
    on_death: Callable[[Item, str], Result],
    workers: int,
) -> Generator[Result]:
    """The results of `function` for the batches, in order, computed by `workers` processes.

    When a worker dies, its batch is run again; when that one dies too, the batch is halved until one item is left,
    whose result is `on_death(item, how)`. Each half has a result of its own. An exception of `function` is raised here.
    No worker outlives the generator or this process, however they end.
    """
    crew = [_Worker(function, on_death) for _ in range(workers)]
    idle: LifoQueue[_Worker[Item, Result]] = LifoQueue()
    for worker in crew:
        idle.put(worker)

    def run(batch: Sequence[Item]) -> list[Result]:
        worker = idle.get()
        try:
            return worker.run(batch)
        finally:
            idle.put(worker)

    resource_tracker.ensure_running()  # here, because starting it unblocks SIGINT in the thread that does
    threads = ThreadPoolExecutor(workers, initializer=_block_sigint)
    running: deque[Future[list[Result]]] = deque()
    try:
        for batch in batches:
            running.append(threads.submit(run, batch))
            if len(running) > _BATCHES_PER_WORKER * workers:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()
    finally:
        for worker in crew:
            worker.stop()
        threads.shutdown(cancel_futures=True)
        for worker in crew:
            worker.reap()


def _block_sigint() -> None:
    """In a thread: have the processes that it starts never see Ctrl-C, which is for the parent to act on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


class _WorkerDiedError(Exception):
    """A worker ended without an answer; the text says how."""


class _Worker(Generic[Item, Result]):
    """A process that runs one function: started for its first batch, and again when it died."""

    _process: BaseProcess | None = None
    _pipe: Connection[Any, Any]
    _stopped = False

    def __init__(self, function: Callable[[Sequence[Item]], Result], on_death: Callable[[Item, str], Result]) -> None:
        self._function, self._on_death = function, on_death

    def run(self, batch: Sequence[Item], *, again: bool = False) -> list[Result]:
        """The result of a batch, or those of its parts where the process died of it twice."""
        if self._process is None or not self._process.is_alive():
            self._start()
        try:
            result = self._exchange(batch)
        except _WorkerDiedError as death:
            if self._stopped:
                raise
            if not again:
                return self.run(batch, again=True)
            if len(batch) == 1:
                return [self._on_death(batch[0], str(death))]
            middle = len(batch) // 2
            return self.run(batch[:middle], again=True) + self.run(batch[middle:], again=True)
        if isinstance(result, Exception):
            raise result
        return [result]

    def stop(self) -> None:
        """Kill the process; a batch that it has fails."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()

    def reap(self) -> int | None:
        """The exit code of a process that is about to end."""
        if self._process is None:
            return None
        with _REAPING:
            self._process.join(1)
        return self._process.exitcode

    def _start(self) -> None:
        for _ in range(_STARTS):
            self._pipe, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_serve, args=(theirs, self._function), daemon=True)
            with _REAPING:
                process.start()
            theirs.close()  # or the pipe would not end with the process
            self._process = process
            if self._stopped:  # while it was started
                process.kill()
            try:
                self._exchange()
            except _WorkerDiedError as death:
                how = death
                if self._stopped:
                    raise
            else:
                return
        raise ExrInspectorError(
            f"worker processes end while they start ({how}); a script that ingests needs "
            "`if __name__ == '__main__':` around its calls, or workers=1"
        )

    def _exchange(self, *messages: Sequence[Item]) -> Any:
        """Send messages and receive one; a process that has just started says that it is ready."""
        try:
            for message in messages:
                self._pipe.send(message)
            return self._pipe.recv()
        except (EOFError, OSError):
            code = self.reap()
            raise _WorkerDiedError(f"killed by signal {-code}" if code and code < 0 else f"exit code {code}") from None


def _serve(pipe: Connection[Any, Any], function: Callable[[Any], Any]) -> None:
    """In a worker: answer batches until the parent ends, however it does."""
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=lambda: (wait([parent.sentinel]), os._exit(1)), daemon=True).start()
    try:
        pipe.send(None)
        while True:
            batch = pipe.recv()
            try:
                result = function(batch)
            except Exception as error:
                result = error
            pipe.send(result)
    except (EOFError, OSError):  # the parent is gone
        pass
