-- title: Cryptomatte manifests
-- question: Which Cryptomattes are there, how large are their manifests, and how many objects do they name?
-- empty: there are no Cryptomattes
-- note: The share is that of the files they stand in. Of a manifest larger than a cell of the catalog the first part
-- note: is kept, and the number of objects is an estimate from it. Broken: manifests that are no JSON object.
-- param path text = *: only files whose path this shell pattern matches
WITH fields AS (  -- cryptomatte/KEY/FIELD
    SELECT
        file_id,
        part_index,
        split_part(attr_name, '/', 2) AS key,
        regexp_extract(attr_name, '^cryptomatte/[^/]+/(.+)$', 1) AS field,
        value_text,
        size_bytes,
        truncated
    FROM attributes
    WHERE attr_name LIKE 'cryptomatte/%'
),
mattes AS (
    SELECT
        file_id,
        part_index,
        key,
        any_value(value_text) FILTER (WHERE field = 'name') AS name,
        any_value(value_text) FILTER (WHERE field = 'manif_file') AS manif_file,
        any_value(value_text) FILTER (WHERE field = 'manifest') AS manifest,
        any_value(size_bytes) FILTER (WHERE field = 'manifest') AS manifest_bytes,
        coalesce(any_value(truncated) FILTER (WHERE field = 'manifest'), false) AS is_cut
    FROM fields
    GROUP BY ALL
),
counted AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY file_id, coalesce(name, key)) AS of_file,  -- parts may repeat a manifest
        CASE
            -- A cell holds the first part of a long manifest: its names are counted, and the rest presumed alike.
            WHEN is_cut THEN round(
                len(regexp_extract_all(manifest, '" *: *"[0-9A-Fa-f]{8}"'))
                * manifest_bytes / nullif(strlen(manifest), 0))::BIGINT
            WHEN json_valid(manifest) THEN
                CASE json_type(manifest) WHEN 'OBJECT' THEN len(list_distinct(json_keys(manifest))) END
        END AS objects
    FROM mattes
)
SELECT
    coalesce(f.sequence, f.file_path_normalized) AS render,
    coalesce(c.name, c.key) AS cryptomatte,
    count(*) AS manifests,
    max(c.objects) AS objects,
    bool_or(c.is_cut) AS is_estimate,
    max(c.manifest_bytes) AS largest_bytes,
    coalesce(sum(c.manifest_bytes), 0)::BIGINT AS bytes,
    round(coalesce(sum(c.manifest_bytes), 0) / nullif(sum(f.size_bytes / c.of_file), 0), 4) AS share,  -- of the files they stand in
    count(*) FILTER (WHERE c.manifest IS NOT NULL AND c.objects IS NULL) AS broken,
    string_agg(DISTINCT c.manif_file, ', ' ORDER BY c.manif_file) AS sidecar
FROM counted AS c
JOIN files AS f USING (file_id)
WHERE f.is_current AND f.deleted_at IS NULL AND f.file_path_normalized GLOB $path
GROUP BY 1, 2
ORDER BY largest_bytes DESC NULLS LAST, objects DESC NULLS LAST, render, cryptomatte
