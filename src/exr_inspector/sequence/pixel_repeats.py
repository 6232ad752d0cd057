"""Frames that have the pixels of another frame of their sequence, by the digests in a catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog import Catalog
from .frames import CURRENT
from .pixel_outliers import NEWEST

# Sequences of which more than a third of the frames repeat are static, held (as animation on twos) or loops. Files
# whose channels are all constant, such as black frames, are equal without being the same picture.
# Digests do not tell where the pixels are.
_REPEATS = f"""
    WITH digests AS (
        SELECT file_id, string_agg(pixel_digest || ' ' || data_window, ' ' ORDER BY part_index) AS pixels
        FROM part_stats {NEWEST.format(table="part_stats")}
        JOIN (SELECT file_id, part_index, data_window FROM parts) USING (file_id, part_index)
        GROUP BY file_id HAVING count(*) = count(pixel_digest)
    ), compared AS MATERIALIZED (
        SELECT sequence, frame, frame_number, file_path_normalized, file_id, pixels
        FROM files JOIN digests USING (file_id)
        WHERE {CURRENT} AND sequence IS NOT NULL AND {{selected}}
    ), repeating AS (
        SELECT sequence FROM compared GROUP BY sequence HAVING count(DISTINCT pixels) < count(*)
    ), frames AS (
        SELECT *,
               count(*) OVER (PARTITION BY sequence) AS frames,
               lag(pixels) OVER (PARTITION BY sequence ORDER BY frame_number, frame) AS pixels_before,
               first(frame) OVER (PARTITION BY sequence, pixels ORDER BY frame_number, frame) AS first_frame,
               row_number() OVER (PARTITION BY sequence, pixels ORDER BY frame_number, frame) AS occurrence
        FROM compared SEMI JOIN repeating USING (sequence)
    )
    SELECT sequence, frame, file_path_normalized, pixels = pixels_before AS is_frozen, first_frame
    FROM frames
    WHERE occurrence > 1 AND file_id IN (
        SELECT file_id FROM channel_stats {NEWEST.format(table="channel_stats")} WHERE min < max
    )
    QUALIFY 3 * count(*) OVER (PARTITION BY sequence) <= frames
    ORDER BY sequence, frame_number, frame, file_path_normalized
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedPixels:
    """A frame with the pixels of an earlier frame."""

    sequence: str
    frame: str
    file_path_normalized: str
    is_frozen: bool  # the pixels are those of the frame before
    first_frame: str  # with these pixels


def repeated_pixels(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> list[RepeatedPixels]:
    """The frames among the files that a condition selects that repeat, in sequences of which few frames do."""
    rows = catalog.sql(_REPEATS.format(selected=selected), parameters)
    return [RepeatedPixels(**row) for row in rows.to_pylist()]
