"""Why two vectors are near or far: their similarity group by group, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .codes import CHANNEL_GROUPS, METADATA_GROUPS, Group, Vector

_GROUPS: dict[int, tuple[Group, ...]] = {
    sum(group.dimensions for group in groups): groups for groups in (METADATA_GROUPS, CHANNEL_GROUPS)
}
# From which similarity on a word holds. Two tokens of equal weight, one of them shared, are at 0.5.
_WORDS = ((0.9995, "the same"), (0.95, "nearly the same"), (0.8, "alike"), (0.4, "partly alike"), (-2.0, "different"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSimilarity:
    """How alike two files are in one group: `similarity` is a cosine, -1 to 1; the groups' shares add up to 1.

    The cosine of the whole vectors is the sum of share × similarity.
    """

    group: str
    meaning: str
    share: float
    similarity: float

    @property
    def verdict(self) -> str:
        """The similarity in words."""
        return next(word for least, word in _WORDS if self.similarity >= least)

    def __str__(self) -> str:
        return f"{self.group} {self.verdict} ({self.similarity:.2f}): {self.meaning}"


def explain(a: Vector | Sequence[float], b: Vector | Sequence[float]) -> tuple[GroupSimilarity, ...]:
    """The similarity of two metadata vectors or two channel vectors, group by group, in their order.

    Both must be of one kind and one `embedding_version`; raises ValueError for sizes that are no vector's.
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    groups = _GROUPS.get(left.size)
    if groups is None or left.shape != right.shape or left.ndim != 1:
        sizes = " or ".join(map(str, _GROUPS))
        raise ValueError(f"two vectors of {sizes} dimensions can be explained, not {left.shape} and {right.shape}")
    found = []
    start = 0
    for group in groups:
        stretch = slice(start, start + group.dimensions)
        # Exactly rounded: in what order a processor adds must not show.
        similarity = math.fsum((left[stretch] * right[stretch]).tolist()) / group.share
        found.append(
            GroupSimilarity(
                group=group.name, meaning=group.meaning, share=group.share, similarity=max(-1.0, min(1.0, similarity))
            )
        )
        start += group.dimensions
    return tuple(found)
