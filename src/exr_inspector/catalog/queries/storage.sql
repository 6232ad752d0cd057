-- title: Storage by show and layer
-- question: Which shows and layers take how much storage?
-- empty: the catalog has no files
-- note: The bytes of a file with several names (hard or symbolic links) are counted for the first of them.
-- note: Files whose path does not match the path template are in the row without names.
-- param template template =: positions of show and layer in a path; empty: the setting path_template
-- param path path = *: only files that this path, URI or pattern selects
WITH located AS (
    SELECT
        nullif(regexp_extract(file_path_normalized, $template.show, 1), '') AS show,
        nullif(regexp_extract(file_path_normalized, $template.layer, 1), '') AS layer,
        coalesce(sequence, file_path_normalized) AS render,
        size_bytes,
        inode IS NOT NULL AND row_number() OVER (
            PARTITION BY inode, size_bytes, mtime, header_hash ORDER BY file_path_normalized
        ) > 1 AS is_link
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
totals AS (
    SELECT
        p.show,  -- null if the template does not match
        p.layer,
        count(DISTINCT render) AS renders,
        count(*) AS files,
        round(avg(size_bytes))::BIGINT AS mean_bytes,
        max(size_bytes) AS largest_bytes,
        coalesce(sum(size_bytes) FILTER (WHERE NOT is_link), 0)::BIGINT AS bytes
    FROM located AS p
    GROUP BY p.show, p.layer
)
SELECT *, round(bytes / (SELECT nullif(sum(bytes), 0) FROM totals), 4) AS share
FROM totals AS t
ORDER BY bytes DESC, t.show, t.layer
