"""Options of every command: -h, --quiet, --verbose; and completion in a shell."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from exr_inspector import open_catalog
from exr_inspector.cli.main import app, main
from tests.cli.test_inspect import CUT, GOOD
from tests.support.terminal import on_terminal

CATALOG = "duckdb:catalog.duckdb"


def commands(command, path=()):
    """The words of every command, and those of the groups."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app())))


def make_show() -> None:
    """A sound and a truncated file, and a catalog."""
    Path("show").mkdir()
    Path("show/a.exr").write_bytes(GOOD)
    Path("show/b.exr").write_bytes(CUT)
    with open_catalog(CATALOG) as catalog:
        catalog.ensure_schema()


@pytest.mark.fast_cases(6)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_the_options(words, capfd):
    """-h is --help, which lists the others."""
    assert main([*words, "-h"]) == 0
    short = capfd.readouterr().out
    assert main([*words, "--help"]) == 0
    assert capfd.readouterr().out == short
    assert "  -q, --quiet " in short
    assert "  -v, --verbose " in short


@pytest.mark.parametrize("words", [["ingest", "show", "-q"], ["--quiet", "ingest", "show"]])
def test_quiet_leaves_errors(show, words, capfd):
    """Also for the exit code."""
    assert main([*words, "--catalog", CATALOG]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("show/b.exr: truncated")
    assert len(err.splitlines()) == 1


@pytest.mark.slow
def test_quiet_leaves_data_and_drops_hints(show, capfd):
    """For this run only."""
    for _ in range(2):
        assert main(["outliers", "-q", "--catalog", CATALOG]) == 0
        assert capfd.readouterr() == ("", "")
        assert main(["outliers", "--catalog", CATALOG]) == 0
        assert capfd.readouterr() == ("", "no outliers\n")
    assert main(["query", "-q", "SELECT 1 AS one", "--format", "csv", "--catalog", CATALOG]) == 0
    assert capfd.readouterr() == ("one\n1\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("words", [["query", "-v"], ["-v", "query"], ["query", "--verbose"], ["query", "-vv"]])
def test_verbose_prints_the_log(show, words, capfd):
    """On stderr, for this run only."""
    logger = logging.getLogger("exr_inspector")
    before, level = list(logger.handlers), logger.level
    assert main([*words, "SELECT 1 AS one", "--format", "csv", "--catalog", CATALOG]) == 0
    out, err = capfd.readouterr()
    assert out == "one\n1\n"
    assert f" INFO exr_inspector.cli.options: opened the catalog {CATALOG}, read-only\n" in err
    assert (logger.handlers, logger.level) == (before, level)
    assert main(["query", "SELECT 1", "--catalog", CATALOG]) == 0
    assert capfd.readouterr().err == ""


def test_the_log_has_the_level_that_is_asked_for(show, monkeypatch, capfd):
    """Escaped like every message."""

    def log(*_: object, **__: object) -> None:
        logging.getLogger("exr_inspector.test").info("read %s", "a\x1b[2J\nb")
        try:
            raise ValueError("\x1b[2J")
        except ValueError:
            logging.getLogger("exr_inspector.test").debug("in detail", exc_info=True)

    monkeypatch.setattr("exr_inspector.inspection.json_schema.inspection_schema", lambda: log() or {})
    for option, last in (("-v", r" INFO exr_inspector.test: read a\x1b[2J\x0ab"), ("-vv", r"ValueError: \x1b[2J")):
        assert main(["schema", option]) == 0
        lines = capfd.readouterr().err.splitlines()
        assert lines[0].endswith(r" INFO exr_inspector.test: read a\x1b[2J\x0ab")
        assert lines[-1].endswith(last)


def completion(instruction: str, **request: str) -> str:
    """What the program prints for the completion of a shell."""
    env = os.environ | {"_EXR_INSPECTOR_COMPLETE": instruction} | request
    command = [sys.executable, "-m", "exr_inspector"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("exr-inspector seq", ["sequences"]), ("exr-inspector sequences --format j", ["json", "jsonl"])],
)
def test_bash_completes_commands_and_values(typed, completed):
    """As the script asks for them."""
    assert completion("complete_bash", COMP_WORDS=typed, COMP_CWORD=str(typed.count(" "))).split() == completed


@pytest.mark.slow
def test_the_completion_script_is_for_the_program():
    """However it was started."""
    assert "complete -o default -F _exr_inspector_completion exr-inspector\n" in completion("source_bash")


@pytest.mark.slow
def test_quiet_shows_no_progress_on_a_terminal(show):
    """Not even for a short time."""
    _, shown = on_terminal("ingest", "show/a.exr", "-q", "--rescan", "--catalog", CATALOG, cwd=show)
    assert shown == ""
