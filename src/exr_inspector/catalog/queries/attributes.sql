-- title: Attribute pivot
-- question: Which camera, software and artist made each render, and when?
-- empty: the catalog has no files
-- note: `written` is the modification time of the last file; `render-times` has the dates of headers.
-- param camera list = cameraModel,unreal/cameraName,vrayInfo/camera,rs/camera,camera,Camera: attributes, the preferred first
-- param artist list = artist,Artist,exif:Artist,author,owner,user,unreal/jobAuthor,vrayInfo/username: attributes, the preferred first
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render, mtime
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
named AS (
    SELECT file_id, attr_name, trim(coalesce(value_text, value_json)) AS value
    FROM attributes
    WHERE list_contains($camera::VARCHAR[] || $artist::VARCHAR[], attr_name)
      AND trim(coalesce(value_text, value_json)) <> ''
),
picked AS (  -- of several attributes the first one in the list
    SELECT
        file_id,
        arg_min(value, (list_position($camera::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($camera::VARCHAR[], attr_name)) AS camera,
        arg_min(value, (list_position($artist::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($artist::VARCHAR[], attr_name)) AS artist
    FROM named
    GROUP BY file_id
),
programs AS (
    SELECT file_id, min(renderer) AS renderer, min(render_software) AS software
    FROM parts
    GROUP BY file_id
)
SELECT
    c.render,
    count(*) AS files,
    string_agg(DISTINCT p.camera, ', ' ORDER BY p.camera) AS camera,
    string_agg(DISTINCT p.artist, ', ' ORDER BY p.artist) AS artist,
    string_agg(DISTINCT g.renderer, ', ' ORDER BY g.renderer) AS renderer,
    string_agg(DISTINCT g.software, ', ' ORDER BY g.software) AS software,
    max(c.mtime) AS written
FROM current AS c
LEFT JOIN picked AS p USING (file_id)
LEFT JOIN programs AS g USING (file_id)
GROUP BY c.render
ORDER BY c.render
