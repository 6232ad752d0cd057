"""Bytes in memory as a byte source."""

from __future__ import annotations

from datetime import datetime

from .reader import first_read_bytes
from .uris import normalize_path


class MemorySource:
    """Bytes that are already here, under a name."""

    mtime: datetime | None = None
    etag: str | None = None
    walk_chunks = True

    def __init__(self, data: bytes, path: str = "memory://bytes") -> None:
        self._data = data
        self.path, self.uri = path, normalize_path(path)
        self.size_bytes = len(data)
        self.prefix_bytes = first_read_bytes(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """A slice."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Nothing to give back."""
