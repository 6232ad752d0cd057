"""Commands on a terminal of their own, as a person runs them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

COMMAND = (sys.executable, "-m", "exr_inspector")


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
