"""docs/TROUBLESHOOTING.md is up to date, and has a cause and a remedy for every error of the code."""

from __future__ import annotations

import re

import pytest

from exr_inspector.cli.main import main
from exr_inspector.exr.codes import FORMAT_ERRORS, PROBLEMS
from exr_inspector.function.errors import category, concerns_configuration
from exr_inspector.pixels.model import DECODE_ERRORS
from tools.troubleshooting import (
    ADVICE,
    DECODE_REMEDIES,
    FORMAT_REMEDIES,
    TROUBLESHOOTING,
    all_errors,
    public_errors,
    texts_by_class,
    troubleshooting,
)

PAGE = TROUBLESHOOTING.read_text("utf-8")


def test_the_page_is_up_to_date():
    assert troubleshooting() == PAGE, "run `make docs`"


def test_every_error_has_a_cause_and_a_remedy():
    """Messages of errors that are defined elsewhere are under the class of errors.py that they extend."""
    assert {kind.__name__ for kind in public_errors()} == set(ADVICE), "edit tools/troubleshooting.py"
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == list(ADVICE)
    assert all(advice.cause and advice.remedy for advice in ADVICE.values())


def test_every_error_of_the_configuration_is_marked():
    sections = dict(re.findall(r"^### (\w+)\n\n(.+?) \*\*Cause", PAGE, re.MULTILINE))
    marked = {name for name, facts in sections.items() if ", of the configuration," in facts}
    assert marked == {kind.__name__ for kind in public_errors() if concerns_configuration(kind) and not kind.retryable}
    assert "SourceStoreError" in marked


def test_every_code_has_a_remedy():
    assert set(FORMAT_REMEDIES) == set(FORMAT_ERRORS), "edit tools/troubleshooting.py"
    assert set(DECODE_REMEDIES) == set(DECODE_ERRORS), "edit tools/troubleshooting.py"
    tables = PAGE.partition("\n## Files that cannot be read\n")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", tables, re.MULTILINE))
    assert set(rows) == {*FORMAT_ERRORS, *PROBLEMS, *DECODE_ERRORS}
    assert all(len(remedy) > 10 for remedy in rows.values())


def test_every_category_is_on_the_page():
    categories = {kind.category for kind in all_errors()} | {category(ValueError())}
    assert set(re.findall(r"^Category `(\w+)`", PAGE, re.MULTILINE)) == categories


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["report", "storage", "--catalog", "duckdb:none.duckdb"], "CatalogError"),
        (["inspect", "none.exr"], "SourceNotFoundError"),
        (["inspect", "ftp://host/a.exr"], "SourceError"),
        (["deploy", "render", "--target", "knative", "--set", "namespace"], "SettingsError"),
        (["db", "backup", "--check", "none"], "SourceNotFoundError"),
    ],
)
def test_a_printed_message_is_on_the_page(words, kind, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    code = main(words)
    printed = capfd.readouterr().err.strip()
    patterns = [".*".join(map(re.escape, re.sub(r"\\(.)", r"\1", text).split("…"))) for text in texts_by_class()[kind]]
    assert any(re.search(pattern, printed) for pattern in patterns), printed
    section = PAGE.partition(f"### {kind}\n")[2].partition("\n### ")[0]
    assert f"exit code {code}" in section


def test_links_lead_to_headings():
    for page, anchor in re.findall(r"\]\((\w*\.?\w*)#([\w-]+)\)", PAGE):
        text = (TROUBLESHOOTING.parent / page).read_text("utf-8") if page else PAGE
        titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        headings = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
        assert anchor in headings, f"{page}#{anchor}"
