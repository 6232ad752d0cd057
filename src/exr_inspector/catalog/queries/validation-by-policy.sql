-- title: Validation failures by policy
-- question: Which rules of which policies are broken, and by how many files?
-- empty: no file breaks a rule, or none was validated
-- note: The share is that of the files that were validated.
-- param severity list = error,warning: the severities that count
-- param path text = *: only files whose path this shell pattern matches
WITH current AS (
    SELECT file_id, coalesce(sequence, file_path_normalized) AS render, validation_status
    FROM files
    WHERE is_current AND deleted_at IS NULL AND file_path_normalized GLOB $path
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
    ), 4) AS share,  -- of the files that were validated
    min(v.message) AS example
FROM validation_results AS v
JOIN current AS c USING (file_id)
WHERE list_contains($severity::VARCHAR[], v.severity)
GROUP BY ALL
ORDER BY files DESC, findings DESC, policy, version, rule, v.severity
