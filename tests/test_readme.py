"""The README is up to date: its commands run, and its output is real."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from tests.support import exr_writer as w

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip()
    for _, block in BLOCKS
    if "pip install" in block
    for line in block.splitlines()
    if line.startswith("exr-inspector ")
]


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """The files that the README names."""
    monkeypatch.chdir(tmp_path)
    for folder in ("renders", "shows/harbor"):
        Path(folder).mkdir(parents=True)
        for frame in (1, 2):
            Path(folder, f"beauty.100{frame}.exr").write_bytes(w.build(w.part()).data)
    for frame in (1, 2):
        owner = w.text("owner", f"artist {frame}")
        Path(f"plate.100{frame}.exr").write_bytes(w.build(w.part(extra=[owner])).data)


@pytest.mark.slow
def test_every_command_runs(studio, capfdbinary):
    """With exit code 0; 1 for diff, which finds a difference."""
    assert len(COMMANDS) > 6
    for command in COMMANDS:
        words = shlex.split(command)
        assert main(words[1:]) == (1 if words[1] == "diff" else 0), command
        assert capfdbinary.readouterr().out or words[1] == "outliers", command


@pytest.mark.slow
def test_the_python_example_runs(studio):
    """Unchanged."""
    (example,) = (block for language, block in BLOCKS if language == "python")
    exec(compile(example, "README.md", "exec"), {})


@pytest.mark.slow
def test_the_output_of_the_demo_is_real(tmp_path, monkeypatch, capfd):
    """The first screen shows lines that the demo prints."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    printed = capfd.readouterr()
    assert_shown("make demo", printed.out + printed.err)


def test_links_lead_to_files_of_the_repository():
    """By absolute URLs, as the README is also the description of the package."""
    links = re.findall(r"^\[\w+\]: (\S+)$", README, re.MULTILINE)
    assert len(links) > 5
    assert not re.search(r"\]\((?!https://)", README)
    for link in links:
        assert (Path(__file__).parent.parent / link.partition("/blob/main/")[2]).is_file(), link


@pytest.mark.slow
def test_the_output_of_the_pipeline_is_real():
    """The README shows lines that `make pipeline` prints."""
    done = subprocess.run([sys.executable, "-m", "tools.pipeline"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert_shown("make pipeline", done.stdout)


def assert_shown(command, printed):
    """Every line of the command's block is in its output."""
    (shown,) = (block for _, block in BLOCKS if block.startswith(f"$ {command}\n"))
    assert set(shown.splitlines()[1:]) - {"", "…", "  …"} <= set(printed.splitlines())
