"""Rules about all shots: the check takes those that the path template finds in the names of sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..findings.model import Finding, finding
from ..findings.rules import RULES
from .rule import Parameters, Texts, Undecided, matches_any, shots_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A shot, by the folder that has its name, and the layers that it has sequences of."""

    folder: str  # a URI
    name: str
    layers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotLayers(Parameters):
    """The layers that each shot must have, as shell patterns, and the shots that must be there; without any, all."""

    layers: Texts = ()
    shots: Texts = ()


@shots_rule(913, "error", "common practice", ShotLayers, needs=("layers",), by_name_only=True)
def shot_complete(shots: Sequence[Shot], given: ShotLayers) -> Iterator[Finding | Undecided]:
    """Each shot has a sequence of each layer."""
    if not shots:
        yield Undecided("the path template finds no shot in the paths")
        return
    expected = ", ".join(given.layers)
    for shot in shots:
        lacking = [layer for layer in given.layers if not any(matches_any((layer,), each) for each in shot.layers)]
        if lacking and (not given.shots or shot.name in given.shots):
            actual = ", ".join(sorted(shot.layers))
            yield _found(shot.folder, f"no sequence of these layers: {', '.join(lacking)}", expected, actual)
    for name in given.shots:
        if all(shot.name != name for shot in shots):
            yield _found(name, "no sequence of this shot", expected, "")


def _found(pattern: str, message: str, expected: str, actual: str) -> Finding:
    return finding(RULES["EXR913"], "error", pattern, message, expected=expected, actual=actual)
