"""Local files as byte sources."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import cached_property

from ..errors import NotAFileError, SourceError, SourceNotAllowedError, SourceNotFoundError, SourceSystemError
from ..frames.patterns import notation_hint
from .mounts import is_network_device
from .protocol import Storage
from .reader import first_read_bytes
from .uris import normalize_path, parse

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FILE_TYPES = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}


class LocalSource:
    """A regular file. With `roots`, real paths of folders, it must be below one of them.

    With `fd`, an open descriptor of the file, the path is only its name; the descriptor is duplicated.

    Raises SourceSystemError, SourceNotFoundError, NotAFileError, or, for a file outside of the roots,
    SourceNotAllowedError.
    """

    etag: str | None = None

    def __init__(self, path: str | os.PathLike[str], roots: Sequence[str] = (), *, fd: int | None = None) -> None:
        self.path = os.fsdecode(path)
        _, local = parse(self.path)
        try:
            if roots:  # before opening, so that no error reveals which files exist elsewhere
                _check_root(self.path, os.path.realpath(local), roots)
            # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            self._fd = os.open(local, flags) if fd is None else os.dup(fd)
        except (OSError, ValueError) as error:
            raise unreadable(self.path, error) from None
        try:
            if roots:  # and after opening: a symbolic link may have changed in between
                _check_root(self.path, _path_of(self._fd), roots)
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise NotAFileError(self.path, not_a_file_reason(status.st_mode))
        except OSError as error:
            os.close(self._fd)
            raise SourceSystemError(self.path, os_error_reason(error)) from None
        except SourceError:
            os.close(self._fd)
            raise
        self.storage: Storage = "network" if is_network_device(status.st_dev) else "local"
        self.size_bytes = status.st_size
        self.inode: int | None = status.st_ino - (1 << 64) * (status.st_ino >= 1 << 63)
        self.prefix_bytes = first_read_bytes(self.size_bytes, remote=self.storage == "network")
        self.mtime = mtime_from_ns(status.st_mtime_ns)
        if self.mtime is None:
            self.etag = f"mtime:{status.st_mtime_ns}"

    @cached_property
    def uri(self) -> str:
        """The normalized file:// URI."""
        return normalize_path(self.path)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end of the file."""
        try:
            data = os.pread(self._fd, length, offset)
            if len(data) == length:
                return data
            while more := os.pread(self._fd, length - len(data), offset + len(data)):
                data += more
        except OSError as error:
            raise SourceSystemError(self.path, os_error_reason(error)) from None
        return data

    def prefetch(self, offset: int, length: int) -> None:
        """Announce a read to the operating system."""
        if sys.platform == "linux":
            with suppress(OSError):  # the hint is optional
                os.posix_fadvise(self._fd, offset, length, os.POSIX_FADV_WILLNEED)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def mtime_from_ns(nanoseconds: int) -> datetime | None:
    """A modification time in UTC, truncated to microseconds; None outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:  # file systems with 64-bit times allow any year
        return None


def unreadable(path: str, error: OSError | ValueError) -> SourceError:
    """The error for a file that cannot be opened."""
    if isinstance(error, FileNotFoundError):
        return not_found(path)
    return SourceSystemError(path, os_error_reason(error))


def not_found(path: str) -> SourceNotFoundError:
    """The error for a path that does not exist, or whose target does not."""
    if os.path.islink(parse(path)[1]):
        return SourceNotFoundError(path, "no such file: the target of this symbolic link does not exist")
    return SourceNotFoundError(path, f"no such file{notation_hint(path)}")


def os_error_reason(error: OSError | ValueError) -> str:
    """The message of an error of the operating system, without the path."""
    return getattr(error, "strerror", None) or str(error)


def not_a_file_reason(mode: int) -> str:
    """The message for a path whose mode is not that of a regular file."""
    return f"is a {_FILE_TYPES.get(stat.S_IFMT(mode), 'device')}, expected a file"


def _check_root(path: str, real_path: str, roots: Sequence[str]) -> None:
    """Raise SourceNotAllowedError if the real path is not below one of the roots."""
    if not real_path:
        raise SourceNotAllowedError(
            path, "the system does not report the path of an open file; check that /proc exists"
        )
    if not any(f"{real_path}/".startswith(f"{root.rstrip('/')}/") for root in roots):
        raise SourceNotAllowedError(path, "it is not below a folder of EXR_INSPECTOR_ROOTS")


def _path_of(fd: int) -> str:
    """The real path of an open file; empty if the system does not report it."""
    try:
        if sys.platform == "darwin":
            return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).partition(b"\0")[0])
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
