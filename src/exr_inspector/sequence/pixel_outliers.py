"""Frames whose pixels differ from those of the frames around them, from the statistics in a catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..catalog import MEASURED, Catalog, newest_rows
from .frames import CURRENT
from .neighbours import Floats, neighbour_outliers

_FIGURES = {"mean": "mean", "median": "p50", "stddev": "stddev"}  # by the name that is shown
_ROWS_PER_QUERY = 2_000_000  # 300 MB
_MOST_SHOWN = 4  # channels of a frame; renders have hundreds

_FRAMES = f"""
    WITH frames AS (
        SELECT file_id, hash(sequence) AS number, frame_number, frame
        FROM files
        WHERE {CURRENT} AND sequence IS NOT NULL AND {{selected}} AND hash(sequence) % {{pages}} = {{page}}
    )"""  # noqa: S608 (constants)

_EXTENT = f"""
    WITH selected AS (SELECT file_id FROM files WHERE {CURRENT} AND {{selected}})
    SELECT (SELECT count(*) FROM channel_stats SEMI JOIN selected USING (file_id)) AS row_count,
           (SELECT count(*) FROM selected ANTI JOIN ({MEASURED}) USING (file_id)) AS unmeasured
"""  # noqa: S608 (constants)

# The values of Cryptomattes are numbers of objects.
_CHANNELS = f"""{_FRAMES}
    SELECT file_id, part_index, channel_name, mean, p50, stddev, hash(number, part_index, channel_name) AS series
    FROM {newest_rows("channel_stats")} JOIN frames USING (file_id)
    WHERE mean IS NOT NULL AND decode_errors = 0 AND evaluated_at IS NOT NULL
          AND NOT regexp_matches(channel_name, '(?i)crypto')
    ORDER BY series, frame_number, frame
"""  # noqa: S608 (constants)

_USED_AREAS = f"""{_FRAMES}, windows AS (
        SELECT file_id, part_index, hash(number, part_index) AS series, frame_number, frame,
               CAST(width AS DOUBLE) * height AS area,
               CAST(string_split(trim(used_window, '[]'), ',') AS DOUBLE[]) AS used
        FROM {newest_rows("part_stats")} JOIN frames USING (file_id)
        JOIN (SELECT file_id, part_index, width, height FROM parts) USING (file_id, part_index)
        WHERE pixel_digest IS NOT NULL AND used_window <> '[]' AND width > 0 AND height > 0
    )
    SELECT file_id, part_index, series, (used[3] - used[1] + 1) * (used[4] - used[2] + 1) / area AS share
    FROM windows ORDER BY series, frame_number, frame
"""  # noqa: S608 (constants)

_FILES = """
    SELECT file_id, sequence, frame, frame_number, file_path_normalized FROM files JOIN outliers USING (file_id)
    ORDER BY sequence, frame_number, frame, file_path_normalized
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelOutlier:
    """A frame with figures that differ from those of its neighbours."""

    sequence: str
    frame: str
    file_path_normalized: str
    part_index: int
    figures: tuple[str, ...]  # such as `R mean 0.41, neighbours 0.18–0.19`, one for each channel
    used_area: str  # the same of the part of the data window that is not empty, if it is smaller; else empty

    def texts(self) -> Iterator[str]:
        """What differs in the part."""
        for text in filter(None, (*self.figures, self.used_area)):
            yield f"part {self.part_index}: {text}" if self.part_index else text

    def channels_text(self) -> str:
        """The figures of the first channels, and the number of the others; empty without any."""
        more = len(self.figures) - _MOST_SHOWN
        shown = "; ".join(self.figures[:_MOST_SHOWN])
        return f"{shown}; {more} more channels" if more > 0 else shown


class Extent(NamedTuple):
    """How many statistics a catalog has of some files."""

    row_count: int  # of channels, those of all batches
    unmeasured: int  # files without statistics, or with those of table version 3


def statistics_extent(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> Extent:
    """How many statistics there are of the files that a condition selects."""
    (row,) = catalog.sql(_EXTENT.format(selected=selected), parameters).to_pylist()
    return Extent(**row)


def pixel_outliers(
    catalog: Catalog, selected: str, parameters: Mapping[str, Any], row_count: int
) -> list[PixelOutlier]:
    """The outliers among the files that a condition selects, sorted by sequence, frame and part.

    `row_count` is that of `statistics_extent`.

    A frame is one if the mean, the median or the standard deviation of a channel is far from those of the six nearest
    frames, as `neighbours.py` defines it, or if its window of pixels that are not zero is much smaller than theirs.
    """
    outliers = _Outliers({}, {})
    pages = -(-row_count // _ROWS_PER_QUERY)
    for page in range(pages):
        outliers.add(catalog, parameters, selected=selected, pages=pages, page=page)
    parts: dict[str, list[int]] = defaultdict(list)
    for file_id, part_index in sorted({*outliers.figures, *outliers.used_areas}):
        parts[file_id].append(part_index)
    if not parts:
        return []
    files = catalog.sql(_FILES, None, {"outliers": pa.table({"file_id": pa.array(list(parts), pa.string())})})
    return [
        PixelOutlier(
            **{name: file[name] for name in ("sequence", "frame", "file_path_normalized")},
            part_index=part_index,
            figures=tuple(text for _, text in sorted(outliers.figures.get((file["file_id"], part_index), {}).items())),
            used_area=outliers.used_areas.get((file["file_id"], part_index), ""),
        )
        for file in files.to_pylist()
        for part_index in parts[file["file_id"]]
    ]


class _Outliers(NamedTuple):
    """The figures that differ from those of the neighbours, by file_id and part."""

    figures: dict[tuple[str, int], dict[str, str]]  # by channel
    used_areas: dict[tuple[str, int], str]

    def add(self, catalog: Catalog, parameters: Mapping[str, Any], **of_query: Any) -> None:
        """Add the outliers of one page of the sequences."""
        channels = catalog.sql(_CHANNELS.format(**of_query), parameters)
        for name, column in _FIGURES.items():
            for key, row, value in _outlying_rows(channels, column, "" if column == "stddev" else "stddev"):
                channel = str(channels["channel_name"][row])
                self.figures.setdefault(key, {}).setdefault(channel, f"{channel} {name} {value}")
        areas = catalog.sql(_USED_AREAS.format(**of_query), parameters)
        for row, text in smaller_areas(_numbers(areas, "share"), areas["series"].to_numpy()):
            self.used_areas[_key(areas, row)] = text


class _Value(NamedTuple):
    """A value that differs from those of its neighbours, and the range of most of them."""

    value: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        value, lowest, highest = (f"{number:.3g}" for number in self)
        return f"{value}, neighbours {lowest}" + (f"–{highest}" if highest != lowest else "")


def smaller_areas(shares: Floats, series: npt.NDArray[np.uint64]) -> Iterator[tuple[int, str]]:
    """The rows whose share of the data window that is not zero is smaller than those of their neighbours, with a text.

    Rows and series are those of `neighbour_outliers()`.
    """
    for row, share in _outlying_values(shares, series, np.zeros(len(shares))):
        if share.value < share.lowest:
            yield row, f"used area {share}"


def _outlying_rows(table: pa.Table, column: str, level: str = "") -> Iterator[tuple[tuple[str, int], int, _Value]]:
    """The values of a column that differ from their neighbours, with file_id and part, and row.

    Differences are also relative to the column `level`.
    """
    values = _numbers(table, column)
    levels = _numbers(table, level) if level else np.zeros(len(values))
    for row, value in _outlying_values(values, table["series"].to_numpy(), levels):
        yield _key(table, row), row, value


def _key(table: pa.Table, row: int) -> tuple[str, int]:
    return str(table["file_id"][row]), table["part_index"][row].as_py()


def _outlying_values(values: Floats, series: npt.NDArray[np.uint64], levels: Floats) -> Iterator[tuple[int, _Value]]:
    outliers = neighbour_outliers(values, series, levels)
    for row, lowest, highest in zip(*(column.tolist() for column in outliers), strict=True):
        yield row, _Value(values[row], lowest, highest)


def _numbers(table: pa.Table, column: str) -> Floats:
    numbers: Floats = table[column].cast(pa.float64()).to_numpy()
    return numbers
