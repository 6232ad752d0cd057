"""Programs that serve HTTP, in processes that end with the block."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from .http import HTTP

_START_S, _END_S = 120, 20


def free_port() -> int:
    """A port of this machine that no program uses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str | Path], probe: str, **environment: str) -> Iterator[None]:
    """Run a program, in a block that begins as soon as the URL `probe` answers with success."""
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment) as process,
    ):
        try:
            ends_at = time.monotonic() + _START_S
            while not _is_ready(probe):
                if process.poll() is not None or time.monotonic() > ends_at:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} does not serve {probe}: {log.read().decode()}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_END_S)
            finally:
                process.kill()


def _is_ready(probe: str) -> bool:
    try:
        return HTTP.get(probe).is_success
    except httpx.TransportError:
        return False
