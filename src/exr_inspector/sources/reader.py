"""Buffered reads from one byte source: a short prefix first, kept, and every read counted."""

from __future__ import annotations

from .protocol import ByteSource

# The median header has 437 bytes and 97 of 100 end within 8 KiB (offset table included); one page more costs nothing.
PREFIX_BYTES = 8 << 10


# A local file up to this size is read at once: one read is cheaper than one for each chunk.
SMALL_FILE_BYTES = 64 << 10


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


def first_read_bytes(size_bytes: int) -> int:
    """How many bytes to read first of a source of this size that is cheap to read."""
    return size_bytes if size_bytes <= SMALL_FILE_BYTES else PREFIX_BYTES
