"""Where bytes come from: a local file, memory, or an object store. Each source answers ranges and knows its size.

A source does no caching: `Reader` fetches a short prefix first, keeps it, and counts what is read.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from .errors import NotAFileError, SourceError, SourceNotFoundError
from .identity import normalize_path

if TYPE_CHECKING:
    from .settings import S3Access

# The median header has 437 bytes and 97 of 100 end within 8 KiB (offset table included); one page more costs nothing.
PREFIX_BYTES = 8 << 10
# A local file up to this size is read at once: one read is cheaper than one for each chunk.
SMALL_FILE_BYTES = 64 << 10

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ByteSource(Protocol):
    """Bytes by range."""

    path: str  # as it was given
    size_bytes: int
    mtime: datetime | None
    etag: str | None
    walk_chunks: bool  # whether reading a few bytes for each chunk is cheap
    prefix_bytes: int  # how much of its beginning is best read first

    @property
    def uri(self) -> str:
        """Its place; see identity.normalize_path."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer where the file ends. Raises SourceError."""

    def close(self) -> None:
        """Give back what the source holds."""


class LocalSource:
    """A regular file of this machine. Raises SourceError, in words, for anything else."""

    etag: str | None = None
    walk_chunks = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = os.fspath(path)
        local = given[7:] if given.startswith("file://") else given
        self.path = given
        try:
            # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
            self._fd = os.open(local, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise SourceNotFoundError(given, "no such file") from None
        except (OSError, ValueError) as problem:
            raise SourceError(given, _reason(problem)) from None
        facts = os.fstat(self._fd)
        if not stat.S_ISREG(facts.st_mode):
            os.close(self._fd)
            raise NotAFileError(given, f"not a file but a {_kind(facts.st_mode)}")
        self.size_bytes = facts.st_size
        self.prefix_bytes = _first_read(self.size_bytes)
        self.mtime: datetime | None = mtime_from_ns(facts.st_mtime_ns)

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


class MemorySource:
    """Bytes that are already here, under a name."""

    mtime: datetime | None = None
    etag: str | None = None
    walk_chunks = True

    def __init__(self, data: bytes, path: str = "memory://bytes") -> None:
        self._data = data
        self.path, self.uri = path, normalize_path(path)
        self.size_bytes = len(data)
        self.prefix_bytes = _first_read(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """A slice."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""


class Reader:
    """Ranges of one source, its first bytes kept; counts the bytes and reads that the source was asked for."""

    __slots__ = ("_prefix", "bytes_read", "reads", "source")

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.bytes_read = self.reads = 0
        size = source.size_bytes
        self._prefix = self._fetch(0, min(source.prefix_bytes, size)) if size else b""

    @property
    def prefix(self) -> bytes:
        """The first bytes of the source."""
        return self._prefix

    def grow_prefix(self, length: int) -> bytes:
        """Read on until the prefix has `length` bytes, or the source ends."""
        have = len(self._prefix)
        self._prefix += self._fetch(have, min(length, self.source.size_bytes) - have)
        return self._prefix

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range, from the prefix where it has them."""
        end = offset + length
        if end <= len(self._prefix):
            return self._prefix[offset:end]
        data = self.source.read(offset, length)  # not through _fetch: this runs once for each chunk
        self.reads += 1
        self.bytes_read += len(data)
        return data

    def _fetch(self, offset: int, length: int) -> bytes:
        data = self.source.read(offset, length)
        self.reads += 1
        self.bytes_read += len(data)
        return data


def open_source(source: str | os.PathLike[str] | bytes | ByteSource, s3: S3Access | None = None) -> ByteSource:
    """The source that a path, URI, or bytes name; a ByteSource is itself. Raises SourceError.

    Objects come from the store `s3`, or from that of the environment.
    """
    if isinstance(source, bytes):
        return MemorySource(source)
    if isinstance(source, (str, os.PathLike)):
        scheme, mark, _ = os.fspath(source).partition("://")
        if mark and scheme.lower() == "s3":
            from .object_store import ObjectSource

            return ObjectSource(os.fspath(source), s3)
        if mark and scheme.lower() != "file":
            raise SourceError(os.fspath(source), f"{scheme}:// is not supported; give a path, file:// or s3:// URI")
        return LocalSource(source)
    return source


def _first_read(size_bytes: int) -> int:
    return size_bytes if size_bytes <= SMALL_FILE_BYTES else PREFIX_BYTES


def mtime_from_ns(nanoseconds: int) -> datetime:
    """A modification time in UTC, cut to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def _reason(problem: OSError | ValueError) -> str:
    return getattr(problem, "strerror", None) or str(problem)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device"}
    return kinds.get(stat.S_IFMT(mode), "device")
