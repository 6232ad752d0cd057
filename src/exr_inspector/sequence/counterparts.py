"""The sequences that a timeline names, among sequences whose folders may be others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ..frames.ranges import Number

_MAX_PARTS = 32  # of a path that are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The sequences that a timeline names: those found, those that are absent, and those that may be several."""

    found: dict[str, frozenset[Number]]  # by the found sequence
    absent: dict[str, frozenset[Number]]  # by the sequence in the timeline
    ambiguous: list[tuple[str, str]]  # a sequence in the timeline, and one that it may be


def matches(needed: Mapping[str, frozenset[Number]], sequences: Collection[str]) -> Matches:
    """The sequences that a timeline means: of those with the same file name, the one with the longest common path end.

    A sequence that is closer to another one of the timeline is not considered.
    """
    found, absent, ambiguous = {}, {}, []
    by_end = by_longest_end(sequences, needed)
    for end, names in by_longest_end(needed, sequences).items():
        candidates = by_end.get(end, []) if end else []
        if not candidates:
            absent.update({name: needed[name] for name in names})
        elif len(names) == len(candidates) == 1:
            found[candidates[0]] = needed[names[0]]
        else:
            ambiguous += [(name, candidates[0]) for name in names]
    return Matches(found=found, absent=absent, ambiguous=ambiguous)


def by_longest_end(names: Collection[str], others: Collection[str]) -> dict[str, list[str]]:
    """The names by the longest end of their paths that one of the others has too; empty if none has one."""
    ends = {end for other in others for end in _ends(other)}
    grouped: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        grouped[next((end for end in _ends(name) if end in ends), "")].append(name)
    return grouped


def _ends(name: str) -> Iterator[str]:
    """The ends of a path, from the longest to the file name."""
    parts = name.rsplit("/", _MAX_PARTS)[-_MAX_PARTS:]
    return ("/".join(parts[first:]) for first in range(len(parts)))
