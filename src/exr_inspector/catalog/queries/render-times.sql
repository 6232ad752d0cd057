-- title: Render times
-- question: How long did each frame render, on which host, and when?
-- empty: no file of the selection has a render time in its header
-- note: Render times are parsed from the formats of common renderers. `seconds` is the mean of a render's frames, `share`
-- note: the part of the total render time, `rendered` the date in the header, of the last frame for a render; for a header
-- note: without a date that can be parsed, the modification time of the file.
-- param per frame|render = frame: list every frame, or every render
-- param render_time list = arnold/stats/time/render,vrayInfo/rendertime,RenderTime,husk:render_stats: attributes, the preferred first
-- param host list = arnold/host/name,HostComputer,hostname,Hostname,host: attributes, the preferred first
-- param date list = arnold/stats/date,capDate,DateTime,Date,vrayInfo/date: attributes, the preferred first
-- param time list = vrayInfo/time: attributes with the time of day for a date without one
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render, frame, frame_number, mtime
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
named AS (
    SELECT file_id, attr_name, trim(coalesce(value_text, value_json)) AS value
    FROM attributes
    WHERE list_contains($render_time::VARCHAR[] || $host::VARCHAR[] || $date::VARCHAR[] || $time::VARCHAR[], attr_name)
      AND trim(coalesce(value_text, value_json)) <> ''
),
picked AS (  -- of several attributes the first one in the list
    SELECT
        file_id,
        arg_min(value, (list_position($render_time::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($render_time::VARCHAR[], attr_name)) AS render_time,
        arg_min(value, (list_position($host::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($host::VARCHAR[], attr_name)) AS host,
        arg_min(value, (list_position($date::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($date::VARCHAR[], attr_name)) AS date,
        arg_min(value, (list_position($time::VARCHAR[], attr_name), value))
            FILTER (WHERE list_contains($time::VARCHAR[], attr_name)) AS time
    FROM named
    GROUP BY file_id
),
parsed AS (  -- the numbers in each format of a render time
    SELECT
        *,
        regexp_extract(render_time, '^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$', ['h', 'm', 's']) AS clock,
        regexp_extract(render_time, '^(?:([\d.]+) *h)? *(?:([\d.]+) *m)? *(?:([\d.]+) *s)?$', ['h', 'm', 's']) AS units,
        regexp_extract(render_time, '"rendertime": *([\d.]+)', 1) AS husk
    FROM picked
),
seconds AS (
    SELECT
        *,
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
timed AS (
    SELECT
        c.*,
        s.host,
        -- decimals add up exactly: a sum of doubles depends on their order, which differs from run to run
        try_cast(s.render_seconds AS DECIMAL(18, 6)) AS seconds,
        coalesce(
            try_strptime(s.date || ' ' || s.time, ['%Y-%m-%d %H:%M:%S', '%Y/%b/%d %H:%M:%S']),
            try_strptime(s.date, [
                '%Y-%m-%d %H:%M:%S', '%Y:%m:%d %H:%M:%S', '%Y/%m/%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%d', '%Y/%b/%d'
            ]),
            c.mtime
        ) AS rendered
    FROM current AS c
    JOIN seconds AS s USING (file_id)
    WHERE s.render_seconds BETWEEN 0 AND 1e9  -- values come from text
)
SELECT
    render,
    any_value(CASE WHEN $per = 'frame' THEN frame END) AS frame,
    CASE WHEN $per = 'render' THEN count(*) END AS frames,
    round(sum(seconds)::DOUBLE / count(*), 2) AS seconds,
    CASE WHEN $per = 'render' THEN max(seconds)::DOUBLE END AS most_seconds,
    CASE WHEN $per = 'render' THEN round(sum(seconds)::DOUBLE / 3600, 4) END AS total_hours,
    string_agg(DISTINCT host, ', ' ORDER BY host) AS host,
    max(rendered) AS rendered,
    round(sum(seconds)::DOUBLE / (SELECT nullif(sum(seconds), 0) FROM timed)::DOUBLE, 4) AS share
FROM timed
GROUP BY render, CASE WHEN $per = 'frame' THEN file_id END
ORDER BY CASE WHEN $per = 'render' THEN sum(seconds) END DESC NULLS LAST, render, min(frame_number), frame, min(file_id)
