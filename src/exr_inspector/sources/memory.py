"""Bytes in memory as a byte source."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .protocol import Storage
from .reader import first_read_bytes
from .uris import normalize_path

if TYPE_CHECKING:
    from typing_extensions import Buffer

UNNAMED = "memory://bytes"


class MemorySource:
    """A bytes-like object, with a name in place of a path. It is not copied, and must not change meanwhile."""

    mtime: datetime | None = None
    etag: str | None = None
    inode: int | None = None
    storage: Storage = "local"

    def __init__(self, data: Buffer, path: str = UNNAMED) -> None:
        view = memoryview(data)
        self._data = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
        self.path, self.uri = path, normalize_path(path)
        self.size_bytes = len(self._data)
        self.prefix_bytes = first_read_bytes(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end."""
        return bytes(self._data[offset : offset + length])

    def prefetch(self, offset: int, length: int) -> None:
        """Do nothing: the bytes are in memory."""

    def close(self) -> None:
        """Do nothing: there is no resource to release."""
