-- title: Attribute pivot
-- question: Which camera, software and artist made each render, and how long did a frame take?
-- empty: the catalog has no files
-- note: Render times are parsed from the formats of common renderers. `share` is the part of the total render time.
-- param camera list = cameraModel,unreal/cameraName,vrayInfo/camera,rs/camera,camera,Camera: attributes, the preferred first
-- param artist list = artist,Artist,exif:Artist,author,owner,user,unreal/jobAuthor,vrayInfo/username: attributes, the preferred first
-- param render_time list = arnold/stats/time/render,vrayInfo/rendertime,RenderTime,husk:render_stats: attributes, the preferred first
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
named AS (
    SELECT file_id, attr_name, trim(coalesce(value_text, value_json)) AS value
    FROM attributes
    WHERE list_contains($camera::VARCHAR[] || $artist::VARCHAR[] || $render_time::VARCHAR[], attr_name)
      AND trim(coalesce(value_text, value_json)) <> ''
),
picked AS (  -- of several attributes the first one in the list
    SELECT
        file_id,
        arg_min(value, (list_position($camera::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($camera::VARCHAR[], attr_name)) AS camera,
        arg_min(value, (list_position($artist::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($artist::VARCHAR[], attr_name)) AS artist,
        arg_min(value, (list_position($render_time::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($render_time::VARCHAR[], attr_name)) AS render_time
    FROM named
    GROUP BY file_id
),
parsed AS (  -- the numbers in each format of a render time
    SELECT
        file_id,
        render_time,
        regexp_extract(render_time, '^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$', ['h', 'm', 's']) AS clock,
        regexp_extract(render_time, '^(?:([\d.]+) *h)? *(?:([\d.]+) *m)? *(?:([\d.]+) *s)?$', ['h', 'm', 's']) AS units,
        regexp_extract(render_time, '"rendertime": *([\d.]+)', 1) AS husk
    FROM picked
),
seconds AS (
    SELECT
        file_id,
        coalesce(
            try_cast(render_time AS DOUBLE),
            try_cast(husk AS DOUBLE),
            try_cast(clock.s AS DOUBLE) + 60 * try_cast(clock.m AS DOUBLE)
                + 3600 * coalesce(try_cast(clock.h AS DOUBLE), 0),
            CASE WHEN units.h || units.m || units.s <> '' THEN
                coalesce(try_cast(units.s AS DOUBLE), 0) + 60 * coalesce(try_cast(units.m AS DOUBLE), 0)
                    + 3600 * coalesce(try_cast(units.h AS DOUBLE), 0)
            END
        ) AS render_seconds
    FROM parsed
),
programs AS (
    SELECT file_id, min(renderer) AS renderer, min(render_software) AS software
    FROM parts
    GROUP BY file_id
),
totals AS (
    SELECT
        c.render,
        count(*) AS files,
        string_agg(DISTINCT p.camera, ', ' ORDER BY p.camera) AS camera,
        string_agg(DISTINCT p.artist, ', ' ORDER BY p.artist) AS artist,
        string_agg(DISTINCT g.renderer, ', ' ORDER BY g.renderer) AS renderer,
        string_agg(DISTINCT g.software, ', ' ORDER BY g.software) AS software,
        -- decimals add up exactly: a sum of doubles depends on their order, which differs from run to run
        round(sum(try_cast(s.render_seconds AS DECIMAL(18, 6)))::DOUBLE / count(s.render_seconds), 1) AS mean_seconds,
        max(s.render_seconds) AS most_seconds,
        sum(try_cast(s.render_seconds AS DECIMAL(18, 6))) AS total_seconds
    FROM current AS c
    LEFT JOIN picked AS p USING (file_id)
    LEFT JOIN seconds AS s ON s.file_id = c.file_id AND s.render_seconds BETWEEN 0 AND 1e9  -- values come from text
    LEFT JOIN programs AS g USING (file_id)
    GROUP BY c.render
)
SELECT
    * EXCLUDE (total_seconds),
    round(total_seconds::DOUBLE / 3600, 4) AS total_hours,
    round(total_seconds::DOUBLE / (SELECT nullif(sum(total_seconds), 0) FROM totals)::DOUBLE, 4) AS share
FROM totals
ORDER BY total_seconds DESC NULLS LAST, render
