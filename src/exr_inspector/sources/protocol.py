"""The interface of all byte sources."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

Storage = Literal["local", "network", "object"]


class ByteSource(Protocol):
    """A file or object that returns byte ranges."""

    path: str  # the path or URI as given
    size_bytes: int
    mtime: datetime | None
    etag: str | None  # distinguishes versions of the source if the mtime does not
    inode: int | None  # of a local file, as a signed 64-bit number
    prefix_bytes: int  # recommended size of the first read, from the start of the source

    @property
    def storage(self) -> Storage:
        """What a read costs: nearly nothing, a round trip to a file server, or a request."""

    @property
    def uri(self) -> str:
        """The normalized URI, see `uris.normalize_path`."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end of the source. Raises SourceError."""

    def prefetch(self, offset: int, length: int) -> None:
        """Announce a read, so that several reads wait together; may do nothing."""

    def close(self) -> None:
        """Release the resources of the source."""
