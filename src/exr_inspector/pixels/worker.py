"""A worker process that decodes pixels: one file's damage is that file's error, whatever native libraries do with it.

The process has limits of memory and time, and opens the source itself: requests and reports go through pipes, pixels do
not. What native libraries print is discarded. The process serves many files and ends with its parent.
"""

from __future__ import annotations

import gc
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..deadline import seconds_left, time_limit
from ..defaults import NUMPY_ENVIRONMENT
from ..errors import ExrInspectorError, PixelError
from ..exr import Limits
from ..exr.header import fetch_header
from ..sources import MemorySource, open_source, store_of
from ..sources.reader import Reader
from ..sources.uris import has_scheme
from .model import PixelReport, StatsOptions

if TYPE_CHECKING:
    from ..settings import S3Access

# The environment of the process, which is read before its first line runs. With the settings of glibc's allocator,
# bands reuse memory instead of mapping it anew. Without threads, numpy also needs less address space.
_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
    "MALLOC_ARENA_MAX": "4",
    **NUMPY_ENVIRONMENT,
}
_PROGRAM = (  # without collections of garbage, imports take less time
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[2:]; "
    "from exr_inspector.pixels.worker import serve; serve(int(sys.argv[1]))"
)
_END_SECONDS = 2.0  # for the process to end by itself
_MAX_MESSAGE = 300  # characters

# Signals by which faults of native libraries end the process; others come from people or the system.
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)

# Variables that the process does not get. It gets those by which AWS provides keys to this machine or pod.
_CREDENTIAL = re.compile(r"(?i)SECRET|PASSW|TOKEN|CREDENTIAL|(ACCESS|PRIVATE|API|ACCOUNT)_?KEY|^(VAST_DB|S3)_")
_AMBIENT = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_", "AWS_SHARED_CREDENTIALS_FILE")


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
        self._closed = False

    def statistics(self, source: str | bytes, options: StatsOptions) -> PixelReport:
        """The report of a file: a path, a URI, or its bytes. Starts the process if it does not run.

        Raises PixelError if the process exceeds its limits, ends or cannot start, SourceError, ExrFormatError,
        MissingExtraError, and ValueError after `close` or `kill`, also in threads that wait for a report.
        """
        path, s3 = MemorySource(source).path if isinstance(source, bytes) else source, self._s3
        if isinstance(source, str):
            s3 = s3 or store_of([source])  # the process does not get the keys of the environment
            source = source if has_scheme(source) else os.path.join(os.getcwd(), source)
        with self._lock:
            seconds = max(min(options.limits.seconds, seconds_left()), 0.0)
            request = _Request(source, options, s3, self._roots, self._header_limits, seconds)
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
        """End the process at once and for good; the requests of other threads fail."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        with self._lock:
            self._stop()

    def __enter__(self) -> PixelWorker:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        """Start the process. Raises OSError."""
        requests, child_requests = _pipe()
        try:
            child_results, results = _pipe()
        except OSError:
            _close(requests, child_requests)
            raise
        arguments = [sys.executable, "-c", _PROGRAM, str(child_results.fileno()), *sys.path]
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=child_requests.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(child_results.fileno(),),
                env=decoder_environment(),
            )
        except OSError:
            _close(requests, results)
            raise
        finally:
            _close(child_requests, child_results)
        self._requests, self._results = requests, results

    def _exchange(self, path: str, request: _Request) -> Any:
        """The response to a request. Raises PixelError; then the process has ended."""
        self._check_open(path)
        if self._process is None or self._process.poll() is not None:
            self._stop()
            try:
                self._start()
            except OSError as error:
                raise PixelError(path, "decoder_unusable", f"the decoder cannot start: {error}") from None
            self._check_open(path)
        process, requests, results = self._process, self._requests, self._results
        assert process is not None
        assert requests is not None
        assert results is not None
        end = time.monotonic() + request.seconds
        is_late = threading.Event()
        # Sending and receiving take long too, if the process is stopped.
        timer = threading.Timer(request.seconds, _end_late, (process, is_late))
        timer.daemon = True
        timer.start()
        try:
            requests.send_bytes(pickle.dumps(request))
            if results.poll(max(end - time.monotonic(), 0)):
                return results.recv()
            is_late.set()
        except (EOFError, OSError):
            pass
        except BaseException:  # such as KeyboardInterrupt: the response to this request must not be that to the next
            self._stop(kill=True)
            raise
        finally:
            timer.cancel()
            timer.join()
            if is_late.is_set():
                self._stop(kill=True)
        if is_late.is_set():
            is_own = request.seconds == request.options.limits.seconds
            remedy = ": raise EXR_INSPECTOR_PIXEL_SECONDS" if is_own else " that are left"
            raise PixelError(path, "decode_timeout", f"decoding takes more than {request.seconds:.3g} s{remedy}")
        code = self._stop()
        self._check_open(path)
        raise _ended(path, code)

    def _check_open(self, path: str) -> None:
        if self._closed:
            self._stop(kill=True)
            raise ValueError(f"{path}: the decoder was closed")

    def _stop(self, *, kill: bool = False) -> int | None:
        """End the process. Its exit code if it ended by itself, None if it had to be killed or did not run."""
        process, self._process = self._process, None
        if process is None:
            return None
        if kill:
            process.kill()
        _close(self._requests, self._results)
        try:
            code = process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        return None if kill else code


def _end_late(process: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    process.kill()


def _ended(path: str, code: int | None) -> PixelError:
    """The error of a process that ended with this exit code in the middle of a file."""
    if code is None:
        return PixelError(path, "decoder_ended", "the decoder does not answer")
    if -code in _CRASHES:
        return PixelError(path, "decoder_crashed", f"the decoder ended by {signal.Signals(-code).name}")
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    if -code == signal.SIGKILL:
        how = "SIGKILL; the system may be out of memory, use fewer workers"
    return PixelError(path, "decoder_ended", f"the decoder ended by {how}")


def decoder_environment() -> dict[str, str]:
    """The environment of the process: that of this one without keys."""
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(_AMBIENT) or not _CREDENTIAL.search(name)
    }
    return kept | _ENVIRONMENT


def _close(*pipes: Connection[Any, Any] | None) -> None:
    for pipe in pipes:
        if pipe is not None:
            pipe.close()


def _pipe() -> tuple[Connection[Any, Any], Connection[Any, Any]]:
    """A pipe: the end to write to, and the end to read from."""
    reader, writer = os.pipe()
    return Connection(writer, readable=False), Connection(reader, writable=False)


def serve(results_fd: int) -> None:
    """In the process: answer requests from stdin until the parent closes it or ends."""
    import resource

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core has the keys of the store
    results: Connection[Any, Any] = Connection(results_fd, readable=False)
    requests: SimpleQueue[_Request] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests,), daemon=True).start()
    with suppress(ImportError):  # else the error of each file
        _load_libraries()
    gc.freeze()
    gc.enable()
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
    finally:  # such as a lack of memory; without requests, the parent would wait for nothing
        os._exit(1)


def _load_libraries() -> None:
    """Load native libraries, which fail in many ways without memory, before memory is limited."""
    import numpy
    import OpenEXR
    import xxhash

    from . import report  # noqa: F401

    del numpy, OpenEXR, xxhash


def _response(request: _Request) -> PixelReport | ExrInspectorError | tuple[str, str]:
    """The report, or the error of this file."""
    try:
        # Requests are received without the limit.
        with _limited_memory(_memory_bytes(request)), time_limit(request.seconds):
            return _report(request)
    except ExrInspectorError as error:
        return error
    except MemoryError:
        limit = _memory_bytes(request) >> 20
        return "out_of_memory", f"decoding takes more than {limit} MB: raise EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES"
    except (ImportError, OSError, RuntimeError) as error:  # of the installation or the system
        return "decoder_unusable", _line(error)
    except Exception as error:
        return "decode_failed", _line(error)


def _line(error: Exception) -> str:
    """The first line of an error's message; those of numpy have pages."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:_MAX_MESSAGE]}"


def _report(request: _Request) -> PixelReport:
    from .report import part_statistics

    opened = open_source(request.source, request.s3, roots=request.roots)
    try:
        header = fetch_header(Reader(opened), request.header_limits)
        return part_statistics(opened, header, request.options, header_limits=request.header_limits)
    finally:
        opened.close()


def _memory_bytes(request: _Request) -> int:
    """The limit of the address space, with room for the bytes of a file: received, and held."""
    own = 0 if isinstance(request.source, str) else 3 * len(request.source)
    return request.options.limits.memory_bytes(request.options.threads) + own


@contextmanager
def _limited_memory(wanted: int) -> Iterator[None]:
    """Limit the address space of this process in the block, where the system allows it; never above its own limit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(OSError, ValueError):  # macOS
        resource.setrlimit(resource.RLIMIT_AS, (wanted if soft == resource.RLIM_INFINITY else min(wanted, soft), hard))
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
