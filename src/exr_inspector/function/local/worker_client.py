"""The other end of the connection to the process that handles events."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from .messages import Answer, Start, encoded, receive

log = logging.getLogger(__name__)

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from exr_inspector.function.local.worker import main; main(int(sys.argv[1]))"
)
_ENDED = Answer(500, "the process that handles events has ended\n")


def start_worker(start: Start) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process; the socket is its connection."""
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path]
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))
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

    async def close(self) -> None:
        """End the connection; the process ends when it has handled what it received."""
        if self._writer is not None and self.is_connected:
            self._writer.write_eof()
        if self._receiving is not None:
            await self._receiving
        if self._writer is not None:
            self._writer.close()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                number, answer = await receive(reader)
                if (future := self._waiting.get(number)) is not None and not future.done():
                    future.set_result(answer)
        except (EOFError, OSError, asyncio.IncompleteReadError):
            self.is_connected = False
        for future in self._waiting.values():
            if not future.done():
                future.set_result(_ENDED)
        self._on_end()
