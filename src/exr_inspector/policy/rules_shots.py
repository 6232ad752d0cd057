"""Rules about all shots: the check takes those that the path template finds in the names of sequences."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..findings.model import Finding, finding
from ..findings.rules import RULES
from .rule import Parameters, Texts, Undecided, matches_any, shots_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A shot, and the layers that it has sequences of."""

    folder: str  # the URI of the folder that has its name; the first one if there are several
    name: str
    layers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotLayers(Parameters):
    """The layers that each shot must have, and the shots that must be there, as shell patterns; without shots, all."""

    layers: Texts = ()
    shots: Texts = ()


@shots_rule(913, "error", "common practice", ShotLayers, needs=("layers",), by_name_only=True)
def shot_complete(shots: Sequence[Shot], given: ShotLayers) -> Iterator[Finding | Undecided]:
    """Each shot has a sequence of each layer."""
    if not shots:
        yield Undecided("the path template finds no shot in the paths")
        return
    if not any(shot.layers for shot in shots):
        yield Undecided("the path template finds no layer in the paths")
        return
    expected = ", ".join(given.layers)
    for shot in shots:
        missing_layers = [
            layer for layer in given.layers if not any(matches_any((layer,), each) for each in shot.layers)
        ]
        if missing_layers and (not given.shots or matches_any(given.shots, shot.name)):
            actual = ", ".join(sorted(shot.layers))
            yield _finding(shot.folder, f"no sequence of these layers: {', '.join(missing_layers)}", expected, actual)
    for name in given.shots:
        if not any(matches_any((name,), shot.name) for shot in shots):
            yield _finding(_common_folder(shots) + name, "no sequence of this shot", expected, "")


def _common_folder(shots: Sequence[Shot]) -> str:
    """The folder that all shots are in, with a slash at its end."""
    beginning = os.path.commonprefix([shot.folder for shot in shots])  # noqa: RUF071 (cut at a slash)
    return beginning[: beginning.rfind("/") + 1]


def _finding(pattern: str, message: str, expected: str, actual: str) -> Finding:
    return finding(RULES["EXR913"], "error", pattern, message, expected=expected, actual=actual)
