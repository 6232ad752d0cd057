-- title: Cryptomatte manifests
-- question: Which Cryptomattes do the renders have, how large are their manifests, and how many objects do they name?
-- empty: no file has a Cryptomatte
-- note: `share` is the part of the files' bytes that the manifests take. A manifest larger than a catalog cell is cut: its
-- note: number of objects is an estimate, and it is not checked. `broken` counts invalid manifests: not
-- note: JSON, not an object of names and eight-digit ids, or a name with two ids.
-- completed: The SQL fetches each distinct manifest once, as `text`; `exr-inspector report` reads it, adds `objects` and
-- completed: `broken`, and prints one row for each render and Cryptomatte, without the last five columns of the SQL.
-- param path path = *: only files that this path, URI or pattern selects
WITH renders AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render, size_bytes
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
fields AS (  -- cryptomatte/KEY/FIELD; the first attribute of a name counts
    SELECT
        file_id,
        part_index,
        regexp_extract(attr_name, '(?s)^cryptomatte/([^/]*)/(.*)$', ['key', 'field']) AS name,
        arg_min({
            'text': CASE
                WHEN attr_type = 'timecode' THEN NULL
                WHEN attr_name LIKE '%/manifest' THEN sha256(value_text)  -- thousands of files may have the same one
                ELSE value_text
            END,
            'size_bytes': size_bytes,
            'is_cut': truncated
        }, attr_index) AS attribute
    FROM attributes
    WHERE attr_name LIKE 'cryptomatte/%/%'
    GROUP BY ALL
),
mattes AS (
    SELECT
        file_id,
        part_index,
        coalesce(any_value(attribute.text) FILTER (WHERE name.field = 'name'), name.key) AS cryptomatte,
        any_value(attribute.text) FILTER (WHERE name.field = 'manif_file') AS manif_file,
        any_value(attribute.text) FILTER (WHERE name.field = 'manifest') AS manifest_hash,
        any_value(attribute.size_bytes) FILTER (WHERE name.field = 'manifest') AS manifest_bytes,
        coalesce(any_value(attribute.is_cut) FILTER (WHERE name.field = 'manifest'), false) AS is_cut
    FROM fields
    GROUP BY file_id, part_index, name.key
),
sized AS (
    SELECT
        render,
        mattes.*,
        size_bytes / count(*) OVER (PARTITION BY file_id, cryptomatte) AS file_bytes  -- parts may repeat a manifest
    FROM mattes
    JOIN renders USING (file_id)
),
totals AS (
    SELECT
        render,
        cryptomatte,
        count(*) AS manifests,
        bool_or(is_cut) AS is_estimate,
        max(manifest_bytes) AS largest_bytes,
        coalesce(sum(manifest_bytes), 0)::BIGINT AS bytes,
        round(coalesce(sum(manifest_bytes), 0) / nullif(sum(file_bytes), 0), 4) AS share,  -- of the files
        string_agg(DISTINCT manif_file, ', ' ORDER BY manif_file) AS sidecar
    FROM sized
    GROUP BY render, cryptomatte
),
uses AS (  -- of one manifest by one Cryptomatte of a render
    SELECT
        render,
        cryptomatte,
        manifest_hash,
        manifest_bytes,
        is_cut,
        count(*) AS times,
        row_number() OVER (PARTITION BY manifest_hash, manifest_bytes, is_cut ORDER BY render, cryptomatte) = 1 AS is_first
    FROM sized
    GROUP BY render, cryptomatte, manifest_hash, manifest_bytes, is_cut
),
manifests AS (
    SELECT sha256(value_text) AS manifest_hash, any_value(value_text) AS text
    FROM attributes
    WHERE attr_name LIKE 'cryptomatte/%/manifest'
    GROUP BY ALL
)
SELECT
    totals.*,
    uses.times,
    uses.manifest_hash,
    uses.manifest_bytes,
    uses.is_cut,
    manifests.text  -- once for each manifest, in the first row that has it
FROM totals
JOIN uses USING (render, cryptomatte)
LEFT JOIN manifests ON manifests.manifest_hash = uses.manifest_hash AND uses.is_first
ORDER BY render, cryptomatte, manifest_hash
