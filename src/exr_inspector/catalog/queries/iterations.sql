-- title: Render iterations over time
-- question: How often was a render made again, when, and how did its size change?
-- empty: no render has a version in its path
-- note: Rewritten: files that took the place of others of the same path. Bytes more: than the iteration before.
-- param at_least integer = 1: iterations; 2 leaves out what was rendered once
-- param path text = *: only files whose path this shell pattern matches
WITH versions AS (
    SELECT
        -- The same for all versions of a render: v003 becomes v#, in folders and in the file's name.
        regexp_replace(coalesce(sequence, file_path_normalized), '([/_.-][vV])[0-9]+', '\1#', 'g') AS render,
        -- The last one in the path, which is the render's own; a show or an asset may stand before it.
        try_cast(regexp_extract_all(file_path_normalized, '[/_.-][vV]([0-9]+)', 1)[-1] AS BIGINT) AS version,
        file_path_normalized,
        is_current AND deleted_at IS NULL AS is_there,
        size_bytes,
        coalesce(mtime, inspection_timestamp) AS written
    FROM files
    WHERE regexp_matches(file_path_normalized, '[/_.-][vV][0-9]+') AND file_path_normalized GLOB $path
),
iterations AS (
    SELECT
        render,
        version,
        count(DISTINCT file_path_normalized) FILTER (WHERE is_there) AS files,
        count(*) - count(DISTINCT file_path_normalized) AS rewritten,  -- files that took the place of others
        min(written) AS first_written,
        max(written) AS last_written,
        coalesce(sum(size_bytes) FILTER (WHERE is_there), 0)::BIGINT AS bytes
    FROM versions
    GROUP BY ALL
)
SELECT
    render,
    version,
    row_number() OVER r AS iteration,
    first_written,
    last_written,
    files,
    rewritten,
    bytes,
    bytes - lag(bytes) OVER r AS bytes_more
FROM iterations
WINDOW r AS (PARTITION BY render ORDER BY version)
QUALIFY count(*) OVER (PARTITION BY render) >= $at_least
ORDER BY render, version
