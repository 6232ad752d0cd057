"""Files and folders that match a pattern, and the condition for the URIs that match one in a catalog."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..errors import SourceError
from ..frames.patterns import compiled, is_pattern, literal_start, uri_expression, with_hashes
from .local import os_error_reason
from .uris import encode, has_scheme, normalize_path

_ANY_FOLDERS = "**"
_WILDCARDS = frozenset("*?[")
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # a broken or looping link is not a folder


def split_pattern(path: str) -> tuple[str, str]:
    """The folder before the first part with a wildcard or frame, with its slash, and the pattern below it."""
    parts = path.split("/")
    first = next((index for index, part in enumerate(parts) if is_pattern(part)), len(parts))
    return "".join(f"{part}/" for part in parts[:first]), "/".join(parts[first:])


def split_local(path: str) -> tuple[str, str]:
    """Like `split_pattern`, but parts that exist under this very name stand for themselves: `proj@v1`, `shot[1]`."""
    folder, below = split_pattern(path)
    part, _, rest = below.partition("/")
    while rest and os.path.isdir(f"{folder}{part}"):
        folder += f"{part}/"
        named, below = split_pattern(rest)
        folder += named
        part, _, rest = below.partition("/")
    return folder, below


def matching_paths(folder: str, pattern: str, skips: Callable[[str], bool]) -> Iterator[str | SourceError]:
    """The files and folders below a local folder that match, sorted by name in each folder.

    A folder that cannot be listed is a SourceError; one that does not exist is empty. `skips` says, by its path below
    the folder, which file or folder that a wildcard matches is left out. Symbolic links to folders are followed where a
    name matches them, but not by `**`.
    """
    parts: list[str] = []
    for part in pattern.split("/"):
        if part != _ANY_FOLDERS or parts[-1:] != [_ANY_FOLDERS]:
            parts.append(part)
    waiting = [("", 0)]  # a path below the folder, and the number of the part that follows it
    while waiting:
        below, at = waiting.pop()
        part, is_last = parts[at], at == len(parts) - 1
        try:
            if part == _ANY_FOLDERS and not is_last:
                names = [entry.name for entry in _entries(f"{folder}{below}") if entry.is_dir(follow_symlinks=False)]
                waiting += [(f"{below}{name}/", at) for name in reversed(names) if not skips(f"{below}{name}")]
                waiting.append((below, at + 1))
                continue
            matches = _matches(folder, below, part, is_last, skips)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) not in _ABSENT:
                yield SourceError(f"{folder}{below}".rstrip("/") or folder or ".", os_error_reason(error))
            continue
        if is_last:
            yield from (f"{folder}{path}" for path in matches)
        else:
            waiting += [(f"{path}/", at + 1) for path in reversed(matches)]


class UriCondition(NamedTuple):
    """The URIs of files, or of sequences, that begin with a text and in which an expression of RE2 is found."""

    prefix: str
    regex: str


def uri_condition(patterns: Iterable[str]) -> UriCondition:
    """The URIs that one of the patterns selects.

    A URI, an absolute path, and one that begins with `./` or `../`, selects the file or folder; a pattern (relative to
    any folder) what it matches, with `*` for slashes too; other text the URIs that contain it.
    """
    # `%` is encoded in URIs: as a notation it becomes `#` before, as part of a name it does not.
    readings = [reading for pattern in patterns for reading in dict.fromkeys((with_hashes(pattern), pattern))]
    conditions = [_condition(reading) for reading in readings]
    prefix = os.path.commonprefix([each.prefix for each in conditions])  # noqa: RUF071 (of texts)
    if not all(each.regex for each in conditions):
        return UriCondition(prefix, "")
    return UriCondition(prefix, "(?s)" + "|".join(each.regex for each in conditions))


def _condition(pattern: str) -> UriCondition:
    if pattern in ("", "*", "**"):
        return UriCondition("", "")
    if pattern.startswith(("/", "./", "../")) or pattern in (".", ".."):
        pattern = normalize_path(pattern)
    has_wildcards = not _WILDCARDS.isdisjoint(pattern)
    if has_scheme(pattern):
        end = "$" if has_wildcards else "(?:/|$)"
        return UriCondition(literal_start(pattern).rstrip("/"), f"^{uri_expression(pattern.rstrip('/'))}{end}")
    text = encode(pattern)
    if has_wildcards:  # which may also be part of a name
        return UriCondition("", f"(?:^|/){uri_expression(text)}$|{re.escape(text)}")
    return UriCondition("", f"(?:^|/){uri_expression(text)}" if is_pattern(text) else re.escape(text))


def _matches(folder: str, below: str, part: str, is_last: bool, skips: Callable[[str], bool]) -> list[str]:
    """The paths in one folder that match one part of a pattern; unless it is the last part, folders and links only.

    Raises OSError, ValueError.
    """
    if not is_pattern(part):
        os.lstat(f"{folder}{below}{part}")
        return [f"{below}{part}"]
    matches = compiled(part).fullmatch
    is_explicit = part.startswith(".")  # as in a shell, which matches hidden names only then
    return [
        f"{below}{entry.name}"
        for entry in _entries(f"{folder}{below}")
        if matches(entry.name)
        and (is_last or _may_be_folder(entry))
        and (is_explicit or not skips(f"{below}{entry.name}"))
    ]


def _may_be_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or entry.is_dir(follow_symlinks=False)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder or ".") as entries:
        return sorted(entries, key=lambda entry: entry.name)
