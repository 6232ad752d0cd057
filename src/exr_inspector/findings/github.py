"""Findings as workflow commands of GitHub Actions, which become annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..inspection.value_text import shortened
from .model import Finding
from .report import NotEvaluatedRule
from .text import one_line

_SHOWN = 10  # annotations of a severity
_MOST_CHARACTERS = 2_000  # of a message
_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def github(
    findings: Sequence[Finding],
    path_of: Callable[[str], str],
    text_of: Callable[[str], str],
    not_evaluated: Sequence[NotEvaluatedRule] = (),
) -> bytes:
    """One command a line. `path_of` gives the path of a pattern or URI as GitHub shows it, and `text_of` a text.

    Rules that were not evaluated are one notice.

    GitHub shows ten annotations of a severity. Of more findings, the others are plain lines of the log.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    kinds = ["notice" if finding.waived_by else _COMMANDS[finding.severity] for finding in findings]
    counts, shown = Counter(kinds), Counter[str]()
    commands, lines = [], []
    most = {"notice": _SHOWN - 1} if not_evaluated else {}
    for kind, finding in zip(kinds, findings, strict=True):
        if counts[kind] <= (limit := most.get(kind, _SHOWN)) or shown[kind] < limit - 1:
            shown[kind] += 1
            commands.append(_command(kind, finding, path_of, text_of))
        else:
            lines.append(f"{kind}: {_data(_message(finding, path_of, text_of))}\n")
    for kind in dict.fromkeys(kinds):
        if more := counts[kind] - shown[kind]:
            commands.append(f"::{kind} title=exr-inspector::{more:,} more; the log lists them\n")
    if not_evaluated:
        text = shortened("\n".join(text_of(rule.text) for rule in not_evaluated), _MOST_CHARACTERS)
        commands.append(f"::notice title=exr-inspector::{_data(text)}\n")
    return "".join((*commands, *lines)).encode()


def _command(kind: str, finding: Finding, path_of: Callable[[str], str], text_of: Callable[[str], str]) -> str:
    path = path_of(finding.files[0] if len(finding.files) == 1 else finding.pattern)
    title = f"{finding.rule_id} {finding.rule_name}"
    message = _data(f"{_message(finding, path_of, text_of)}\n{text_of(finding.remedy)}")
    return f"::{kind} file={_property(path)},title={_property(title)}::{message}\n"


def _message(finding: Finding, path_of: Callable[[str], str], text_of: Callable[[str], str]) -> str:
    return shortened(f"{path_of(finding.pattern)}  {text_of(one_line(finding))}", _MOST_CHARACTERS)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
