-- title: Validation failures by shot
-- question: Which shots fail policy rules, and which rule most often?
-- empty: no file was validated; validate files with: exr-inspector ingest PATH --policy NAME
-- note: `share` is the failing part of the shot's validated files. Of each file and policy, the newest result counts.
-- param severity list = error,warning: severities to include
-- param template template =: positions of show, sequence and shot in a path; empty: the setting path_template
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT
        file_id,
        nullif(regexp_extract(file_path_normalized, $template.show, 1), '') AS show,
        nullif(regexp_extract(file_path_normalized, $template.sequence, 1), '') AS sequence,
        nullif(regexp_extract(file_path_normalized, $template.shot, 1), '') AS shot
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
verdicts AS (
    SELECT file_id, policy_id, coalesce(batch_id, 0) AS batch_id
    FROM validations
    QUALIFY coalesce(batch_id, 0) = max(coalesce(batch_id, 0)) OVER (PARTITION BY file_id, policy_id)
),
validated AS (
    SELECT * FROM current SEMI JOIN verdicts USING (file_id)
),
findings AS (
    SELECT v.file_id, r.rule_id, count(*) AS times
    FROM verdicts AS v
    JOIN validation_results AS r
      ON r.file_id = v.file_id AND r.policy_id = v.policy_id AND coalesce(r.batch_id, 0) = v.batch_id
    WHERE list_contains($severity::VARCHAR[], r.severity)
    GROUP BY ALL
),
rules AS (
    SELECT
        c.show, c.sequence, c.shot, f.rule_id,
        row_number() OVER (PARTITION BY c.show, c.sequence, c.shot ORDER BY count(*) DESC, f.rule_id) AS rank
    FROM validated AS c
    JOIN findings AS f USING (file_id)
    GROUP BY c.show, c.sequence, c.shot, f.rule_id
),
shots AS (
    SELECT
        c.show, c.sequence, c.shot,
        count(DISTINCT c.file_id) AS validated,
        count(DISTINCT f.file_id) AS failing,
        coalesce(sum(f.times), 0)::BIGINT AS findings
    FROM validated AS c
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
    ON r.rank = 1
   AND r.show IS NOT DISTINCT FROM s.show
   AND r.sequence IS NOT DISTINCT FROM s.sequence
   AND r.shot IS NOT DISTINCT FROM s.shot
ORDER BY s.failing DESC, s.show, s.sequence, s.shot
