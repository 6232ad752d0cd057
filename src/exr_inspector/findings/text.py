"""A finding in one line."""

from __future__ import annotations

from .model import Finding


def one_line(finding: Finding) -> str:
    """The frames, the part and the message of a finding, with its rule: `1005-1007  missing (EXR901)`."""
    return "  ".join(filter(None, (finding.frames, f"{where(finding)}{finding.message} ({finding.rule_id})")))


def where(finding: Finding) -> str:
    """The part of a file as the beginning of a sentence; empty for the first part and for whole files."""
    return f"part {finding.part_index}: " if finding.part_index else ""
