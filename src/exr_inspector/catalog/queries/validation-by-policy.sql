-- title: Validation failures by policy
-- question: Which rules of which policies fail, and for how many files?
-- empty: the catalog has no policy results: this version has no policies, so only other programs write some
-- note: `share` is the part of the validated files that fail the rule.
-- param severity list = error,warning: severities to include
-- param path path = *: only files that this path, URI or pattern selects
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render, validation_status
    FROM files
    WHERE is_current AND deleted_at IS NULL
      AND starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)
)
SELECT
    v.policy_id AS policy,
    v.policy_version AS version,
    v.rule_id AS rule,
    v.severity,
    count(*) AS findings,
    count(DISTINCT c.render) AS renders,
    count(DISTINCT v.file_id) AS files,
    round(count(DISTINCT v.file_id) / (
        SELECT count(*)
        FROM current
        WHERE validation_status IS NOT NULL OR file_id IN (SELECT file_id FROM validation_results)
    ), 4) AS share,  -- of the validated files
    min(v.message) AS example
FROM validation_results AS v
JOIN current AS c USING (file_id)
WHERE list_contains($severity::VARCHAR[], v.severity)
GROUP BY ALL
ORDER BY files DESC, findings DESC, policy, version, rule, v.severity
