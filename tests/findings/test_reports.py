"""Reports for people: Markdown and one HTML page. Names from files cannot become markup."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exr_inspector.cli.text import clean
from exr_inspector.findings.html import html
from exr_inspector.findings.markdown import markdown
from exr_inspector.findings.model import FileFrame, Finding, Waived, finding, grouped
from exr_inspector.findings.report import NotEvaluatedRule, Report, ReportedFile
from exr_inspector.findings.rules import RULES

HOSTILE = "<img src=x onerror=alert(1)>|`*_[a](http://b) @user #1\r\n\x00\u202e\"'&amp;~$"
SEQUENCE, OTHER, FINE = "file:///show/a.####.exr", f"file:///show/{HOSTILE}.exr", "file:///show/fine.exr"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def found(rule_id: str, severity: str, pattern: str, message: str, frame: str = "") -> Finding:
    about = finding(RULES[rule_id], severity, pattern, message)
    return grouped([(about, FileFrame(uri=pattern.replace("####", frame), frame=frame))])[0]


WAIVER = Waived(waiver_id="W-1", reason="as agreed", owner=HOSTILE, ticket="PIPE-1")
WAIVED = replace(
    found("EXR301", "error", SEQUENCE, "is ZIP", "1002"),
    waived_by=WAIVER,
)
REPORT = Report(
    command="exr-inspector validate",
    version="1.2.3",
    evaluated_at=datetime(2026, 11, 28, 12, tzinfo=timezone.utc),
    findings=[
        found("EXR102", "error", SEQUENCE, "truncated", "1001"),
        WAIVED,
        found("EXR502", "warning", OTHER, f"is {HOSTILE}"),
    ],
    patterns=[FINE, SEQUENCE, OTHER],
    title=f"Show {HOSTILE}",
    policy="delivery",
    policy_version="1.2",
    policy_hash="ab" * 32,
    not_evaluated=[NotEvaluatedRule("EXR801", "nan", "no statistics of pixels", 4)],
    files=[
        ReportedFile(SEQUENCE, "file:///show/a.1001.exr", "1001", None, None),
        ReportedFile(SEQUENCE, "file:///show/a.1002.exr", "1002", 1234, "cd" * 32),
        ReportedFile(OTHER, OTHER, "", 5, "ef" * 32),
        ReportedFile(FINE, FINE, "", 6, "01" * 32),
    ],
)


class _Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def page(report: Report = REPORT) -> _Page:
    return _Page(html(report, clean, clean).decode())


KNOWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "span", "code", "br", "p", "div"),
    *("dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}


def test_the_page_has_all_that_a_signature_stands_for():
    text = page().text
    assert text.index("FAIL") < text.index("Verdicts") < text.index("Findings", text.index("Verdicts"))
    for part in (
        *(
            "delivery",
            "version 1.2",
            "ab" * 32,
            "2026-11-28 12:00:00 UTC",
            "1.2.3",
            "1001-1002",
            "render the frame again",
        ),
        *(
            "as agreed, ticket PIPE-1",
            "W-1",
            "EXR801",
            "no statistics of pixels",
            "cd" * 32,
            "1,234",
            REPORT.files_digest,
        ),
        *("Name", "Date", "Signature"),
    ):
        assert part in text


def test_verdicts_are_those_of_findings_without_a_waiver():
    judged = [(each.verdict, each.pattern, each.frames) for each in REPORT.sequences()]
    assert judged == [("FAIL", SEQUENCE, "1001-1002"), ("WARN", OTHER, ""), ("PASS", FINE, "")]
    passed = replace(REPORT, findings=[WAIVED])
    assert (passed.verdict, {each.verdict for each in passed.sequences()}) == ("PASS", {"PASS"})


def test_columns_of_counts_that_are_zero_everywhere_are_left_out():
    """Errors and warnings stay."""
    text = html(replace(REPORT, findings=REPORT.findings[2:]), clean, clean).decode()
    assert [title in text for title in (">Errors<", ">Warnings<", ">Notes<", ">Waived<")] == [True, True, False, False]
    assert ">Waived<" in html(REPORT, clean, clean).decode()


@pytest.mark.slow
@given(TEXTS)
def test_no_text_becomes_markup(text):
    """Nor a link to anything outside the page."""
    hostile = [found("EXR502", "error", f"file:///{text}{HOSTILE}", text + HOSTILE)]
    document = _Page(html(replace(REPORT, findings=hostile, title=text + HOSTILE), clean, clean).decode())
    assert document.tags == KNOWN_TAGS
    assert not document.attributes & {"src", "href", "onerror"}
    lines = markdown(replace(REPORT, findings=hostile), clean, clean).decode().splitlines()
    (row,) = [line for line in lines if line.startswith("| error ")]
    assert row.count("|") == 7
    assert not set("<>`*[]@") & set(re.sub(r"</?code>|&#\d+;", "", row))


def test_the_digest_of_the_files_depends_on_every_header():
    changed = [*REPORT.files[:-1], REPORT.files[-1]._replace(header_hash="02" * 32)]
    assert replace(REPORT, files=changed).files_digest != REPORT.files_digest
    assert replace(REPORT, files=REPORT.files[::-1]).files_digest == REPORT.files_digest


def test_names_of_sites_are_no_links_in_markdown():
    report = Report(
        command="WWW.Evil.com",
        version="1",
        evaluated_at=datetime.now(timezone.utc),
        findings=[],
        patterns=["www.a.com"],
    )
    assert "www." not in markdown(report, str, str).decode().lower()


def test_markdown_has_verdicts_findings_waivers_and_what_was_not_evaluated():
    text = markdown(REPORT, clean, clean).decode()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Findings", "Waived", "Not evaluated"]
    assert text.splitlines()[2].startswith("**FAIL** · policy <code>delivery</code> version <code>1.2</code>")
    assert "1 error, 1 warning, 1 waived" in text
    assert "| as agreed, ticket PIPE-1 |" in text
    assert "| <code>EXR801</code> | nan | 4 | no statistics of pixels |" in text


def test_markdown_escapes_only_what_can_be_markup():
    shown = [found("EXR502", "error", "file:///show/my_plate.####.exr", "a_b: (1) + {2} _c_ www.evil.com :tada: #12")]
    text = markdown(replace(REPORT, findings=shown), str, clean).decode()
    assert "<code>file&#58;///show/my_plate.####.exr</code>" in text
    assert "a_b: (1) + {2} &#95;c&#95; www&#46;evil.com &#58;tada: &#35;12" in text


@pytest.mark.slow
def test_long_tables_are_bounded(monkeypatch):
    """Markdown for a comment, and a page that a browser still opens."""
    monkeypatch.setattr("exr_inspector.findings.markdown._MOST_ROWS", 500)
    monkeypatch.setattr("exr_inspector.findings.html._MOST_FINDINGS", 600)
    monkeypatch.setattr("exr_inspector.findings.html._MOST_SEQUENCES", 400)
    many = [found("EXR502", "error", f"file:///{number}.exr", "is") for number in range(601)]
    report = replace(REPORT, findings=many, patterns=[])
    text = markdown(report, clean, clean).decode()
    assert "… and 101 more" in text
    document = page(report).text
    assert "… and 1 more finding" in document
    assert "… and 201 more sequences and files" in document


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
@pytest.mark.parametrize("width", [1440, 900, 390])
def test_a_browser_shows_the_page_without_cutting_it(tmp_path, width):
    """With 10,000 files; a script, which the page itself does not allow, measures the width."""
    listed = [ReportedFile(SEQUENCE, f"file:///show/a.{n:05}.exr", f"{n:05}", n, "cd" * 32) for n in range(10_000)]
    document = html(replace(REPORT, files=listed), clean, clean).decode()
    document = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", document)
    script = "document.title = document.documentElement.scrollWidth + ' of ' + innerWidth"
    path = tmp_path / "report.html"
    path.write_text(document.replace("</body>", f"<script>{script}</script></body>"), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *options, f"--window-size={width},900", "--dump-dom", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    measured, inner = re.search(r"<title>(\d+) of (\d+)</title>", dom).groups()
    assert int(measured) <= int(inner)
    assert dom.count("<tr>") > 10_000
