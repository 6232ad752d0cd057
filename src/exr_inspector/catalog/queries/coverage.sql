-- title: Inspection coverage and staleness
-- question: How much of each show has been inspected, by which version, and how long ago?
-- empty: the catalog has no files
-- note: `share` is the inspected part of all files that are not deleted. `other_version` counts files inspected by
-- note: another version of exr-inspector than the last inspection, `without_vectors` files without current vectors.
-- param days integer = 30: age in days from which an inspection is stale
-- param now timestamp = now: time to which ages refer, in UTC
-- param template template =: position of the show in a path; empty: the setting path_template
-- param path path = *: only files that this path, URI or pattern selects
WITH newest AS (
    SELECT arg_max(inspector_version, last_inspected) AS inspector, max(embedding_version) AS embedding
    FROM files
),
known AS (
    SELECT
        file_path_normalized,
        deleted_at IS NOT NULL AS is_deleted,
        false AS is_unreadable,
        last_inspected,
        inspector_version,
        coalesce(embedding_version < (SELECT embedding FROM newest), true) AS lacks_vectors,
        validation_status IS NOT NULL AS is_validated
    FROM files
    WHERE is_current
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
    UNION ALL
    SELECT file_path_normalized, false, true, last_seen, NULL, NULL, NULL
    FROM ingest_errors AS e
    WHERE starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
      AND NOT EXISTS (SELECT 1 FROM files AS f WHERE f.file_path_normalized = e.file_path_normalized AND f.is_current)
),
located AS (
    SELECT
        *,
        nullif(regexp_extract(file_path_normalized, $template.show, 1), '') AS show,
        NOT is_deleted AND NOT is_unreadable AS is_inspected
    FROM known
)
SELECT
    p.show,  -- null if the template does not match
    count(*) FILTER (WHERE is_inspected) AS inspected,
    count(*) FILTER (WHERE is_unreadable) AS unreadable,
    count(*) FILTER (WHERE is_deleted) AS deleted,
    round(count(*) FILTER (WHERE is_inspected) / nullif(count(*) FILTER (WHERE NOT is_deleted), 0), 4) AS share,
    count(*) FILTER (WHERE is_inspected AND last_inspected < $now::TIMESTAMP - to_days($days::INTEGER)) AS stale,
    date_sub('day', min(last_inspected) FILTER (WHERE is_inspected), $now::TIMESTAMP) AS oldest_days,
    count(*) FILTER (WHERE is_inspected AND inspector_version <> (SELECT inspector FROM newest)) AS other_version,
    count(*) FILTER (WHERE is_inspected AND lacks_vectors) AS without_vectors,
    count(*) FILTER (WHERE is_inspected AND NOT is_validated) AS not_validated
FROM located AS p
GROUP BY p.show
ORDER BY inspected DESC, p.show
