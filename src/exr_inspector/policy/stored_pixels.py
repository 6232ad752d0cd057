"""The statistics of pixels in a catalog, as rules about pixels and sequences read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from ..catalog import IS_NEWEST, Catalog
from ..inspection.model import PartFacts
from ..inspection.pixel_rows import ChannelStatsRow, PartStatsRow
from ..sequence.pixel_faults import PartFigures
from .rules_pixels import FilePixels, file_pixels

_CHANNELS = f"""
    SELECT file_id, evaluated_at, {", ".join(ChannelStatsRow._fields)}
    FROM channel_stats SEMI JOIN wanted USING (file_id) QUALIFY {IS_NEWEST}
    ORDER BY file_id, part_index, channel_name
"""  # noqa: S608 (constants)
_PARTS = f"""
    SELECT file_id, {", ".join(PartStatsRow._fields)}
    FROM part_stats SEMI JOIN wanted USING (file_id) QUALIFY {IS_NEWEST}
    ORDER BY file_id, part_index
"""  # noqa: S608 (constants)


class StoredPixels(NamedTuple):
    """The statistics of a file; `is_whole`: all pixels were decoded that can be."""

    channels: list[ChannelStatsRow]
    parts: list[PartStatsRow]
    is_whole: bool

    def figures(self, parts: Sequence[PartFacts]) -> FilePixels:
        """What rules about pixels need."""
        results = {row.part_index: row for row in self.parts}
        figures = {}
        for part in parts:
            row = results.get(part.part_index) or PartStatsRow(part.part_index, None, None)
            counts = part.chunk_count, part.chunks_present
            figures[part.part_index] = PartFigures(part.level_mode, *counts, row.empty_regions, row.errors)
        return file_pixels(self.channels, figures, is_whole=self.is_whole)


def stored_pixels(catalog: Catalog, wanted: pa.Table) -> dict[str, StoredPixels]:
    """The newest statistics of the files in a table of their file_id, for those that have any."""
    tables = {"wanted": wanted}
    return _by_file(catalog.sql(_CHANNELS, tables=tables), catalog.sql(_PARTS, tables=tables))


def pixels_of_batches(catalog: Catalog, batches: Mapping[str, int]) -> dict[str, StoredPixels]:
    """The statistics of files in their batches, by file_id."""
    found = catalog.statistics(batches)
    order = ["file_id", "part_index", "channel_name"]
    channels, parts = found["channel_stats"], found["part_stats"]
    return _by_file(
        channels.sort_by([(name, "ascending") for name in order]),
        parts.sort_by([(name, "ascending") for name in order[:2]]),
    )


def _by_file(channels: pa.Table, parts: pa.Table) -> dict[str, StoredPixels]:
    of_parts: dict[str, list[PartStatsRow]] = defaultdict(list)
    for file_id, *figures in _rows(parts["file_id"], *(parts[name] for name in PartStatsRow._fields)):
        of_parts[file_id].append(PartStatsRow(*figures))
    found: dict[str, StoredPixels] = {}
    # Rows of versions that did not count errors do not tell whether all pixels were decoded.
    shown = channels["file_id"], channels["evaluated_at"].is_valid(), channels["decode_errors"].is_valid()
    for file_id, is_whole, is_counted, *figures in _rows(*shown, *(channels[name] for name in ChannelStatsRow._fields)):
        if not is_counted:
            of_parts.pop(file_id, None)
            continue
        if file_id not in found:
            found[file_id] = StoredPixels([], of_parts.pop(file_id, []) if is_whole else [], is_whole)
        found[file_id].channels.append(ChannelStatsRow(*figures))
    # What is left are files without channels: parts have rows if all pixels were decoded that can be.
    return {file_id: StoredPixels([], of_file, True) for file_id, of_file in of_parts.items()} | found


def _rows(*columns: pa.ChunkedArray) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in columns), strict=True)
