-- title: Multi-layer renders
-- question: Which renders carry several layers, and which?
-- empty: no render has so many layers
-- note: Channels without a layer count for that of their part's name, or in a file of one part for the layer `-`.
-- param at_least integer = 2: layers
-- param path text = *: only files whose path this shell pattern matches
WITH file_layers AS (
    SELECT
        f.file_id,
        coalesce(f.sequence, f.file_path_normalized) AS render,
        f.size_bytes,
        f.multipart_count,
        f.channel_count,
        -- Some renderers write a part for each layer and no layer into its channels' names; - is the main layer.
        list_sort(list(DISTINCT coalesce(
            nullif(c.layer_name, ''), CASE WHEN f.multipart_count > 1 THEN p.part_name END, '-'))) AS layers
    FROM files AS f
    JOIN channels AS c USING (file_id)
    LEFT JOIN parts AS p ON p.file_id = c.file_id AND p.part_index = c.part_index
    WHERE f.is_current AND f.deleted_at IS NULL AND f.file_path_normalized GLOB $path
    GROUP BY ALL
)
SELECT
    render,
    count(*) AS files,
    multipart_count AS parts,
    len(layers) AS layers,
    channel_count AS channels,
    sum(size_bytes)::BIGINT AS bytes,
    array_to_string(layers, ' ') AS layer_names
FROM file_layers
WHERE len(layers) >= $at_least
GROUP BY render, multipart_count, layers, channel_count
ORDER BY layers DESC, render, files DESC, layer_names
