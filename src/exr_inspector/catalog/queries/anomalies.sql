-- title: Anomalies
-- question: Which files are large, deep, uncompressed, full of channels, or unlike the rest of their sequence?
-- empty: nothing stands out
-- note: Odd one out: its structure hash, which leaves out what changes from frame to frame, is not that of most
-- note: frames of its sequence; `exr-inspector sequences` tells the field.
-- param large_bytes integer = 1000000000: from this size on a file is large
-- param large_times number = 3: a file so many times the median size of its sequence is large, too
-- param many_channels integer = 64: from this number on there are many
-- param path text = *: only files whose path this shell pattern matches
WITH current AS (
    SELECT
        file_id,
        coalesce(sequence, file_path_normalized) AS render,
        coalesce(frame, '') AS frame,
        frame_number,
        size_bytes,
        is_deep,
        channel_count,
        median(size_bytes) OVER s AS usual_bytes,
        count(*) OVER s AS frames,
        count(*) OVER (PARTITION BY coalesce(sequence, file_path_normalized), structure_hash) AS alike
    FROM files
    WHERE is_current AND deleted_at IS NULL AND file_path_normalized GLOB $path
    WINDOW s AS (PARTITION BY coalesce(sequence, file_path_normalized))
),
found AS (
    SELECT *, 'large' AS anomaly, 'usually ' || usual_bytes::BIGINT || ' bytes' AS detail
    FROM current
    WHERE size_bytes >= $large_bytes OR (frames > 1 AND size_bytes > $large_times * usual_bytes)
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
    -- The structure hash leaves out what changes from frame to frame; it says nothing where no majority shares one.
    SELECT *, 'odd one out', 'header unlike most of ' || frames || ' frames'
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
FROM found
GROUP BY anomaly, render, detail
ORDER BY anomaly, bytes DESC, render, detail
