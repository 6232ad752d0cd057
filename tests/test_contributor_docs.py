"""The pages and files for contributors name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tools.pythons import supported

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "exr_inspector"
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
HOME = "https://github.com/exr-inspector/exr-inspector"

DIAGRAM = re.search(r"^```\n(.*?)^```$", ARCHITECTURE, re.MULTILINE | re.DOTALL)[1]
ADDITIONS = dict(re.findall(r"^### (.+)\n\n((?:\|.*\n)+)", ARCHITECTURE, re.MULTILINE))
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
HOOKS = [
    hook
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    for hook in repo["hooks"]
]


def is_path(code):
    return "/" in code or re.search(r"\.(py|md|toml)$", code)


def code_spans(text):
    return re.findall(r"`([^`\n]+)`", text)


def made(text):
    """The targets of the `make` commands in a text."""
    return set(re.findall(r"(?:^\s+|`|\$ )make ([a-z-]+)", text, re.MULTILINE))


def test_the_architecture_has_the_additions():
    assert list(ADDITIONS) == [
        "An attribute type", "A renderer rule", "A rule of a policy", "An event flavour", "A report", "A column",
        "A backend",
    ]  # fmt: skip


def test_every_path_in_the_architecture_exists():
    prose = ARCHITECTURE.replace(DIAGRAM, "")
    paths = [ROOT / code for code in code_spans(prose) if is_path(code)]
    paths += [SOURCE / name for name in re.findall(r"(?<![\w/])\w+/\w+\.py|(?<![\w/])(?:\w+/)+(?!\w)", DIAGRAM)]
    assert len(paths) > 40
    assert [str(path) for path in paths if not path.exists()] == []


@pytest.mark.parametrize("addition", ADDITIONS)
def test_every_name_in_the_architecture_is_in_a_file_beside_it(addition):
    """`DECODERS` and its like occur in a file that the same cell names."""
    for row in ADDITIONS[addition].splitlines():
        spans = code_spans(row)
        files = [path.read_text("utf-8") for span in spans if is_path(span) and (path := ROOT / span).is_file()]
        names = [span for span in spans if re.fullmatch(r"[A-Za-z_]+", span)]
        for name in names:
            assert any(re.search(rf"\b{name}\b", text) for text in files), f"{name} is not in a file of: {row}"


@pytest.mark.parametrize("page", ["docs/ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", ".ci/run"])
def test_every_make_target_of_a_page_exists(page):
    targets = made((ROOT / page).read_text("utf-8")) | ({"test"} if page == ".ci/run" else set())
    assert targets
    assert targets <= MAKE_TARGETS


def test_links_to_the_project_are_absolute_and_lead_to_files():
    """The README is shown by package indexes, where a relative link leads nowhere."""
    readme = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"(?:\]\(|^\[[^\]]+\]: )([^)\s]+)", readme, re.MULTILINE)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    links += re.findall(rf'"({HOME}[^"]*)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    files = [link.removeprefix(f"{HOME}/blob/main/") for link in links if "/blob/" in link]
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_ci_runs_make_on_every_supported_python():
    commands = [step["run"] for step in STEPS if "run" in step]
    targets = [target for command in commands for target in re.findall(r"^make ([a-z-]+)", command, re.MULTILINE)]
    assert sorted(targets) == ["dist", "test"]
    assert set(targets) <= MAKE_TARGETS
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == supported()
    assert WORKFLOW["permissions"] == {"contents": "read"}


def test_hooks_run_tools_that_make_installs():
    dev = (ROOT / "pyproject.toml").read_text("utf-8")
    assert {hook["id"] for hook in HOOKS} >= {"ruff-check", "ruff-format", "mypy"}
    for hook in HOOKS:
        assert hook["language"] == "system"
        words = hook["entry"].split()
        tool = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name
        assert words[0].startswith(".venv/bin/")
        assert f'"{tool}>=' in dev
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))
        re.compile(hook.get("files", ""))
