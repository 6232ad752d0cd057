"""Lists EXR files: paths, folders and s3:// URIs in, files with size and modification time out."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import NoMatchError, NotAFileError, SourceError, SourceNameError, SourceNotFoundError
from ..frames.patterns import compiled, is_pattern, notation_hint
from . import environment_store
from .local import mtime_from_ns, not_a_file_reason, not_found, os_error_reason
from .patterns import matching_paths, split_local, split_pattern
from .selection import IGNORE_FILE, Selection, has_exr_extension
from .uris import bucket_and_key, encode, is_object, name_below, normalize_path, object_uri, parse

if TYPE_CHECKING:
    from ..settings import S3Access

_HINTED_NAMES = 3


class ListedFile(NamedTuple):
    """A file or object of a listing, with what shows whether it has changed."""

    path: str  # the path or URI as listed, without file://
    uri: str  # normalized
    size_bytes: int
    mtime: datetime | None  # None outside the years 1 to 9999: whether the file has changed is then unknown
    etag: str | None = None  # of an object
    is_remote: bool = False  # whether it is in an object store


def list_files(
    paths: Iterable[str],
    *,
    recursive: bool = True,
    s3: S3Access | None = None,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
) -> Iterator[ListedFile | SourceError]:
    """The files of `paths`, in a fixed order: a file as it is, of a folder or key prefix its EXR files.

    Folders are listed depth first with `recursive`, sorted by name. Symbolic links to files are followed, to folders
    not. What the selection skips is left out below the paths, not the paths themselves. A path with a frame notation or
    wildcards that is not the name of a file stands for the files and folders that match it. A file that several paths
    contain is listed once. A path that cannot be listed is a SourceError in its place. Objects are listed from the
    store `s3`, or from that of the environment. Memory use grows with the number of folders, of named files, and of
    objects that match a pattern, not with the number of files inside folders and prefixes.
    """
    paths = list(dict.fromkeys(paths))
    seen = _Seen({_as_prefix(path): False for path in paths if parse(path)[0] == "s3" and not has_exr_extension(path)})
    for path in paths:
        try:
            is_remote = is_object(path)
        except SourceError as error:
            yield error
            continue
        _, local = parse(path)
        if is_remote:
            s3 = s3 or environment_store()
            yield from _list_store(path, recursive, s3, selection, seen)
        elif is_pattern(local) and not os.path.lexists(local):
            yield from _list_matching(path, local, recursive, selection, seen)
        else:
            yield from _list_local(local, recursive, selection, seen)


@dataclass(slots=True)
class _Seen:
    """What was listed before, by URI, and the prefixes that will be."""

    prefixes: dict[str, bool]  # given ones, and whether they are listed; those named like a file only once they are
    folders: dict[str, tuple[str, Selection]] = field(default_factory=dict)  # with what selected their files
    files: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)  # that were given, or matched a pattern; not those below prefixes


def _list_matching(
    path: str, pattern: str, recursive: bool, selection: Selection, seen: _Seen
) -> Iterator[ListedFile | SourceError]:
    """The files that match a pattern, and the files of matching folders."""
    folder, below = split_local(pattern)
    if not is_pattern(below):
        yield from _list_local(pattern, recursive, selection, seen)
        return
    is_empty = True
    for match in matching_paths(folder, below, selection.skips):
        if isinstance(match, SourceError):
            is_empty = False
            yield match
        elif os.path.isdir(match) or has_exr_extension(match):
            is_empty = False
            yield from _list_local(match, recursive, selection, seen)
    if is_empty:
        yield NoMatchError(path, f"no file matches{notation_hint(pattern)}; {_hint(folder)}")


def _hint(folder: str) -> str:
    """What a folder has instead of the files that a pattern should match."""
    if not os.path.isdir(folder or "."):
        return f"the folder {folder} does not exist"
    with suppress(OSError), os.scandir(folder or ".") as entries:
        names = sorted(entry.name for entry in entries if has_exr_extension(entry.name))[:_HINTED_NAMES]
        if names:
            return f"{folder or 'the working folder'} has, for example, {', '.join(names)}"
    return f"{folder or 'the working folder'} has no EXR files"


def _list_local(path: str, recursive: bool, selection: Selection, seen: _Seen) -> Iterator[ListedFile | SourceError]:
    """A local file, or the files of a folder."""
    if os.path.isdir(path):
        for item in _list_folder(path, recursive, selection, seen):
            if not seen.files or not isinstance(item, ListedFile) or item.uri not in seen.files:
                yield item
        return
    file = _stat_file(path)
    if isinstance(file, ListedFile):
        folder, _, name = file.uri.rpartition("/")
        if file.uri in seen.files or (has_exr_extension(name) and _was_listed(seen, folder, name)):
            return
        seen.files.add(file.uri)
    yield file


def _was_listed(seen: _Seen, folder: str, name: str) -> bool:
    """Whether a file was listed with its folder."""
    if folder not in seen.folders:
        return False
    below, selection = seen.folders[folder]
    return not selection.skips(f"{below}{name}")


def _list_folder(folder: str, recursive: bool, selection: Selection, seen: _Seen) -> Iterator[ListedFile | SourceError]:
    """The files of a folder and its subfolders; not a recursive function, because folders nest deeper than calls."""
    levels = [_scan_folder(folder, "", selection, seen)]
    while levels:
        item = next(levels[-1], None)
        if item is None:
            levels.pop()
        elif not isinstance(item, _Subfolder):
            yield item
        elif recursive:
            levels.append(_scan_folder(item.path, item.below, item.selection, seen))


@dataclass(frozen=True, slots=True)
class _Subfolder:
    path: str
    below: str  # its path relative to the listed folder, with a slash at the end
    selection: Selection


def _scan_folder(
    folder: str, below: str, selection: Selection, seen: _Seen
) -> Iterator[ListedFile | SourceError | _Subfolder]:
    """The EXR files and subfolders of one folder, sorted by name."""
    uri = normalize_path(folder).removesuffix("/")
    if uri in seen.folders:
        return
    seen.folders[uri] = below, selection
    try:
        with os.scandir(folder) as entries:
            sorted_entries = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield SourceError(folder, os_error_reason(error))
        return
    if any(entry.name == IGNORE_FILE for entry in sorted_entries):
        try:
            selection = selection.with_ignore_file(os.path.join(folder, IGNORE_FILE), below)
            seen.folders[uri] = below, selection
        except SourceError as error:
            yield error
    for entry in sorted_entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if not selection.skips(f"{below}{entry.name}"):
                    yield _Subfolder(entry.path, f"{below}{entry.name}/", selection)
            elif has_exr_extension(entry.name) and not selection.skips(f"{below}{entry.name}"):
                yield _stat_file(entry.path, entry, uri)
        except OSError as error:
            yield SourceError(entry.path, os_error_reason(error))


def _stat_file(path: str, entry: os.DirEntry[str] | None = None, folder_uri: str = "") -> ListedFile | SourceError:
    """Size and time of a local file; `entry` and `folder_uri` of a scanned folder save system calls."""
    try:
        status = entry.stat() if entry is not None else os.stat(path)
    except FileNotFoundError:
        return not_found(path)
    except (OSError, ValueError) as error:
        return SourceError(path, os_error_reason(error))
    if not stat.S_ISREG(status.st_mode):
        return NotAFileError(path, not_a_file_reason(status.st_mode))
    uri = normalize_path(path) if entry is None else f"{folder_uri}/{encode(entry.name)}"
    return ListedFile(path, uri, status.st_size, mtime_from_ns(status.st_mtime_ns))


def _as_prefix(uri: str) -> str:
    bucket, _, key = parse(uri)[1].partition("/")
    return _prefix(bucket, key)


def _prefix(bucket: str, key: str) -> str:
    """The URI of a key prefix, without a slash at the end."""
    return object_uri(bucket, key.strip("/")).rstrip("/")


def _is_below(uri: str, prefixes: Collection[str], recursive: bool, selection: Selection) -> bool:
    """Whether a listing of one of the prefixes contains the object, or all objects below it."""
    end = uri.rfind("/", len("s3://"))
    while end > 0:
        if uri[:end] in prefixes and not selection.skips_below(name_below(uri[:end], uri)):
            return True
        end = uri.rfind("/", len("s3://"), end) if recursive else 0
    return False


def _list_store(
    uri: str, recursive: bool, s3: S3Access, selection: Selection, seen: _Seen
) -> Iterator[ListedFile | SourceError]:
    """The object with this URI, or else the EXR objects below it, or else those that match it as a pattern."""
    prefix = _as_prefix(uri)
    if normalize_path(uri) in seen.objects or (recursive and _is_below(prefix, seen.prefixes, recursive, selection)):
        return
    try:
        if has_exr_extension(uri) and (named := _named_object(uri, s3)) is not None:
            if not _is_below(named.uri, seen.prefixes, recursive, selection):
                seen.objects.add(named.uri)
                yield named
            return
        if seen.prefixes.get(prefix):
            return
        seen.prefixes[prefix] = True
        bucket, key = bucket_and_key(uri, key_required=False)
        is_empty = True
        for item in _objects_below(bucket, key, recursive, s3, selection, seen):
            is_empty = False
            if item is not None:
                yield item
        if not is_empty or not key.strip("/"):
            return
        del seen.prefixes[prefix]
        if not is_pattern(key):
            yield SourceNotFoundError(uri, f"no object has this name or a name below it{notation_hint(key)}")
            return
        for item in _matching_objects(bucket, key, recursive, s3, selection, seen):
            is_empty = False
            if item is not None:
                yield item
        if is_empty:
            searched = _prefix(bucket, split_pattern(key)[0])
            yield NoMatchError(uri, f"no object below {searched} matches{notation_hint(key)}")
    except SourceError as error:
        yield error


def _named_object(uri: str, s3: S3Access) -> ListedFile | None:
    """The object with this URI; None if it does not exist."""
    from .s3 import object_metadata

    try:
        return _listed_object(uri, normalize_path(uri), object_metadata(uri, s3))
    except SourceNotFoundError:
        return None


def _objects_below(
    bucket: str, key: str, recursive: bool, s3: S3Access, selection: Selection, seen: _Seen
) -> Iterator[ListedFile | SourceNameError | None]:
    """The EXR objects below a key as a folder; None for each other object."""
    from .s3 import list_objects

    start = len(key.strip("/")) + bool(key.strip("/"))
    prefix = _prefix(bucket, key)
    inner = {uri for uri, is_listed in seen.prefixes.items() if is_listed and uri.startswith(f"{prefix}/")}
    for uri, metadata in list_objects(prefix, s3, recursive=recursive):
        is_new = has_exr_extension(uri) and uri not in seen.objects
        is_new = is_new and not (inner and _is_below(uri, inner, recursive, selection))
        is_listed = is_new and not selection.skips_below(metadata["path"][start:])
        yield _listed_or_unreadable(uri, metadata) if is_listed else None


def _matching_objects(
    bucket: str, key: str, recursive: bool, s3: S3Access, selection: Selection, seen: _Seen
) -> Iterator[ListedFile | SourceNameError | None]:
    """The EXR objects whose key matches, or is below a folder that does; None for one that another path lists."""
    from .s3 import list_objects

    folder, pattern = split_pattern(key)
    matches, start = compiled(pattern).fullmatch, len(folder.strip("/")) + bool(folder.strip("/"))
    names_files = "/" not in pattern and has_exr_extension(pattern)
    is_explicit = any(part.startswith(".") for part in pattern.split("/"))
    for uri, metadata in list_objects(_prefix(bucket, folder), s3, recursive=not names_files):
        below = metadata["path"][start:]
        ends = [index for index, character in enumerate(below) if character == "/"]
        if not has_exr_extension(uri) or not any(matches(below[:end]) for end in (*ends, len(below))):
            continue
        if uri in seen.objects or _is_below(uri, seen.prefixes, recursive, selection):
            yield None
        elif is_explicit or not selection.skips_below(below):
            seen.objects.add(uri)
            yield _listed_or_unreadable(uri, metadata)


def _listed_or_unreadable(uri: str, metadata: Any) -> ListedFile | SourceNameError:
    """An object of a listing, which may have a key that cannot be requested."""
    from .s3 import check_key

    try:
        check_key(uri, metadata["path"])
    except SourceNameError as error:
        return error
    return _listed_object(uri, uri, metadata)


def _listed_object(path: str, uri: str, metadata: Any) -> ListedFile:
    from .s3 import plain_etag, whole_seconds

    mtime = whole_seconds(metadata["last_modified"])
    return ListedFile(path, uri, metadata["size"], mtime, plain_etag(metadata["e_tag"]), is_remote=True)
