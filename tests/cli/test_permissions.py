"""Catalogs and outputs that the user of the program may not read or write; all commands in one process."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exr_inspector import open_catalog

# Runs commands, and prints of each the exit code and what it printed.
PROGRAM = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from exr_inspector.cli.main import main
results = []
for command in json.loads(sys.argv[1]):
    printed = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    with redirect_stdout(printed), redirect_stderr(printed):
        code = main(command)
    results.append((code, printed.buffer.getvalue().decode()))
print(json.dumps(results))
"""


def obey_permissions() -> None:
    """Take from root the capabilities to ignore them: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Exit code and output of commands, each written as one text, in a folder with one that cannot be written to."""
    folder = tmp_path_factory.mktemp("permissions")
    denied = folder / "denied"
    denied.mkdir()
    for path, mode in ((denied / "old.duckdb", 0o444), (folder / "secret.duckdb", 0o000)):
        open_catalog(f"duckdb:{path}").close()
        path.chmod(mode)
    denied.chmod(0o555)
    unlisted = folder / ".unlisted"  # not below what `ingest .` lists
    unlisted.mkdir(0o000)
    words = [sys.executable, "-c", PROGRAM, json.dumps([command.split() for command in COMMANDS])]
    source = Path(__file__).parents[2] / "src"
    try:
        done = subprocess.run(
            words, env=os.environ | {"PYTHONPATH": str(source)}, preexec_fn=obey_permissions, cwd=folder,
            capture_output=True, text=True,
        )  # fmt: skip
    finally:
        denied.chmod(0o755)
        unlisted.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(zip(COMMANDS, json.loads(done.stdout), strict=True)), str(folder)


# The exit code of each command, and a line that it prints.
NOT_WRITABLE = "is not writable by this user"
NOT_READABLE = "secret.duckdb cannot be opened: secret.duckdb is not readable"
COMMANDS = {
    "doctor --before --catalog duckdb:denied/new.duckdb": (1, f"FAIL rights {{folder}}/denied {NOT_WRITABLE}"),
    "doctor --before --catalog duckdb:denied/old.duckdb": (1, f"FAIL rights denied/old.duckdb {NOT_WRITABLE}"),
    "doctor --catalog duckdb:denied/old.duckdb": (0, f"warn rights denied/old.duckdb {NOT_WRITABLE}"),
    "doctor --catalog duckdb:secret.duckdb": (1, f"FAIL catalog {NOT_READABLE} → change the permissions"),
    "doctor --before --catalog duckdb:new.duckdb": (0, "ok rights this user can write to the file and its folder"),
    "db status --catalog duckdb:secret.duckdb": (3, f"{NOT_READABLE}; change the permissions"),
    "ingest . --catalog duckdb:denied/new.duckdb": (
        3, "denied/new.duckdb cannot be opened: {folder}/denied is not writable; change the permissions",
    ),
    "ingest . --catalog duckdb:denied/old.duckdb": (
        3, "denied/old.duckdb cannot be opened: denied/old.duckdb is not writable; change the permissions",
    ),
    "report storage --catalog duckdb:denied/old.duckdb --output denied/x.csv": (
        2, "denied/x.csv: cannot be written: Permission denied",
    ),
    "db metrics --catalog duckdb:denied/old.duckdb --textfile denied/x.prom": (
        2, "denied/x.prom: cannot be written: Permission denied",
    ),
    "db backup denied/new --catalog duckdb:denied/old.duckdb": (
        2, "denied/new: cannot be written: Permission denied",
    ),
    "db backup denied --catalog duckdb:denied/old.duckdb": (2, "denied: not empty"),
    "check .unlisted/a.####.exr": (3, ".unlisted: Permission denied"),
    "check .unlisted/a.####.exr --range 1001-1002": (3, ".unlisted: Permission denied"),
    "inspect .unlisted/a.####.exr": (3, ".unlisted: Permission denied"),
    "validate .unlisted/*.exr --policy aces-container": (3, ".unlisted: Permission denied"),
    "diff .unlisted/a.####.exr .unlisted/b.####.exr": (3, ".unlisted: Permission denied"),
    "ingest .unlisted/a.####.exr --catalog duckdb:empty.duckdb": (3, ".unlisted: Permission denied"),
    "demo denied/demo": (2, "denied/demo/show: cannot be written: Permission denied"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_user_may_not_do_is_named(results, command):
    by_command, folder = results
    code, line = COMMANDS[command]
    found, printed = by_command[command]
    assert found == code, printed
    assert line.format(folder=folder) in " ".join(printed.split())
