-- title: Validation failures by shot
-- question: Which shots break the rules, and which rule most often?
-- empty: no file was validated
-- note: The share is that of the files of the shot that were validated.
-- param severity list = error,warning: the severities that count
-- param template template =: where the shot stands in a path; the setting path_template when it is empty
-- param path text = *: only files whose path this shell pattern matches
WITH current AS (
    SELECT
        file_id,
        nullif(regexp_extract(file_path_normalized, $template.show, 1), '') AS show,
        nullif(regexp_extract(file_path_normalized, $template.sequence, 1), '') AS sequence,
        nullif(regexp_extract(file_path_normalized, $template.shot, 1), '') AS shot
    FROM files
    WHERE is_current AND deleted_at IS NULL AND file_path_normalized GLOB $path
      AND (validation_status IS NOT NULL OR file_id IN (SELECT file_id FROM validation_results))
),
findings AS (
    SELECT file_id, rule_id, count(*) AS times
    FROM validation_results
    WHERE list_contains($severity::VARCHAR[], severity)
    GROUP BY ALL
),
rules AS (
    SELECT
        c.show, c.sequence, c.shot, f.rule_id,
        row_number() OVER (PARTITION BY c.show, c.sequence, c.shot ORDER BY count(*) DESC, f.rule_id) AS place
    FROM current AS c
    JOIN findings AS f USING (file_id)
    GROUP BY c.show, c.sequence, c.shot, f.rule_id
),
shots AS (
    SELECT
        c.show, c.sequence, c.shot,
        count(DISTINCT c.file_id) AS validated,
        count(DISTINCT f.file_id) AS failing,
        coalesce(sum(f.times), 0)::BIGINT AS findings
    FROM current AS c
    LEFT JOIN findings AS f USING (file_id)
    GROUP BY c.show, c.sequence, c.shot
)
SELECT
    s.show, s.sequence, s.shot,
    s.validated AS files,
    s.failing,
    round(s.failing / s.validated, 4) AS share,
    s.findings,
    r.rule_id AS most_broken_rule
FROM shots AS s
LEFT JOIN rules AS r
    ON r.place = 1
   AND r.show IS NOT DISTINCT FROM s.show
   AND r.sequence IS NOT DISTINCT FROM s.sequence
   AND r.shot IS NOT DISTINCT FROM s.shot
ORDER BY s.failing DESC, s.show, s.sequence, s.shot
