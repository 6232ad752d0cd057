"""Findings about sequences: missing and repeated frames, differing headers and paddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..findings.model import Finding, finding
from ..findings.rules import DRIFT, GAP, LAYERS_RANGE, PADDING, RANGE, REPEATED, Rule
from ..frames.ranges import numbers_of
from .summary import SequenceSummary


def findings_of(summary: SequenceSummary) -> Iterator[Finding]:
    """The findings about a sequence as a whole; its damaged files have their own."""

    def about(rule: Rule, severity: str, message: str, frames: str = "", **values: str) -> Finding:
        one = finding(rule, severity, summary.pattern, message, **values)
        return replace(one, frames=frames, frame_count=len(numbers_of(frames)) if frames else 0)

    if summary.missing:
        none = "" if summary.frame_count else "; no file of this sequence is there"
        if summary.expected:
            yield about(
                RANGE, "error", f"missing of {summary.expected}{none}", summary.missing, expected=summary.expected
            )
        else:
            yield about(GAP, "error", "missing", summary.missing)
    if summary.repeated:
        yield about(REPEATED, "warning", "several files have this frame", summary.repeated)
    if summary.padding_changes:
        yield about(PADDING, "warning", "frame numbers have several paddings")
    if summary.folder_range and not summary.expected:
        message = f"ranges differ: the sequences of this folder and version have {summary.folder_range}"
        yield about(LAYERS_RANGE, "warning", message, expected=summary.folder_range, actual=summary.frames)
    for outlier in summary.outliers:
        one = about(
            DRIFT, "warning", str(outlier), outlier.frames, expected=outlier.usual or "", actual=outlier.value or ""
        )
        yield replace(one, part_index=outlier.part_index, attr_name=outlier.field)
    for split in summary.splits:
        one = about(DRIFT, "warning", str(split))
        yield replace(one, part_index=split.part_index, attr_name=split.field)
