"""Figures of deep parts: sample counts of pixels, and the samples in blocks that are worth a pass of the kernel."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ..exr import Channel
from .deep import DeepBand
from .digest import COUNTS
from .kernel import Accumulator, Locate
from .model import SAMPLE_COUNT_EDGES, SampleCounts

_BLOCK_SAMPLES = 1 << 18  # of a channel; below, a pass of the kernel takes as long for each block as for its samples


class SampleCounter:
    """The sample counts of a part, from bands in any order."""

    def __init__(self) -> None:
        self._pixels = self._total = 0
        self._min: int | None = None
        self._max = (
            -1,
            0,
            0,
        )  # samples, and line and column with negative sign, so that the first pixel is the largest
        self._histogram = np.zeros(len(SAMPLE_COUNT_EDGES) + 1, np.int64)

    def add(self, band: DeepBand) -> None:
        """Add the counts of a band."""
        counts, box = band.counts, band.box
        row, column = divmod(int(counts.argmax()), counts.shape[1])
        self._pixels += counts.size
        self._total += int(counts.sum())
        low = int(counts.min())
        self._min = low if self._min is None else min(self._min, low)
        self._max = max(self._max, (int(counts[row, column]), -(box.yMin + row), -(box.xMin + column)))
        self._histogram += np.bincount(np.digitize(counts.ravel(), SAMPLE_COUNT_EDGES), minlength=len(self._histogram))

    def result(self) -> SampleCounts | None:
        """The figures; None without pixels."""
        if self._min is None:
            return None
        return SampleCounts(
            min=self._min,
            max=self._max[0],
            mean=self._total / self._pixels,
            total=self._total,
            empty_pixels=int(self._histogram[0]),
            max_x=-self._max[2],
            max_y=-self._max[1],
            histogram=tuple(map(int, self._histogram)),
        )


class SampleBlocks:
    """Collects the samples of bands and adds them to accumulators in larger blocks."""

    def __init__(self, channels: Sequence[Channel], accumulators: Mapping[str, Accumulator]) -> None:
        self._channels, self._accumulators = channels, accumulators
        self._bands: list[DeepBand] = []
        self._samples = 0

    def add(self, band: DeepBand) -> None:
        """Add the samples of a band."""
        samples = int(band.counts.sum())
        if samples:
            self._bands.append(band)
            self._samples += samples
        if self._samples >= _BLOCK_SAMPLES:
            self.flush()

    def flush(self) -> None:
        """Add the collected samples to the accumulators."""
        if not self._bands:
            return
        ends = list(accumulate(int(band.counts.sum()) for band in self._bands))
        locate, starts = _locate(self._bands, ends), [0, *ends[:-1]]
        for channel in self._channels:
            lines = [line for band in self._bands for line in band.lines[channel.channel_name]]
            self._accumulators[channel.channel_name].add(np.concatenate(lines), locate, starts)
        self._bands, self._samples = [], 0


def digest_rows(band: DeepBand, channels: Iterable[Channel]) -> dict[str, list[Any]]:
    """The rows of a band for `PixelDigest`: sample counts, and samples by channel."""
    counts = [*band.counts.astype(np.uint32)]
    return {COUNTS.channel_name: counts} | {
        channel.channel_name: band.lines[channel.channel_name] for channel in channels
    }


def _locate(bands: Sequence[DeepBand], ends: Sequence[int]) -> Locate:
    """Line and column of the pixel of a sample of bands; `ends` are the samples up to the end of each."""

    def locate(index: int) -> tuple[int, int]:
        number = bisect_right(ends, index)
        band = bands[number]
        within = index - (ends[number - 1] if number else 0)
        pixel = int(np.searchsorted(np.cumsum(band.counts), within, side="right"))
        row, column = divmod(pixel, band.counts.shape[1])
        return band.box.yMin + row, band.box.xMin + column

    return locate
