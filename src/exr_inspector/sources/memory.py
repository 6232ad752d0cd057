"""Bytes in memory as a byte source."""

from __future__ import annotations

from datetime import datetime

from .protocol import Storage
from .reader import first_read_bytes
from .uris import normalize_path


class MemorySource:
    """Bytes in memory, with a name in place of a path."""

    mtime: datetime | None = None
    etag: str | None = None
    inode: int | None = None
    storage: Storage = "local"

    def __init__(self, data: bytes, path: str = "memory://bytes") -> None:
        self._data = data
        self.path, self.uri = path, normalize_path(path)
        self.size_bytes = len(data)
        self.prefix_bytes = first_read_bytes(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end."""
        return self._data[offset : offset + length]

    def prefetch(self, offset: int, length: int) -> None:
        """Do nothing: the bytes are in memory."""

    def close(self) -> None:
        """Do nothing: there is no resource to release."""
