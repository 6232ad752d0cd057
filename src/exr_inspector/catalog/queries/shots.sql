-- title: Shows, sequences, shots and frames
-- question: How many files, frames and bytes does each show, sequence, shot or frame have, and how many are damaged?
-- empty: the catalog has no files
-- note: Files whose path does not match the path template are in the row without names.
-- param level show|sequence|shot|frame = shot: group by
-- param template template =: positions of show, sequence and shot in a path; empty: the setting path_template
-- param path path = *: only files that this path, URI or pattern selects
WITH all_files AS (
    SELECT
        file_path_normalized,
        sequence AS render,
        frame_number,
        try_cast(frame AS DOUBLE) AS frame,  -- sub-frames too: 1001.25
        size_bytes,
        completeness
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
    UNION ALL
    SELECT file_path_normalized, sequence, frame_number, try_cast(frame AS DOUBLE), size_bytes, 'unreadable'
    FROM ingest_errors AS e
    WHERE starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
      AND NOT EXISTS (SELECT 1 FROM files AS f WHERE f.file_path_normalized = e.file_path_normalized AND f.is_current)
),
located AS (
    SELECT
        *,
        nullif(regexp_extract(file_path_normalized, $template.show, 1), '') AS in_show,
        nullif(regexp_extract(file_path_normalized, $template.sequence, 1), '') AS in_sequence,
        nullif(regexp_extract(file_path_normalized, $template.shot, 1), '') AS in_shot
    FROM all_files
),
totals AS (
    SELECT
        in_show AS show,  -- null if the template does not match
        CASE WHEN $level <> 'show' THEN in_sequence END AS sequence,
        CASE WHEN $level IN ('shot', 'frame') THEN in_shot END AS shot,
        CASE WHEN $level = 'frame' THEN frame_number END AS frame,
        count(*) AS files,
        count(DISTINCT coalesce(render, file_path_normalized)) AS renders,
        count(DISTINCT located.frame) AS frames,
        min(frame_number) AS first_frame,
        max(frame_number) AS last_frame,
        count(*) FILTER (WHERE completeness IN ('incomplete', 'truncated', 'corrupt')) AS damaged,
        count(*) FILTER (WHERE completeness = 'unreadable') AS unreadable,
        coalesce(sum(size_bytes), 0)::BIGINT AS bytes
    FROM located
    GROUP BY 1, 2, 3, 4
)
SELECT *, round(bytes / (SELECT nullif(sum(bytes), 0) FROM totals), 4) AS share
FROM totals AS t
ORDER BY t.show NULLS LAST, t.sequence NULLS LAST, t.shot NULLS LAST, t.frame NULLS LAST
