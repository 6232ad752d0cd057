"""Open binary files as byte sources."""

from __future__ import annotations

import io
import os
import stat
from datetime import datetime
from typing import BinaryIO, cast

from ..errors import SourceSystemError
from .local import LocalSource, os_error_reason
from .memory import UNNAMED
from .protocol import ByteSource, Storage
from .reader import first_read_bytes
from .uris import normalize_path

EXPECTED = "a path, a file:// or s3:// URI, a bytes-like object or a binary file"
_TEXT_FILE = f"a text file cannot be inspected; open it in binary mode ('rb'), or give {EXPECTED}"


def binary_file(file: object, name: str | None) -> ByteSource:
    """The byte source of an open file that can be read at any position; its own position is kept.

    Raises TypeError for an object that is not a binary file, ValueError for a file that is closed or cannot be read
    at any position.
    """
    if isinstance(file, io.TextIOBase):
        raise TypeError(_TEXT_FILE)
    if not all(hasattr(file, method) for method in ("read", "seek")):
        raise TypeError(f"{type(file).__name__} cannot be inspected; expected {EXPECTED}")
    opened = cast(BinaryIO, file)
    if getattr(opened, "closed", False):
        raise ValueError("the file is closed; inspect it before closing it")
    for can in ("readable", "seekable"):
        if not getattr(opened, can, lambda: True)():
            raise ValueError(f"the file is not {can}; give its bytes, or a binary file that is open for reading")
    if isinstance(opened, io.RawIOBase | io.BufferedIOBase) and (path := _local_path(opened)) is not None:
        opened.flush()
        return LocalSource(name or path, fd=opened.fileno())
    return FileSource(opened, name or UNNAMED)


def _local_path(file: io.IOBase) -> str | None:
    """The path of a file of the system; None for others, such as members of archives."""
    raw = getattr(file, "raw", file)
    if not isinstance(raw, io.FileIO) or not isinstance(raw.name, (str, bytes)):
        return None
    return os.fsdecode(raw.name) if stat.S_ISREG(os.fstat(raw.fileno()).st_mode) else None


class FileSource:
    """A file that Python code implements: a member of an archive, or an object of a file system library."""

    mtime: datetime | None = None
    etag: str | None = None
    inode: int | None = None
    storage: Storage = "local"

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._position = file, file.seek(0, os.SEEK_CUR)
        self.path, self.uri = path, normalize_path(path)
        self.size_bytes = file.seek(0, os.SEEK_END)
        self.prefix_bytes = first_read_bytes(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end. Raises SourceSystemError, TypeError for a text file."""
        try:
            self._file.seek(offset)
            data = self._file.read(length)
            while data and len(data) < length and (more := self._file.read(length - len(data))):
                data += more
        except OSError as error:
            raise SourceSystemError(self.path, os_error_reason(error)) from error
        if not isinstance(data, bytes):
            raise TypeError(_TEXT_FILE)
        return data

    def prefetch(self, offset: int, length: int) -> None:
        """Do nothing: such files cannot be asked to read ahead."""

    def close(self) -> None:
        """Restore the position of the file, which stays open."""
        self._file.seek(self._position)
