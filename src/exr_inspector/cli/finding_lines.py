"""Findings as rich renderables. Text from files is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from ..findings.text import one_line
from ..inspection.value_text import plural
from .text import clean, short_path
from .verbosity import is_quiet

if TYPE_CHECKING:
    from ..gate import CheckResult

_LONGEST = 300  # characters of a finding on a terminal; lists of channels and windows can have thousands
_STYLES = {"error": "red", "warning": "yellow", "info": ""}


def finding_lines(result: CheckResult, unread: int, *, for_programs: bool) -> Iterator[Text]:
    """A block for each sequence or file with findings, with the remedy once for several of a rule; then the counts.

    `unread` files could not be checked. `for_programs`: findings begin with their severity, and are not cut.
    """
    indent, longest = ("", 0) if for_programs else ("  ", _LONGEST)
    for pattern, findings in groupby(result.findings, key=lambda finding: finding.pattern):
        yield Text(clean(short_path(pattern)), style="bold")
        for remedy, alike in groupby(findings, key=lambda finding: finding.remedy):
            for finding in alike:
                text = clean(one_line(finding), longest)
                yield Text(f"{indent}{finding.severity:<8} {text}", _STYLES[finding.severity])
            yield Text(f"           {remedy}", style="dim")
    if not is_quiet():
        yield Text(_counts(result, unread))


def _counts(result: CheckResult, unread: int) -> str:
    severities = Counter(finding.severity for finding in result.findings)
    counts = [_counted(severities[severity], severity) for severity in ("error", "warning") if severities[severity]]
    if unread:
        counts.append(f"{unread:,} not read")
    sequences = sum(1 for summary in result.sequences if summary.frame_count)
    checked = f"{_counted(result.file_count, 'file')}, {_counted(sequences, 'sequence')}"
    return f"{checked}: {', '.join(counts) or 'nothing wrong'}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {plural(count, noun)}"
