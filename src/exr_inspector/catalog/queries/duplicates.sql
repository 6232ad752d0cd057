-- title: Files with the same pixels
-- question: Which files have the same pixels as others, and how many bytes could be saved?
-- empty: no files with the same pixels
-- note: Files with the same number in `picture` have the same channels, data windows and pixels, whatever their compression,
-- note: tiles and attributes.
-- note: `saved_bytes`, in the first row of each picture, is what its larger files take: the smallest one is kept.
-- note: Several names of one file (hard or symbolic links) are one file, under the first of them.
-- param path path = *: only files that this path, URI or pattern selects
WITH digests AS (
    SELECT
        file_id,
        -- the digest does not tell where the pixels are
        string_agg(pixel_digest || ' ' || data_window, ' ' ORDER BY part_index) AS pixels,
        count(*) AS parts
    FROM part_stats
    JOIN (SELECT file_id, part_index, data_window FROM parts) USING (file_id, part_index)
    JOIN (SELECT file_id AS newest_of, max(batch_id) AS newest_batch FROM part_stats GROUP BY file_id)
      ON file_id = newest_of AND batch_id IS NOT DISTINCT FROM newest_batch
    GROUP BY file_id
    HAVING count(*) = count(pixel_digest)  -- it is null if not all pixels were decoded
),
located AS (
    SELECT
        file_path_normalized AS path,
        size_bytes,
        pixels,
        inode IS NOT NULL AND row_number() OVER (
            PARTITION BY inode, size_bytes, mtime, header_hash ORDER BY file_path_normalized
        ) > 1 AS is_link
    FROM files
    JOIN digests USING (file_id)
    WHERE is_current AND deleted_at IS NULL AND parts = multipart_count
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
pictures AS (
    SELECT
        pixels,
        min(path) AS first_path,
        count(*) AS files,
        (sum(size_bytes) - min(size_bytes))::BIGINT AS saved_bytes
    FROM located
    WHERE NOT is_link
    GROUP BY pixels
    HAVING count(*) > 1
)
SELECT
    dense_rank() OVER (ORDER BY p.saved_bytes DESC, p.first_path) AS picture,
    p.files,
    CASE WHEN l.path = p.first_path THEN p.saved_bytes END AS saved_bytes,
    l.path,
    l.size_bytes AS bytes
FROM pictures AS p
JOIN located AS l USING (pixels)
WHERE NOT l.is_link
ORDER BY picture, l.path
