"""Byte sources: local files, memory and objects of an S3 store.

In: a path, a file:// or s3:// URI, or bytes. Out: a `ByteSource` that answers byte ranges and knows its size.
Must not know: the EXR format, inspections, the catalog.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .local import LocalSource
from .memory import MemorySource
from .protocol import ByteSource
from .uris import is_object

if TYPE_CHECKING:
    from ..settings import S3Access

__all__ = ["ByteSource", "LocalSource", "MemorySource", "open_source"]


def open_source(
    source: str | os.PathLike[str] | bytes | ByteSource, s3: S3Access | None = None, *, roots: Sequence[str] = ()
) -> ByteSource:
    """The source that a path, URI, or bytes name; a ByteSource is itself. Raises SourceError.

    Objects come from the store `s3`, or from that of the environment. A local file has to be below one of the folders
    `roots`, which are real paths, if there are any.
    """
    if isinstance(source, bytes):
        return MemorySource(source)
    if isinstance(source, (str, os.PathLike)):
        if is_object(source):
            from .s3 import ObjectSource

            return ObjectSource(os.fspath(source), s3)
        return LocalSource(source, roots)
    return source
