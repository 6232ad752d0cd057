-- title: Incomplete and missing frames
-- question: Which frames are missing, damaged, invalid or unreadable?
-- empty: no missing, damaged, invalid or unreadable frames
-- note: An invalid frame is complete, but its header has errors; `exr-inspector inspect` lists them.
-- note: A sequence on every second, third … frame has no gaps between these frames, and the UDIM tiles of a texture have
-- note: none at all. `exr-inspector sequences` lists missing sub-frames too.
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT
        file_id,
        sequence,
        frame,
        frame_number,
        file_path_normalized,
        CASE WHEN completeness = 'complete' AND problem_severity = 'error' THEN 'invalid' ELSE completeness END
            AS status,
        chunk_count,
        chunks_present
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
unreadable AS (
    SELECT sequence, frame, frame_number, file_path_normalized, message || ' (' || code || ')' AS reason
    FROM ingest_errors AS e
    WHERE starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
      AND NOT EXISTS (SELECT 1 FROM files AS f WHERE f.file_path_normalized = e.file_path_normalized AND f.is_current)
),
textures AS (
    SELECT file_id FROM parts WHERE level_mode IN ('MIPMAP_LEVELS', 'RIPMAP_LEVELS')
    UNION ALL
    SELECT file_id FROM attributes WHERE attr_name IN ('textureformat', 'wrapmodes')
),
all_frames AS (
    SELECT sequence, frame_number, frame, file_id IN (SELECT file_id FROM textures) AS is_texture FROM current
    UNION ALL
    SELECT sequence, frame_number, frame, NULL FROM unreadable
),
frames AS (  -- of the sequences whose gaps are those of whole frames
    SELECT DISTINCT sequence, frame_number
    FROM all_frames
    WHERE sequence IN (
        SELECT sequence
        FROM all_frames
        GROUP BY sequence
        HAVING NOT coalesce(bool_and(is_texture AND frame_number BETWEEN 1001 AND 9999), false)
           AND NOT bool_or(contains(frame, '.'))
    )
),
gaps AS (  -- distance to the next frame; null for the last frame
    SELECT
        sequence,
        frame_number,
        lead(frame_number) OVER (PARTITION BY sequence ORDER BY frame_number) - frame_number AS gap
    FROM frames
),
steps AS (  -- the most frequent distance, of several the first
    SELECT sequence, gap AS step, count(*) AS times
    FROM gaps
    WHERE gap IS NOT NULL
    GROUP BY sequence, gap
    QUALIFY row_number() OVER (PARTITION BY sequence ORDER BY count(*) DESC, min(frame_number)) = 1
),
sequences AS (  -- the step is 1 unless all frames are on it
    SELECT
        g.sequence,
        CASE WHEN s.times > 1 AND bool_and(g.gap % s.step = 0) THEN s.step ELSE 1 END AS step,
        max(g.frame_number + g.gap) - min(g.frame_number) AS span
    FROM gaps AS g
    JOIN steps AS s USING (sequence)
    WHERE g.gap IS NOT NULL
    GROUP BY g.sequence, s.step, s.times
),
incomplete AS (
    SELECT file_id, string_agg(
        CASE WHEN part_index > 0 THEN 'part ' || part_index || ': ' ELSE '' END || missing,
        '; ' ORDER BY part_index) AS missing
    FROM parts
    WHERE missing IS NOT NULL
    GROUP BY file_id
),
problems AS (
    SELECT
        g.sequence AS render,
        g.frame_number + r.step AS frame_number,
        'missing' AS problem,
        CASE WHEN g.gap = 2 * r.step THEN (g.frame_number + r.step)::VARCHAR
             ELSE (g.frame_number + r.step) || '-' || (g.frame_number + g.gap - r.step)
                  || CASE WHEN r.step > 1 THEN 'x' || r.step ELSE '' END
        END AS frames,
        g.gap // r.step - 1 AS frame_count,
        '' AS detail
    FROM gaps AS g
    JOIN sequences AS r USING (sequence)
    -- Numbers with a larger span are seeds or job numbers, not frames.
    WHERE g.gap > r.step AND r.span // r.step <= 1000000
    UNION ALL
    SELECT
        coalesce(c.sequence, c.file_path_normalized), c.frame_number, c.status, coalesce(c.frame, ''), 1,
        CASE WHEN c.status = 'invalid' THEN 'the header has errors'
             ELSE concat_ws('; ', c.chunks_present || ' of ' || c.chunk_count || ' chunks', 'missing ' || l.missing)
        END
    FROM current AS c
    LEFT JOIN incomplete AS l USING (file_id)
    WHERE c.status <> 'complete'
    UNION ALL
    SELECT
        coalesce(sequence, file_path_normalized), frame_number, 'unreadable',
        coalesce(frame, ''), 1, reason
    FROM unreadable
)
SELECT problem, render, frames, frame_count, detail
FROM problems
ORDER BY render, frame_number, problem
