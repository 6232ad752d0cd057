"""The interface of all byte sources."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class ByteSource(Protocol):
    """A file or object that returns byte ranges."""

    path: str  # the path or URI as given
    size_bytes: int
    mtime: datetime | None
    etag: str | None  # distinguishes versions of the source if the mtime does not
    inode: int | None  # of a local file, as a signed 64-bit number
    small_reads_are_cheap: bool  # whether a read of a few bytes per chunk is affordable
    prefix_bytes: int  # recommended size of the first read, from the start of the source

    @property
    def uri(self) -> str:
        """The normalized URI, see `uris.normalize_path`."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end of the source. Raises SourceError."""

    def close(self) -> None:
        """Release the resources of the source."""
