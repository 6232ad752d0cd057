"""Phrases that are not plain technical English, and what to write instead.

Identifiers are read with `ast`, comments with `tokenize`, text in strings, docs and SQL with regular expressions.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

# Packages that are still to be rewritten. One that is clean fails the test: remove it from here.
PENDING: set[str] = set()

# Words of identifiers (`_told_by`, `SettleLater`), and what the identifier should be built from.
IDENTIFIERS = {
    "told": "detected, declared",
    "said": "declared, reported",
    "tell": "log, report, print",
    "settle": "reconcile, deduplicate",
    "settled": "reconciled, deduplicated",
    "hurried": "with_deadline",
    "unspeakable": "invalid_key",
    "looker": "inspector",
    "look": "inspect",
    "lasting": "permanent",
    "passing": "transient",
    "refuse": "reject, raise",
    "refused": "rejected",
    "hear": "attach_logger",
    "outline": "token_set",
    "trait": "token",
    "stamp": "file_stat, persisted_at",
    "stamps": "file_stats",
    "place": "path, uri",
    "places": "paths, uris",
}
EXACT_IDENTIFIERS = {
    "nothing_collected": "gc_paused",
    "is_of_the_future": "is_unknown_version",
}

# Phrases of prose: comments, docstrings, messages, docs.
PHRASES = {
    r"told": "detected, declared, given, passed",
    r"said": "declared, reported",
    r"settle[sd]?|settling": "reconcile, deduplicate",
    r"hurried": "with a deadline",
    r"unspeakable": "invalid",
    r"(?:stand(?:s|ing)?|stood) apart": "differ, be an outlier",
    r"odd (?:ones?(?! out)|frames?|files?)": "outlier",
    r"passing (?:fault|problem|error|failure|trouble)s?": "transient error",
    r"lasting (?:fault|problem|error|failure|trouble)s?": "permanent error",
    r"(?<!connection\s)refus(?:e|es|ed|ing|al)": "reject, raise",
    r"(?<!there\s)(?:is|are|was) no(?! (?:longer|more|such|need|way)\b)": "is not a …, is missing",
    r"(?:is|are|was|were) (?-i:none)": "is missing, is not one of",
    r"no more is known": "details unavailable",
    r"(?:go|goes|went|gone) wrong": "fail",
    r"look(?:s|ed|ing)? (?:at|into)": "inspect, read, check",
    r"lookers?": "inspector",
    r"in the words of": "(delete)",
    r"that which|those that are not|he who": "name the thing",
    r"by then": "before that, at that time",
    r"tr(?:y|ies|ied|ying) (?:it )?again": "retry",
}

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PROSE = [
    (re.compile(r"(?<![\w-])(?:" + pattern.replace(" ", r"\s+") + r")(?![\w-])", re.IGNORECASE), replacement)
    for pattern, replacement in PHRASES.items()
]


class Finding(NamedTuple):
    """A phrase at a line, and what to write instead."""

    path: Path
    line: int
    phrase: str
    replacement: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.phrase!r}; write: {self.replacement}"


def packages() -> dict[str, list[Path]]:
    """The files to check, by folder or top-level module of the source tree, other folder, or page."""
    source = ROOT / "src" / "exr_inspector"
    roots = [path for path in source.iterdir() if path.is_dir() or path.suffix == ".py"]
    roots += [ROOT / name for name in ("functions", "docs", "tools", "README.md", "CONTRIBUTING.md", "SECURITY.md")]
    found = {}
    for root in sorted(roots):
        files = [root] if root.is_file() else sorted(root.rglob("*"))
        files = [path for path in files if path.suffix in (".py", ".md", ".sql") and "__pycache__" not in path.parts]
        if files:
            found[root.relative_to(ROOT).as_posix()] = files
    return found


PACKAGES = packages()


def in_identifier(name: str) -> Iterator[tuple[str, str]]:
    """The words of an identifier that are in the glossary."""
    words = [word.lower() for word in _WORD.findall(name)]
    whole = "_".join(words)
    if whole in EXACT_IDENTIFIERS:
        yield name, EXACT_IDENTIFIERS[whole]
    for word in words:
        if word in IDENTIFIERS:
            yield name, IDENTIFIERS[word]


def in_prose(text: str) -> Iterator[tuple[int, str, str]]:
    """The phrases in a text, each with the number of lines before it."""
    for pattern, replacement in _PROSE:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()), " ".join(match[0].split()), replacement


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Blocks of comments, each with its first line."""
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and block:
            yield first, "\n".join(block)
            block = []
        first = first if block else token.start[0]
        last = token.start[0]
        block.append(token.string.lstrip("# "))
    if block:
        yield first, "\n".join(block)


def identifiers(node: ast.AST) -> Iterator[str]:
    """The names that a node of the syntax tree holds; those of imports and of other packages' keywords too."""
    for _, value in ast.iter_fields(node):
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield each


def findings_in_python(path: Path) -> Iterator[Finding]:
    text = path.read_text("utf-8")
    for word, replacement in in_identifier(path.stem):
        yield Finding(path, 1, word, replacement)
    for first, comment in comments(text):
        for lines, phrase, replacement in in_prose(comment):
            yield Finding(path, first + lines, phrase, replacement)
    line = 1
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, "lineno", line)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                for lines, phrase, replacement in in_prose(node.value):
                    yield Finding(path, line + lines, phrase, replacement)
            continue
        if isinstance(node, ast.ExceptHandler) and node.name == "problem":
            yield Finding(path, line, "except … as problem", "error")
        for name in identifiers(node):
            for word, replacement in in_identifier(name):
                yield Finding(path, line, word, replacement)


def findings(path: Path) -> list[Finding]:
    """The phrases of one file, in the order of lines; a name once for each line."""
    if path.suffix == ".py":
        return sorted(set(findings_in_python(path)))
    return sorted({Finding(path, 1 + lines, *rest) for lines, *rest in in_prose(path.read_text("utf-8"))})


@pytest.mark.parametrize("package", PACKAGES)
def test_the_text_is_plain_english(package):
    found = [str(finding) for path in PACKAGES[package] for finding in findings(path)]
    if package in PENDING:
        assert found, f"{package} is clean: remove it from PENDING"
    else:
        assert not found, "\n".join(["not plain technical English:", *found])


def test_pending_packages_exist():
    assert set(PACKAGES) >= PENDING


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("def told():\n    pass", "told"),
        ("x = _SETTLE_LATER", "_SETTLE_LATER"),
        ("class FileStamp: pass", "FileStamp"),
        ("import a.look", "a.look"),
        ("f(places=1)", "places"),
        ("try: pass\nexcept OSError as problem: pass", "except … as problem"),
        ("# what\n# goes\n# wrong", "goes wrong"),
        ('"""It is\nno integer."""', "is no"),
        ('f"{path} is none of {names}"', "is none"),
        ('raise E("refused " "here")', "refused"),
    ],
)
def test_a_phrase_is_found(tmp_path, text, phrase):
    path = tmp_path / "a.py"
    path.write_text(text, "utf-8")
    assert phrase in [finding.phrase for finding in findings(path)]


@pytest.mark.parametrize(
    "text",
    [
        '"""There is no file, and it is no longer read; files that were found."""',
        "inspection_timestamp = lookup(placed, headers)",
        '"connection refused"',
        "a is None",
    ],
)
def test_ordinary_words_are_left_alone(tmp_path, text):
    path = tmp_path / "a.py"
    path.write_text(text, "utf-8")
    assert findings(path) == []
