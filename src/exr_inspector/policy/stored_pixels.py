"""The statistics of pixels in a catalog, as rules about pixels and sequences read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from ..catalog import Catalog
from ..inspection.model import PartFacts
from ..inspection.pixel_rows import ChannelStatsRow, PartStatsRow
from ..sequence.pixel_faults import PartFigures
from .rules_pixels import FilePixels, file_pixels

_NEWEST = "QUALIFY coalesce(batch_id, 0) = max(coalesce(batch_id, 0)) OVER (PARTITION BY file_id)"
# Rows of versions that did not count errors do not tell whether all pixels were decoded.
_CHANNELS = f"""
    SELECT file_id, evaluated_at IS NOT NULL AS is_whole, decode_errors IS NOT NULL AS is_counted,
           {", ".join(ChannelStatsRow._fields)}
    FROM channel_stats SEMI JOIN wanted USING (file_id) {_NEWEST}
    ORDER BY file_id, part_index, channel_name
"""  # noqa: S608 (constants)
_PARTS = f"""
    SELECT file_id, {", ".join(PartStatsRow._fields)} FROM part_stats SEMI JOIN wanted USING (file_id) {_NEWEST}
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
    parts: dict[str, list[PartStatsRow]] = defaultdict(list)
    for file_id, *figures in _rows(catalog.sql(_PARTS, tables={"wanted": wanted})):
        parts[file_id].append(PartStatsRow(*figures))
    found: dict[str, StoredPixels] = {}
    for file_id, is_whole, is_counted, *figures in _rows(catalog.sql(_CHANNELS, tables={"wanted": wanted})):
        if not is_counted:
            parts.pop(file_id, None)
            continue
        if file_id not in found:
            found[file_id] = StoredPixels([], parts.pop(file_id, []) if is_whole else [], is_whole)
        found[file_id].channels.append(ChannelStatsRow(*figures))
    # What is left are files without channels: parts have rows if all pixels were decoded that can be.
    return {file_id: StoredPixels([], of_file, True) for file_id, of_file in parts.items()} | found


def _rows(table: pa.Table) -> list[tuple]:  # type: ignore[type-arg]
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
