"""Findings in the formats of programs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from .options import Format

if TYPE_CHECKING:
    from ..findings.model import Finding


class FindingFormat(str, Enum):
    """Output format of findings."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


def write_findings(
    findings: Sequence[Finding], patterns: Sequence[str], title: str, output_format: FindingFormat, output: str | None
) -> None:
    """Write findings in any format but the table. `patterns` are all sequences and files that were checked."""
    from .. import __version__
    from ..findings.model import as_arrow
    from .output import data_stream, write_table
    from .text import short_path, uri_reference

    if output_format in (FindingFormat.JSON, FindingFormat.JSONL, FindingFormat.CSV):
        write_table(as_arrow(findings), Format(output_format.value), output)
        return
    if output_format is FindingFormat.JUNIT:
        from ..findings.junit import junit

        document = junit(title, patterns, findings, short_path)
    elif output_format is FindingFormat.SARIF:
        from ..findings.sarif import sarif

        document = sarif(__version__, findings, short_path, uri_reference)
    else:
        from ..findings.github import github

        document = github(findings, short_path)
    with data_stream(output, escape=True) as stream:
        stream.write(document)
