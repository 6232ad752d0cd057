-- title: Compression
-- question: Which compressions are in use, for how much data, and with which ratio?
-- empty: the catalog has no files
-- note: `ratio` is unpacked bytes per packed byte, of complete flat parts with one resolution level.
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT
        p.*,
        coalesce(f.sequence, f.file_path_normalized) AS render,
        -- The data window gives the pixels of these parts only, not of deep, mip-mapped or incomplete ones.
        p.chunks_present = p.chunk_count
            AND NOT p.is_deep
            AND coalesce(p.level_mode, 'ONE_LEVEL') = 'ONE_LEVEL' AS is_plain
    FROM parts AS p
    JOIN files AS f USING (file_id)
    WHERE f.is_current AND f.deleted_at IS NULL
      AND starts_with(f.file_path_normalized, $path.prefix) AND regexp_matches(f.file_path_normalized, $path.regex)
),
pixels AS (  -- in floating point: the area of a window in a damaged header may exceed 64 bits
    SELECT
        c.file_id,
        c.part_index,
        sum(CASE c.channel_type WHEN 'HALF' THEN 2 ELSE 4 END
            * CASE WHEN c.x_sampling = 1 THEN p.width::DOUBLE ELSE
                floor((p.data_x_offset + p.width - 1) / c.x_sampling) - ceil(p.data_x_offset / c.x_sampling) + 1 END
            * CASE WHEN c.y_sampling = 1 THEN p.height::DOUBLE ELSE
                floor((p.data_y_offset + p.height - 1) / c.y_sampling) - ceil(p.data_y_offset / c.y_sampling) + 1 END
        ) AS bytes
    FROM current AS p
    JOIN channels AS c USING (file_id, part_index)
    WHERE p.is_plain AND c.x_sampling > 0 AND c.y_sampling > 0
    GROUP BY ALL
),
totals AS (
    SELECT
        coalesce(c.compression, 'unknown') AS compression,
        count(DISTINCT c.file_id) AS files,
        count(DISTINCT c.render) AS renders,
        count(*) AS parts,
        sum(c.packed_bytes)::BIGINT AS packed_bytes,
        round(sum(x.bytes) / nullif(sum(c.packed_bytes) FILTER (WHERE x.bytes IS NOT NULL), 0), 2) AS ratio
    FROM current AS c
    LEFT JOIN pixels AS x USING (file_id, part_index)
    GROUP BY 1
)
SELECT *, round(packed_bytes / (SELECT nullif(sum(packed_bytes), 0) FROM totals), 4) AS share
FROM totals
ORDER BY packed_bytes DESC NULLS LAST, compression
