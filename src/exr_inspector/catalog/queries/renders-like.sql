-- title: Renders like a reference
-- question: Which renders are most similar to a file, by header or by channels?
-- empty: the file is not in the catalog, or there is no other file to compare
-- note: `similarity` is the cosine of the angle between the vectors: 1 for equal vectors.
-- param reference file: file_id, path or URI of the file
-- param by metadata|channels = metadata: vectors to compare
-- param per sequence|file = sequence: list the nearest frame of each sequence, or every file
-- param limit integer = 10: maximum number of rows
-- param path path = *: only files that this path, URI or pattern selects
WITH reference AS (
    SELECT file_id, file_path_normalized, metadata_embedding, channel_fingerprint, embedding_version
    FROM files
    WHERE file_id = $reference.given
       OR (is_current AND deleted_at IS NULL
           AND (file_path_normalized = $reference.uri OR file_path = $reference.given))
    ORDER BY file_id = $reference.given DESC, file_id
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
    JOIN reference AS r ON r.embedding_version = f.embedding_version  -- versions are not comparable
    WHERE f.is_current AND f.deleted_at IS NULL
      AND f.file_path_normalized <> r.file_path_normalized
      AND starts_with(f.file_path_normalized, $path.prefix) AND regexp_matches(f.file_path_normalized, $path.regex)
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
