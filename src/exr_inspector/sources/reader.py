"""Buffered reads from a byte source: keeps a prefix, counts reads and bytes."""

from __future__ import annotations

from .protocol import ByteSource

# The median header has 437 bytes, and 97 % of headers with their offset table fit in 8 KiB.
PREFIX_BYTES = 8 << 10

# Local files up to this size are read whole: faster than a read per chunk.
SMALL_FILE_BYTES = 64 << 10


class Reader:
    """Reads ranges of a source and keeps its first bytes; counts the reads from the source and their bytes."""

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
        """The prefix, extended to `length` bytes or to the end of the source."""
        have = len(self._prefix)
        self._prefix += self._fetch(have, min(length, self.source.size_bytes) - have)
        return self._prefix

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range, from the prefix if it has them."""
        end = offset + length
        if end <= len(self._prefix):
            return self._prefix[offset:end]
        data = self.source.read(offset, length)  # not through _fetch: called for each chunk
        self.reads += 1
        self.bytes_read += len(data)
        return data

    @property
    def has_whole_source(self) -> bool:
        """Whether further reads are free, as the prefix is the whole source."""
        return len(self._prefix) >= self.source.size_bytes

    def prefetch(self, offset: int, length: int) -> None:
        """Announce a read to the source, unless the prefix has its bytes."""
        if offset + length > len(self._prefix):
            self.source.prefetch(offset, length)

    def _fetch(self, offset: int, length: int) -> bytes:
        data = self.source.read(offset, length)
        self.reads += 1
        self.bytes_read += len(data)
        return data


def first_read_bytes(size_bytes: int, *, remote: bool = False) -> int:
    """The size of the first read from a source of this size; a round trip to a server costs more than 64 KiB."""
    return size_bytes if size_bytes <= SMALL_FILE_BYTES else SMALL_FILE_BYTES if remote else PREFIX_BYTES
