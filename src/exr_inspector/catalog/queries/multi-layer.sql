-- title: Multi-layer renders
-- question: Which renders have several layers, and which layers?
-- empty: no render has this many layers
-- note: Channels without a layer belong to a layer named like their part, in single-part files to the layer `-`.
-- param at_least integer = 2: minimum number of layers
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT
        file_id,
        coalesce(sequence, file_path_normalized) AS render,
        size_bytes,
        multipart_count,
        channel_count
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
layers AS (
    SELECT DISTINCT
        c.file_id,
        coalesce(nullif(c.layer_name, ''), CASE WHEN f.multipart_count > 1 THEN p.part_name END, '-') AS layer
    FROM channels AS c
    JOIN current AS f USING (file_id)
    LEFT JOIN parts AS p ON p.file_id = c.file_id AND p.part_index = c.part_index
),
sets AS (
    SELECT file_id, count(*) AS layers, bit_xor(hash(layer)) AS layer_set
    FROM layers
    GROUP BY file_id
    HAVING count(*) >= $at_least
),
renders AS (
    SELECT
        f.render,
        count(*) AS files,
        f.multipart_count AS parts,
        s.layers,
        f.channel_count AS channels,
        sum(f.size_bytes)::BIGINT AS bytes,
        min(file_id) AS example
    FROM current AS f
    JOIN sets AS s USING (file_id)
    GROUP BY f.render, f.multipart_count, s.layers, f.channel_count, s.layer_set
)
SELECT
    r.render, r.files, r.parts, r.layers, r.channels, r.bytes,
    string_agg(l.layer, ' ' ORDER BY l.layer) AS layer_names
FROM renders AS r
JOIN layers AS l ON l.file_id = r.example
GROUP BY ALL
ORDER BY r.layers DESC, r.render, r.files DESC, layer_names
