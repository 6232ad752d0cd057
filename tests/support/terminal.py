"""Commands on a terminal of their own, as a person runs them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "exr_inspector")
IN_TURN = """
import json, sys
from exr_inspector.cli.main import main

for words in json.loads(sys.argv[1]):
    code = main(words)
    print(f"=== exit code {int(code)} ===", flush=True)
"""


def on_terminal_in_turn(*commands: Sequence[str], cwd: Path) -> list[tuple[int, str]]:
    """The same for commands that one process runs, one after the other, as starting one for each takes most time."""
    _, shown = on_terminal(IN_TURN, json.dumps(commands), cwd=cwd, program="-c")
    *outputs, rest = re.split(r"=== exit code (\d+) ===\r\n", shown)
    assert rest == ""
    assert len(outputs) == 2 * len(commands)
    return [(int(code), text) for text, code in zip(outputs[::2], outputs[1::2], strict=True)]


def on_terminal(
    *words: str, cwd: Path, columns: int = 80, stdout: int | None = None, program: str = ""
) -> tuple[int, str]:
    """The exit code, and all that stood on the terminal; with `stdout`, words on stderr alone.

    `program` is a script that runs in the place of the command.
    """
    command = (sys.executable, program) if program else COMMAND
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [*command, *words], stdin=terminal, stdout=stdout or terminal, stderr=terminal, cwd=cwd, env=env
    )
    os.close(terminal)
    shown = bytearray()
    while True:
        try:
            data = os.read(control, 1 << 16)
        except OSError:  # Linux says so when the last process has closed the terminal
            break
        if not data:
            break
        shown += data
    os.close(control)
    return process.wait(), shown.decode()
