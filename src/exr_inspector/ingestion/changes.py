"""Compares the files below paths with a catalog: which ones are new or changed, which ones have vanished."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..catalog import Catalog, FileStat, IngestError, PixelLevel, PolicyResult, PolicyRules, SeenFile
from ..catalog.validations import is_outdated
from ..errors import NoMatchError, SourceError, SourceNameError
from ..exr.codes import FORMAT_ERRORS
from ..inspection.pixel_rows import undecodable_texts
from ..sources.listing import ListedFile
from ..sources.selection import Selection
from ..sources.uris import local_path, name_below, normalize_path

if TYPE_CHECKING:
    from ..policy.stored_pixels import StoredPixels

_FILES_PER_LOOKUP = 2000
_MOST_AHEAD_S = 86_400  # of the clock of a storage
_LOOKUPS_OF_VANISHED = 16  # at most, however many folders


class Verdict(NamedTuple):
    """The verdict on a file: its completeness, the severity of its worst problem, and what cannot be decoded."""

    completeness: str
    problem_severity: str  # none without problems
    undecodable: str = ""  # lines or tiles; empty if all chunks can be decoded, or none were


@dataclass(frozen=True, slots=True)
class Failure:
    """A path that could not be inspected, and the reason in one line."""

    path: str
    message: str
    code: str = ""  # of a recorded error
    error: IngestError | None = None  # what the catalog is to record; None if it has it, and for transient errors
    is_usage: bool = False  # whether the path is a pattern that matches nothing
    is_known: bool = False  # whether the file failed before and is unchanged

    @property
    def was_read(self) -> bool:
        """Whether the bytes could be had, and are not a complete EXR file."""
        return self.code in FORMAT_ERRORS


class FileToInspect(NamedTuple):
    """A listed file, and what the catalog has of this version of it. A tuple, as workers unpickle those fast."""

    file: ListedFile
    stored: SeenFile | None = None
    decodes: bool = True  # whether its pixels are decoded, if those of any file are
    only_judge: bool = False  # whether only a policy is to judge it
    statistics: StoredPixels | None = None  # for the policy, if the pixels are not decoded

    @property
    def file_id(self) -> str:
        """Of the stored version; empty without one."""
        return self.stored.file_id if self.stored else ""

    @property
    def result(self) -> PolicyResult | None:
        """The stored result of the policy, by the same rules."""
        return self.stored.result if self.stored else None

    @property
    def undecodable(self) -> str:
        """What cannot be decoded, if that was asked."""
        return undecodable_texts(self.stored.pixel_errors) if self.stored else ""

    @property
    def check_all(self) -> bool:
        """Whether to read all chunk leaders: some had been read when damage was found."""
        stored = self.stored
        return stored is not None and stored.completeness != "complete" and stored.chunks_checked > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """Some consecutive items of a listing, and what the catalog has of them."""

    items: list[ListedFile | SourceError]
    young: list[ListedFile]  # left out of the items
    seen: dict[str, SeenFile]  # by URI


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """Some consecutive items of a listing, compared with the catalog."""

    file_count: int
    young: int  # files that were left alone
    unchanged: dict[str, Verdict]  # complete files that need no inspection, by URI
    results: list[PolicyResult]  # of the policy, of unchanged files
    known: set[str]  # URIs of files to inspect that the catalog has, in this version or another one
    to_inspect: list[FileToInspect]
    failures: list[Failure]  # of the listing, and unchanged files with an error in the catalog
    objects: list[str]  # the URIs of listed objects


@dataclass(frozen=True, slots=True)
class VanishedFiles:
    """The files of the catalog below a path that no longer exist."""

    uris: list[str]
    known: int  # all files of the catalog below the path
    folder: str = ""  # the URI of the path, with a slash at its end

    @property
    def is_all(self) -> bool:
        """Whether no file of the catalog exists below the path: its disk may not be mounted."""
        return len(self.uris) == self.known


def compare_listing(
    listing: Iterable[ListedFile | SourceError],
    catalog: Catalog,
    *,
    rescan: bool = False,
    min_age_s: float = 0,
    pixels: PixelLevel | None = None,
    policy: PolicyRules | None = None,
) -> Iterator[ListedGroup]:
    """The items of a listing in groups, compared with the catalog; with `rescan` no file counts as unchanged.

    Files that changed less than `min_age_s` seconds ago are only counted. With `pixels`, files whose statistics are not
    stored do not count as unchanged. Nor do those that were not validated by the rules of `policy`, or without
    statistics that are stored now.
    """
    for page in listed_pages(listing, catalog, min_age_s=min_age_s, pixels=pixels, policy=policy):
        yield _compare(page, rescan, pixels, is_validated=policy is not None)


def listed_pages(
    listing: Iterable[ListedFile | SourceError],
    catalog: Catalog,
    *,
    min_age_s: float = 0,
    pixels: PixelLevel | None = None,
    policy: PolicyRules | None = None,
) -> Iterator[ListedPage]:
    """The items of a listing in pages of bounded size, with the last inspection of each file.

    Files that changed less than `min_age_s` seconds ago are in `young`, as they may not be complete yet; also those
    that are dated up to a day ahead of now, as clocks differ. One that is dated later would stay young for years.
    """
    iterator = iter(listing)
    while items := list(islice(iterator, _FILES_PER_LOOKUP)):
        now = datetime.now(timezone.utc)
        young = [item for item in items if isinstance(item, ListedFile) and _is_young(item, now, min_age_s)]
        if young:
            uris = {file.uri for file in young}
            items = [item for item in items if not isinstance(item, ListedFile) or item.uri not in uris]
        stats = [
            FileStat(file_path_normalized=file.uri, size_bytes=file.size_bytes, mtime=file.mtime, etag=file.etag)
            for file in items
            if isinstance(file, ListedFile) and file.mtime is not None
        ]
        yield ListedPage(items=items, young=young, seen=catalog.seen(stats, pixels=pixels, policy=policy))


def _is_young(file: ListedFile, now: datetime, min_age_s: float) -> bool:
    if file.mtime is None or not min_age_s:
        return False
    return -_MOST_AHEAD_S <= (now - file.mtime).total_seconds() < min_age_s


def _compare(page: ListedPage, rescan: bool, pixels: PixelLevel | None, *, is_validated: bool) -> ListedGroup:
    known = page.seen
    unchanged: dict[str, Verdict] = {}
    to_inspect: list[FileToInspect] = []
    failures: list[Failure] = []
    results = []
    for item in page.items:
        if isinstance(item, SourceError):
            failures.append(Failure(item.path, item.reason, is_usage=isinstance(item, NoMatchError)))
            continue
        seen = known.get(item.uri)
        if seen is None or not seen.is_unchanged:
            to_inspect.append(FileToInspect(item))
            continue
        stored_file = FileToInspect(item, seen, decodes=rescan or not seen.has_stats)
        if seen.error is not None and not rescan:
            failures.append(_known_failure(item.path, seen))
        elif rescan or seen.completeness != "complete" or (pixels and not seen.has_stats):
            to_inspect.append(stored_file)
        elif seen.problem_severity is None:
            to_inspect.append(stored_file)  # an older program did not check for problems
        elif is_validated and (seen.result is None or is_outdated(seen.result, seen.statistics)):
            to_inspect.append(stored_file._replace(only_judge=True))
        else:
            unchanged[item.uri] = Verdict("complete", seen.problem_severity, undecodable_texts(seen.pixel_errors))
            results += [seen.result] if seen.result else []
    files = [*page.young, *(item for item in page.items if isinstance(item, ListedFile))]
    objects = [file.uri for file in files if file.is_remote]
    objects += [normalize_path(item.path) for item in page.items if isinstance(item, SourceNameError)]
    return ListedGroup(
        file_count=len(page.young) + sum(not isinstance(item, NoMatchError) for item in page.items),
        young=len(page.young),
        unchanged=unchanged,
        results=results,
        known={item.file.uri for item in to_inspect}.intersection(known),
        to_inspect=to_inspect,
        failures=failures,
        objects=objects,
    )


def _known_failure(path: str, seen: SeenFile) -> Failure:
    code = seen.error_code or ""
    return Failure(path, f"{seen.error} ({code}), unchanged", code=code, is_known=True)


def find_vanished(
    paths: Iterable[str],
    catalog: Catalog,
    *,
    failed: Collection[str],
    objects: Container[str],
    selection: Selection,
) -> Iterator[VanishedFiles]:
    """The files of the catalog below each path that no longer exist, for paths with files in the catalog.

    `objects` are the URIs of listed objects; those that the selection skips were not listed, and do not count as
    vanished. Nor do the files of a path that is in `failed`, as it was not listed completely, or that is a file itself.
    """
    uris = (uri for uri in map(normalize_path, paths) if not _is_file(uri, objects))
    not_listed = {_as_folder(normalize_path(path)) for path in failed}
    folders = [folder for folder in _without_nested(map(_as_folder, uris)) if folder not in not_listed]
    size = -(-len(folders) // _LOOKUPS_OF_VANISHED)
    for start in range(0, len(folders), size or 1):
        yield from _vanished_below(folders[start : start + size], catalog, objects, selection)


def _vanished_below(
    folders: list[str], catalog: Catalog, objects: Container[str], selection: Selection
) -> Iterator[VanishedFiles]:
    """Like find_vanished, for sorted folders none of which is below another one; with one lookup in the catalog."""
    vanished: dict[str, list[str]] = {}
    known: Counter[str] = Counter()
    prefix = os.path.commonprefix(folders)  # noqa: RUF071 (characters are meant)
    for uris in catalog.current_paths(prefix.removesuffix("/")):
        for uri in uris:
            folder = folders[bisect_right(folders, _as_folder(uri)) - 1]  # the only one that can contain it
            if not _as_folder(uri).startswith(folder):
                continue
            known[folder] += 1
            if _is_missing(uri, objects) and not selection.skips_below(name_below(folder, uri)):
                vanished.setdefault(folder, []).append(uri)
    for folder, count in known.items():
        yield VanishedFiles(vanished.get(folder, []), known=count, folder=folder)


def _as_folder(uri: str) -> str:
    return uri.removesuffix("/") + "/"


def _without_nested(folders: Iterable[str]) -> Iterator[str]:
    """The folders that are not below another one, sorted."""
    outer = None
    for folder in sorted(folders):
        if outer is None or not folder.startswith(outer):
            yield folder
            outer = folder


def _is_file(uri: str, objects: Container[str]) -> bool:
    path = local_path(uri)
    return uri in objects if path is None else os.path.isfile(path)


def _is_missing(uri: str, objects: Container[str]) -> bool:
    """Whether an object was not listed, or a file does not exist; False if the file system does not say."""
    path = local_path(uri)
    if path is None:
        return uri not in objects
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # no permission, or the disk does not respond
        return False
    return False
