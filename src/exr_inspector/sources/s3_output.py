"""Writes objects of an S3 store: in parts, of which a few are in memory. The object exists once it is whole."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .s3 import check_key, client_library, store_client
from .s3_errors import translated
from .uris import bucket_and_key

if TYPE_CHECKING:
    from ..settings import S3Access

_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_RETRIES = 3  # of a part, by the client


@contextmanager
def object_output(uri: str, access: S3Access) -> Iterator[BinaryIO]:
    """A new object; if the block raises, its parts are deleted. Raises SourceError."""
    bucket, key = bucket_and_key(uri)
    check_key(uri, key)
    store = store_client(access, bucket, retries=_RETRIES)

    writer = client_library().open_writer(store, key, buffer_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
    try:
        yield cast(BinaryIO, _Output(writer, uri, access))
        translated(writer.close, uri, access)
    except BaseException as error:
        with suppress(Exception):
            writer.__exit__(type(error), error, error.__traceback__)  # deletes the parts
        raise


class _Output(io.RawIOBase):
    """What is written to it; `close` does nothing, as an object that is closed exists."""

    def __init__(self, writer: Any, uri: str, access: S3Access) -> None:
        self._writer, self._uri, self._access = writer, uri, access

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes; returns their number."""
        translated(lambda: self._writer.write(bytes(data)), self._uri, self._access)
        return len(data)
