-- title: Cryptomatte manifests
-- question: Which Cryptomattes do the renders have, how large are their manifests, and how many objects do they name?
-- empty: no file has a Cryptomatte
-- note: `share` is the part of the files' bytes that the manifests take. A manifest larger than a catalog cell is cut: its
-- note: number of objects is an estimate, and it is not checked. `broken` counts invalid manifests: not
-- note: JSON, not an object of names and eight-digit ids, or a name with two ids.
-- param path text = *: only files whose path matches this shell pattern
WITH fields AS (  -- cryptomatte/KEY/FIELD; the first attribute of a name counts
    SELECT
        file_id,
        part_index,
        regexp_extract(attr_name, '(?s)^cryptomatte/([^/]*)/(.*)$', ['key', 'field']) AS name,
        arg_min(CASE WHEN attr_type <> 'timecode' THEN value_text END, attr_index) AS value_text,
        arg_min(size_bytes, attr_index) AS size_bytes,
        arg_min(truncated, attr_index) AS truncated
    FROM attributes
    WHERE attr_name LIKE 'cryptomatte/%/%'
    GROUP BY ALL
),
mattes AS (
    SELECT
        file_id,
        part_index,
        name.key AS key,
        any_value(value_text) FILTER (WHERE name.field = 'name') AS name,
        any_value(value_text) FILTER (WHERE name.field = 'manif_file') AS manif_file,
        any_value(value_text) FILTER (WHERE name.field = 'manifest') AS manifest,
        any_value(size_bytes) FILTER (WHERE name.field = 'manifest') AS manifest_bytes,
        coalesce(any_value(truncated) FILTER (WHERE name.field = 'manifest'), false) AS is_cut
    FROM fields
    GROUP BY ALL
),
valid AS (  -- DuckDB also accepts a comma after the last member, JSON does not
    SELECT
        *,
        CASE WHEN NOT is_cut AND json_valid(manifest) AND NOT regexp_matches(manifest, ',\s*\}\s*$')
            THEN manifest END AS object
    FROM mattes
),
parsed AS (  -- null unless the manifest is a JSON object
    SELECT
        *,
        CASE json_type(object) WHEN 'OBJECT' THEN json_keys(object) END AS names,
        CASE json_type(object) WHEN 'OBJECT' THEN json_extract(object, '$.*')::VARCHAR[] END AS ids
    FROM valid
),
counted AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY file_id, coalesce(name, key)) AS of_file,  -- parts may repeat a manifest
        CASE
            -- The names in the stored part are counted; the rest is assumed to have as many per byte.
            WHEN is_cut THEN round(
                len(regexp_extract_all(manifest, '" *: *"[0-9A-Fa-f]{8}"'))
                * manifest_bytes / nullif(strlen(manifest), 0))::BIGINT
            WHEN len(list_filter(ids, lambda id: NOT regexp_full_match(id, '"[0-9A-Fa-f]{8}"'))) = 0
                AND len(list_distinct(list_zip(names, list_transform(ids, lambda id: lower(id)))))
                    = len(list_distinct(names))
                THEN len(list_distinct(names))
        END AS objects
    FROM parsed
)
SELECT
    coalesce(f.sequence, f.file_path_normalized) AS render,
    coalesce(c.name, c.key) AS cryptomatte,
    count(*) AS manifests,
    max(c.objects) AS objects,
    bool_or(c.is_cut) AS is_estimate,
    max(c.manifest_bytes) AS largest_bytes,
    coalesce(sum(c.manifest_bytes), 0)::BIGINT AS bytes,
    round(coalesce(sum(c.manifest_bytes), 0) / nullif(sum(f.size_bytes / c.of_file), 0), 4) AS share,  -- of the files
    count(*) FILTER (WHERE c.manifest_bytes IS NOT NULL AND c.objects IS NULL) AS broken,
    string_agg(DISTINCT c.manif_file, ', ' ORDER BY c.manif_file) AS sidecar
FROM counted AS c
JOIN files AS f USING (file_id)
WHERE f.is_current AND f.deleted_at IS NULL AND f.file_path_normalized GLOB $path
GROUP BY 1, 2
ORDER BY largest_bytes DESC NULLS LAST, objects DESC NULLS LAST, render, cryptomatte
