"""Files and folders that match a pattern, and the condition for the URIs that match one in a catalog."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ..frames.patterns import compiled, is_pattern, literal_start, uri_expression, with_hashes
from .uris import encode, has_scheme, normalize_path

_ANY_FOLDERS = "**"
_WILDCARDS = frozenset("*?[")


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


def matching_paths(folder: str, pattern: str, skips: Callable[[str], bool]) -> Iterator[str]:
    """The files and folders below a local folder that match, sorted by name in each folder.

    Folders that cannot be read are empty. `skips` says, by its path below the folder, which file or folder that a
    wildcard matches is left out. Symbolic links to folders are followed where a name matches them, but not by `**`.
    """
    parts: list[str] = []
    for part in pattern.split("/"):
        if part != _ANY_FOLDERS or parts[-1:] != [_ANY_FOLDERS]:
            parts.append(part)
    waiting = [("", 0)]  # a path below the folder, and the number of the part that follows it
    while waiting:
        below, at = waiting.pop()
        part, is_last = parts[at], at == len(parts) - 1
        if part == _ANY_FOLDERS and not is_last:
            names = [entry.name for entry in _entries(f"{folder}{below}") if entry.is_dir(follow_symlinks=False)]
            waiting += [(f"{below}{name}/", at) for name in reversed(names) if not skips(f"{below}{name}")]
            waiting.append((below, at + 1))
            continue
        for path in reversed(_matches(folder, below, part, is_last, skips)):
            if is_last:
                waiting.append((path, -1))
            else:
                waiting.append((f"{path}/", at + 1))
        while waiting and waiting[-1][1] < 0:
            yield folder + waiting.pop()[0]


class UriCondition(NamedTuple):
    """The URIs of files, or of sequences, that begin with a text and in which an expression of RE2 is found."""

    prefix: str
    regex: str


def uri_condition(patterns: Iterable[str]) -> UriCondition:
    """The URIs that one of the patterns selects.

    A URI, an absolute path, and one that begins with `./` or `../`, selects the file or folder; a pattern (relative to
    any folder) what it matches, with `*` for slashes too; other text the URIs that contain it.
    """
    conditions = [_condition(pattern) for pattern in patterns]
    prefix = os.path.commonprefix([each.prefix for each in conditions])  # noqa: RUF071 (of texts)
    if not all(each.regex for each in conditions):
        return UriCondition(prefix, "")
    return UriCondition(prefix, "(?s)" + "|".join(each.regex for each in conditions))


def _condition(pattern: str) -> UriCondition:
    if pattern in ("", "*", "**"):
        return UriCondition("", "")
    pattern = with_hashes(pattern)
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
    """The paths in one folder that match one part of a pattern; folders only, unless it is the last part."""
    if not is_pattern(part):
        return [f"{below}{part}"] if os.path.lexists(f"{folder}{below}{part}") else []
    matches = compiled(part).fullmatch
    is_explicit = part.startswith(".")  # as in a shell, which matches hidden names only then
    return [
        f"{below}{entry.name}"
        for entry in _entries(f"{folder}{below}")
        if matches(entry.name) and (is_last or entry.is_dir()) and (is_explicit or not skips(f"{below}{entry.name}"))
    ]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
