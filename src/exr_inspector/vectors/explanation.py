"""The similarity of two vectors, group by group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .codes import CHANNEL_GROUPS, METADATA_GROUPS, Group, Vector

_GROUPS: dict[int, tuple[Group, ...]] = {
    sum(group.dimensions for group in groups): groups for groups in (METADATA_GROUPS, CHANNEL_GROUPS)
}
# The least similarity for each verdict. Two tokens of equal weight of which one is shared have a similarity of 0.5.
_VERDICTS = (
    (0.9995, "the same"),
    (0.95, "nearly the same"),
    (0.8, "alike"),
    (0.4, "partly alike"),
    (-2.0, "different"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSimilarity:
    """The similarity of two files in one group: a cosine, -1 to 1.

    The shares of all groups add up to 1; the cosine of the whole vectors is the sum of share × similarity.
    """

    group: str
    meaning: str
    share: float
    similarity: float

    @property
    def verdict(self) -> str:
        """The similarity in words, from "the same" to "different"."""
        return next(verdict for least, verdict in _VERDICTS if self.similarity >= least)

    def __str__(self) -> str:
        return f"{self.group} {self.verdict} ({self.similarity:.2f}): {self.meaning}"


def explain(a: Vector | Sequence[float], b: Vector | Sequence[float]) -> tuple[GroupSimilarity, ...]:
    """The similarity of two metadata vectors or two channel vectors, group by group.

    Both must have the same `embedding_version`. Raises ValueError if they are not two vectors of the same kind.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    groups = _GROUPS.get(left.size)
    if groups is None or left.shape != right.shape or left.ndim != 1:
        sizes = " or ".join(map(str, _GROUPS))
        raise ValueError(f"expected two vectors of {sizes} dimensions, not shapes {left.shape} and {right.shape}")
    similarities = []
    start = 0
    for group in groups:
        stop = start + group.dimensions
        # math.fsum rounds exactly, so the result does not depend on the order in which a processor adds.
        cosine = math.fsum((left[start:stop] * right[start:stop]).tolist()) / group.share
        similarities.append(
            GroupSimilarity(
                group=group.name, meaning=group.meaning, share=group.share, similarity=max(-1.0, min(1.0, cosine))
            )
        )
        start = stop
    return tuple(similarities)
