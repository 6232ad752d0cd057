"""Findings as workflow commands of GitHub Actions, which become annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .model import Finding
from .text import one_line

_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def github(findings: Iterable[Finding], path_of: Callable[[str], str]) -> bytes:
    """One command a line. `path_of` gives the path of a pattern or URI as GitHub shows it.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for finding in findings:
        path = path_of(finding.files[0] if len(finding.files) == 1 else finding.pattern)
        title = f"{finding.rule_id} {finding.rule_name}"
        message = f"{path_of(finding.pattern)}  {one_line(finding)}\n{finding.remedy}"
        command = "notice" if finding.waived_by else _COMMANDS[finding.severity]
        lines.append(f"::{command} file={_property(path)},title={_property(title)}::{_data(message)}\n")
    return "".join(lines).encode()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
