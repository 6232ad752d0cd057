"""A worker process that decodes pixels: one file's damage is that file's error, whatever native libraries do with it.

The process has limits of memory and time, and opens the source itself: requests and reports go through pipes, pixels do
not. What native libraries print is discarded. The process serves many files and ends with its parent.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..deadline import retrying, seconds_left, time_limit
from ..errors import ExrInspectorError, PixelError, SourceChangedError
from ..exr import Limits
from ..exr.header import fetch_header
from ..sources import MemorySource, open_source
from ..sources.reader import Reader
from .model import PixelReport, StatsOptions

if TYPE_CHECKING:
    from ..settings import S3Access

# The environment of the process, which is read before its first line runs. With the settings of glibc's allocator,
# bands reuse memory instead of mapping it anew. Without threads of its own, numpy needs less address space.
_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_ARENA_MAX": "4",
    "OPENBLAS_NUM_THREADS": "1",
}
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from exr_inspector.pixels.worker import serve; serve(int(sys.argv[1]))"
)
_ATTEMPTS = 3  # to read an object that is replaced while it is read
_END_SECONDS = 2.0  # for the process to end by itself


@dataclass(frozen=True, slots=True)
class _Request:
    """A file to decode; settings and keys go through the pipe only."""

    source: str | bytes
    options: StatsOptions
    s3: S3Access | None
    roots: Sequence[str]
    header_limits: Limits
    seconds: float


class PixelWorker:
    """Decodes files in a process of its own, one at a time. Start it once for many files, and close it."""

    def __init__(
        self,
        *,
        s3: S3Access | None = None,
        roots: Sequence[str] = (),
        header_limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._s3, self._roots, self._header_limits = s3, tuple(roots), header_limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: Connection[Any, Any] | None = None
        self._results: Connection[Any, Any] | None = None

    def statistics(self, source: str | bytes, options: StatsOptions) -> PixelReport:
        """The report of a file: a path, a URI, or its bytes. Starts the process if it does not run.

        Raises PixelError if the process exceeds its limits or ends, SourceError, ExrFormatError, MissingExtraError.
        """
        path = source if isinstance(source, str) else MemorySource(source).path
        with self._lock:
            seconds = max(min(options.limits.seconds, seconds_left()), 0.0)
            request = _Request(source, options, self._s3, self._roots, self._header_limits, seconds)
            result = self._exchange(path, request)
            if isinstance(result, tuple):  # the state of the process is uncertain
                self._stop()
        if isinstance(result, PixelReport):
            return result
        if isinstance(result, ExrInspectorError):
            raise result
        raise PixelError(path, *result)

    @property
    def pid(self) -> int | None:
        """The id of the process, None if it does not run."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """End the process at once; the request of another thread fails."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def __enter__(self) -> PixelWorker:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        requests, child_requests = _pipe()
        child_results, results = _pipe()
        arguments = [sys.executable, "-c", _PROGRAM, str(child_results.fileno()), *sys.path]
        self._process = subprocess.Popen(
            arguments,
            stdin=child_requests.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(child_results.fileno(),),
            env={**os.environ, **_ENVIRONMENT},
        )
        child_requests.close()
        child_results.close()
        self._requests, self._results = requests, results

    def _exchange(self, path: str, request: _Request) -> Any:
        """The response to a request. Raises PixelError; then the process has ended."""
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._requests is not None
        assert self._results is not None
        try:
            self._requests.send_bytes(pickle.dumps(request))
            if self._results.poll(request.seconds):
                return self._results.recv()
        except (EOFError, OSError):
            raise PixelError(path, "decoder_crashed", f"the decoder ended by {self._stop()}") from None
        except BaseException:  # such as KeyboardInterrupt: the response to this request must not be that to the next
            self._stop(kill=True)
            raise
        self._stop(kill=True)
        raise PixelError(path, "decode_timeout", f"decoding takes more than {request.seconds:g} s")

    def _stop(self, *, kill: bool = False) -> str:
        """End the process, and return how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "its parent"
        if kill:
            process.kill()
        for pipe in (self._requests, self._results):
            if pipe is not None:
                pipe.close()
        try:
            code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _pipe() -> tuple[Connection[Any, Any], Connection[Any, Any]]:
    """A pipe: the end to write to, and the end to read from."""
    reader, writer = os.pipe()
    return Connection(writer, readable=False), Connection(reader, writable=False)


def serve(results_fd: int) -> None:
    """In the process: answer requests from stdin until the parent closes it or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    results: Connection[Any, Any] = Connection(results_fd, readable=False)
    requests: SimpleQueue[_Request] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    while True:
        results.send(_response(requests.get()))


def _receive(requests: SimpleQueue[_Request]) -> None:
    """Receive requests; end the process with its parent, even in the middle of a file."""
    connection: Connection[Any, Any] = Connection(sys.stdin.fileno(), writable=False)
    try:
        while True:
            requests.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


def _response(request: _Request) -> PixelReport | ExrInspectorError | tuple[str, str]:
    """The report, or the error of this file."""
    try:
        _limit_memory(request.options)
        with time_limit(request.seconds):
            return retrying(lambda error: isinstance(error, SourceChangedError), attempts=_ATTEMPTS)(_report, request)
    except ExrInspectorError as error:
        return error
    except MemoryError:
        return "out_of_memory", "decoding takes more memory than the limit"
    except Exception as error:
        return "decode_failed", f"{type(error).__name__}: {error}"


def _report(request: _Request) -> PixelReport:
    from .report import part_statistics  # numpy, after the limit of memory

    opened = open_source(request.source, request.s3, roots=request.roots)
    try:
        header = fetch_header(Reader(opened), request.header_limits)
        return part_statistics(opened, header, request.options, header_limits=request.header_limits)
    finally:
        opened.close()


def _limit_memory(options: StatsOptions) -> None:
    """Limit the address space of this process, where the system allows it."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = options.limits.memory_bytes(options.threads)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    except (OSError, ValueError):  # macOS
        pass
