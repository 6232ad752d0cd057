-- title: Deep images by renderer
-- question: Which renderers write deep images, how many, and of which size?
-- empty: no deep images
-- note: Sample counts need pixel statistics: `exr-inspector ingest --stats`.
-- param path path = *: only files that this path, URI or pattern selects
WITH deep AS (
    SELECT
        p.file_id,
        p.part_index,
        coalesce(p.renderer, 'unknown') AS renderer,
        p.part_type,
        p.compression,
        p.packed_bytes,
        coalesce(f.sequence, f.file_path_normalized) AS render
    FROM parts AS p
    JOIN files AS f USING (file_id)
    WHERE p.is_deep AND f.is_current AND f.deleted_at IS NULL
      AND starts_with(f.file_path_normalized, $path.prefix) AND regexp_matches(f.file_path_normalized, $path.regex)
),
samples AS (  -- per pixel; equal for all channels of a deep part
    SELECT file_id, part_index, max(samples_max) AS most, max(samples_mean) AS mean
    FROM channel_stats
    WHERE samples_max IS NOT NULL
    GROUP BY ALL
),
names AS (
    SELECT
        d.renderer, d.part_type, d.compression,
        string_agg(DISTINCT c.channel_name, ' ' ORDER BY c.channel_name) AS channels
    FROM deep AS d
    JOIN channels AS c USING (file_id, part_index)
    GROUP BY ALL
),
totals AS (
    SELECT
        d.renderer,
        d.part_type AS type,
        d.compression,
        count(DISTINCT d.file_id) AS files,
        count(DISTINCT d.render) AS renders,
        sum(d.packed_bytes)::BIGINT AS packed_bytes,
        round(sum(try_cast(s.mean AS DECIMAL(18, 6)))::DOUBLE / count(s.mean), 2) AS samples_per_pixel,
        max(s.most) AS most_samples,
        any_value(n.channels) AS channels
    FROM deep AS d
    LEFT JOIN samples AS s USING (file_id, part_index)
    LEFT JOIN names AS n
        ON n.renderer = d.renderer
       AND n.part_type IS NOT DISTINCT FROM d.part_type
       AND n.compression IS NOT DISTINCT FROM d.compression
    GROUP BY d.renderer, d.part_type, d.compression
)
SELECT *, round(packed_bytes / (SELECT nullif(sum(packed_bytes), 0) FROM totals), 4) AS share
FROM totals
ORDER BY packed_bytes DESC NULLS LAST, renderer, type, compression
