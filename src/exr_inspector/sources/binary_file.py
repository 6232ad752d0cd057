"""Open binary files as byte sources."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import BinaryIO, cast

from ..errors import SourceError, SourceSystemError
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
    wrapper, file = file, _unwrapped(file)
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
    if isinstance(opened, io.RawIOBase | io.BufferedIOBase) and (path := _local_path(opened, wrapper)) is not None:
        opened.flush()
        return LocalSource(name or path, fd=opened.fileno())
    return FileSource(opened, name or UNNAMED)


def _unwrapped(file: object) -> object:
    """The file of the system inside a NamedTemporaryFile, which passes on its methods; otherwise the file itself."""
    inner = getattr(file, "file", None)
    return inner if isinstance(inner, io.IOBase) and not isinstance(file, io.IOBase) else file


def _local_path(file: io.IOBase, wrapper: object) -> str | None:
    """The path of a file of the system, which its wrapper may know; None for others, such as members of archives."""
    raw, name = getattr(file, "raw", file), getattr(wrapper, "name", None)
    if not isinstance(raw, io.FileIO) or not isinstance(name, (str, bytes)):
        return None
    return os.fsdecode(name) if stat.S_ISREG(os.fstat(raw.fileno()).st_mode) else None


def _as_bytes(data: object) -> bytes:
    """What `read` has returned. Raises TypeError for anything but a bytes-like object."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        raise TypeError(_TEXT_FILE)
    if data is None:
        raise TypeError("read() has returned None: the file does not wait for its data; open it in blocking mode")
    try:
        return bytes(memoryview(data))  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"read() has returned {type(data).__name__}, expected bytes") from None


@contextmanager
def _errors_of(path: str) -> Iterator[None]:
    """Raises SourceError for what files, and the readers of archives and compressed files, raise."""
    try:
        yield
    except OSError as error:
        raise SourceSystemError(path, os_error_reason(error)) from error
    except _damage() as error:
        raise SourceError(path, f"its archive or compressed file is damaged: {error or 'it is cut'}") from error


def _damage() -> tuple[type[Exception], ...]:
    import zipfile
    import zlib

    damage: list[type[Exception]] = [EOFError, zipfile.BadZipFile, zlib.error]
    with suppress(ImportError):  # Python may be built without it
        import lzma

        damage.append(lzma.LZMAError)
    return tuple(damage)


class FileSource:
    """A file that Python code implements: a member of an archive, or an object of a file system library."""

    mtime: datetime | None = None
    etag: str | None = None
    inode: int | None = None
    storage: Storage = "local"

    def __init__(self, file: BinaryIO, path: str) -> None:
        self.path, self.uri = path, normalize_path(path)
        with _errors_of(path):
            self._file, self._position = file, file.seek(0, os.SEEK_CUR)
            self.size_bytes = file.seek(0, os.SEEK_END)
        self.prefix_bytes = first_read_bytes(self.size_bytes)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end.

        Raises SourceError if the file cannot be read, or the archive that it is in is damaged; TypeError if it returns
        anything but bytes.
        """
        data = b""
        with _errors_of(self.path):
            self._file.seek(offset)
            while len(data) < length and (more := _as_bytes(self._file.read(length - len(data)))):
                data += more
        return data

    def prefetch(self, offset: int, length: int) -> None:
        """Do nothing: such files cannot be asked to read ahead."""

    def close(self) -> None:
        """Restore the position of the file, which stays open."""
        with _errors_of(self.path):
            self._file.seek(self._position)
