-- title: Files with a given channel composition
-- question: Which files have these channels, and not those?
-- empty: no file has such channels
-- param has list: shell patterns; each must match a channel, as R,G,B,A or *.Z
-- param lacks list =: shell patterns; none may match a channel
-- param only list = *: shell patterns; each channel must match one
-- param path text = *: only files whose path this shell pattern matches
WITH compositions AS (
    SELECT
        f.file_id,
        f.file_path_normalized,
        f.size_bytes,
        f.multipart_count,
        list(c.channel_name ORDER BY c.part_index, c.channel_index) AS names,
        string_agg(DISTINCT c.channel_type, ', ' ORDER BY c.channel_type) AS types
    FROM files AS f
    JOIN channels AS c USING (file_id)
    WHERE f.is_current AND f.deleted_at IS NULL AND f.file_path_normalized GLOB $path
    GROUP BY ALL
)
SELECT
    file_path_normalized AS path,
    multipart_count AS parts,
    len(names) AS channels,
    types,
    size_bytes AS bytes,
    array_to_string(names, ' ') AS channel_names
FROM compositions
WHERE len(list_filter($has::VARCHAR[], lambda p: len(list_filter(names, lambda n: n GLOB p)) = 0)) = 0
  AND len(list_filter($lacks::VARCHAR[], lambda p: len(list_filter(names, lambda n: n GLOB p)) > 0)) = 0
  AND len(list_filter(names, lambda n: len(list_filter($only::VARCHAR[], lambda p: n GLOB p)) = 0)) = 0
ORDER BY path
