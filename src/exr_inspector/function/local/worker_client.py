"""The other end of the connection to the process that handles events."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from .messages import Answer, Start, encoded, receive

log = logging.getLogger(__name__)

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from exr_inspector.function.local.worker import main; main(int(sys.argv[1]))"
)
# One heap for all threads: by default the allocators of glibc and Arrow have many, each with freed memory of its own.
# Threads of Python rarely allocate at the same time.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
_ENDED = Answer(500, "the process that handles events has ended\n")


def start_worker(start: Start) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; the socket is its connection."""
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path]
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), env=_ENVIRONMENT | os.environ
        )
    ours.sendall(encoded(start))
    return process, ours


class WorkerClient:
    """Sends requests over a connection; any number may be waiting for their answer."""

    def __init__(self, connection: socket.socket, on_end: Callable[[], None] = lambda: None) -> None:
        self._connection, self._on_end = connection, on_end
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._receiving: asyncio.Task[None] | None = None
        self._heartbeat_at: float | None = None  # of the one that is unanswered
        self.is_connected = False

    async def open(self) -> None:
        """Start to receive answers."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._connection)
        self.is_connected = True
        self._receiving = asyncio.create_task(self._receive(reader))

    async def call(self, operation: str, *arguments: Any) -> Answer:
        """The answer to a request; status 500 if the process ends before."""
        if not self.is_connected or self._writer is None:
            return _ENDED
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._writer.write(encoded((number, operation, *arguments)))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def silence_s(self) -> float:
        """The seconds for which the process has not answered a heartbeat; sends one unless one is unanswered."""
        now = time.monotonic()
        if self._heartbeat_at is None and self.is_connected and self._writer is not None:
            self._heartbeat_at = now
            self._writer.write(encoded((next(self._numbers), "heartbeat")))
        return 0.0 if self._heartbeat_at is None else now - self._heartbeat_at

    async def close(self, timeout_s: float) -> None:
        """End the connection; the process ends when it has handled what it received, if it does so in time."""
        if self._writer is not None and self.is_connected:
            self._writer.write_eof()
        if self._receiving is not None:
            await asyncio.wait({self._receiving}, timeout=timeout_s)
            self._receiving.cancel()
        if self._writer is not None:
            self._writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, answer = await receive(reader)
                self._heartbeat_at = None  # any answer shows that the process is alive
                if (future := self._waiting.get(number)) is not None and not future.done():
                    future.set_result(answer)
        except (EOFError, OSError, asyncio.IncompleteReadError):
            log.debug("the process that handles events has ended")
        except Exception as error:
            log.error("the process that handles events sent an invalid answer", exc_info=error)
        finally:
            self.is_connected = False
            for future in self._waiting.values():
                if not future.done():
                    future.set_result(_ENDED)
            self._on_end()
