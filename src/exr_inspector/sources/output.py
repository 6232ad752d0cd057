"""Folders to write files into: on a disk, or a prefix of an object store. A file has its name once it is whole."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ..errors import SettingsError, SourceSystemError
from .local import os_error_reason
from .uris import is_object, local_path, name_below

if TYPE_CHECKING:
    from ..settings import S3Access


_NAMES = 100
_UNUSABLE = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)


def is_unusable(error: OSError) -> bool:
    """Whether an output cannot be written as its path is wrong for this user, not as the disk is full or fails."""
    return isinstance(error, _UNUSABLE) or error.errno == errno.EROFS


def unusable(path: str, error: OSError) -> str:
    """The text of the error for such an output."""
    return f"{path}: cannot be written: {error.strerror or error}; give another path"


def below(folder: str, name: str) -> str:
    """The path or URI of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def create_folder(folder: str, s3: S3Access | None) -> list[str]:
    """Create a folder if it does not exist; the names in it, not more than a hundred. Raises SourceError.

    Raises SettingsError for the path of a file, and of a folder that cannot be created.
    """
    if is_object(folder):
        from .s3 import list_objects

        assert s3 is not None
        return [name_below(folder, uri) for uri, _ in islice(list_objects(folder, s3), _NAMES)]
    path = Path(local_path(folder) or folder)
    if path.exists() and not path.is_dir():
        raise SettingsError(f"{folder}: is a file; give a new or empty folder")
    with _naming(folder):
        path.mkdir(parents=True, exist_ok=True)
        return [entry.name for entry in islice(path.iterdir(), _NAMES)]


@contextmanager
def output_file(folder: str, name: str, s3: S3Access | None) -> Iterator[BinaryIO]:
    """A new file in a folder; if the block raises, the folder does not get it. Raises SourceError."""
    if is_object(folder):
        from .s3_output import object_output

        assert s3 is not None
        with object_output(below(folder, name), s3) as stream:
            yield stream
        return
    path = Path(local_path(folder) or folder) / name
    partial = path.with_name(f"{name}.partial")
    with _naming(folder):
        file = partial.open("wb")
    try:
        yield cast(BinaryIO, _Output(file, folder))
        with _naming(folder):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            partial.rename(path)
            _sync(path.parent)
    except BaseException:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            partial.unlink()
        raise


class _Output(io.RawIOBase):
    """What is written to a file of a folder; errors name the folder."""

    def __init__(self, file: BinaryIO, folder: str) -> None:
        self._file, self._folder = file, folder

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes; returns their number."""
        with _naming(self._folder):
            return self._file.write(data)


def _sync(folder: Path) -> None:
    """Write the names of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _naming(folder: str) -> Iterator[None]:
    """Around operations on files only: an HTTP client's errors are instances of OSError, too."""
    try:
        yield
    except OSError as error:
        if is_unusable(error):
            raise SettingsError(unusable(folder, error)) from error
        raise SourceSystemError(folder, os_error_reason(error)) from error
