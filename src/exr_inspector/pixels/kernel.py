"""Figures of samples that arrive in blocks, in any order: one accumulator for each pixel type.

In: arrays of samples. Out: `Figures`. Knows nothing of files. The result does not depend on the order of the blocks.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .model import HISTOGRAM_BINS, HISTOGRAM_EDGES

Locate = Callable[[int], tuple[int, int]]  # the index of a sample in a block → line and column of its pixel
_ONE_RUN = (0,)

_CODES = 1 << 16
_HALF_EXPONENT, _HALF_SIGN, _HALF_MAX = 0x7C00, 0x8000, 0x7BFF
_SINGLE_EXPONENT, _SINGLE_SIGN, _SINGLE_ONE = 0x7F80, 0x8000, 0x3F80  # in the upper half of a float
# The floats between which counts begin and end: zeros, one, the largest finite values, infinities; by their bits.
_SINGLE_LIMITS = (0, 0x80000000, 0x3F800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000)
_SINGLE_BITS = 24  # of the integers that a float holds exactly
_UPPER_HALF = int(sys.byteorder == "little")
_BLOCK_SAMPLES = 1 << 16  # of which 64 bits each fit in the cache of a core
_UINT_MAX = (1 << 32) - 1
_UNIT = 2**24  # halfs are multiples of 1 / _UNIT


class Figures(NamedTuple):
    """The fields of `ChannelStats` that follow from the samples."""

    sample_count: int
    finite_count: int
    nan_count: int
    pos_inf_count: int
    neg_inf_count: int
    negative_count: int
    zero_count: int
    max_finite_count: int
    above_one_count: int
    min: float | None
    max: float | None
    mean: float | None
    stddev: float | None
    p01: float | None
    p50: float | None
    p99: float | None
    p999: float | None
    histogram: tuple[int, ...]
    first_nonfinite_y: int | None
    first_nonfinite_x: int | None


class _Codes(NamedTuple):
    """The 65,536 codes of a 16-bit floating point format."""

    values: NDArray[np.float64]
    ascending: NDArray[np.intp]  # the finite codes by value
    bins: NDArray[np.intp]  # of the histogram, by code


@cache
def _half_codes() -> _Codes:
    return _codes(np.arange(_CODES, dtype=np.uint16).view(np.float16))


@cache
def _single_codes() -> _Codes:
    """The codes in the upper half of a float; their values are rounded towards zero."""
    return _codes((np.arange(_CODES, dtype=np.uint32) << 16).view(np.float32))


def _codes(values: NDArray[Any]) -> _Codes:
    finite = np.flatnonzero(np.isfinite(values))
    exact = np.where(np.isfinite(values), values, 0).astype(np.float64) + 0.0  # no negative zeros
    bins = np.digitize(exact, HISTOGRAM_EDGES) + 2
    bins[exact == 0] = 1
    bins[exact < 0] = 0
    return _Codes(exact, finite[np.argsort(exact[finite], kind="stable")], bins)


class Accumulator(ABC):
    """The figures of the samples of one channel."""

    def __init__(self, *, is_endless: bool = False) -> None:
        self._bins = np.zeros(0, np.int64)  # samples by 16-bit code, up to the largest code that occurs
        self._is_endless = is_endless  # +inf is a value as others
        self._first: tuple[int, int] | None = None  # line and column of the first NaN or infinity

    @abstractmethod
    def add(self, samples: NDArray[Any], locate: Locate, starts: Sequence[int] = _ONE_RUN) -> None:
        """Add a block of samples, of any shape; in deep parts, not all pixels have one.

        From each of `starts` to the next, samples are in the order of lines and columns.
        """

    @abstractmethod
    def result(self) -> Figures:
        """The figures of all samples."""

    def _count_codes(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Count the samples by code. Returns the counts of these samples."""
        bins = np.bincount(codes.astype(np.intp))
        if len(bins) > len(self._bins):  # files with hundreds of channels have no room for all codes of each
            self._bins = np.pad(self._bins, (0, len(bins) - len(self._bins)))
        self._bins[: len(bins)] += bins
        return bins

    def _all_bins(self) -> NDArray[np.int64]:
        """The samples by code, all codes."""
        return np.pad(self._bins, (0, _CODES - len(self._bins)))

    def _set_first(self, position: tuple[int, int] | None) -> None:
        if position is not None and (self._first is None or position < self._first):
            self._first = position

    def _find_first(self, is_nonfinite: Callable[[], NDArray[np.bool_]], locate: Locate, starts: Sequence[int]) -> None:
        """Set the position of the first sample that is not finite, if the block may have an earlier one."""
        if self._first is None or any(locate(start) < self._first for start in starts):
            found = np.flatnonzero(is_nonfinite())
            for number in np.unique(np.searchsorted(found, starts)):
                if number < len(found):
                    self._set_first(locate(int(found[number])))

    def _distribution(self, codes: _Codes) -> tuple[list[float | None], tuple[int, ...]]:
        """The percentiles and the histogram of the finite codes."""
        counts = self._all_bins()[codes.ascending]
        totals = np.cumsum(counts)
        count = int(totals[-1])
        # The smallest value whose rank is at least so many thousandths of the count.
        ranks = [-(-count * thousandths // 1000) for thousandths in (10, 500, 990, 999)]
        values = codes.values[codes.ascending[np.searchsorted(totals, ranks)]] if count else np.zeros(0)
        histogram = np.bincount(codes.bins[codes.ascending], counts, HISTOGRAM_BINS)
        percentiles: list[float | None] = [*map(float, values)] if count else [None] * 4
        return percentiles, tuple(map(int, histogram))


class HalfAccumulator(Accumulator):
    """HALF samples: the number of samples of each of the 65,536 values, from which all figures follow."""

    def add(self, samples: NDArray[Any], locate: Locate, starts: Sequence[int] = _ONE_RUN) -> None:
        """Add a block of samples."""
        codes = samples.ravel().view(np.uint16)
        if not len(codes):
            return
        bins = self._count_codes(codes)
        first = _HALF_EXPONENT + self._is_endless
        if bins[first:_HALF_SIGN].any() or bins[_HALF_EXPONENT | _HALF_SIGN :].any():
            self._find_first(lambda: ((codes & _HALF_EXPONENT) == _HALF_EXPONENT) & (codes >= first), locate, starts)

    def result(self) -> Figures:
        """The figures of all samples."""
        codes, bins = _half_codes(), self._all_bins()

        def count(first: int, end: int) -> int:
            return int(bins[first:end].sum())

        percentiles, histogram = self._distribution(codes)
        used = codes.ascending[bins[codes.ascending] > 0]
        values, counts = codes.values[used], bins[used]
        finite = int(counts.sum())
        low, high, mean, stddev = None, None, None, None
        if finite:
            low, high = float(values[0]), float(values[-1])
            # The mean in integers: exact.
            units = (values * _UNIT).astype(np.int64)
            upper, lower = int(((units >> 20) * counts).sum()), int(((units & 0xFFFFF) * counts).sum())
            mean = ((upper << 20) + lower) / (finite * _UNIT)
            stddev = sqrt(float(((values - mean) ** 2 * counts).sum()) / finite)
        one = int(np.float16(1).view(np.uint16))
        return Figures(
            sample_count=int(bins.sum()),
            finite_count=finite,
            nan_count=count(_HALF_EXPONENT + 1, _HALF_SIGN) + count(_HALF_SIGN + _HALF_EXPONENT + 1, _CODES),
            pos_inf_count=int(bins[_HALF_EXPONENT]),
            neg_inf_count=int(bins[_HALF_EXPONENT | _HALF_SIGN]),
            negative_count=count(_HALF_SIGN + 1, _HALF_SIGN + _HALF_EXPONENT + 1),
            zero_count=int(bins[0] + bins[_HALF_SIGN]),
            max_finite_count=int(bins[_HALF_MAX] + bins[_HALF_MAX | _HALF_SIGN]),
            above_one_count=count(one + 1, _HALF_EXPONENT),
            min=low,
            max=high,
            mean=mean,
            stddev=stddev,
            **_percentiles(percentiles),
            histogram=histogram,
            **_position(self._first),
        )


class _Moments(NamedTuple):
    """Number, mean and sum of squared differences of a block of finite values."""

    samples: int
    mean: float
    squares: float


class FloatAccumulator(Accumulator):
    """FLOAT samples: moments in 64 bits, and a histogram of the upper 16 bits for counts and percentiles."""

    def __init__(self, *, is_endless: bool = False) -> None:
        super().__init__(is_endless=is_endless)
        self._limits = dict.fromkeys(_SINGLE_LIMITS, 0)  # samples with exactly these bits
        self._blocks: list[tuple[tuple[int, int], _Moments]] = []  # with their position, the order of merging
        self._min, self._max = np.inf, -np.inf

    def add(self, samples: NDArray[Any], locate: Locate, starts: Sequence[int] = _ONE_RUN) -> None:
        """Add a block of samples."""
        values = samples.ravel()
        blocks = [self._add_block(values[at : at + _BLOCK_SAMPLES]) for at in range(0, len(values), _BLOCK_SAMPLES)]
        if any(block.samples for block in blocks):
            self._blocks.append((locate(0), _merged(blocks)))
        if sum(block.samples for block in blocks) < len(values):
            self._find_first(lambda: ~np.isfinite(values) & ~((values == np.inf) & self._is_endless), locate, starts)

    def _add_block(self, values: NDArray[np.float32]) -> _Moments:
        """Add samples that fit in the cache of a processor; return the moments of the finite ones."""
        bits = values.view(np.uint32)
        bins = self._count_codes(values.view(np.uint16)[_UPPER_HALF::2])
        for limit in _SINGLE_LIMITS:
            if limit >> 16 < len(bins) and bins[limit >> 16]:
                self._limits[limit] += int(np.count_nonzero(bits == limit))
        if bins[_SINGLE_EXPONENT:_SINGLE_SIGN].any() or bins[_SINGLE_EXPONENT | _SINGLE_SIGN :].any():
            values = values[np.isfinite(values)]
        if not len(values):
            return _Moments(0, 0.0, 0.0)
        self._min = min(self._min, float(np.minimum.reduce(values)))
        self._max = max(self._max, float(np.maximum.reduce(values)))
        exact = values.astype(np.float64)
        mean = float(np.add.reduce(exact)) / len(exact)  # the method `mean` takes longer
        exact -= mean
        exact *= exact
        # Not `dot` or `einsum`, whose rounding depends on the processor.
        return _Moments(len(exact), mean, float(np.add.reduce(exact)))

    def result(self) -> Figures:
        """The figures of all samples."""
        bins = self._all_bins()
        zero, negative_zero, one, largest, negative_largest, infinity, negative_infinity = self._limits.values()

        def count(first: int, end: int) -> int:
            return int(bins[first:end].sum())

        negative = count(_SINGLE_SIGN, _SINGLE_SIGN | _SINGLE_EXPONENT) - negative_zero
        finite = negative + negative_zero + count(0, _SINGLE_EXPONENT)
        percentiles, (_, _, _, *larger) = self._distribution(_single_codes())
        small = finite - negative - zero - negative_zero - sum(larger)  # their code may be that of zero
        total = _merged([moments for _, moments in sorted(self._blocks)])
        samples = int(bins.sum())
        return Figures(
            sample_count=samples,
            finite_count=finite,
            nan_count=samples - finite - infinity - negative_infinity,
            pos_inf_count=infinity,
            neg_inf_count=negative_infinity,
            negative_count=negative + negative_infinity,
            zero_count=zero + negative_zero,
            max_finite_count=largest + negative_largest,
            above_one_count=count(_SINGLE_ONE, _SINGLE_EXPONENT) - one,
            min=self._min + 0.0 if finite else None,
            max=self._max + 0.0 if finite else None,
            mean=total.mean if finite else None,
            stddev=sqrt(total.squares / finite) if finite else None,
            **_percentiles(percentiles, self._min, self._max),
            histogram=(negative, zero + negative_zero, small, *larger),
            **_position(self._first),
        )


class UintAccumulator(Accumulator):
    """UINT samples: sums in integers, so that the mean is exact, and a histogram of their upper 8 bits."""

    def __init__(self, *, is_endless: bool = False) -> None:
        super().__init__(is_endless=is_endless)
        self._count = self._zeros = self._maxima = self._above_one = 0
        self._sum = self._squares = 0
        self._min, self._max = _UINT_MAX, 0

    def add(self, samples: NDArray[Any], locate: Locate, starts: Sequence[int] = _ONE_RUN) -> None:  # noqa: ARG002
        """Add a block of samples."""
        values = samples.ravel()
        if not len(values):
            return
        low, high = int(values.min()), int(values.max())
        self._count += len(values)
        self._min, self._max = min(self._min, low), max(self._max, high)
        if not low:
            self._zeros += len(values) - int(np.count_nonzero(values))
        if high > 1:
            self._above_one += int(np.count_nonzero(values > 1))
        if high == _UINT_MAX:
            self._maxima += int(np.count_nonzero(values == _UINT_MAX))
        # In halves, whose products do not overflow 64 bits in a block.
        upper, lower = (values >> 16).astype(np.uint64), (values & 0xFFFF).astype(np.uint64)
        self._sum += (int(upper.sum()) << 16) + int(lower.sum())
        squares = [int(np.einsum("i,i->", a, b)) for a, b in ((upper, upper), (upper, lower), (lower, lower))]
        self._squares += (squares[0] << 32) + (squares[1] << 17) + squares[2]
        if high >> _SINGLE_BITS:  # else conversion to a float may round up
            values = np.where(values >> _SINGLE_BITS, values & 0xFFFFFF00, values)
        self._count_codes(values.astype(np.float32).view(np.uint32) >> 16)

    def result(self) -> Figures:
        """The figures of all samples."""
        percentiles, histogram = self._distribution(_single_codes())
        count = self._count
        variance = (count * self._squares - self._sum**2) / count**2 if count else 0
        return Figures(
            sample_count=count,
            finite_count=count,
            nan_count=0,
            pos_inf_count=0,
            neg_inf_count=0,
            negative_count=0,
            zero_count=self._zeros,
            max_finite_count=self._maxima,
            above_one_count=self._above_one,
            min=float(self._min) if count else None,
            max=float(self._max) if count else None,
            mean=self._sum / count if count else None,
            stddev=sqrt(variance) if count else None,
            **_percentiles(percentiles, self._min, self._max),
            histogram=histogram,
            **_position(None),
        )


ACCUMULATORS: dict[str, type[Accumulator]] = {
    "HALF": HalfAccumulator,
    "FLOAT": FloatAccumulator,
    "UINT": UintAccumulator,
}


def _merged(blocks: Iterable[_Moments]) -> _Moments:
    """The moments of all blocks, by Chan, Golub and LeVeque."""
    total = _Moments(0, 0.0, 0.0)
    for block in blocks:
        if not block.samples:
            continue
        samples = total.samples + block.samples
        difference = block.mean - total.mean
        total = _Moments(
            samples,
            total.mean + difference * block.samples / samples,
            total.squares + block.squares + difference * difference * total.samples * block.samples / samples,
        )
    return total


def _percentiles(values: list[float | None], low: float = -np.inf, high: float = np.inf) -> dict[str, Any]:
    """The percentiles by name, between minimum and maximum."""
    bounded = (None if value is None else min(max(value, low), high) for value in values)
    return dict(zip(("p01", "p50", "p99", "p999"), bounded, strict=True))


def _position(position: tuple[int, int] | None) -> dict[str, Any]:
    y, x = position or (None, None)
    return {"first_nonfinite_y": y, "first_nonfinite_x": x}
