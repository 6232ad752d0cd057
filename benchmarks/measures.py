"""Retrieval measures: nDCG, AUC, Spearman's rank correlation, weighted Jaccard similarity, outlier detection."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def ndcg(similarity: Matrix, gains: npt.NDArray[np.int64], allowed: Mask, k: int = 10) -> float:
    """Mean nDCG@k over all rows as queries, with gains 2^g − 1, among the allowed columns of each row.

    Queries without gains are omitted. Among equal similarities the smallest gain comes first, against the method.
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
    """The probability that a positive is above a negative; a tie counts half."""
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
    """Weighted Jaccard similarity of two bags: intersection over union."""
    return (a & b).total() / max((a | b).total(), 1)


def outlier_is_found(rows: Matrix, outlier: int) -> bool:
    """Whether the outlier alone has the smallest mean cosine to the other rows."""
    mean = np.round((rows @ rows.T).sum(axis=1), 7)
    return bool((mean[outlier] < np.delete(mean, outlier)).all())
