"""Verdicts as rows of the tables `validations` and `validation_results`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

import pyarrow as pa

from .. import __version__
from ..catalog import PolicyResult
from ..catalog.rows import RowBatch
from ..catalog.schema import batch_schema
from ..catalog.validations import with_validations
from .evaluate import Verdict
from .rule import NO_STATISTICS, PARTLY_DECODED

_MAX_FINDINGS = 1000  # of a file that are stored, the worst first; `validations` counts all


def policy_result(verdict: Verdict) -> PolicyResult:
    """What decides whether a verdict replaces a stored one."""
    return PolicyResult(
        status=verdict.status,
        not_evaluated=len(verdict.not_evaluated),
        without_statistics=tuple(each.rule_id for each in verdict.not_evaluated if each.reason == NO_STATISTICS.reason),
        partly_decoded=any(each.reason == PARTLY_DECODED.reason for each in verdict.not_evaluated),
    )


def with_verdicts(batch: RowBatch, verdicts: Iterable[tuple[str, Verdict]]) -> RowBatch:
    """The rows with verdicts, each on a file_id, which the catalog may have already; one for each policy and file."""
    evaluated_at = datetime.now(timezone.utc).replace(tzinfo=None)
    unique = {(file_id, verdict.policy): verdict for file_id, verdict in verdicts}
    validations, results = [], []
    for (file_id, policy_id), verdict in unique.items():
        owner = {
            "file_id": file_id,
            "policy_id": policy_id,
            "policy_version": verdict.version,
            "policy_hash": verdict.policy_hash,
            "evaluated_at": evaluated_at,
        }
        counts, result = verdict.counts, policy_result(verdict)
        validations.append(
            owner
            | {
                "status": result.status,
                "errors": counts.get("error", 0),
                "warnings": counts.get("warning", 0),
                "infos": counts.get("info", 0),
                "not_evaluated": result.not_evaluated,
                "inspector_version": __version__,
                "without_statistics": " ".join(result.without_statistics),
                "partly_decoded": result.partly_decoded,
            }
        )
        results += [
            owner
            | {
                "rule_id": finding.rule_id,
                "severity": finding.severity,
                "part_index": finding.part_index,
                "channel_name": finding.channel_name or None,
                "attr_name": finding.attr_name or None,
                "expected": finding.expected or None,
                "actual": finding.actual or None,
                "message": finding.message,
            }
            for finding in verdict.findings[:_MAX_FINDINGS]
        ]
    return with_validations(
        batch,
        pa.Table.from_pylist(validations, schema=batch_schema("validations")),
        pa.Table.from_pylist(results, schema=batch_schema("validation_results")),
    )
