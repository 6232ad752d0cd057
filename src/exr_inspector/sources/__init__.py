"""Byte sources: local files, memory, and objects of an S3 store.

In: a path, a file:// or s3:// URI, bytes, or a binary file. Out: a `ByteSource`, which has a size and returns ranges.
Must not know: the EXR format, inspections, the catalog.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from .binary_file import binary_file
from .local import LocalSource
from .memory import UNNAMED, MemorySource
from .protocol import ByteSource
from .uris import is_object, parse

if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer

    from ..settings import S3Access

    Source = str | os.PathLike[str] | Buffer | BinaryIO | ByteSource

__all__ = ["ByteSource", "LocalSource", "MemorySource", "environment_store", "open_source", "store_of"]


def open_source(
    source: Source, s3: S3Access | None = None, *, roots: Sequence[str] = (), name: str | os.PathLike[str] | None = None
) -> ByteSource:
    """The byte source of a path, URI, bytes-like object or binary file; a ByteSource is returned unchanged.

    Objects are read from the store `s3`, or from that of the environment. With `roots`, real paths of folders, a local
    file must be below one of them. `name` is the path or URI of bytes and binary files. Raises SourceError, TypeError
    for any other type, ValueError for a closed file.
    """
    if isinstance(source, (str, os.PathLike)) or hasattr(source, "size_bytes"):
        if name is not None:
            raise ValueError(f"name={name!r} is only for bytes and binary files, which have no path")
        if isinstance(source, (str, os.PathLike)):
            return _of_path(os.fsdecode(source), s3, roots)
        return cast(ByteSource, source)
    name = None if name is None else os.fsdecode(name)
    try:
        return MemorySource(source, name or UNNAMED)  # type: ignore[arg-type]
    except TypeError:  # not a bytes-like object
        return binary_file(source, name)


def _of_path(path: str, s3: S3Access | None, roots: Sequence[str]) -> ByteSource:
    if is_object(path):
        from .s3 import ObjectSource

        return ObjectSource(path, s3 or environment_store())
    return LocalSource(path, roots)


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
