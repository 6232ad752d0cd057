"""A report as Markdown, for comments and summaries of pipelines. Names from files cannot become markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..inspection.value_text import plural
from .report import JudgedPattern, Report
from .text import counts_text

_MOST_ROWS = 500  # of a table; GitHub takes 1 MB of a summary and 64 KB of a comment
# What can be markup, also links, mentions, numbers of issues and emoji. An underscore within a word never is.
_MARKUP = re.compile(
    r"[\\`*\[\]<>|&@~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|#(?=[0-9])|:(?=\S)|(?<=www)\.", re.IGNORECASE
)
_SPACES = re.compile(r"\s+")


def markdown(report: Report, path_of: Callable[[str], str], text_of: Callable[[str], str]) -> bytes:
    """The verdict, a table of findings, waivers, and what was not evaluated.

    `path_of` gives the path of a pattern or URI, and `text_of` a text, without control characters.
    """

    def code(text: str) -> str:
        return _literal(text_of(text), code=True)

    def words(text: str) -> str:
        return _literal(text_of(text))

    def path(uri: str) -> str:
        return _literal(path_of(uri), code=True)

    judged = report.sequences()
    lines = [
        f"# {words(report.title or report.command)}",
        "",
        _summary(report, len(judged)),
        "",
        code(report.command),
        "",
    ]
    lines += _table(("verdict", "sequence or file", "errors", "warnings", "waived"), _verdict_rows(judged, path))
    rows = (
        (each.severity, path(each.pattern), code(each.frames), code(each.rule_id), words(each.message),
         words(each.remedy))
        for each in report.findings
        if each.waived_by is None
    )  # fmt: skip
    lines += _section("Findings", ("severity", "sequence or file", "frames", "rule", "finding", "what to do"), rows)
    waived = (
        (code(each.waived_by.waiver_id), path(each.pattern), code(each.frames), code(each.rule_id),
         words(each.message), words(each.waived_by.justification), words(each.waived_by.owner))
        for each in report.findings
        if each.waived_by is not None
    )  # fmt: skip
    titles = ("waiver", "sequence or file", "frames", "rule", "finding", "reason", "owner")
    lines += _section("Waived", titles, waived)
    not_evaluated = (
        (code(each.rule_id), words(each.rule_name), f"{each.file_count:,}", words(each.why))
        for each in report.not_evaluated
    )
    lines += _section("Not evaluated", ("rule", "name", "files", "reason"), not_evaluated)
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _summary(report: Report, judged: int) -> str:
    parts = [f"**{report.verdict}**"]
    if report.policy:
        names = (report.policy, report.policy_version, report.policy_hash[:12])
        parts.append("policy {} version {}, hash {}".format(*(_literal(name, code=True) for name in names)))
    count = len(report.files)
    parts.append(f"{count:,} {plural(count, 'file')}" if count else f"{judged:,} sequences and files")
    parts += [f"pixels {report.pixels}"] if report.pixels else []
    parts.append(counts_text(report.counts) or "no findings")
    return " · ".join((*parts, f"{report.evaluated_at:%Y-%m-%d %H:%M} UTC", f"exr-inspector {report.version}"))


def _verdict_rows(judged: Iterable[JudgedPattern], path: Callable[[str], str]) -> Iterator[Sequence[str]]:
    for each in judged:
        counts = (each.counts[kind] for kind in ("error", "warning", "waived"))
        yield f"**{each.verdict}**", path(each.pattern), *(f"{count:,}" if count else "" for count in counts)


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    table = _table(columns, rows)
    return [f"## {title}", "", *table] if table else []


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return []
    more = len(lines) - _MOST_ROWS
    shown = [*lines[:_MOST_ROWS], f"| … and {more:,} more |"] if more > 0 else lines
    return [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}", *shown, ""]


def _literal(text: str, *, code: bool = False) -> str:
    """A text whose characters stand for themselves, in one line; as code, never a mention or a link."""
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", _SPACES.sub(" ", text))
    return f"<code>{escaped}</code>" if code and escaped else escaped
