"""Which files to look at: paths, folders and s3:// URIs in, files with their stamps out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import NotAFileError, SourceError, SourceNameError, SourceNotFoundError
from .local import mtime_from_ns
from .uris import bucket_and_key, is_object, normalize_path, parse

EXTENSION = ".exr"


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file: its path, and what tells whether it changed."""

    path: str
    uri: str
    size_bytes: int
    mtime: datetime | None  # None outside the years 1 to 9999: nothing tells then whether the file changed

    @property
    def is_remote(self) -> bool:
        """Whether it lies in an object store."""
        return is_object(self.uri)


def list_files(paths: Iterable[str], *, recursive: bool = True) -> Iterator[ListedFile | SourceError]:
    """The files that `paths` name, in a fixed order: each file as it is, each folder's or key prefix's *.exr files.

    Folders are entered depth first with `recursive`; symbolic links to files are followed, to folders not. A file comes
    once, however often and through whichever of the paths it is named. What cannot be looked at comes as a SourceError
    in its place. Memory grows with the folders and with the files that are named, not with those inside folders.
    """
    paths = list(paths)
    folders: set[str] = set()
    named: set[str] = set()
    for number, path in enumerate(paths):
        try:
            is_remote = is_object(path)
        except SourceError as error:
            yield error
            continue
        _, local = parse(path)
        if is_remote:
            if not _is_listed_elsewhere(number, paths, recursive):
                yield from _in_store(path, recursive)
        elif os.path.isdir(local):
            for item in _in_folder(local, recursive, folders):
                if not named or not isinstance(item, ListedFile) or item.uri not in named:
                    yield item
        else:
            stamp = _stamp(local)
            if isinstance(stamp, ListedFile):
                folder, _, name = stamp.uri.rpartition("/")
                if stamp.uri in named or (folder in folders and name.lower().endswith(EXTENSION)):
                    continue
                named.add(stamp.uri)
            yield stamp


def _in_folder(folder: str, recursive: bool, entered: set[str]) -> Iterator[ListedFile | SourceError]:
    """The files of a folder and of those inside it; a loop, because folders nest deeper than Python calls may."""
    levels = [_entries(folder, entered)]
    while levels:
        item = next(levels[-1], None)
        if item is None:
            levels.pop()
        elif not isinstance(item, str):
            yield item
        elif recursive:
            levels.append(_entries(item, entered))


def _entries(folder: str, entered: set[str]) -> Iterator[ListedFile | SourceError | str]:
    """The EXR files of one folder, and the paths of the folders in it, sorted by name."""
    uri = normalize_path(folder).removesuffix("/")
    if uri in entered:
        return
    entered.add(uri)
    try:
        with os.scandir(folder) as entries:
            names = sorted((entry for entry in entries), key=lambda entry: entry.name)
    except OSError as problem:
        yield SourceError(folder, problem.strerror or str(problem))
        return
    for entry in names:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield entry.path
            elif entry.name.lower().endswith(EXTENSION):
                yield _stamp(entry.path, entry, uri)
        except OSError as problem:
            yield SourceError(entry.path, problem.strerror or str(problem))


def _is_listed_elsewhere(number: int, paths: Sequence[str], recursive: bool) -> bool:
    """Whether a store's path is named before, or lies below another one."""
    places = [path.rstrip("/") for path in paths]
    place = places[number]
    if place in places[:number]:
        return True
    folder = place.rpartition("/")[0]
    return any((place.startswith(f"{other}/") if recursive else folder == other) for other in places)


def _in_store(uri: str, recursive: bool) -> Iterator[ListedFile | SourceError]:
    """The object that a URI names, or what lies below it."""
    from .s3 import list_objects, object_facts

    looks_like_file = uri.lower().endswith(EXTENSION)
    found = False
    try:
        if looks_like_file:
            try:
                yield _object(uri, object_facts(uri))
                return
            except SourceNotFoundError:
                pass
        for place, facts in list_objects(uri, recursive=recursive):
            found = True
            if place.lower().endswith(EXTENSION):
                yield _object(place, facts)
        if not found and "/" in parse(uri)[1].strip("/"):
            yield SourceNotFoundError(uri, "no object has this name or lies below it")
    except SourceError as problem:
        yield problem


def _object(uri: str, facts: Any) -> ListedFile | SourceNameError:
    from .s3 import check_key, whole_seconds

    try:
        check_key(uri, bucket_and_key(uri)[1])
    except SourceNameError as problem:
        return problem
    return ListedFile(uri, normalize_path(uri), facts["size"], whole_seconds(facts["last_modified"]))


def _stamp(path: str, entry: os.DirEntry[str] | None = None, folder_uri: str = "") -> ListedFile | SourceError:
    try:
        facts = entry.stat() if entry is not None else os.stat(path)
    except FileNotFoundError:
        return SourceNotFoundError(path, "no such file")
    except (OSError, ValueError) as problem:
        return SourceError(path, getattr(problem, "strerror", None) or str(problem))
    if not os.path.isfile(path) if entry is None else not entry.is_file():
        return NotAFileError(path, "neither a file nor a folder")
    plain = entry is not None and entry.name.isascii()
    uri = f"{folder_uri}/{entry.name}" if entry is not None and plain else normalize_path(path)
    return ListedFile(path, uri, facts.st_size, mtime_from_ns(facts.st_mtime_ns))
