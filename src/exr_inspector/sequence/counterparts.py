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
    closest = _closest(sequences, needed)
    found, absent, ambiguous = {}, {}, []
    for name, candidates in _closest(needed, sequences).items():
        mutual = [sequence for sequence in candidates if name in closest[sequence]]
        if not mutual:
            absent[name] = needed[name]
        elif len(mutual) > 1 or len(closest[mutual[0]]) > 1:
            ambiguous.append((name, mutual[0]))
        else:
            found[mutual[0]] = needed[name]
    return Matches(found=found, absent=absent, ambiguous=ambiguous)


def _closest(names: Collection[str], others: Collection[str]) -> dict[str, set[str]]:
    """For each name, the others that share the longest end of the path with it."""
    by_end: dict[str, set[str]] = defaultdict(set)
    for other in others:
        for end in _ends(other):
            by_end[end].add(other)
    return {name: next((by_end[end] for end in _ends(name) if end in by_end), set()) for name in names}


def _ends(name: str) -> Iterator[str]:
    """The ends of a path, from the longest to the file name."""
    parts = name.rsplit("/", _MAX_PARTS)[-_MAX_PARTS:]
    return ("/".join(parts[first:]) for first in range(len(parts)))
