"""Files and folders that match a pattern."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..frames.patterns import compiled, is_pattern


def split_pattern(path: str) -> tuple[str, str]:
    """The folder before the first part with a wildcard or frame, with its slash, and the pattern below it."""
    parts = path.split("/")
    first = next(index for index, part in enumerate(parts) if is_pattern(part))
    return "".join(f"{part}/" for part in parts[:first]), "/".join(parts[first:])


def matching_paths(pattern: str) -> Iterator[str]:
    """The local files and folders that match, sorted by name in each folder. Folders that cannot be read are empty.

    Symbolic links to folders are followed where a name matches them, but not by `**`.
    """
    folder, below = split_pattern(pattern)
    yield from _expand(folder, below.split("/"))


def _expand(folder: str, parts: list[str]) -> Iterator[str]:
    part, rest = parts[0], parts[1:]
    if part == "**" and rest:
        yield from _expand(folder, rest)
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _expand(f"{folder}{entry.name}/", parts)
    elif not is_pattern(part):
        if os.path.lexists(f"{folder}{part}"):
            yield from _expand(f"{folder}{part}/", rest) if rest else [f"{folder}{part}"]
    else:
        matches = compiled(part).fullmatch
        for entry in _entries(folder):
            if matches(entry.name) and (entry.is_dir() or not rest):
                yield from _expand(f"{folder}{entry.name}/", rest) if rest else [f"{folder}{entry.name}"]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
