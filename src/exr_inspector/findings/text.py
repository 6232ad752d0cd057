"""A finding in one line."""

from __future__ import annotations

from .model import Finding


def one_line(finding: Finding) -> str:
    """The frames and the message of a finding, with its rule: `1005-1007  missing (EXR901)`."""
    line = "  ".join(filter(None, (finding.frames, f"{finding.message} ({finding.rule_id})")))
    waiver = finding.waived_by
    return line if waiver is None else f"{line}, waived by {waiver.waiver_id}: {waiver.reason} ({waiver.owner})"
