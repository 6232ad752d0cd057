"""Rules 8xx: pixels. Their checks take the statistics of a file, and are not evaluated without them.

What `check` reports too is decided by `sequence.pixel_faults`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..inspection.model import PartFacts
from ..inspection.pixel_rows import ChannelStatsRow, PartStatsRow, channel_stats_rows, is_evaluated, part_stats_rows
from ..pixels.model import PixelReport
from ..sequence.pixel_faults import ChannelFigures, Fault, PartFigures, colors_of, faults_of
from .channel_names import split
from .rule import PARTLY_DECODED, Finite, Natural, Outcome, Parameters, Undecided, Violation, pixel_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Parameters):
    """The largest value that is allowed."""

    limit: Finite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLimit(Parameters):
    """The largest number of samples of a pixel."""

    max: Natural = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePixels:
    """The statistics of a file, and the faults that `check` reports.

    Rules do not name numbers of pixels: equal findings of a sequence are one.
    """

    channels: Sequence[ChannelStatsRow]
    colors: frozenset[tuple[int, str]]  # part and name of the channels that are seen
    faults: Sequence[Fault]
    undecided: tuple[Undecided, ...]  # if not all pixels were decoded

    def violations(self, kind: str, expected: str, actual: str) -> Iterator[Outcome]:
        """The faults of a kind as violations."""
        for fault in self.faults:
            if fault.kind == kind:
                channel_name = fault.channel_name or ""
                yield Violation(expected, actual, channel_name=channel_name, part_index=fault.part_index)


def pixels_of(parts: Sequence[PartFacts], report: PixelReport) -> FilePixels:
    """The statistics of a file that rules need."""
    figures = {row.part_index: _part_figures(parts[row.part_index], row) for row in part_stats_rows(report)}
    return file_pixels(list(channel_stats_rows(parts, report)), figures, is_whole=is_evaluated(report))


def file_pixels(channels: Sequence[ChannelStatsRow], parts: Mapping[int, PartFigures], *, is_whole: bool) -> FilePixels:
    """As `pixels_of`, from rows; `is_whole`: all pixels were decoded that can be."""
    figures = [ChannelFigures(**{name: getattr(row, name) for name in ChannelFigures._fields}) for row in channels]
    return FilePixels(
        channels=channels,
        colors=frozenset((each.part_index, each.channel_name) for each in colors_of(figures)),
        faults=list(faults_of(figures, parts, is_evaluated=is_whole)),
        undecided=() if is_whole else (PARTLY_DECODED,),
    )


def _part_figures(part: PartFacts, row: PartStatsRow) -> PartFigures:
    return PartFigures(part.level_mode, part.chunk_count, part.chunks_present, row.empty_regions, row.errors)


@pixel_rule(801, "error", "report on pixels")
def nan(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """No value is NaN."""
    return pixels.violations("nan", "numbers", "NaN")


@pixel_rule(802, "error", "report on pixels")
def infinity(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """No value is infinite; those of depth channels may be positive."""
    return pixels.violations("infinity", "finite values", "infinity")


@pixel_rule(803, "warning", "common practice")
def negative_color(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """No color is negative."""
    for row in pixels.channels:
        if row.negative_count and (row.part_index, row.channel_name) in pixels.colors:
            yield Violation("0 or more", "negative", channel_name=row.channel_name, part_index=row.part_index)


@pixel_rule(804, "warning", "common practice")
def black_frame(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """The image is not black."""
    return pixels.violations("black", "an image", "black")


@pixel_rule(805, "warning", "common practice")
def constant_frame(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """The image has several colors."""
    return pixels.violations("constant", "several colors", "one color")


@pixel_rule(806, "warning", "HALF has no numbers above 65504", Limit)
def value_limit(pixels: FilePixels, given: Limit) -> Iterator[Outcome]:
    """No value is above the limit, or the largest number of its pixel type without one."""
    for row in pixels.channels:
        if given.limit is None:
            is_above, expected = row.max_finite_count > 0, "less than the largest number of its type"
        else:
            is_above, expected = row.max is not None and row.max > given.limit, f"at most {given.limit:g}"
        if is_above:
            yield Violation(expected, "larger", channel_name=row.channel_name, part_index=row.part_index)


@pixel_rule(807, "warning", "OpenEXR: Technical Introduction")
def alpha_range(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """Alpha is from 0 to 1."""
    for row in pixels.channels:
        if split(row.channel_name)[1] == "A" and (row.negative_count or row.above_one_count):
            actual = "negative" if row.negative_count else "above 1"
            yield Violation("0 to 1", actual, channel_name=row.channel_name, part_index=row.part_index)


@pixel_rule(808, "warning", "common practice", SampleLimit)
def samples_per_pixel(pixels: FilePixels, given: SampleLimit) -> Iterator[Outcome]:
    """No pixel of a deep part has too many samples."""
    counts = {row.part_index: row.samples_max for row in pixels.channels if row.samples_max is not None}
    for part_index, count in counts.items():
        if count > given.max:
            yield Violation(f"at most {given.max} samples", "more", part_index=part_index)


@pixel_rule(809, "error", "damaged chunks")
def undecodable_chunks(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """All chunks can be decoded."""
    return pixels.violations("undecodable", "chunks that can be decoded", "damaged")


@pixel_rule(811, "warning", "common practice")
def unrendered_region(pixels: FilePixels, _: Parameters) -> Iterator[Outcome]:
    """No lines or tiles inside the image are zero between others that are filled."""
    return pixels.violations("empty", "an image without gaps", "empty regions")
