"""Results: what a caller gets to know, as plain JSON values. Small where a platform carries them on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import ExrFormatError
from ..inspection.model import Inspection
from .stages import Outcome, category, is_retryable, text

# A platform's message broker refuses larger ones.
SUMMARY_BYTES = 64_000
_LISTED = 20  # problems and results that a summary lists at first; less, where it is too large
_FIRST = {"success": 0, "skipped": 1, "error": 2}


def result(outcome: Outcome) -> dict[str, Any]:
    """Everything: the inspection, and what became of it."""
    found = _common(outcome)
    if (inspection := outcome.inspection) is not None:
        whole = inspection.to_dict()
        if not outcome.event.options.meta:
            del whole["attributes"]
        found |= whole
    return found | _not_yet(outcome)


def summary(outcome: Outcome) -> dict[str, Any]:
    """What fits into a message: ids, counts, completeness, problems; not the attributes."""
    found = _common(outcome)
    if (inspection := outcome.inspection) is not None:
        found["summary"] = _summary(inspection)
    return found | _not_yet(outcome)


def combined(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One result for the several files of one event; that of a single file is itself."""
    if len(results) == 1:
        return results[0]
    statuses = Counter(each["status"] for each in results)
    overall = "error" if statuses["error"] else "success" if statuses["success"] else "skipped"
    wrong = next((each for each in results if each["status"] == "error"), None)
    persisted = Counter(each["persistence"]["status"] for each in results)
    found: dict[str, Any] = {
        "status": overall,
        "message": f"{len(results)} files: " + ", ".join(f"{n} {word}" for word, n in sorted(statuses.items())),
        "error": wrong and wrong["error"],
        "file_id": None,
        "inserted": any(each["inserted"] for each in results),
        "persistence": {
            "status": "error" if persisted["error"] else "success" if persisted["success"] else "skipped",
            "file_id": None,
            "inserted": any(each["inserted"] for each in results),
            "message": ", ".join(f"{n} {word}" for word, n in sorted(persisted.items())),
            "error": next((each["persistence"]["error"] for each in results if each["persistence"]["error"]), None),
        },
    }
    if wrong is not None:
        found |= {
            "category": wrong["category"],
            "retryable": any(each.get("retryable", False) for each in results),
        }
    return found | {"results": list(results)}


def fitted(found: dict[str, Any]) -> dict[str, Any]:
    """The same in less than SUMMARY_BYTES of JSON: lists are cut first, which says so, then texts."""
    listed = _LISTED
    while len(json.dumps(found).encode()) > SUMMARY_BYTES:
        found = _cut(found, listed)
        if not listed:
            return found
        listed //= 2
    return found


def failed(problem: Exception) -> dict[str, Any]:
    """The result where not even files could be told apart."""
    return {
        "status": "error",
        "message": "nothing was inspected",
        "error": _clean(text(problem)),
        "category": category(problem),
        "retryable": is_retryable(problem),
        "file_id": None,
        "inserted": False,
        "persistence": _persistence("skipped", "nothing was inspected"),
    }


def _common(outcome: Outcome) -> dict[str, Any]:
    problem, inspection, persistence = outcome.problem, outcome.inspection, outcome.persistence
    file_id = inspection.file.file_id if inspection is not None else None
    found: dict[str, Any] = {
        "status": outcome.status,
        "message": _message(outcome),
        "error": None if problem is None else _clean(text(problem)),
    }
    if problem is not None:
        found |= {"category": category(problem), "retryable": outcome.error_where(is_retryable) is not None}
        if isinstance(problem, ExrFormatError):
            found |= {"code": problem.code, "byte_offset": problem.offset}
    failure = persistence.failure
    found |= {
        "path": _clean(outcome.place) or None,
        "file_id": file_id,
        "inserted": persistence.inserted,
        "persistence": _persistence(
            persistence.status,
            persistence.message,
            file_id,
            persistence.inserted,
            None if failure is None else _clean(text(failure)),
        ),
    }
    if failure is not None:
        found["persistence"] |= {"category": category(failure), "retryable": is_retryable(failure)}
    return found


def _persistence(
    status: str, message: str, file_id: str | None = None, inserted: bool = False, error: str | None = None
) -> dict[str, Any]:
    return {"status": status, "file_id": file_id, "inserted": inserted, "message": message, "error": error}


def _message(outcome: Outcome) -> str:
    if outcome.skipped:
        return outcome.skipped
    if outcome.gone and outcome.inspection is None:
        return f"removed; {outcome.persistence.message}"
    if outcome.inspection is None:
        return "could not be inspected"
    return f"inspected; {outcome.persistence.message}"


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
        "errors": [{"code": problem.code, "message": problem.message} for problem in inspection.errors[:_LISTED]],
        "error_count": len(inspection.errors),
    }


def _not_yet(outcome: Outcome) -> dict[str, Any]:
    """What was asked for and cannot be had: said, so that nobody takes silence for an answer."""
    options = outcome.event.options
    asked = {"stats": options.stats, "deep_stats": options.deep_stats, "validate": options.validate}
    entries = [
        {"code": "not_available", "message": f"{name} is not available in this version"}
        for name, is_asked in asked.items()
        if is_asked
    ]
    return {"unavailable": entries} if entries else {}


def _clean(words: str) -> str:
    """The same without what UTF-8 cannot hold."""
    return words if words.isascii() else words.encode("utf-8", "replace").decode()


def _cut(value: Any, listed: int) -> Any:
    """Lists of `listed` entries at most, those with errors before others; texts in the same measure."""
    if isinstance(value, dict):
        found = {}
        for name, item in value.items():
            if isinstance(item, list) and len(item) > listed:
                ranked = sorted(
                    item, key=lambda each: -_FIRST.get(each.get("status", ""), 0) if isinstance(each, dict) else 0
                )
                found[name] = [_cut(each, listed) for each in ranked[:listed]]
                found[f"{name}_left_out"] = value.get(f"{name}_left_out", 0) + len(item) - listed
            elif name not in found:
                found[name] = _cut(item, listed)
        return found
    if isinstance(value, str):
        most = 256 * (listed + 1)
        return value if len(value) <= most else value[: most - 1] + "…"
    return value
