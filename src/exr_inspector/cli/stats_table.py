"""The figures of decoded pixels as text: a line for each channel. Text from files is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.text import Text

from ..exr import split_name
from ..inspection.model import Inspection
from ..inspection.pixel_rows import ChannelStatsRow, channel_stats_rows, error_texts
from ..inspection.value_text import region_text
from ..pixels.model import LayerStats, PartStats, SampleCounts
from .listing import Column, Listing
from .text import clean

# Of a file in the table of `inspect`.
FILE_COLUMNS = ("nan", "inf", "negative", "undecoded")

_NUMBERS = frozenset({"min", "max", "mean", "stddev", "nan", "inf", "negative", "histogram"})
# On a terminal, in this order below the names; those from the end are left out first if it is narrow.
_OPTIONAL = ("histogram", "nan", "inf", "negative", "stddev")
_BLOCKS, _ASCII = "·▁▂▃▄▅▆▇█", ".:-=+*#%@"  # no value; shares of the largest bin


class StatsLine(NamedTuple):
    """The cells of a channel; None: no value."""

    file: str | None
    part: str | None
    channel: str | None
    min: str | None = None
    max: str | None = None
    mean: str | None = None
    stddev: str | None = None
    nan: str | None = None
    inf: str | None = None
    negative: str | None = None
    histogram: tuple[int, ...] = ()
    used_window: str | None = None
    empty_regions: str | None = None
    alpha: str | None = None
    samples_per_pixel: str | None = None
    stride: str | None = None
    undecoded: str | None = None


COLUMNS = StatsLine._fields
_NOTES = {"used_window": "used window ", "empty_regions": "zero between filled pixels: ", "alpha": "",
          "samples_per_pixel": "samples per pixel: ", "stride": "one run of chunks is decoded of every ",
          "undecoded": "not decoded: "}  # fmt: skip


def stats_lines(inspection: Inspection) -> list[StatsLine]:
    """A line for each channel; one for a part without channels whose pixels cannot be decoded, or a deep part.

    Deep parts have a line for each channel, too, if they are decoded.
    """
    report = inspection.pixels
    assert report is not None
    rows: dict[int, list[ChannelStatsRow]] = {}
    for row in channel_stats_rows(inspection.parts, report):
        rows.setdefault(row.part_index, []).append(row)
    return [line for part in report.parts for line in _part_lines(inspection, part, rows.get(part.part_index, ()))]


def _part_lines(inspection: Inspection, part: PartStats, rows: Sequence[ChannelStatsRow]) -> Iterator[StatsLine]:
    facts = inspection.parts[part.part_index]
    several = len(inspection.parts) > 1
    line = StatsLine(
        file=clean(inspection.file.file_path),
        part=clean(facts.part_name or str(part.part_index)) if several else None,
        channel=None,
        used_window="empty" if part.is_empty else part.used_window and "[{},{},{},{}]".format(*part.used_window),
        empty_regions="; ".join(map(region_text, part.empty_regions)) or None,
        samples_per_pixel=None if part.deep is None else _samples_text(part.deep),
        stride=str(part.stride) if part.stride > 1 else None,
        undecoded=error_texts(part.errors) or None,
    )
    if not rows and part.errors:
        yield line
    if part.deep is not None and part.deep.total and not part.errors and not any(row.sample_count for row in rows):
        yield line._replace(samples_per_pixel=f"{line.samples_per_pixel}; --deep decodes their values")
        return
    histograms = {channel.channel_name: channel.histogram for channel in part.channels}
    layers = {layer.layer: layer for layer in part.layers}
    for row in rows:
        layer, component = split_name(row.channel_name)
        decoded = row.sample_count > 0
        yield line._replace(
            channel=clean(row.channel_name),
            min=_number(row.min),
            max=_number(row.max),
            mean=_number(row.mean),
            stddev=_number(row.stddev),
            nan=f"{row.nan_count:,}" if decoded else None,
            inf=f"{row.pos_inf_count + row.neg_inf_count:,}" if decoded else None,
            negative=f"{row.negative_count:,}" if decoded else None,
            histogram=histograms.get(row.channel_name, ()),
            alpha=_alpha_text(layers[layer]) if component == "A" and layer in layers else None,
        )


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.5g}"


def _samples_text(counts: SampleCounts) -> str:
    return (
        f"{counts.min:,} to {counts.max:,}, mean {counts.mean:.4g}, {counts.total:,} in all, most at "
        f"{counts.max_x},{counts.max_y}, {counts.empty_pixels:,} pixels without samples"
    )


def _alpha_text(layer: LayerStats) -> str | None:
    counts = {
        "below 0": layer.alpha_negative_count,
        "above 1": layer.alpha_above_one_count,
        "at 0 with color": layer.color_without_alpha_count,
    }
    return ", ".join(f"{count:,} {words}" for words, count in counts.items() if count) or None


def stats_for_people(lines: Sequence[StatsLine], *, blocks: bool) -> list[Listing | Text]:
    """A table for each part below its name, which leaves the width to the figures; below it, its other figures."""
    shown: list[Listing | Text] = []
    for (file, part), group in groupby(lines, lambda line: (line.file, line.part)):
        if heading := ", ".join(filter(None, (file, part))):
            shown.append(Text(heading, style="bold", overflow="fold"))
        shown += _section([line._replace(file=None, part=None) for line in group], blocks=blocks)
    return shown


def _section(lines: Sequence[StatsLine], *, blocks: bool) -> list[Listing | Text]:
    filled = [name for name in COLUMNS if name not in _NOTES and any(getattr(line, name) for line in lines)]
    columns = [*(name for name in filled if name not in _OPTIONAL), *(name for name in _OPTIONAL if name in filled)]
    notes: dict[tuple[str, ...], None] = {}  # that of a part is in the line of each channel
    for line in lines:
        for name, words in _NOTES.items():
            if value := getattr(line, name):
                notes[name, f"{line.channel}: {value}" if name == "alpha" else f"{words}{value}"] = None
    styles = {"undecoded": "bold red", "alpha": "yellow", "empty_regions": "yellow"}
    return [
        *([_table(lines, columns, blocks=blocks, are_chosen=False)] if columns else []),
        *(Text(note, style=styles.get(name, "")) for name, note in notes),
    ]


def stats_table(lines: Sequence[StatsLine], columns: Sequence[str] | None = None, *, blocks: bool) -> Listing:
    """One line per channel, with these columns of COLUMNS; histograms in block characters or in ASCII."""
    return _table(lines, columns or COLUMNS, blocks=blocks, are_chosen=columns is not None)


def _table(lines: Sequence[StatsLine], columns: Sequence[str], *, blocks: bool, are_chosen: bool) -> Listing:
    shown = []
    for name in columns:
        values = [getattr(line, name) for line in lines]
        cells = [_bars(value, blocks=blocks) for value in values] if name == "histogram" else values
        is_alarming = name in ("nan", "inf") and any(cell and cell != "0" for cell in cells)
        shown.append(
            Column(
                name=name,
                cells=cells,
                styles=["bold red" if cell and cell != "0" else "" for cell in cells]
                if name in ("nan", "inf", "undecoded")
                else (),
                is_path=name == "file",
                is_number=name in _NUMBERS,
                is_optional=not are_chosen and name in _OPTIONAL and not is_alarming,
            )
        )
    return Listing(columns=shown)


def _bars(histogram: Sequence[int], *, blocks: bool) -> str | None:
    """A histogram in 20 characters: negative values and zeros; values below 1; values from 1, two stops each.

    The first and the last of the positive values stand for all smaller and all larger ones. Programs that split lines
    at blanks get it as one word.
    """
    if not any(histogram):
        return None
    negative, zero, *positive = histogram
    half = len(positive) // 2
    below, above = positive[:half], positive[half:]
    groups = (
        [negative, zero],
        [below[0], *map(sum, zip(below[1::2], below[2::2], strict=True))],
        [*map(sum, zip(above[:-1:2], above[1:-1:2], strict=True)), above[-1]],
    )
    most = max(map(max, groups))
    levels, gap = (_BLOCKS, " ") if blocks else (_ASCII, "|")
    return gap.join("".join(levels[-(-count * (len(levels) - 1) // most)] for count in group) for group in groups)


def file_cells(inspection: Inspection) -> tuple[str, ...]:
    """The cells of one file, in the order of FILE_COLUMNS: the counts of all channels, and what is not decoded."""
    report = inspection.pixels
    assert report is not None
    channels = [channel for part in report.parts for channel in part.channels]
    return (
        f"{sum(channel.nan_count for channel in channels):,}",
        f"{sum(channel.pos_inf_count + channel.neg_inf_count for channel in channels):,}",
        f"{sum(channel.negative_count for channel in channels):,}",
        error_texts(report.errors),
    )
