"""A finding, and the numbers of findings, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from ..inspection.value_text import plural
from .model import Finding

_NOUNS = {"error": "error", "warning": "warning", "info": "note"}  # by severity


def one_line(finding: Finding) -> str:
    """The frames and the message of a finding, with its rule: `1005-1007  missing (EXR901)`."""
    line = "  ".join(filter(None, (finding.frames, f"{finding.message} ({finding.rule_id})")))
    waiver = finding.waived_by
    return line if waiver is None else f"{line}, waived by {waiver.waiver_id}: {waiver.justification} ({waiver.owner})"


def counts_text(counts: Mapping[str, int]) -> str:
    """As `1 error, 2 notes, 3 waived`, from the numbers by severity and those of `waived`; empty without findings."""
    texts = [f"{counts[kind]:,} {plural(counts[kind], noun)}" for kind, noun in _NOUNS.items() if counts[kind]]
    return ", ".join([*texts, *([f"{counts['waived']:,} waived"] if counts["waived"] else [])])
