-- title: Compression
-- question: Which compressions are in use, what do they hold, and how well do they pack?
-- empty: there are no files
-- note: Ratio: bytes of the unpacked pixels for one packed byte, of flat parts that are whole and have one level.
-- param path text = *: only files whose path this shell pattern matches
WITH current AS (
    SELECT
        p.*,
        coalesce(f.sequence, f.file_path_normalized) AS render,
        -- Of deep parts, mip maps and damaged parts the pixels are not those of the data window.
        p.chunks_present = p.chunk_count
            AND NOT p.is_deep
            AND coalesce(p.level_mode, 'ONE_LEVEL') = 'ONE_LEVEL' AS is_plain
    FROM parts AS p
    JOIN files AS f USING (file_id)
    WHERE f.is_current AND f.deleted_at IS NULL AND f.file_path_normalized GLOB $path
),
pixels AS (  -- in floating point: a damaged header can name windows whose area no 64 bits hold
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
        -- 2.0: unpacked, the pixels take twice the bytes
        round(sum(x.bytes) / nullif(sum(c.packed_bytes) FILTER (WHERE x.bytes IS NOT NULL), 0), 2) AS ratio
    FROM current AS c
    LEFT JOIN pixels AS x USING (file_id, part_index)
    GROUP BY 1
)
SELECT *, round(packed_bytes / (SELECT nullif(sum(packed_bytes), 0) FROM totals), 4) AS share
FROM totals
ORDER BY packed_bytes DESC NULLS LAST, compression
