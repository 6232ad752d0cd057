-- title: Render iterations over time
-- question: How often was each render repeated, when, and how did its size change?
-- empty: no path contains a version
-- note: `rewritten` counts files that were overwritten in place, `header_only` those of them whose pixels and data
-- note: windows stayed the same, where the catalog has their statistics; `bytes_more` is the change per iteration.
-- param at_least integer = 1: minimum number of iterations; 2 leaves out renders with one
-- param path path = *: only files that this path, URI or pattern selects
WITH digests AS (
    SELECT file_id, string_agg(pixel_digest || ' ' || data_window, ' ' ORDER BY part_index) AS pixels
    FROM part_stats
    JOIN (SELECT file_id, part_index, data_window FROM parts) USING (file_id, part_index)
    JOIN (SELECT file_id AS newest_of, max(batch_id) AS newest_batch FROM part_stats GROUP BY file_id)
      ON file_id = newest_of AND batch_id IS NOT DISTINCT FROM newest_batch
    GROUP BY file_id
    HAVING count(*) = count(pixel_digest)  -- it is null if not all pixels were decoded
),
versions AS (
    SELECT
        -- Equal for all versions of a render: v003 becomes v#, in folders and file names.
        regexp_replace(coalesce(sequence, file_path_normalized), '([/_.-][vV])[0-9]+', '\1#', 'g') AS render,
        -- The last version in the path; earlier ones may belong to a show or an asset.
        try_cast(regexp_extract_all(file_path_normalized, '[/_.-][vV]([0-9]+)', 1)[-1] AS BIGINT) AS version,
        file_path_normalized,
        is_current AND deleted_at IS NULL AS is_live,
        size_bytes,
        coalesce(mtime, inspection_timestamp) AS written,
        pixels = lag(pixels) OVER path AND header_hash <> lag(header_hash) OVER path AS is_header_only
    FROM files
    LEFT JOIN digests USING (file_id)
    WHERE regexp_matches(file_path_normalized, '[/_.-][vV][0-9]+')
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
    WINDOW path AS (PARTITION BY file_path_normalized ORDER BY inspection_timestamp, batch_id)
),
iterations AS (
    SELECT
        render,
        version,
        count(DISTINCT file_path_normalized) FILTER (WHERE is_live) AS files,
        count(*) - count(DISTINCT file_path_normalized) AS rewritten,
        count(*) FILTER (WHERE is_header_only) AS header_only,
        min(written) AS first_written,
        max(written) AS last_written,
        coalesce(sum(size_bytes) FILTER (WHERE is_live), 0)::BIGINT AS bytes
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
    header_only,
    bytes,
    bytes - lag(bytes) OVER r AS bytes_more
FROM iterations
WINDOW r AS (PARTITION BY render ORDER BY version)
QUALIFY count(*) OVER (PARTITION BY render) >= $at_least
ORDER BY render, version
