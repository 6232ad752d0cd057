"""What goes out: one dict for each file, whole for who asked directly, a summary for the platform."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..errors import ExrFormatError, ExrInspectorError
from ..inspection import Inspection

# The platform's broker takes 126 KB; half of it leaves room for what is put around.
SUMMARY_BYTES = 64 << 10
_LISTED = 20


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one file event; filled in on its way through the handler."""

    place: str = ""
    status: str = "success"  # success, error, skipped
    message: str = ""
    error: ExrInspectorError | None = None
    inspection: Inspection | None = None
    with_meta: bool = True
    unavailable: list[str] = field(default_factory=list)  # what was asked for and is not in this version
    inserted: bool = False
    persistence: str = "skipped"
    persistence_message: str = ""
    persistence_error: ExrInspectorError | None = None

    @property
    def file_id(self) -> str | None:
        """Of the inspected version."""
        return self.inspection.file.file_id if self.inspection else None

    @property
    def failure(self) -> ExrInspectorError | None:
        """What went wrong, wherever it did."""
        return self.error or self.persistence_error

    def fail(self, error: ExrInspectorError) -> None:
        """Note that the file could not be looked at."""
        self.status, self.error, self.message = "error", error, str(error)

    def fail_to_persist(self, error: ExrInspectorError) -> None:
        """Note that the file was looked at, and is not stored."""
        self.status, self.persistence, self.persistence_error = "error", "error", error
        self.message = f"inspected, and not stored: {error}"


def as_result(outcome: Outcome, *, whole: bool) -> dict[str, Any]:
    """The result of one file: with the inspection, or with a summary of it."""
    failure = outcome.failure
    result: dict[str, Any] = {
        "status": outcome.status,
        "message": outcome.message,
        "error": str(failure) if failure else None,
        "path": outcome.place or None,
        "file_id": outcome.file_id,
        "inserted": outcome.inserted,
        "persistence": {
            "status": outcome.persistence,
            "file_id": outcome.file_id if outcome.persistence == "success" else None,
            "inserted": outcome.inserted,
            "message": outcome.persistence_message,
            "error": str(outcome.persistence_error) if outcome.persistence_error else None,
        },
    }
    if failure:
        result |= {"category": failure.category, "retryable": failure.retryable}
        if isinstance(failure, ExrFormatError):
            result |= {"code": failure.code, "byte_offset": failure.offset}
    if outcome.unavailable:
        result["unavailable"] = [
            {"code": "not_available", "message": f"{name} is not available in this version"}
            for name in outcome.unavailable
        ]
    if outcome.inspection is not None:
        result |= _whole(outcome.inspection, outcome.with_meta) if whole else {"summary": _summary(outcome.inspection)}
    return result


def as_answer(outcomes: list[Outcome], *, whole: bool) -> dict[str, Any]:
    """The results of one event: the result itself, or all of them under a common status."""
    results = [as_result(outcome, whole=whole) for outcome in outcomes]
    if len(results) == 1:
        return results[0]
    statuses = [outcome.status for outcome in outcomes]
    status = next((word for word in ("error", "success") if word in statuses), "skipped")
    counted = ", ".join(
        f"{statuses.count(word)} {word}" for word in ("success", "error", "skipped") if word in statuses
    )
    answer = {"status": status, "message": counted or "the event names no file", "results": results}
    return answer if whole else _within_limits(answer)


def _whole(inspection: Inspection, with_meta: bool) -> dict[str, Any]:
    found = inspection.to_dict()
    return found if with_meta else {name: value for name, value in found.items() if name != "attributes"}


def _summary(inspection: Inspection) -> dict[str, Any]:
    file = inspection.file
    channels = sum(len(part.channels) for part in inspection.parts)
    return {
        "schema_version": inspection.schema_version,
        "size_bytes": file.size_bytes,
        "completeness": inspection.completeness,
        "chunk_count": file.chunk_count,
        "chunks_present": file.chunks_present,
        "part_count": len(inspection.parts),
        "channel_count": channels,
        "compression": sorted({part.compression for part in inspection.parts if part.compression})[:_LISTED],
        "errors": [{"code": problem.code, "message": problem.message[:200]} for problem in inspection.errors[:_LISTED]],
        "error_count": len(inspection.errors),
    }


def _within_limits(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with fewer words about each file, when it would be too long for the platform."""
    if len(json.dumps(answer)) <= SUMMARY_BYTES:
        return answer
    short = ("status", "file_id", "inserted", "category")
    answer["results"] = [{name: result[name] for name in short if name in result} for result in answer["results"]]
    if len(json.dumps(answer)) > SUMMARY_BYTES:
        answer["results"] = answer["results"][: SUMMARY_BYTES // 200]
    return answer
