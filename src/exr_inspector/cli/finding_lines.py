"""Findings as rich renderables. Text from files is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.text import Text

from ..findings.report import counts_of
from ..findings.text import counts_text, one_line
from ..inspection.value_text import plural
from .text import clean, short_path
from .verbosity import is_quiet

if TYPE_CHECKING:
    from ..findings.model import Finding

_LONGEST = 300  # characters of a finding on a terminal; lists of channels and windows can have thousands
_STYLES = {"error": "red", "warning": "yellow", "info": "", "waived": "dim"}


def finding_lines(
    findings: Sequence[Finding],
    checked: Mapping[str, int],
    unread: int,
    *,
    not_evaluated: int = 0,
    for_programs: bool,
) -> Iterator[Text]:
    """A block for each sequence or file with findings, with the remedy once for several of a rule; then the counts.

    `checked` are the numbers of files and sequences, by noun. `unread` files could not be checked, and
    `not_evaluated` rules could not be decided for some files. Nothing is counted if nothing was checked.
    `for_programs`: findings begin with their severity, or `waived`, and are not cut.
    """
    indent, longest = ("", 0) if for_programs else ("  ", _LONGEST)
    for pattern, of_pattern in groupby(findings, key=lambda finding: finding.pattern):
        yield Text(clean(short_path(pattern)), style="bold")
        for remedy, alike in groupby(of_pattern, key=lambda finding: "" if finding.waived_by else finding.remedy):
            for finding in alike:
                text = clean(one_line(finding), longest)
                status = "waived" if finding.waived_by else finding.severity
                yield Text(f"{indent}{status:<8} {text}", _STYLES[status])
            if remedy:
                yield Text(f"           {remedy}", style="dim")
    if not is_quiet() and (findings or unread or any(checked.values())):
        yield Text(_counts(findings, checked, unread, not_evaluated))


def _counts(findings: Sequence[Finding], checked: Mapping[str, int], unread: int, not_evaluated: int) -> str:
    counts = [text] if (text := counts_text(counts_of(findings))) else []
    if unread:
        counts.append(f"{unread:,} not read")
    if not_evaluated:
        counts = [*(counts or ["no findings"]), f"{_counted(not_evaluated, 'rule')} not evaluated"]
    texts = ", ".join(_counted(count, noun) for noun, count in checked.items())
    return f"{texts}: {', '.join(counts) or 'nothing wrong'}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {plural(count, noun)}"
