"""The accumulators against numpy, for samples in any number of blocks."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector.pixels.kernel import ACCUMULATORS
from tests.support.pixels import assert_figures

TYPES = {"HALF": ("uint16", "float16"), "FLOAT": ("uint32", "float32"), "UINT": ("uint32", "uint32")}
HALFS = np.arange(65536, dtype="uint16").view("float16")


def accumulated(pixel_type: str, samples, blocks: int = 1, order=None):
    """The figures of an image of one column, added in blocks."""
    accumulator = ACCUMULATORS[pixel_type]()
    pieces = np.array_split(np.asarray(samples), blocks)
    begins = np.cumsum([0, *map(len, pieces)])
    for number in order or range(blocks):
        begin = int(begins[number])
        accumulator.add(pieces[number].reshape(-1, 1), lambda index, begin=begin: (begin + index, 7))
    return accumulator.result()


@pytest.mark.parametrize("blocks", [1, 7])
def test_every_half(blocks):
    """Each bit pattern: zeros of both signs, denormals, infinities, NaNs of all payloads."""
    figures = accumulated("HALF", HALFS, blocks)
    assert_figures(figures, HALFS)
    assert (figures.first_nonfinite_y, figures.first_nonfinite_x) == (0x7C00, 7)
    assert (figures.zero_count, figures.nan_count, figures.max_finite_count) == (2, 2046, 2)
    assert figures.mean == 0


@pytest.mark.slow
@given(st.sampled_from(sorted(TYPES)), st.data())
@settings(max_examples=80, deadline=None)
def test_any_samples_in_any_blocks_and_order(pixel_type, data):
    code, dtype = TYPES[pixel_type]
    bits = np.iinfo(code).bits
    special = [0, 1 << (bits - 1), 0x3C00, 0x7C00, 0xFC00, 0x7BFF, 0x3F800000, 0x7F800000, 0xFF800000, 0x7F7FFFFF]
    special += [0x7F800001, 0xFFFFFFFF]  # NaNs; the first one differs from infinity in its lower bits only
    codes = st.integers(0, (1 << bits) - 1) | st.sampled_from([each % (1 << bits) for each in special])
    raw = data.draw(st.lists(codes, min_size=1, max_size=60))
    samples = np.array(raw, code).view(dtype)
    blocks = data.draw(st.integers(1, 5))
    order = data.draw(st.permutations(range(blocks)))
    figures = accumulated(pixel_type, samples, blocks, order)
    assert_figures(figures, samples)
    assert figures == accumulated(pixel_type, samples, blocks)
    bad = np.flatnonzero(~np.isfinite(samples))
    assert figures.first_nonfinite_y == (bad[0] if len(bad) else None)


@pytest.mark.parametrize(("mean", "deviation"), [(1e4, 0.01), (0, 1), (-3e-5, 1e3)])
def test_a_million_floats(mean, deviation):
    """Small differences of large values; numpy's own deviation in 32 bits is wrong in the 7th digit."""
    samples = np.random.default_rng(5).normal(mean, deviation, 1 << 20).astype("float32")
    figures = accumulated("FLOAT", samples, 40)
    exact = samples.astype(np.longdouble)
    expected = exact.std()
    assert abs(figures.mean - exact.mean()) <= 1e-12 * expected
    assert figures.stddev == pytest.approx(float(expected), rel=1e-12)


def test_integers_above_the_precision_of_floats():
    samples = np.array([2**24 + 1, 2**32 - 1, 2**32 - 2, 0], "uint32").repeat(5000)
    figures = accumulated("UINT", samples, 3)
    assert (figures.min, figures.max, figures.max_finite_count) == (0, 4294967295, 5000)
    assert figures.mean == (2**24 + 1 + 2**33 - 3) / 4
    mean = Fraction(2**24 + 2**33 - 2, 4)
    variance = sum((Fraction(int(v)) - mean) ** 2 for v in set(samples.tolist())) / 4
    assert figures.stddev == math.sqrt(variance)


def test_small_ids_have_exact_percentiles():
    figures = accumulated("UINT", np.arange(1, 201, dtype="uint32"))
    assert (figures.p01, figures.p50, figures.p99, figures.p999) == (2, 100, 198, 200)


def test_percentiles_of_large_integers_are_rounded_towards_zero():
    figures = accumulated("UINT", np.array([1, 2**25 - 1, 2**25 - 1, 2**32 - 1], "uint32"))
    assert (figures.p50, figures.p999) == (0x1FE0000, 0xFF000000)


@pytest.mark.parametrize("pixel_type", ["HALF", "FLOAT"])
@pytest.mark.parametrize("blocks", [1, 2])
def test_the_first_of_samples_in_several_tiles(pixel_type, blocks):
    """Two tiles of 2 by 2 pixels, side by side: the first NaN of the block is below one of the second tile."""
    positions = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    samples = np.zeros(8, TYPES[pixel_type][1])
    samples[[2, 5, 6]] = np.nan
    accumulator = ACCUMULATORS[pixel_type]()
    if blocks == 1:
        accumulator.add(samples, positions.__getitem__, [0, 4])
    else:
        accumulator.add(samples[:4], positions.__getitem__)
        accumulator.add(samples[4:], positions[4:].__getitem__)
    figures = accumulator.result()
    assert (figures.first_nonfinite_y, figures.first_nonfinite_x) == (0, 3)


@pytest.mark.parametrize("pixel_type", TYPES)
def test_no_samples(pixel_type):
    figures = accumulated(pixel_type, np.zeros(0, TYPES[pixel_type][1]))
    assert_figures(figures, np.zeros(0, TYPES[pixel_type][1]))


def test_floats_next_to_the_limits_of_counts():
    """Around zeros, one, the largest values and infinities, of both signs; denormals are no zeros."""
    limits = [0, 0x80000000, 0x3F800000, 0xBF800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000]
    samples = np.array([(limit + step) % (1 << 32) for limit in limits for step in (-1, 0, 1, 2)], "uint32").view("f4")
    assert_figures(accumulated("FLOAT", samples), samples)


def test_one_block_of_many_floats():
    """It is added in smaller ones; the first NaN is in the second."""
    samples = np.random.default_rng(7).normal(3, 2, 200_000).astype("float32")
    samples[[90_001, 199_999]] = np.nan
    figures = accumulated("FLOAT", samples)
    assert_figures(figures, samples)
    assert figures.first_nonfinite_y == 90_001
