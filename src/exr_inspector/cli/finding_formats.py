"""Findings in the formats of programs, and as reports."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from .options import Format

if TYPE_CHECKING:
    from ..findings.report import Report


class FindingFormat(str, Enum):
    """Output format of findings."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"
    HTML = "html"


def write_findings(report: Report, output_format: FindingFormat, output: str | None) -> None:
    """Write findings in any format but the table."""
    from ..findings.model import as_arrow
    from .output import data_stream, write_table

    if output_format in (FindingFormat.JSON, FindingFormat.JSONL, FindingFormat.CSV):
        write_table(as_arrow(report.findings), Format(output_format.value), output)
        return
    document = _document(report, output_format)
    with data_stream(output, escape=True) as stream:
        stream.write(document)


def _document(report: Report, output_format: FindingFormat) -> bytes:
    from .text import clean, short_path, uri_reference

    def shown(uri: str) -> str:
        return clean(short_path(uri))

    if output_format is FindingFormat.JUNIT:
        from ..findings.junit import junit

        return junit(report.command, report.patterns, report.findings, short_path, report.not_evaluated)
    if output_format is FindingFormat.SARIF:
        from ..findings.sarif import sarif

        return sarif(report.version, report.findings, short_path, uri_reference)
    if output_format is FindingFormat.MARKDOWN:
        from ..findings.markdown import markdown

        return markdown(report, shown, clean)
    if output_format is FindingFormat.HTML:
        from ..findings.html import html

        return html(report, shown, clean)
    from ..findings.github import github

    return github(report.findings, short_path)
