"""Sequences that are compared with others: the views of a stereo pair, and the sequences of one folder and version."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import partial

from ..frames.names import versions_in, without_versions
from ..frames.ranges import Number, missing_numbers
from .frames import Frames

_VIEW = re.compile(r"(?<![A-Za-z0-9])(?:(?P<left>left|l)|right|r)(?![A-Za-z0-9])", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")


def missing_in(sequences: Sequence[Frames]) -> dict[str, list[Number] | None]:
    """The missing frames of each sequence; None where gaps cannot be judged.

    A frame that one view of a stereo pair lacks is missing.
    """
    missing = {frames.sequence: missing_numbers(frames.numbers) for frames in sequences}
    for pair in _pairs(sequences):
        if any(missing[frames.sequence] is None for frames in pair):
            continue
        numbers = {number for frames in pair for number in frames.numbers}
        for frames in pair:
            gaps = missing[frames.sequence] or []
            missing[frames.sequence] = sorted({*gaps, *(numbers.difference(frames.numbers))})
    return missing


def folder_ranges(sequences: Sequence[Frames]) -> dict[str, str]:
    """The range of frames in its folder and version, for each sequence of several frames that has another range."""
    several = [frames for frames in sequences if len(frames.numbers) > 1]
    differing = {}
    for group in _groups(several, _folder_key):
        first, last = min(frames.numbers[0] for frames in group), max(frames.numbers[-1] for frames in group)
        for frames in group:
            if (frames.numbers[0], frames.numbers[-1]) != (first, last):
                differing[frames.sequence] = f"{first}-{last}"
    return differing


def other_views(sequences: Sequence[Frames]) -> dict[str, list[str]]:
    """The other views of each sequence that is one view of a stereo pair."""
    pairs = ([frames.sequence for frames in pair] for pair in _pairs(sequences))
    return {name: [other for other in pair if other != name] for pair in pairs for name in pair}


def older_versions(sequences: Sequence[Frames]) -> dict[str, tuple[str, ...]]:
    """The versions of a name that a folder has, for each sequence that is not of the newest one."""
    older = {}
    for group in _groups(sequences, _name_key):
        versions = {frames.sequence: versions_in(frames.sequence.rpartition("/")[2]) for frames in group}
        ordered = sorted(set(versions.values()), key=lambda texts: [int(_DIGITS.findall(text)[-1]) for text in texts])
        for name, version in versions.items():
            if version != ordered[-1]:
                older[name] = tuple(" ".join(texts) for texts in ordered)
    return older


def siblings(changed: Iterable[str], sequences: Iterable[str]) -> set[str]:
    """The sequences that were changed, and those of all `sequences` whose summary depends on them."""
    found = set(changed)
    views = {_view_key(name) for name in found} - {None}
    folders = {_folder_key(name) for name in found}
    return found | {name for name in sequences if _folder_key(name) in folders or _view_key(name) in views}


def _groups(sequences: Iterable[Frames], key: Callable[[str], Hashable]) -> Iterable[list[Frames]]:
    groups: dict[Hashable, list[Frames]] = defaultdict(list)
    for frames in sequences:
        if frames.numbers and (found := key(frames.sequence)) is not None:
            groups[found].append(frames)
    return groups.values()


def _pairs(sequences: Sequence[Frames]) -> Iterator[list[Frames]]:
    """The two views of each stereo pair."""
    for group in _groups(sequences, _view_key):
        # more than two are several pairs, in folders that are named by a letter
        pairs = _groups(group, partial(_view_key, replaces_letters=False)) if len(group) > 2 else [group]
        for pair in pairs:
            if len(pair) == 2 and len({_side(_views(frames.sequence)[0]) for frames in pair}) == 2:
                yield pair


def _view_key(sequence: str, *, replaces_letters: bool = True) -> str | None:
    """The sequence with %V in place of its view; None if it names no view, or both.

    Folders named by a letter may be anything: where something else names the view, they need not agree with it.
    """
    views, letters = _views(sequence)
    if _side(views) is None:
        return None
    for match in sorted([*views, *(letters if replaces_letters else ())], key=re.Match.start, reverse=True):
        sequence = f"{sequence[: match.start()]}{'%V' if len(match[0]) > 1 else '%v'}{sequence[match.end() :]}"
    return sequence


def _side(views: list[re.Match[str]]) -> str | None:
    """The view of these names; None without any, or if they are both."""
    sides = {"left" if match["left"] else "right" for match in views}
    return sides.pop() if len(sides) == 1 else None


def _views(sequence: str) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
    """What names the view of a sequence, and the folders named by a letter beside it."""
    name_start = sequence.rfind("/") + 1
    matches = list(_VIEW.finditer(sequence))
    views = [match for match in matches if len(match[0]) > 1 or match.start() >= name_start]
    return (views, [match for match in matches if match not in views]) if views else (matches, [])


def _name_key(sequence: str) -> tuple[str, str] | None:
    folder, _, name = sequence.rpartition("/")
    return (folder, without_versions(name)) if versions_in(name) else None


def _folder_key(sequence: str) -> tuple[str, tuple[str, ...]]:
    folder, _, name = sequence.rpartition("/")
    return folder, versions_in(name)
