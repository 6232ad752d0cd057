"""Byte sources: local files, memory, and objects of an S3 store.

In: a path, a file:// or s3:// URI, or bytes. Out: a `ByteSource`, which has a size and returns byte ranges.
Must not know: the EXR format, inspections, the catalog.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .local import LocalSource
from .memory import MemorySource
from .protocol import ByteSource
from .uris import is_object, parse

if TYPE_CHECKING:
    from ..settings import S3Access

__all__ = ["ByteSource", "LocalSource", "MemorySource", "environment_store", "open_source", "store_of"]


def open_source(
    source: str | os.PathLike[str] | bytes | ByteSource, s3: S3Access | None = None, *, roots: Sequence[str] = ()
) -> ByteSource:
    """The byte source of a path, URI or bytes; a ByteSource is returned unchanged. Raises SourceError.

    Objects are read from the store `s3`, or from that of the environment. With `roots`, real paths of folders, a local
    file must be below one of them.
    """
    if isinstance(source, bytes):
        return MemorySource(source)
    if isinstance(source, (str, os.PathLike)):
        if is_object(source):
            from .s3 import ObjectSource

            return ObjectSource(os.fspath(source), s3 or environment_store())
        return LocalSource(source, roots)
    return source


def environment_store() -> S3Access:
    """The object store of the environment. Raises SettingsError.

    Only for entry points that were called without a store.
    """
    from ..settings import s3_access  # imports pydantic, which takes longer than inspecting a local file

    return s3_access()


def store_of(paths: Iterable[str]) -> S3Access | None:
    """The object store of the environment if one of the paths is in a store, else None. Raises SettingsError.

    For many files: read once, instead of once for each object.
    """
    return environment_store() if any(parse(path)[0] == "s3" for path in paths) else None
