"""The one interface of all byte sources."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class ByteSource(Protocol):
    """Bytes by range."""

    path: str  # as it was given
    size_bytes: int
    mtime: datetime | None
    etag: str | None  # what tells the versions of a source apart, where it is not the mtime
    walk_chunks: bool  # whether reading a few bytes for each chunk is cheap
    prefix_bytes: int  # how much of its beginning is best read first

    @property
    def uri(self) -> str:
        """Its place; see identity.normalize_path."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer where the file ends. Raises SourceError."""

    def close(self) -> None:
        """Give back what the source holds."""
