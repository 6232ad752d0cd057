"""The README is up to date: its commands run, and its output is real."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from tests.support import exr_writer as w
from tests.support.prometheus import prometheus_folder, shortened

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


def test_the_page_of_a_file_is_real(tmp_path, monkeypatch, capfd):
    """Line by line."""
    monkeypatch.chdir(tmp_path)
    whole = w.build(w.part(width=32, height=24, channels=[(name, w.HALF, 1, 1, 0) for name in "BGR"]))
    Path("plate_v2.1002.exr").write_bytes(whole.data[:3255])
    command = "exr-inspector inspect plate_v2.1002.exr"
    assert main(shlex.split(command)[1:]) == 1
    assert shown_by(command) == capfd.readouterr().out.splitlines()


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
    """The README shows lines that `make pipeline` prints, with other durations; alerts only where Prometheus is."""
    done = subprocess.run([sys.executable, "-m", "tools.pipeline"], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    if prometheus_folder() is not None:
        return assert_shown("make pipeline", done.stdout)
    assert "apt-get install prometheus" in done.stdout
    assert_shown("make pipeline", done.stdout, without=("  alert ", "    action: "))
    pytest.skip("alerts are not checked: prometheus is not installed; `make deploy-check` downloads it")


@pytest.mark.slow
def test_a_pipeline_that_is_interrupted_leaves_no_process():
    """Each server is ended, also the processes of the runtime."""
    command = [sys.executable, "-m", "tools.pipeline"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        lines = iter(process.stdout)
        assert any(line.startswith("uploaded") for line in lines)
        process.send_signal(signal.SIGINT)
        list(lines)
    assert process.returncode == 128 + signal.SIGINT
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_times_of_rules_are_shortened_for_the_pipeline():
    """Seconds for minutes, minutes for hours; names and thresholds are those of the deployment."""
    rules = "- record: a:ratio1h\n  expr: rate(b[5m]) + c[1h] > 86400\n  for: 10m\n"
    assert shortened(rules) == "- record: a:ratio1h\n  expr: rate(b[5s]) + c[1m] > 86400\n  for: 10s\n"


def assert_shown(command, printed, without=()):
    """Every line of the command's block is in its output, but for durations, and for lines that begin as `without`."""
    expected = {line for line in shown_by(command) if not line.startswith(tuple(without))}
    assert expected - {"", "…", "  …"} <= set(lines_of(printed))


def shown_by(command):
    """The lines that the README shows of a command's output, without durations."""
    (shown,) = (block for _, block in BLOCKS if block.startswith(f"$ {command}\n"))
    return lines_of(shown)[1:]


def lines_of(text):
    """Lines without durations."""
    return re.sub(r"\d+ ms$", "… ms", text, flags=re.MULTILINE).splitlines()
