"""Findings about single files: damage, and problems of the header and the chunks."""

from __future__ import annotations

from dataclasses import replace

from .model import Finding, finding
from .rules import INVALID_HEADER, NOT_READ, NOT_WHOLE, UNREADABLE, WHOLENESS_UNKNOWN, rule_of_problem


def not_read(pattern: str, reason: str) -> Finding:
    """The finding of a file whose bytes could not be read."""
    return finding(NOT_READ, "error", pattern, f"not read: {reason}")


def unreadable(pattern: str, reason: str) -> Finding:
    """The finding of a file whose header cannot be read."""
    return finding(UNREADABLE, "error", pattern, f"unreadable: {reason}")


def not_whole(pattern: str, completeness: str, chunks: str) -> Finding:
    """The finding of a file whose completeness is not `complete`; `chunks` is the text of `chunk_counts()`."""
    rule = WHOLENESS_UNKNOWN if completeness == "unknown" else NOT_WHOLE
    status = "of unknown completeness" if completeness == "unknown" else completeness
    return finding(
        rule, "error", pattern, f"{status}: {chunks}" if chunks else status, expected="complete", actual=completeness
    )


def damage(status: str, chunks: str) -> str:
    """What is wrong with a file that is not sound, by its status and the text of `chunk_counts()`."""
    if status == "unknown":
        return "the chunks cannot be checked; `exr-inspector inspect` has the reason"
    return "the header has errors; `exr-inspector inspect` lists them" if status == "invalid" else chunks


def chunk_counts(chunks_present: int | None, chunk_count: int | None, missing: str | None = None) -> str:
    """The chunks that a file has and what is missing, as `5 of 12 chunks; missing 80-191`; empty if that is unknown."""
    counts = "" if chunks_present is None or chunk_count is None else f"{chunks_present} of {chunk_count} chunks"
    return "; ".join(filter(None, (counts, f"missing {missing}" if missing else "")))


def problem(
    pattern: str, *, code: str, severity: str, message: str, part_index: int | None, attr_name: str | None
) -> Finding:
    """The finding of one problem of a header or of the chunks."""
    part = f"part {part_index}: " if part_index else ""
    of_file = finding(rule_of_problem(code), severity, pattern, f"{part}{message} ({code})")
    return replace(of_file, part_index=part_index, attr_name=attr_name or "")


def invalid_header(pattern: str) -> Finding:
    """The finding of a file whose header has errors that are not listed."""
    return finding(INVALID_HEADER, "error", pattern, damage("invalid", ""))
