"""Messages between the process that serves HTTP and the one that handles events: pickles after their length."""

from __future__ import annotations

import logging
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import asyncio

IS_REJECTING = "is_rejecting"  # in the state of the web application: whether an event would be rejected now
REJECTION = "too many events are waiting; send it again later\n"
THREADS = 20  # that handle events: the platform's concurrency of a handler
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The first message to the process that handles events: what its environment does not contain."""

    secrets: Mapping[str, Mapping[str, str]]
    log_level: int
    log_formatter: logging.Formatter


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with an event, as it arrived: data nested too deeply for Python must fail where events are handled."""

    headers: tuple[tuple[str, str], ...]
    body: bytes
    accepted_at: float
    wants_json: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a request; `seconds` is the time that a thread needed, without the wait for one."""

    status: int
    content: str = ""
    media_type: str | None = None
    seconds: float = 0.0


def encoded(message: Any) -> bytes:
    """The bytes of a message."""
    content = pickle.dumps(message)
    return _LENGTH.pack(len(content)) + content


def read(stream: BinaryIO) -> Any:
    """The next message. Raises EOFError at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)  # noqa: S301 (written by the other process of this program)


async def receive(stream: asyncio.StreamReader) -> Any:
    """The next message. Raises EOFError at the end of the stream."""
    (length,) = _LENGTH.unpack(await stream.readexactly(_LENGTH.size))
    return pickle.loads(await stream.readexactly(length))  # noqa: S301 (written by the other process of this program)
