"""The last stage: results as plain JSON values, small for delivered events, as the platform passes them on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ExrFormatError, ExrInspectorError
from ..inspection.model import Inspection, row_of
from ..inspection.pixel_rows import is_evaluated
from ..inspection.value_text import shortened
from .errors import category, is_retryable, message
from .stages import Persisted, Persistence, Status

SUMMARY_BYTES = 64_000  # the platform's message broker rejects larger messages
_MAX_ENTRIES = 20  # problems and results in a summary; fewer if it is too large
_MAX_TEXT = 500  # characters of a text of a finding
_OF_FINDING = (
    "rule_id",
    "rule_name",
    "severity",
    "part_index",
    "channel_name",
    "attr_name",
    "expected",
    "actual",
    "message",
)
_RANK = {"error": 0, "skipped": 1, "success": 2}  # which results a summary keeps first


def event_result(files: Sequence[Persisted], *, is_delivered: bool) -> dict[str, Any]:
    """The result of one event: the whole inspections for a direct call, a bounded summary for a delivered event."""
    entries = [_file_result(file, is_delivered=is_delivered) for file in files]
    result = entries[0] if len(entries) == 1 else _combined(files, entries)
    return fitted(result) if is_delivered else result


def failed(error: Exception) -> dict[str, Any]:
    """The result of an event that failed as a whole."""
    return {
        "status": "error",
        "message": "nothing was persisted",
        "error": _utf8(message(error)),
        "category": category(error),
        "retryable": is_retryable(error),
        "file_id": None,
        "inserted": False,
        "persistence": persistence_result(Persistence(message="nothing was persisted")),
    }


def persistence_result(persistence: Persistence, file_id: str | None = None) -> dict[str, Any]:
    """The effect of a file on the catalog."""
    error = persistence.error
    result: dict[str, Any] = {
        "status": persistence.status,
        "file_id": file_id,
        "inserted": persistence.inserted,
        "message": persistence.message,
        "error": None if error is None else _utf8(message(error)),
    }
    if error is not None:
        result |= {"category": category(error), "retryable": is_retryable(error)}
    return result


def fitted(result: dict[str, Any]) -> dict[str, Any]:
    """The result in at most SUMMARY_BYTES of JSON: lists and texts are cut as far as necessary."""
    max_entries = _MAX_ENTRIES
    while len(json.dumps(result).encode()) > SUMMARY_BYTES:
        result = _cut(result, max_entries)
        if not max_entries:
            break
        max_entries //= 2
    return result


def _file_result(file: Persisted, *, is_delivered: bool) -> dict[str, Any]:
    inspected, error = file.inspected, file.error
    inspection = inspected.inspection
    if inspection is not None and file.persistence.has_stats:
        inspection = replace(inspection, pixels=None)  # the catalog has them
    file_id = None if inspection is None else inspection.file.file_id
    result: dict[str, Any] = {
        "status": file.status,
        "message": _message(file),
        "error": None if error is None else _utf8(message(error)),
    }
    if error is not None:
        result |= {"category": category(error), "retryable": file.error_where(is_retryable) is not None}
        if isinstance(error, ExrFormatError):
            result |= {"code": error.code, "byte_offset": error.offset}
    result |= {
        "path": _utf8(inspected.path) or None,
        "file_id": file_id,
        "inserted": file.persistence.inserted,
        "persistence": persistence_result(file.persistence, file_id),
    }
    if inspection is not None and is_delivered:
        result["summary"] = _summary(inspection) | {"validation": _validation(file)}
        if file.persistence.has_stats:
            result["summary"]["stats"] = "stored"
    elif inspection is not None:
        result |= inspection.to_dict() | {"validation": _validation(file)}
        if not inspected.received.event.options.meta:
            del result["attributes"]
    return result


def _combined(files: Sequence[Persisted], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The result of an event that names several files."""
    persistences = [file.persistence for file in files]
    failed_file = next((file for file in files if file.error is not None), None)
    persistence = Persistence(
        status=_overall(persistence.status for persistence in persistences),
        message=_counts(persistence.status for persistence in persistences),
        inserted=any(persistence.inserted for persistence in persistences),
    )
    catalog_error = next((persistence.error for persistence in persistences if persistence.error is not None), None)
    result: dict[str, Any] = {
        "status": _overall(file.status for file in files),
        "message": f"{len(files)} files: {_counts(file.status for file in files)}",
        "error": None,
        "file_id": None,
        "inserted": persistence.inserted,
        "persistence": persistence_result(persistence)
        | {"error": None if catalog_error is None else _utf8(message(catalog_error))},
    }
    if failed_file is not None and failed_file.error is not None:
        result |= {
            "error": _utf8(message(failed_file.error)),
            "category": category(failed_file.error),
            "retryable": any(file.error_where(is_retryable) is not None for file in files),
        }
    return result | {"results": entries}


def _overall(statuses: Iterable[Status]) -> Status:
    return min(statuses, key=("error", "success", "skipped").index)


def _counts(statuses: Iterable[Status]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(Counter(statuses).items()))


def _message(file: Persisted) -> str:
    inspected = file.inspected
    if inspected.skip_reason:
        return inspected.skip_reason
    if inspected.inspection is not None:
        statistics = ""
        if stats_status(inspected.inspection) == "pending":
            statistics = f"; statistics {'stored before' if file.persistence.has_stats else 'pending'}"
        return f"inspected; {file.persistence.message}{statistics}"
    if inspected.removed_paths:
        return f"removed; {file.persistence.message}"
    return "not inspected"


def _summary(inspection: Inspection) -> dict[str, Any]:
    file = inspection.file
    return {
        "schema_version": inspection.schema_version,
        "size_bytes": file.size_bytes,
        "completeness": inspection.completeness,
        "chunk_count": file.chunk_count,
        "chunks_present": file.chunks_present,
        "sequence": file.sequence,
        "frame": file.frame,
        "part_count": len(inspection.parts),
        "channel_count": file.channel_count,
        "compression": sorted({part.compression for part in inspection.parts if part.compression}),
        "problem_severity": inspection.problem_severity,
        "problems": [
            {"code": problem.code, "severity": problem.severity, "message": problem.message}
            for problem in inspection.problems[:_MAX_ENTRIES]
        ],
        "problem_count": len(inspection.problems),
    } | _stats_summary(inspection)


def stats_status(inspection: Inspection) -> str | None:
    """Whether requested statistics are `computed` or `pending`; None if they were not requested."""
    if inspection.pixels is None:
        return None
    return "computed" if is_evaluated(inspection.pixels) else "pending"


def _stats_summary(inspection: Inspection) -> dict[str, Any]:
    if inspection.pixels is None:
        return {}
    errors = inspection.pixels.errors
    return {
        "stats": stats_status(inspection),
        "stats_errors": [row_of(error) for error in errors[:_MAX_ENTRIES]],
        "stats_error_count": len(errors),
    }


def _validation(file: Persisted) -> dict[str, Any] | None:
    """The verdict of the policy: status, counts and the worst findings; None if the file was not validated."""
    verdict = file.inspected.verdict
    if verdict is None or isinstance(verdict, ExrInspectorError):
        return None
    counts = verdict.counts
    shown = [
        {name: _shown(getattr(finding, name)) for name in _OF_FINDING} for finding in verdict.findings[:_MAX_ENTRIES]
    ]
    return {
        "policy": verdict.policy,
        "version": verdict.version,
        "policy_hash": verdict.policy_hash,
        "status": verdict.status,
        "stored_status": file.validation_status,
        "errors": counts.get("error", 0),
        "warnings": counts.get("warning", 0),
        "infos": counts.get("info", 0),
        "not_evaluated": len(verdict.not_evaluated),
        "findings": shown,
        "finding_count": sum(counts.values()),
    }


def _shown(value: Any) -> Any:
    return _utf8(value[:_MAX_TEXT]) if isinstance(value, str) else value


def _utf8(text: str) -> str:
    """The text with characters that UTF-8 cannot encode replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _cut(value: Any, max_entries: int) -> Any:
    """The value with shorter lists, whose entries with errors come first, and correspondingly shorter texts."""
    if isinstance(value, dict):
        result = {}
        for name, item in value.items():
            if isinstance(item, list) and len(item) > max_entries:
                result[name] = [_cut(entry, max_entries) for entry in sorted(item, key=_rank)[:max_entries]]
                omitted = f"{name}_left_out"
                result[omitted] = value.get(omitted, 0) + len(item) - max_entries
            elif name not in result:
                result[name] = _cut(item, max_entries)
        return result
    if isinstance(value, list):
        return [_cut(entry, max_entries) for entry in value]
    if isinstance(value, str):
        return shortened(value, 256 * (max_entries + 1))
    return value


def _rank(entry: Any) -> int:
    return _RANK.get(entry.get("status", ""), 2) if isinstance(entry, dict) else 2
