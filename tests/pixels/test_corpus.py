"""Every valid file of the corpus, in one pass: bands, figures and regions against whole-file decodes."""

from __future__ import annotations

import numpy as np
import OpenImageIO
import pytest

from exr_inspector.exr import read_header
from exr_inspector.pixels.model import PixelLimits
from tests.support import corpus
from tests.support.pixels import assert_figures, assert_same, oracle, statistics_of

BANDS = PixelLimits(band_bytes=256 << 10)
_LARGE = 1 << 20  # bytes
_COMPARED_WITH_OPENIMAGEIO = 1 << 20  # bytes of a file: it decodes all again


@pytest.mark.fast_cases(8)
@pytest.mark.parametrize("path", corpus.by_size(_LARGE))
def test_pixels_and_figures_equal_those_of_the_whole_file(path):
    planes, data = oracle(path), path.read_bytes()
    if planes is None:
        pytest.skip("OpenEXR.File rejects the file")
    assert_same(data, planes, BANDS)
    report = statistics_of(data, limits=BANDS)
    assert not report.errors
    for part, expected in zip(report.parts, planes, strict=True):
        for channel in part.channels:
            assert_figures(channel, expected[channel.channel_name])
        if part.channels:
            assert_regions(part, expected, read_header(data).parts[part.part_index])
    if len(data) < _COMPARED_WITH_OPENIMAGEIO:
        assert_openimageio(path, report)


def assert_regions(part, planes, header) -> None:
    """Used window and empty regions of a part whose channels are sampled at every pixel."""
    if any((c.x_sampling, c.y_sampling) != (1, 1) for c in header.channels):
        return
    used = np.logical_or.reduce([plane != 0 for plane in planes.values()])
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    if not len(rows):
        assert (part.used_window, part.is_empty) == (None, True)
        return
    x, y = header.data_window.xMin, header.data_window.yMin
    assert part.used_window == (x + columns[0], y + rows[0], x + columns[-1], y + rows[-1])
    assert part.empty_regions == ()  # false alarms
    for layer in part.layers:
        prefix = f"{layer.layer}." if layer.layer else ""
        colors = [planes[prefix + c] != 0 for c in "RGB" if prefix + c in planes]
        transparent = planes[f"{prefix}A"] == 0
        assert layer.color_without_alpha_count == (transparent & np.logical_or.reduce(colors)).sum()


def assert_openimageio(path, report) -> None:
    """The figures that OpenImageIO computes too; it rounds them to 32 bits, and those of UINT channels are wrong."""
    for part in report.parts:
        image = OpenImageIO.ImageBuf(str(path), part.part_index, 0)
        statistics = OpenImageIO.ImageBufAlgo.computePixelStats(image)
        if image.has_error or part.deep:
            continue  # it does not read subsampled files
        for index, name in enumerate(image.spec().channelnames):
            found = [channel for channel in part.channels if channel.channel_name == name]
            if not found or found[0].channel_type == "UINT" or not found[0].finite_count:
                continue  # it also renames channels
            (channel,) = found
            counts = (channel.nan_count, channel.pos_inf_count + channel.neg_inf_count, channel.finite_count)
            assert counts == (statistics.nancount[index], statistics.infcount[index], statistics.finitecount[index])
            assert (channel.min, channel.max) == (statistics.min[index], statistics.max[index])
            spread = max(channel.max - channel.min, abs(channel.max), 1e-30)
            assert abs(channel.mean - statistics.avg[index]) <= 1e-6 * spread
            assert abs(channel.stddev - statistics.stddev[index]) <= 1e-6 * spread
