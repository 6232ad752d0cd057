"""Faults in the pixels of single files, by the statistics in a catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..catalog import Catalog
from ..pixels.model import ENDLESS_CHANNELS
from .frames import CURRENT
from .pixel_outliers import NEWEST

_IS_COLOR = r"regexp_matches(channel_name, '(?i)^((.*\.)?(beauty|combined|rgba?)\.)?[RGBY]$') AND samples_total IS NULL"

# The color channels of a file are R, G and B, or Y, without a layer or in one with a usual name, of the first part with
# such channels; other parts and layers may be empty. Backgrounds of depth channels may be infinitely far away.
_FAULTS = f"""
    WITH suspects AS (
        SELECT DISTINCT file_id FROM channel_stats
        WHERE nan_count > 0 OR pos_inf_count > 0 OR neg_inf_count > 0 OR decode_errors > 0
              OR (min = max AND {_IS_COLOR})
    ), part_results AS (
        SELECT * FROM part_stats {NEWEST.format(table="part_stats")}
        WHERE errors IS NOT NULL OR empty_regions <> '[]'
    ), stats AS (
        SELECT channel_stats.*, {_IS_COLOR} AS is_color,
               if(regexp_matches(channel_name, '{ENDLESS_CHANNELS}'), 0, pos_inf_count) + neg_inf_count AS inf_count
        FROM (SELECT * FROM channel_stats SEMI JOIN suspects USING (file_id)) AS channel_stats
        JOIN (
            SELECT file_id, max(batch_id) AS batch_id FROM channel_stats SEMI JOIN suspects USING (file_id)
            GROUP BY file_id
        ) USING (file_id, batch_id)
    ), colors AS (
        SELECT * FROM stats WHERE is_color QUALIFY part_index = min(part_index) OVER (PARTITION BY file_id)
    ), faults AS (
        SELECT file_id, 'nan' AS kind, part_index, channel_name, nan_count AS number,
               first_nonfinite_x AS x, first_nonfinite_y AS y, NULL AS detail
        FROM stats WHERE nan_count > 0
        UNION ALL
        SELECT file_id, 'infinity', part_index, channel_name, inf_count, first_nonfinite_x, first_nonfinite_y, NULL
        FROM stats WHERE inf_count > 0
        UNION ALL
        SELECT file_id, if(bool_and(zero_count = sample_count), 'black', 'constant'), part_index,
               NULL, NULL, NULL, NULL, NULL
        FROM colors GROUP BY file_id, part_index
        HAVING bool_and(min = max AND finite_count = sample_count AND sample_count > 1 AND stride = 1
                        AND decode_errors = 0 AND evaluated_at IS NOT NULL)
               AND (count(*) >= 3 OR bool_or(suffix(upper(channel_name), 'Y')))
        UNION ALL
        SELECT file_id, 'undecodable', part_index, NULL, max(decode_errors), NULL, NULL, any_value(errors)
        FROM stats LEFT JOIN part_results USING (file_id, batch_id, part_index)
        WHERE decode_errors > 0 GROUP BY file_id, part_index
        UNION ALL
        SELECT file_id, 'empty', part_index, NULL, NULL, NULL, NULL, empty_regions
        FROM part_results WHERE empty_regions <> '[]'
    )
    SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, frame_number, file_path_normalized, kind,
           part_index, channel_name,
           -- missing chunks, which are damage of the file, cannot be decoded either
           if(kind = 'undecodable', number - coalesce(parts.chunk_count - parts.chunks_present, 0), number) AS number,
           x, y, detail
    FROM faults JOIN files USING (file_id) LEFT JOIN parts USING (file_id, part_index)
    WHERE {CURRENT} AND {{selected}}
          AND NOT (kind IN ('black', 'constant', 'empty')
                   AND coalesce(level_mode IN ('MIPMAP_LEVELS', 'RIPMAP_LEVELS'), false))
          AND NOT (kind = 'undecodable' AND number <= coalesce(parts.chunk_count - parts.chunks_present, 0))
    ORDER BY sequence, kind, part_index, channel_name, detail, frame_number, frame, file_path_normalized
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFault:
    """A fault in the pixels of a file."""

    sequence: str  # or the URI of a file without a frame number
    frame: str | None
    file_path_normalized: str
    kind: str  # nan, infinity, black, constant, undecodable or empty
    part_index: int
    channel_name: str | None  # None: all color channels, or all channels
    number: int | None  # of values, or of chunks
    x: int | None  # of the first NaN or infinity
    y: int | None
    detail: str | None  # of `part_stats`, as JSON: the errors, or the empty regions


def pixel_faults(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> list[PixelFault]:
    """The faults of the files that a condition selects, by sequence, kind, part, channel, detail and frame."""
    rows = catalog.sql(_FAULTS.format(selected=selected), parameters).to_pylist()
    return [PixelFault(**{name: row[name] for name in PixelFault.__slots__}) for row in rows]
