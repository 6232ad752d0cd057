-- title: Renders like a reference
-- question: Which renders have a header, or a set of channels, most like those of this file?
-- empty: no current file has that file_id or path, or none other can be compared with it
-- note: Similarity: the cosine of the angle between the vectors, 1 for the same direction.
-- param reference text: its file_id, or its path
-- param by metadata|channels = metadata: what is compared: the vector of the whole header, or that of the channels
-- param per sequence|file = sequence: the nearest frame of each sequence, or every file
-- param limit integer = 10: rows at most
-- param path text = *: only files whose path this shell pattern matches
WITH reference AS (
    SELECT file_id, file_path_normalized, metadata_embedding, channel_fingerprint, embedding_version
    FROM files
    WHERE file_id = $reference
       OR (is_current AND deleted_at IS NULL
           AND (file_path_normalized IN ($reference, 'file://' || $reference) OR file_path = $reference))
    ORDER BY file_id = $reference DESC, file_id
    LIMIT 1
),
measured AS (
    SELECT
        f.file_id,
        f.file_path_normalized,
        f.sequence,
        round(CASE $by  -- the last digits depend on the processor
            WHEN 'channels' THEN array_cosine_distance(f.channel_fingerprint, r.channel_fingerprint)
            ELSE array_cosine_distance(f.metadata_embedding, r.metadata_embedding)
        END, 5) AS distance
    FROM files AS f
    JOIN reference AS r ON r.embedding_version = f.embedding_version  -- vectors of two versions mean different things
    WHERE f.is_current AND f.deleted_at IS NULL
      AND f.file_path_normalized <> r.file_path_normalized
      AND f.file_path_normalized GLOB $path
),
nearest AS (
    SELECT *
    FROM measured
    WHERE distance IS NOT NULL
    QUALIFY $per = 'file' OR row_number() OVER (
        PARTITION BY coalesce(sequence, file_path_normalized) ORDER BY distance, file_path_normalized) = 1
    ORDER BY distance, file_path_normalized
    LIMIT $limit
)
SELECT
    round((1 - n.distance)::DOUBLE, 4) AS similarity,
    n.file_path_normalized AS path,
    string_agg(DISTINCT p.renderer, ', ' ORDER BY p.renderer) AS renderer,
    string_agg(DISTINCT p.compression, ', ' ORDER BY p.compression) AS compression,
    n.file_id
FROM nearest AS n
LEFT JOIN parts AS p USING (file_id)
GROUP BY ALL
ORDER BY similarity DESC, path
