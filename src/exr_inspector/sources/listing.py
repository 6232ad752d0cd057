"""Lists EXR files: paths, folders and s3:// URIs in, files with size and modification time out."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import NotAFileError, SourceError, SourceNameError, SourceNotFoundError
from . import environment_store
from .local import mtime_from_ns, not_a_file_reason, os_error_reason
from .uris import bucket_and_key, encode, is_object, normalize_path, parse

if TYPE_CHECKING:
    from ..settings import S3Access

EXTENSION = ".exr"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file or object of a listing, with what shows whether it has changed."""

    path: str  # the path or URI as listed, without file://
    uri: str  # normalized
    size_bytes: int
    mtime: datetime | None  # None outside the years 1 to 9999: whether the file has changed is then unknown
    etag: str | None = None  # of an object

    @property
    def is_remote(self) -> bool:
        """Whether it is in an object store."""
        return is_object(self.uri)


def list_files(
    paths: Iterable[str], *, recursive: bool = True, s3: S3Access | None = None
) -> Iterator[ListedFile | SourceError]:
    """The files of `paths`, in a fixed order: a file as it is, of a folder or key prefix its *.exr files.

    Folders are listed depth first with `recursive`, sorted by name. Symbolic links to files are followed, to folders
    not. A file that several paths contain is listed once. A path that cannot be listed is a SourceError in its place.
    Objects are listed from the store `s3`, or from that of the environment. Memory use grows with the number of
    folders and of named files, not with the number of files inside folders.
    """
    paths = list(paths)
    listed_folders: set[str] = set()
    named_files: set[str] = set()
    given = {_without_end_slash(path) for path in paths}
    listed_objects: set[str] = set()
    for path in paths:
        try:
            is_remote = is_object(path)
        except SourceError as error:
            yield error
            continue
        _, local = parse(path)
        if is_remote:
            uri = _without_end_slash(path)
            if uri not in listed_objects and not _is_below(uri, given, recursive):
                listed_objects.add(uri)
                s3 = s3 or environment_store()
                yield from _list_store(path, recursive, s3)
        elif os.path.isdir(local):
            for item in _list_folder(local, recursive, listed_folders):
                if not named_files or not isinstance(item, ListedFile) or item.uri not in named_files:
                    yield item
        else:
            file = _stat_file(local)
            if isinstance(file, ListedFile):
                folder, _, name = file.uri.rpartition("/")
                if file.uri in named_files or (folder in listed_folders and name.lower().endswith(EXTENSION)):
                    continue
                named_files.add(file.uri)
            yield file


def _list_folder(folder: str, recursive: bool, listed_folders: set[str]) -> Iterator[ListedFile | SourceError]:
    """The files of a folder and its subfolders; not a recursive function, because folders nest deeper than calls."""
    levels = [_scan_folder(folder, listed_folders)]
    while levels:
        item = next(levels[-1], None)
        if item is None:
            levels.pop()
        elif not isinstance(item, str):
            yield item
        elif recursive:
            levels.append(_scan_folder(item, listed_folders))


def _scan_folder(folder: str, listed_folders: set[str]) -> Iterator[ListedFile | SourceError | str]:
    """The EXR files of one folder, and the paths of its subfolders, sorted by name."""
    uri = normalize_path(folder).removesuffix("/")
    if uri in listed_folders:
        return
    listed_folders.add(uri)
    try:
        with os.scandir(folder) as entries:
            sorted_entries = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield SourceError(folder, os_error_reason(error))
        return
    for entry in sorted_entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name.lower().endswith(EXTENSION):
                yield _stat_file(entry.path, entry, uri)
        except OSError as error:
            yield SourceError(entry.path, os_error_reason(error))


def _stat_file(path: str, entry: os.DirEntry[str] | None = None, folder_uri: str = "") -> ListedFile | SourceError:
    """Size and time of a local file; `entry` and `folder_uri` of a scanned folder save system calls."""
    try:
        status = entry.stat() if entry is not None else os.stat(path)
    except FileNotFoundError:
        return SourceNotFoundError(path, "no such file")
    except (OSError, ValueError) as error:
        return SourceError(path, os_error_reason(error))
    if not stat.S_ISREG(status.st_mode):
        return NotAFileError(path, not_a_file_reason(status.st_mode))
    uri = normalize_path(path) if entry is None else f"{folder_uri}/{encode(entry.name)}"
    return ListedFile(path, uri, status.st_size, mtime_from_ns(status.st_mtime_ns))


def _without_end_slash(path: str) -> str:
    scheme, rest = parse(path)
    return f"{scheme}://{rest.rstrip('/')}"


def _is_below(uri: str, folders: Collection[str], recursive: bool) -> bool:
    """Whether a listing of one of the folders contains the objects of an s3:// URI."""
    end = uri.rfind("/", len("s3://"))
    while end > 0:
        if uri[:end] in folders:
            return True
        end = uri.rfind("/", len("s3://"), end) if recursive else 0
    return False


def _list_store(uri: str, recursive: bool, s3: S3Access) -> Iterator[ListedFile | SourceError]:
    """The object with this URI, or else the EXR objects below it."""
    from .s3 import list_objects, object_metadata

    is_empty = True
    try:
        if uri.lower().endswith(EXTENSION):
            try:
                yield _listed_object(uri, object_metadata(uri, s3))
                return
            except SourceNotFoundError:
                pass
        for object_uri, metadata in list_objects(uri, s3, recursive=recursive):
            is_empty = False
            if object_uri.lower().endswith(EXTENSION):
                yield _listed_object(object_uri, metadata)
        if is_empty and "/" in parse(uri)[1].strip("/"):
            yield SourceNotFoundError(uri, "no object has this name or a name below it")
    except SourceError as error:
        yield error


def _listed_object(uri: str, metadata: Any) -> ListedFile | SourceNameError:
    from .s3 import check_key, plain_etag, whole_seconds

    try:
        check_key(uri, bucket_and_key(uri)[1])
    except SourceNameError as error:
        return error
    mtime = whole_seconds(metadata["last_modified"])
    return ListedFile(uri, normalize_path(uri), metadata["size"], mtime, plain_etag(metadata["e_tag"]))
