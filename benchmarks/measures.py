"""Measures of retrieval, on matrices of similarities: nDCG, AUC, Spearman's rank correlation, weighted Jaccard."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def ndcg(similarity: Matrix, gains: npt.NDArray[np.int64], allowed: Mask, k: int = 10) -> float:
    """Mean nDCG@k over all rows as queries, gains 2^g − 1, among the columns allowed for each.

    A query without anything to gain is left out. Equal similarities count against the method: the worst come first.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    scores = []
    for row in range(len(similarity)):
        others = np.flatnonzero(allowed[row])
        gain = gains[row, others]
        order = np.lexsort((gain, -np.round(similarity[row, others], 6)))  # rounded, so that equal vectors tie
        got = 2.0 ** gain[order][:k] - 1
        best = 2.0 ** np.sort(gain)[::-1][:k] - 1
        ideal = float(best @ discounts[: len(best)])
        if ideal > 0:
            scores.append(float(got @ discounts[: len(got)]) / ideal)
    return statistics.fmean(scores)


def auc(positive: Matrix, negative: Matrix) -> float:
    """The chance that a positive is above a negative; a tie is half of one."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    not_above = np.searchsorted(ordered, positive, "right")
    return float((below + not_above).mean() / 2 / len(negative))


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's rank correlation, ties at their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: Sequence[float]) -> Matrix:
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    mean_ranks: Matrix = np.cumsum(counts) - (counts - 1) / 2
    return mean_ranks[inverse]


def weighted_jaccard(a: Counter[str], b: Counter[str]) -> float:
    """What two bags share of what either has."""
    return (a & b).total() / max((a | b).total(), 1)


def odd_is_found(rows: Matrix, odd: int) -> bool:
    """Whether the odd row, alone, has the smallest mean cosine to the others."""
    mean = np.round((rows @ rows.T).sum(axis=1), 7)
    return bool((mean[odd] < np.delete(mean, odd)).all())
