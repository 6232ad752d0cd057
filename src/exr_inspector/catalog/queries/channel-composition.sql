-- title: Files by channel composition
-- question: Which files have certain channels, and lack others?
-- empty: no file matches
-- param has list = *: shell patterns, for example R,G,B,A or *.Z; each must match a channel
-- param lacks list =: shell patterns; none may match a channel
-- param only list = *: shell patterns; each channel must match one
-- param path path = *: only files that this path, URI or pattern selects
WITH wanted AS (
    SELECT DISTINCT unnest($has::VARCHAR[]) AS pattern
),
unwanted AS (
    SELECT unnest($lacks::VARCHAR[]) AS pattern
),
allowed AS (
    SELECT unnest($only::VARCHAR[]) AS pattern
),
names AS (  -- each name is matched once: thousands of files share it
    SELECT DISTINCT channel_name
    FROM channels
),
hits AS (
    SELECT DISTINCT c.file_id, w.pattern
    FROM channels AS c
    JOIN (SELECT n.channel_name, w.pattern FROM names AS n JOIN wanted AS w ON n.channel_name GLOB w.pattern) AS w
        USING (channel_name)
),
excluded AS (
    SELECT n.channel_name
    FROM names AS n
    WHERE EXISTS (SELECT 1 FROM unwanted AS u WHERE n.channel_name GLOB u.pattern)
       OR NOT EXISTS (SELECT 1 FROM allowed AS a WHERE n.channel_name GLOB a.pattern)
),
matching AS (
    SELECT file_id
    FROM hits
    WHERE file_id NOT IN (SELECT file_id FROM channels JOIN excluded USING (channel_name))
    GROUP BY file_id
    HAVING count(*) = (SELECT count(*) FROM wanted)
)
SELECT
    f.file_path_normalized AS path,
    f.multipart_count AS parts,
    f.channel_count AS channels,
    count(*) FILTER (WHERE c.channel_type = 'HALF') AS half,
    count(*) FILTER (WHERE c.channel_type = 'FLOAT') AS float,
    count(*) FILTER (WHERE c.channel_type = 'UINT') AS uint,
    f.size_bytes AS bytes
FROM matching AS m
JOIN files AS f USING (file_id)
JOIN channels AS c USING (file_id)
WHERE f.is_current AND f.deleted_at IS NULL
  AND starts_with(f.file_path_normalized, $path.prefix) AND regexp_matches(f.file_path_normalized, $path.regex)
GROUP BY f.file_id, f.file_path_normalized, f.multipart_count, f.channel_count, f.size_bytes
ORDER BY path
