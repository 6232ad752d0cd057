"""Findings in the formats of programs, and as reports."""

from __future__ import annotations

import json
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


# Those that list what passes, too.
REPORT_FORMATS = (FindingFormat.JUNIT, FindingFormat.MARKDOWN, FindingFormat.HTML)


def write_findings(report: Report, output_format: FindingFormat, output: str | None) -> None:
    """Write findings in any format but the table."""
    from ..findings.model import as_arrow
    from .output import data_stream, write_table

    if output_format is FindingFormat.JSON and report.policy:
        _write_validation(report, output)
        return
    if output_format in (FindingFormat.JSON, FindingFormat.JSONL, FindingFormat.CSV):
        write_table(as_arrow(report.findings), Format(output_format.value), output)
        return
    document = _document(report, output_format)
    with data_stream(output, escape=True) as stream:
        stream.write(document)


def _write_validation(report: Report, output: str | None) -> None:
    """One JSON object: what a policy says about files. Each finding is a line."""
    from ..findings.model import as_arrow
    from .output import data_stream, write_json
    from .text import json_cell

    facts = {
        "policy": report.policy,
        "version": report.policy_version,
        "hash": report.policy_hash,
        "verdict": report.verdict,
        "files": len(report.files),
    }
    not_evaluated = [rule._asdict() for rule in report.not_evaluated]
    with data_stream(output, escape=True) as stream:
        stream.write(f'{{"validation": {json.dumps(json_cell(facts), ensure_ascii=False)[:-1]}, "findings": '.encode())
        write_json(as_arrow(report.findings), stream)
        stream.write(f', "not_evaluated": {json.dumps(json_cell(not_evaluated), ensure_ascii=False)}}}}}\n'.encode())


def _document(report: Report, output_format: FindingFormat) -> bytes:
    from .text import clean, short_path, uri_reference

    def shown(uri: str) -> str:
        return clean(short_path(uri))

    if output_format is FindingFormat.JUNIT:
        from ..findings.junit import junit

        title = f"exr-inspector validate --policy {report.policy}" if report.policy else report.title
        return junit(title, report.patterns, report.findings, shown, clean, report.not_evaluated, report.command)
    if output_format is FindingFormat.SARIF:
        from ..findings.sarif import sarif

        return sarif(report.version, report.findings, short_path, uri_reference, report.not_evaluated)
    if output_format is FindingFormat.MARKDOWN:
        from ..findings.markdown import markdown

        return markdown(report, shown, clean)
    if output_format is FindingFormat.HTML:
        from ..findings.html import html

        return html(report, shown, clean)
    from ..findings.github import github

    def in_repository(uri: str) -> str:
        """As `shown`; a name that is not UTF-8 as a relative reference too, as GitHub knows no other folder."""
        path = short_path(uri)
        return clean(uri_reference(uri) if path.startswith("file:") else path)

    return github(report.findings, in_repository, clean, report.not_evaluated)
