"""A report as one HTML page, with which a delivery is signed off. It needs no network and no script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

from ..inspection.value_text import plural
from .model import Finding
from .report import JudgedPattern, NotEvaluatedRule, Report, ReportedFile, is_about_waiver
from .text import counts_text

_MOST_SEQUENCES, _MOST_FINDINGS, _MOST_FILES = 5_000, 10_000, 50_000
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_COUNTS = ("error", "warning", "info", "waived")
_TITLES = {"error": "errors", "warning": "warnings", "info": "notes", "waived": "waived"}


class _Texts(NamedTuple):
    """How texts of files become HTML: without control characters, and escaped."""

    path_of: Callable[[str], str]
    text_of: Callable[[str], str]

    def path(self, uri: str) -> str:
        return f"<code>{escape(self.path_of(uri))}</code>"

    def code(self, text: str) -> str:
        return f"<code>{escape(self.text_of(text))}</code>" if text else ""

    def words(self, text: str) -> str:
        return escape(self.text_of(text))


class _Column(NamedTuple):
    title: str
    kind: str = ""  # a class


def html(report: Report, path_of: Callable[[str], str], text_of: Callable[[str], str]) -> bytes:
    """The page. `path_of` gives the path of a pattern or URI, `text_of` a text, both without control characters."""
    texts = _Texts(path_of, text_of)
    title = texts.words(report.title or report.policy or report.command)
    style = files(__package__).joinpath("report.css").read_text("utf-8")
    judged = report.sequences()
    lines = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{report.verdict}: {title}</title>\n<style>\n{style}</style>\n</head>\n<body>",
        f"<header><h1>{title}</h1>{_badge(report.verdict)}</header>",
        *_facts(report, len(judged), texts),
        "<h2>Verdicts</h2>",
        *_verdicts(judged, report.counts, texts),
        *_findings(report, [*judged, *_of_waivers(report)], texts),
        *_waivers(report.findings, texts),
        *(_not_evaluated(report.not_evaluated, texts) if report.policy else ()),
        *_files(report, texts),
        *_signature(),
        "</body>\n</html>\n",
    ]
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _badge(text: str) -> str:
    return f'<span class="badge {text}">{text}</span>'


def _facts(report: Report, judged: int, texts: _Texts) -> Iterator[str]:
    yield "<dl>"
    if report.policy:
        version = f"{texts.code(report.policy)} version {texts.words(report.policy_version)}"
        yield f"<dt>Policy</dt><dd>{version}</dd>"
        yield f"<dt>Policy hash</dt><dd>{texts.code(report.policy_hash)}</dd>"
    yield f"<dt>Judged</dt><dd>{report.evaluated_at:%Y-%m-%d %H:%M:%S} UTC by exr-inspector {report.version}</dd>"
    yield f"<dt>Command</dt><dd>{texts.code(report.command)}</dd>"
    count = len(report.files)
    files = f"{count:,} {plural(count, 'file')}, " if count else ""
    of_patterns = "sequence or file" if judged == 1 else "sequences and files"
    yield f"<dt>Scope</dt><dd>{files}{judged:,} {of_patterns} without a frame number</dd>"
    if report.pixels:
        yield f"<dt>Pixels</dt><dd>{texts.words(report.pixels)}</dd>"
    yield f"<dt>Findings</dt><dd>{counts_text(report.counts) or 'none'}</dd>"
    yield "</dl>"


def _verdicts(judged: Sequence[JudgedPattern], counts: Mapping[str, int], texts: _Texts) -> Iterator[str]:
    kinds = [kind for kind in _COUNTS if counts[kind] or kind in ("error", "warning")]
    columns = [_Column("Verdict", "narrow"), _Column("Sequence or file"), _Column("Frames"), _Column("Files", "number")]
    columns += [_Column(_TITLES[kind].capitalize(), "number") for kind in kinds]
    rows = (
        (_badge(each.verdict), texts.path(each.pattern), texts.code(each.frames), _number(len(each.files)),
         *(_number(each.counts[kind]) for kind in kinds))
        for each in judged[:_MOST_SEQUENCES]
    )  # fmt: skip
    yield from _table(columns, rows, "verdicts")
    yield from _more(len(judged), _MOST_SEQUENCES, "sequences and files")


def _of_waivers(report: Report) -> list[JudgedPattern]:
    found = [finding for finding in report.findings if is_about_waiver(finding)]
    patterns = dict.fromkeys(finding.pattern for finding in found)
    return [JudgedPattern(name, [each for each in found if each.pattern == name], []) for name in patterns]


def _findings(report: Report, judged: Iterable[JudgedPattern], texts: _Texts) -> Iterator[str]:
    total = sum(finding.waived_by is None for finding in report.findings)
    if not total:
        return
    yield "<h2>Findings</h2>"
    columns = [_Column("Severity", "narrow"), _Column("Rule", "narrow"), _Column("Frames"), _Column("Finding")]
    left = _MOST_FINDINGS
    for each in judged:
        found = [finding for finding in each.findings if finding.waived_by is None][:left]
        if found:
            left -= len(found)
            yield f"<h3>{texts.path(each.pattern)}</h3>"
            yield from _table(columns, (_finding(finding, texts) for finding in found), "findings")
    yield from _more(total, _MOST_FINDINGS, "findings")


def _finding(finding: Finding, texts: _Texts) -> Sequence[str]:
    rule = f"{texts.code(finding.rule_id)}<br>{texts.words(finding.rule_name)}"
    message = _with_remark(texts.words(finding.message), texts.words(finding.remedy))
    return _badge(finding.severity), f"<span>{rule}</span>", texts.code(finding.frames), message


def _with_remark(text: str, remark: str) -> str:
    return f'<span>{text}<span class="remark">{remark}</span></span>'


def _waivers(findings: Iterable[Finding], texts: _Texts) -> Iterator[str]:
    columns = [_Column(title) for title in ("Waiver", "Finding", "Frames", "Reason", "Owner")]
    rows = [
        (
            texts.code(waiver.waiver_id),
            _with_remark(f"{texts.words(each.message)} ({each.rule_id})", texts.path(each.pattern)),
            texts.code(each.frames),
            texts.words(waiver.justification),
            texts.words(waiver.owner),
        )
        for each in findings
        if (waiver := each.waived_by) is not None
    ]
    if rows:
        yield "<h2>Waived</h2>"
        yield from _table(columns, rows[:_MOST_FINDINGS])
        yield from _more(len(rows), _MOST_FINDINGS, "waived findings")


def _not_evaluated(rules: Sequence[NotEvaluatedRule], texts: _Texts) -> Iterator[str]:
    yield "<h2>Not evaluated</h2>"
    if not rules:
        yield '<p class="note">All rules of the policy were evaluated for all files.</p>'
        return
    yield '<p class="note">These rules have not passed: they could not be decided.</p>'
    columns = [_Column("Rule", "narrow"), _Column("Files", "number"), _Column("Reason")]
    yield from _table(
        columns,
        (
            (
                f"<span>{texts.code(each.rule_id)} {texts.words(each.rule_name)}</span>",
                _number(each.file_count),
                texts.words(each.why),
            )
            for each in rules
        ),
    )


def _files(report: Report, texts: _Texts) -> Iterator[str]:
    if not report.files:
        return
    yield "<h2>Files</h2>"
    yield f'<p class="note">SHA-256 of the list: {texts.code(report.files_digest)}</p>'
    yield f"<details><summary>{len(report.files):,} files with the SHA-256 of their headers</summary>"
    columns = [_Column("File"), _Column("Frame", "number"), _Column("Bytes", "number"), _Column("Header")]
    yield from _table(columns, (_file(file, texts) for file in report.files[:_MOST_FILES]))
    yield from _more(len(report.files), _MOST_FILES, "files")
    yield "</details>"


def _file(file: ReportedFile, texts: _Texts) -> Sequence[str]:
    size = "" if file.size_bytes is None else f"{file.size_bytes:,}"
    header = f'<span class="hash">{texts.code(file.header_hash or "not read")}</span>'
    return texts.path(file.uri), escape(file.frame), size, header


def _signature() -> Iterator[str]:
    yield '<div class="sign">'
    yield from (f"<div>{label}</div>" for label in ("Name", "Role", "Signature", "Date"))
    yield "</div>"


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def _table(columns: Sequence[_Column], rows: Iterable[Sequence[str]], kind: str = "") -> Iterator[str]:
    """A table; the cells are HTML. On a narrow screen, each cell is a line with the title of its column."""
    attributes = [
        f' class="{kind}" data-label="{title}"' if kind else f' data-label="{title}"' for title, kind in columns
    ]
    heads = (f'<th class="{kind}">{title}</th>' if kind else f"<th>{title}</th>" for title, kind in columns)
    yield f'<table class="{kind}">' if kind else "<table>"
    yield f"<thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for row in rows:
        cells = (f"<td{attribute}>{cell}</td>" for attribute, cell in zip(attributes, row, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _more(count: int, most: int, noun: str) -> Iterator[str]:
    if (more := count - most) > 0:
        yield f'<p class="note">… and {more:,} more {noun}; other formats list all.</p>'
