"""Frames whose values differ from those of the frames around them: flashes, not fades, cuts, flicker and noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MIN_FRAMES = 5
_NEIGHBOURS = 6  # three on each side; at the ends of a sequence, the nearest ones
# A value is an outlier if it differs from the median of its neighbours by more than so many times the larger of their
# median absolute deviation, which is large at cuts and in fades, and the third quartile of the differences of all
# frames of the series from the medians of their neighbours, which is large for flicker and noise.
_DEVIATIONS = 4.0
_MIN_SHARE = 0.1  # of the level of the neighbours; and at least
_MIN_DIFFERENCE = 0.001
# Sorts six values by comparing and swapping pairs: 30 times as fast as sorting the columns of an array.
_SORTING_NETWORK = (
    *((0, 5), (1, 3), (2, 4), (1, 2), (3, 4), (0, 3)),
    *((2, 5), (0, 1), (2, 3), (4, 5), (1, 2), (3, 4)),
)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Outliers(NamedTuple):
    """The rows whose values are outliers, with the range of the half of their neighbours that agrees best."""

    rows: Ints
    lowest: Floats
    highest: Floats


def neighbour_outliers(values: Floats, series: npt.NDArray[np.uint64], levels: Floats) -> Outliers:
    """The values that differ from those of the six nearest rows of the same series.

    The rows of a series are adjacent and in order of frames. NaN is an unknown value; series with fewer than MIN_FRAMES
    known values have no outliers. A large difference is relative to the values of the neighbours, or to `levels` if
    these are larger.
    """
    values = np.where(np.isfinite(values), values, np.inf)  # unknown values are sorted last
    starts = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))[: len(series)]
    counts = np.diff(starts, append=len(series))
    first, end = np.repeat(starts, counts), np.repeat(starts + counts, counts)  # of the series of each row
    neighbours = _neighbours(values, first, end)
    known = np.count_nonzero(np.isfinite(neighbours), axis=0)
    with np.errstate(invalid="ignore"):  # infinity minus infinity, for unknown values
        medians = _medians(_sorted(neighbours), known)
        deviations = _medians(_sorted(np.abs(neighbours - medians)), known)
        differences = np.abs(values - medians)
        limits = np.fmax(_MIN_SHARE * np.fmax(np.abs(medians), levels), _MIN_DIFFERENCE)
        limits = np.maximum(limits, _DEVIATIONS * deviations)
        rows = np.flatnonzero(np.isfinite(differences) & (differences > limits))
    series_of_rows = {*zip(first[rows].tolist(), end[rows].tolist(), strict=True)}
    usual = {start: _third_quartile(differences[start:stop]) for start, stop in series_of_rows}
    rows = rows[differences[rows] > np.array([_DEVIATIONS * usual[start] for start in first[rows].tolist()])]
    near = neighbours[:, rows]
    is_near = np.abs(near - medians[rows]) <= deviations[rows]
    lowest, highest = np.where(is_near, near, np.inf).min(axis=0), np.where(is_near, near, -np.inf).max(axis=0)
    return Outliers(rows, lowest, highest)


def _neighbours(values: Floats, starts: Ints, ends: Ints) -> Floats:
    """Of each row, the values of the nearest rows of its series; infinity if there are fewer.

    `starts` and `ends` are, for each row, those of its series.
    """
    side = _NEIGHBOURS // 2
    rows = np.arange(len(values))
    at_ends = np.flatnonzero((rows - starts < side) | (ends - rows <= side))
    first = np.maximum(np.minimum(at_ends - side, ends[at_ends] - _NEIGHBOURS - 1), starts[at_ends])
    neighbours = np.empty((_NEIGHBOURS, len(values)))
    for number in range(_NEIGHBOURS):
        neighbours[number] = np.roll(values, side - number - (number >= side))
        row = first + number
        row += row >= at_ends
        neighbours[number, at_ends] = np.where(row < ends[at_ends], values[np.minimum(row, len(values) - 1)], np.inf)
    return neighbours


def _sorted(columns: Floats) -> Floats:
    ordered: Floats = columns.copy()
    for one, other in _SORTING_NETWORK:
        smaller = np.minimum(ordered[one], ordered[other])
        np.maximum(ordered[one], ordered[other], out=ordered[other])
        ordered[one] = smaller
    return ordered


def _medians(ordered: Floats, known: Ints) -> Floats:
    """The median of the known values of each column, which come first; infinity without any."""
    columns = np.arange(ordered.shape[1])
    medians: Floats = (ordered[np.maximum(known - 1, 0) // 2, columns] + ordered[known // 2, columns]) / 2
    return medians


def _third_quartile(differences: Floats) -> float:
    known = np.sort(differences[np.isfinite(differences)])
    return float(known[(len(known) - 1) * 3 // 4]) if len(known) >= MIN_FRAMES else np.inf
