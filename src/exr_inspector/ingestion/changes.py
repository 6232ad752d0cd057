"""Compares the files below paths with a catalog: which ones are new or changed, which ones have vanished."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from ..catalog import Catalog, FileStat, IngestError, SeenFile
from ..errors import NoMatchError, SourceError, SourceNameError
from ..exr.codes import FORMAT_ERRORS
from ..sources.listing import ListedFile
from ..sources.selection import Selection
from ..sources.uris import local_path, normalize_path

_FILES_PER_LOOKUP = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that could not be inspected, and the reason in one line."""

    path: str
    message: str
    code: str = ""  # of a recorded error
    error: IngestError | None = None  # what the catalog is to record; None if it has it, and for transient errors
    is_usage: bool = False  # whether the path is a pattern that matches nothing

    @property
    def was_read(self) -> bool:
        """Whether the bytes could be had, and are not a whole EXR file."""
        return self.code in FORMAT_ERRORS

    @property
    def is_known(self) -> bool:
        """Whether the file failed before and is unchanged."""
        return bool(self.code) and self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """Some consecutive items of a listing, compared with the catalog."""

    file_count: int
    unchanged: dict[str, SeenFile]  # files that need no inspection, by URI; without the known failures
    changed: set[str]  # URIs of files to inspect of which the catalog has another version
    to_inspect: list[ListedFile | Failure]
    known_failures: list[Failure]  # unchanged files with an error in the catalog
    existing: set[str]  # URIs of objects


@dataclass(frozen=True, slots=True)
class VanishedFiles:
    """The files of the catalog below a path that no longer exist."""

    uris: list[str]
    is_all: bool  # whether no other file of the catalog exists below the path: the disk may not be mounted


def compare_listing(
    listing: Iterable[ListedFile | SourceError], catalog: Catalog, *, rescan: bool = False
) -> Iterator[ListedGroup]:
    """The items of a listing in groups, compared with the catalog; with `rescan` no file counts as unchanged."""
    iterator = iter(listing)
    while items := list(islice(iterator, _FILES_PER_LOOKUP)):
        yield _compare(items, catalog, rescan)


def _compare(items: list[ListedFile | SourceError], catalog: Catalog, rescan: bool) -> ListedGroup:
    files = [item for item in items if isinstance(item, ListedFile)]
    stats = [
        FileStat(file_path_normalized=file.uri, size_bytes=file.size_bytes, mtime=file.mtime, etag=file.etag)
        for file in files
        if file.mtime is not None
    ]
    known = catalog.seen(stats)
    unchanged: dict[str, SeenFile] = {}
    to_inspect: list[ListedFile | Failure] = []
    known_failures = []
    for item in items:
        if isinstance(item, SourceError):
            to_inspect.append(Failure(item.path, item.reason, is_usage=isinstance(item, NoMatchError)))
        elif rescan or (seen := known.get(item.uri)) is None or not seen.is_unchanged:
            to_inspect.append(item)
        elif seen.error is not None:
            known_failures.append(
                Failure(item.path, f"{seen.error} ({seen.error_code}), unchanged", code=seen.error_code or "")
            )
        elif seen.completeness != "complete":
            to_inspect.append(replace(item, check_all=seen.chunks_checked > 1))
        else:
            unchanged[item.uri] = seen
    existing = {file.uri for file in files if file.is_remote}
    existing |= {normalize_path(item.path) for item in items if isinstance(item, SourceNameError)}  # listed objects
    return ListedGroup(
        file_count=sum(not isinstance(item, NoMatchError) for item in items),
        unchanged=unchanged,
        changed={uri for uri, seen in known.items() if not seen.is_unchanged},
        to_inspect=to_inspect,
        known_failures=known_failures,
        existing=existing,
    )


def find_vanished(
    paths: Iterable[str],
    catalog: Catalog,
    *,
    failed: Collection[str],
    existing: Collection[str],
    selection: Selection,
) -> Iterator[VanishedFiles]:
    """The files of the catalog below each path that no longer exist.

    `existing` are the URIs of listed objects; those that the selection skips were not listed, and do not count as
    vanished. Nor do the files of a path that is in `failed`, as it was not listed completely.
    """
    failed_uris = {normalize_path(path) for path in failed}
    for uri in _without_nested(normalize_path(path) for path in paths):
        local = local_path(uri)
        if uri not in failed_uris and not (local and os.path.isfile(local)):
            yield _vanished_below(uri, catalog, existing, selection)


def _vanished_below(
    folder_uri: str, catalog: Catalog, existing: Collection[str], selection: Selection
) -> VanishedFiles:
    prefix = folder_uri.removesuffix("/") + "/"
    vanished: list[str] = []
    is_all = True
    for uris in catalog.current_paths(folder_uri):
        for uri in uris:
            if uri != folder_uri and not uri.startswith(prefix):
                continue
            if uri in existing or not _is_missing(uri) or selection.skips_below(uri[len(prefix) :]):
                is_all = False
            else:
                vanished.append(uri)
    return VanishedFiles(vanished, is_all)


def _without_nested(uris: Iterable[str]) -> Iterator[str]:
    """The URIs that are not below another one."""
    prefix = None
    for uri in sorted(set(uris), key=lambda uri: uri.removesuffix("/") + "/"):
        if prefix is None or not uri.startswith(prefix):
            yield uri
            prefix = uri.removesuffix("/") + "/"


def _is_missing(uri: str) -> bool:
    """Whether an unlisted object or file does not exist; False if the file system does not say."""
    path = local_path(uri)
    if path is None:
        return True  # existing objects were listed
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # no permission, or the disk does not respond
        return False
    return False
