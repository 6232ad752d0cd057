"""Values that are unlike those of the frames around them."""

from __future__ import annotations

import numpy as np
import pytest

from exr_inspector.sequence.neighbours import neighbour_outliers

NOISE = np.random.default_rng(7).normal(0, 0.05, 400)
FRAMES = np.arange(48)


def unlike(values, level=0.2):
    rows, lowest, highest = neighbour_outliers(
        np.array(values, np.float64), np.zeros(len(values), np.int64), np.full(len(values), level)
    )
    return list(zip(rows.tolist(), lowest.round(3).tolist(), highest.round(3).tolist(), strict=True))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(FRAMES / 48, id="fade in"),
        pytest.param([*[0.5] * 20, *np.linspace(0.5, 0, 12), *[0] * 10], id="fade out"),
        pytest.param(0.5 * (1 - FRAMES[:13] / 12) ** 2.2, id="short fade with a gamma"),
        pytest.param([*(0.1 + NOISE[:20] / 50), *(0.6 + NOISE[20:40] / 50)], id="cut"),
        pytest.param([0.1, 0.3] * 10, id="flicker"),
        pytest.param([*[0.2] * 20, *[0.2, 0.6] * 6, *[0.2] * 5], id="flicker in a part"),
        pytest.param(0.2 + NOISE, id="noise"),
        pytest.param(0.2 + 0.1 * np.sin(FRAMES / 5) + NOISE[:48] / 20, id="camera move"),
        pytest.param([0.2, 0.21, 0.2, 0.219, 0.2, 0.2, 0.2], id="less than a tenth of the level"),
        pytest.param([0, 0, 0, 0.0009, 0, 0, 0], id="almost zero"),
        pytest.param([0.2, 0.2, 0.9, 0.2], id="few frames"),
        pytest.param([np.nan, 0.2, 0.2, np.nan, 0.9, 0.2], id="few known values"),
        pytest.param([], id="no frames"),
    ],
)
def test_usual_changes(values):
    assert unlike(values) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*[0.18] * 10, 0.41, *[0.19] * 10], [(10, 0.18, 0.19)]),
        ([0.2, 0.2, 0.2, 0.5, 0.5, *[0.2] * 8], [(3, 0.2, 0.2), (4, 0.2, 0.2)]),
        ([*[0.2] * 9, 0.5, 0.2, 0.5, *[0.2] * 9], [(9, 0.2, 0.2), (11, 0.2, 0.2)]),
        ([0.9, *[0.2] * 7], [(0, 0.2, 0.2)]),
        ([*[0.3] * 7, 0], [(7, 0.3, 0.3)]),
        ([0.2, np.nan, 0.9, 0.2, 0.2, 0.2, np.nan], [(2, 0.2, 0.2)]),
        ([*(0.2 + NOISE[:30] / 10), 0.6, *(0.2 + NOISE[30:60] / 10)], [30]),
        ([*(FRAMES / 48), 0.2, *(FRAMES[::-1] / 48)], [48]),
    ],
)
def test_flashes(values, expected):
    found = unlike(values)
    assert found == expected if isinstance(expected[0], tuple) else [row for row, _, _ in found] == expected


def test_series_are_independent():
    """Each value is compared with its own series only."""
    values = np.array([*[0.1] * 6, *[0.9] * 6, *[0.1] * 3, 0.5, 0.1, 0.1, 0.9, 0.9, 0.9])
    series = np.repeat([4, 1, 7, 2], [6, 6, 6, 3])
    assert neighbour_outliers(values, series, np.zeros(21)).rows.tolist() == [15]
