"""Files of two folders or patterns that belong together: frames of one number, in sequences of one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from ..frames.names import parse_name, without_versions
from ..frames.ranges import Number, display_pattern, frame_range, frame_value
from .counterparts import by_longest_end

Frame: TypeAlias = Number | None  # None for a file without a frame number


@dataclass(slots=True, kw_only=True)
class FileGroup:
    """The files of a sequence by frame, one for each, or one file without a frame number."""

    sequence: str
    paths: dict[Frame, str] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)  # as written

    @property
    def pattern(self) -> str:
        """The path, with one # for each padded digit of a frame."""
        return display_pattern(self.sequence, self.frames) if self.frames else self.sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two groups of files that are compared, or one that only one side has."""

    a: FileGroup | None
    b: FileGroup | None

    @property
    def files(self) -> list[tuple[Frame, str, str]]:
        """The frames that both have, in order, with their paths."""
        if self.a is None or self.b is None:
            return []
        shared = [frame for frame in self.a.paths if frame in self.b.paths]
        shared.sort(key=lambda frame: 0 if frame is None else frame)
        return [(frame, self.a.paths[frame], self.b.paths[frame]) for frame in shared]

    @property
    def only_in_a(self) -> str:
        """The frames that only the first one has, as a range."""
        return _only(self.a, self.b)

    @property
    def only_in_b(self) -> str:
        """The frames that only the second one has, as a range."""
        return _only(self.b, self.a)


def pair_files(a: Iterable[str], b: Iterable[str]) -> list[Pair]:
    """The sequences of two lists of paths, each with the one whose path, without versions, ends most like its own.

    Two files, and two sequences, are a pair whatever their names are; a file without a frame number and a sequence are
    not. Of a frame with several files, as `s.01.exr` and `s.001.exr`, the first ones of both sides are in the first
    pair of the sequence, the second ones in another pair.
    """
    left, right = _by_name(a), _by_name(b)
    if _are_single(left) and _are_single(right):
        return [Pair(a=_as_file(left), b=_as_file(right))]
    if len(left) == len(right) == 1 and _are_alike(*left.values(), *right.values()):
        return _pairs(left.popitem()[1], right.popitem()[1])
    pairs = []
    names_a, names_b = by_longest_end(left, right), by_longest_end(right, left)
    for end, names in names_a.items():
        others = names_b.get(end, [])
        if end and len(names) == len(others) == 1 and _are_alike(left[names[0]], right[others[0]]):
            pairs += _pairs(left.pop(names[0]), right.pop(others[0]))
    for groups in left.values():
        pairs += _pairs(groups, [])
    for groups in right.values():
        pairs += _pairs([], groups)
    return sorted(pairs, key=lambda pair: [group.sequence for group in (pair.a, pair.b) if group])


def _pairs(a: Sequence[FileGroup], b: Sequence[FileGroup]) -> list[Pair]:
    return [Pair(a=of_a, b=of_b) for of_a, of_b in zip_longest(a, b)]


def _by_name(paths: Iterable[str]) -> dict[str, list[FileGroup]]:
    """The files of each sequence, by its name without versions; with them if another one has this name.

    Each group has one file of a frame, the first group those that come first.
    """
    sequences: dict[str, list[FileGroup]] = {}
    for path in paths:
        name = parse_name(path)
        sequence, frame = (name.sequence, frame_value(name.frame)) if name else (path, None)
        groups = sequences.setdefault(sequence, [])
        group = next((group for group in groups if frame not in group.paths), None)
        if group is None:
            group = FileGroup(sequence=sequence)
            groups.append(group)
        group.paths[frame] = path
        if name:
            group.frames.append(name.frame)
    counts = Counter(map(without_versions, sequences))
    return {
        key if counts[key] == 1 else sequence: groups
        for sequence, groups in sequences.items()
        for key in (without_versions(sequence),)
    }


def _are_single(groups: dict[str, list[FileGroup]]) -> bool:
    return [len(group.paths) for of_name in groups.values() for group in of_name] == [1]


def _are_alike(a: Sequence[FileGroup], b: Sequence[FileGroup]) -> bool:
    """Whether both are sequences, or both files without a frame number."""
    return bool(a[0].frames) == bool(b[0].frames)


def _as_file(groups: dict[str, list[FileGroup]]) -> FileGroup:
    (path,) = (path for of_name in groups.values() for group in of_name for path in group.paths.values())
    return FileGroup(sequence=path, paths={None: path})


def _only(group: FileGroup | None, other: FileGroup | None) -> str:
    present = group.paths if group else {}
    there = other.paths if other else {}
    return frame_range(frame for frame in present if frame is not None and frame not in there)
