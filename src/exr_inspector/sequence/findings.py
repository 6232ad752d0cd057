"""Findings about sequences: missing and repeated frames, differing headers and paddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..findings.model import Finding, finding
from ..findings.rules import DRIFT, GAP, LAYERS_RANGE, PADDING, RANGE, REPEATED
from ..frames.ranges import parse_range
from .summary import SequenceSummary

_BEFORE_AND_AFTER = 2  # groups of frames


def findings_of(summary: SequenceSummary) -> Iterator[Finding]:
    """The findings about a sequence as a whole; its damaged files have their own."""
    pattern = summary.pattern
    if summary.missing:
        rule, message = (RANGE, f"missing of {summary.expected}") if summary.expected else (GAP, "missing")
        if not summary.frame_count:
            message = f"{message}; no file of this sequence exists"
        missing = finding(rule, "error", pattern, message, expected=summary.expected)
        yield replace(missing, frames=summary.missing, frame_count=summary.missing_count)
    if not summary.gaps_judged:
        message = "gaps were not judged: the frame numbers span more than a million frames"
        yield replace(finding(GAP, "warning", pattern, message), remedy="give the frames with --range")
    if summary.repeated:
        yield _of_frames(finding(REPEATED, "warning", pattern, "several files have this frame"), summary.repeated)
    if summary.padding_changes:
        yield finding(PADDING, "warning", pattern, "frame numbers have several paddings")
    if folder_range := summary.differing_range:
        message = f"ranges differ: the sequences of this folder and version have {folder_range}"
        yield finding(LAYERS_RANGE, "warning", pattern, message, expected=folder_range, actual=summary.frames)
    for outlier in summary.outliers:
        usual, value = outlier.usual or "", outlier.value or ""
        drift = finding(DRIFT, "warning", pattern, str(outlier), expected=usual, actual=value)
        yield _of_frames(replace(drift, part_index=outlier.part_index, attr_name=outlier.field), outlier.frames)
    for split in summary.splits:
        values = [group.value or "" for group in split.groups]
        before, after = values if len(values) == _BEFORE_AND_AFTER else ("", "")
        drift = finding(DRIFT, "warning", pattern, str(split), expected=before, actual=after)
        remedy = "no value has a majority: render the frames with one of the settings, unless the change is intended"
        yield replace(drift, part_index=split.part_index, attr_name=split.field, remedy=remedy)


def _of_frames(about: Finding, frames: str) -> Finding:
    return replace(about, frames=frames, frame_count=len(parse_range(frames)))
