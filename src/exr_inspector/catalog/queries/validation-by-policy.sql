-- title: Validation failures by policy
-- question: Which rules of which policies fail, and for how many files?
-- empty: no file was validated; validate files with: exr-inspector ingest PATH --policy NAME
-- note: `share` is the part of the files validated by the policy that fail the rule. A policy that all files pass has
-- note: one row without a rule. Of each file and policy, the newest result counts.
-- param severity list = error,warning: severities to include
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
),
verdicts AS (
    SELECT v.file_id, v.policy_id, v.policy_version, coalesce(v.batch_id, 0) AS batch_id, c.render
    FROM validations AS v
    JOIN current AS c USING (file_id)
    QUALIFY coalesce(v.batch_id, 0) = max(coalesce(v.batch_id, 0)) OVER (PARTITION BY v.file_id, v.policy_id)
),
policies AS (
    SELECT policy_id, count(DISTINCT file_id) AS validated, max(policy_version) AS version
    FROM verdicts
    GROUP BY policy_id
),
failures AS (
    SELECT
        v.policy_id,
        v.policy_version,
        r.rule_id,
        r.severity,
        count(*) AS findings,
        count(DISTINCT v.render) AS renders,
        count(DISTINCT v.file_id) AS files,
        min(r.message) AS example
    FROM verdicts AS v
    JOIN validation_results AS r
      ON r.file_id = v.file_id AND r.policy_id = v.policy_id AND coalesce(r.batch_id, 0) = v.batch_id
    WHERE list_contains($severity::VARCHAR[], r.severity)
    GROUP BY ALL
)
SELECT
    p.policy_id AS policy,
    coalesce(f.policy_version, p.version) AS version,
    f.rule_id AS rule,
    f.severity,
    coalesce(f.findings, 0) AS findings,
    coalesce(f.renders, 0) AS renders,
    coalesce(f.files, 0) AS files,
    round(coalesce(f.files, 0) / p.validated, 4) AS share,  -- of the validated files
    f.example
FROM policies AS p
LEFT JOIN failures AS f USING (policy_id)
ORDER BY files DESC, findings DESC, policy, version, rule, f.severity
