"""Runs a program in several processes at the same moment, which share its imports; prints their results as JSON.

NUMBER MODULES ARGUMENTS…: imports the modules, separated by commas, forks, and calls `main` of the first one in each
process. A result is the exit code and the standard output.
"""

import importlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from threading import Barrier

REPOSITORY = Path(__file__).parent.parent.parent
PATH = f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"

WAIT_S = 60  # for the other processes; one that dies must not leave them waiting

ready: Barrier


def at_once(number: int, modules: str, *arguments: str, **environment: str) -> list[tuple[int, str]]:
    """The exit code and standard output of each process. None may write to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.catalog.at_once", str(number), modules, *arguments],
        env=os.environ | {"PYTHONPATH": PATH} | environment,
        capture_output=True,
        text=True,
        timeout=4 * WAIT_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [(code, output) for code, output in json.loads(done.stdout)]


def run(program: str, arguments: list[str]) -> tuple[int, str]:
    """Begins when all processes are here, so that each of them runs once."""
    ready.wait()
    with redirect_stdout(io.StringIO()) as output:
        code = importlib.import_module(program).main(arguments)
    return code or 0, output.getvalue()


def main() -> None:
    global ready
    number, modules = int(sys.argv[1]), sys.argv[2].split(",")
    for module in modules:
        importlib.import_module(module)
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(number, timeout=WAIT_S)
    with fork.Pool(number) as pool:
        print(json.dumps(pool.starmap(run, [(modules[0], sys.argv[3:])] * number, chunksize=1)))


if __name__ == "__main__":
    main()
