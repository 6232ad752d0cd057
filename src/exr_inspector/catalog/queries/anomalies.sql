-- title: Anomalies
-- question: Which files are large, deep, uncompressed, have many channels, or differ from the rest of their sequence?
-- empty: no anomalies
-- note: An outlier has a structure hash (a hash of the header without values that change per frame) that differs from
-- note: most frames of its sequence; `exr-inspector outliers` lists the fields.
-- param large_bytes integer = 1000000000: size from which a file is large
-- param large_times number = 3: multiple of the median size of its sequence above which a file is large
-- param many_channels integer = 64: number of channels from which a file has many
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT
        file_id,
        coalesce(sequence, file_path_normalized) AS render,
        coalesce(frame, '') AS frame,
        frame_number,
        size_bytes,
        is_deep,
        channel_count,
        median(size_bytes) OVER s AS median_bytes,
        count(*) OVER s AS frames,
        count(*) OVER (PARTITION BY coalesce(sequence, file_path_normalized), structure_hash) AS alike
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
    WINDOW s AS (PARTITION BY coalesce(sequence, file_path_normalized))
),
anomalies AS (
    SELECT *, 'large' AS anomaly, 'median ' || median_bytes::BIGINT || ' bytes' AS detail
    FROM current
    WHERE size_bytes >= $large_bytes OR (frames > 1 AND size_bytes > $large_times * median_bytes)
    UNION ALL
    SELECT *, 'deep', ''
    FROM current
    WHERE is_deep
    UNION ALL
    SELECT *, 'uncompressed', ''
    FROM current
    WHERE file_id IN (SELECT file_id FROM parts WHERE compression = 'NONE')
    UNION ALL
    SELECT *, 'many channels', channel_count || ' channels'
    FROM current
    WHERE channel_count >= $many_channels
    UNION ALL
    -- Without a majority no frame is an outlier.
    SELECT *, 'outlier', 'header differs from most of ' || frames || ' frames'
    FROM current
    WHERE 2 * alike < frames
      AND render IN (SELECT render FROM current WHERE 2 * alike > frames)
)
SELECT
    anomaly,
    render,
    count(*) AS files,
    array_to_string(list(frame ORDER BY frame_number, frame)[:8], ' ')
        || CASE WHEN count(*) > 8 THEN ' …' ELSE '' END AS frames,
    sum(size_bytes)::BIGINT AS bytes,
    detail
FROM anomalies
GROUP BY anomaly, render, detail
ORDER BY anomaly, bytes DESC, render, detail
