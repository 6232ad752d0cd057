"""Local files as byte sources."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property

from ..errors import NotAFileError, SourceError, SourceNotAllowedError, SourceNotFoundError
from .reader import first_read_bytes
from .uris import normalize_path, parse

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class LocalSource:
    """A regular file of this machine, below one of the folders `roots` (real paths) if there are any.

    Raises SourceError for anything else, SourceNotAllowedError for what is not below the roots.
    """

    etag: str | None = None
    walk_chunks = True

    def __init__(self, path: str | os.PathLike[str], roots: Sequence[str] = ()) -> None:
        given = os.fspath(path)
        _, local = parse(given)
        self.path = given
        try:
            if roots:  # before it is opened, so that no error tells what exists elsewhere
                _check_root(given, os.path.realpath(local), roots)
            # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
            self._fd = os.open(local, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise SourceNotFoundError(given, "no such file") from None
        except (OSError, ValueError) as problem:
            raise SourceError(given, _reason(problem)) from None
        try:
            if roots:  # and after: a link may have changed since
                _check_root(given, _path_of(self._fd), roots)
            facts = os.fstat(self._fd)
            if not stat.S_ISREG(facts.st_mode):
                raise NotAFileError(given, f"is a {_kind(facts.st_mode)}, expected a file")
        except OSError as problem:
            os.close(self._fd)
            raise SourceError(given, _reason(problem)) from None
        except SourceError:
            os.close(self._fd)
            raise
        self.size_bytes = facts.st_size
        self.prefix_bytes = first_read_bytes(self.size_bytes)
        self.mtime = mtime_from_ns(facts.st_mtime_ns)
        if self.mtime is None:
            self.etag = f"mtime:{facts.st_mtime_ns}"

    @cached_property
    def uri(self) -> str:
        """Its place as a file:// URI."""
        return normalize_path(self.path)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer where the file ends."""
        try:
            data = os.pread(self._fd, length, offset)
            if len(data) == length:
                return data
            while more := os.pread(self._fd, length - len(data), offset + len(data)):
                data += more
        except OSError as problem:
            raise SourceError(self.path, _reason(problem)) from None
        return data

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def mtime_from_ns(nanoseconds: int) -> datetime | None:
    """A modification time in UTC, cut to the microsecond; None outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:  # file systems with 64-bit times keep any
        return None


def _check_root(given: str, real: str, roots: Sequence[str]) -> None:
    """Raises SourceNotAllowedError where the real path of a file is below none of the folders."""
    if not real:
        raise SourceNotAllowedError(given, "the system does not tell the path of an open file; is /proc mounted?")
    if not any(f"{real}/".startswith(f"{root.rstrip('/')}/") for root in roots):
        raise SourceNotAllowedError(given, "it is not below a folder of EXR_INSPECTOR_ROOTS")


def _path_of(fd: int) -> str:
    """The real path of an open file, as the system knows it; empty where the system does not tell."""
    try:
        if sys.platform == "darwin":
            return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).partition(b"\0")[0])
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def _reason(problem: OSError | ValueError) -> str:
    return getattr(problem, "strerror", None) or str(problem)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device"}
    return kinds.get(stat.S_IFMT(mode), "device")
