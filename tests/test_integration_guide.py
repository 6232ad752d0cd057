"""docs/INTEGRATION_GUIDE.md: each requirement is done or a deviation, and what a row names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from exr_inspector.cli.main import app

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "INTEGRATION_GUIDE.md").read_text("utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of each row of the table in a section, without its head."""
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


REQUIREMENTS = rows("Requirements")


def test_each_requirement_is_done_or_a_deviation():
    assert len(REQUIREMENTS) >= 45
    assert {status for _, status, _, _ in REQUIREMENTS} == {"done", "deviation"}
    assert all(how for _, status, how, _ in REQUIREMENTS if status == "deviation")


@pytest.mark.parametrize(("status", "shown"), sorted({(status, shown) for _, status, _, shown in REQUIREMENTS}))
def test_a_test_shows_what_is_done(status, shown):
    """A deviation may also name the file that describes it."""
    path, _, name = re.fullmatch("`([^`]+)`", shown)[1].partition("::")
    text = (ROOT / path).read_text("utf-8")
    assert name or status == "deviation"
    if name:
        assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize("text", sorted(set(re.findall(r"`(?:exr-inspector )([a-z][^`]*)`", PAGE))))
def test_commands_exist(text):
    command, words = typer.main.get_command(app()), text.split()
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_every_invented_command_has_a_real_one():
    invented, real = zip(*rows("Commands"), strict=True)
    assert len(invented) >= 15
    assert all("`" in cell for cell in real)
    assert not any("vast function" in cell or "psql" in cell for cell in real)
