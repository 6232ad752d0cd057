"""Run the test suite on every supported Python of this machine: `make test-pythons`.

Interpreters are those on PATH and those of pyenv. Each has a virtual environment of its own below `.venvs/`. Arguments
are passed to pytest: `make test-pythons ARGS="-m 'not slow'"`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
VENVS = ROOT / ".venvs"
PYPROJECT = ROOT / "pyproject.toml"
PROBE = "import ensurepip, platform, venv; print(platform.python_version())"


def supported() -> list[str]:
    """The versions that pyproject.toml declares, oldest first: 3.10, 3.11, …"""
    return re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT.read_text("utf-8"))


def candidates(version: str) -> Iterator[Path]:
    """Paths at which an interpreter of this minor version may be installed, on PATH first."""
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def interpreter(version: str) -> tuple[Path, str] | None:
    """The first interpreter of this minor version that runs and can make environments, and its full version."""
    for path in candidates(version):
        # a pyenv shim exists, and fails, where its version is not enabled
        probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, check=False)
        if probe.returncode == 0 and probe.stdout.startswith(f"{version}."):
            return path, probe.stdout.strip()
    return None


def environment(python: Path, version: str, log: IO[str]) -> Path:
    """The interpreter of the virtual environment for `version`, with the requirements of pyproject.toml installed."""
    folder = VENVS / version
    program, installed = folder / "bin" / "python", folder / ".installed"
    if not program.exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True, stdout=log, stderr=log)
    if not installed.exists() or installed.read_text("utf-8") != PYPROJECT.read_text("utf-8"):
        pip = [program, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True, stdout=log, stderr=log)
        installed.write_text(PYPROJECT.read_text("utf-8"), "utf-8")
    return program


def run(python: Path, version: str, arguments: list[str]) -> tuple[bool, str]:
    """Whether the suite passed in the environment, and a summary; the whole output goes to `.venvs/VERSION.log`."""
    path = VENVS / f"{version}.log"
    started = time.monotonic()
    with path.open("w", encoding="utf-8") as log:
        try:
            pytest = [environment(python, version, log), "-m", "pytest", "-n", "auto", "-p", "no:cacheprovider"]
            subprocess.run([*pytest, *arguments], cwd=ROOT, check=True, stdout=log, stderr=log)
            passed = True
        except subprocess.CalledProcessError:
            passed = False
    last = path.read_text("utf-8").strip().rpartition("\n")[2].strip("= ")
    summary = f"{last} ({time.monotonic() - started:.0f} s with setup)"
    return passed, summary if passed else f"{summary}; see {path.relative_to(ROOT)}"


def main(arguments: list[str]) -> int:
    """Print one line for each supported version; 1 where a suite fails or no interpreter is installed."""
    VENVS.mkdir(exist_ok=True)
    results = []
    for version in supported():
        found = interpreter(version)
        if found is None:
            print(f"{version:8} not installed", flush=True)
            continue
        passed, summary = run(found[0], version, arguments)
        print(f"{found[1]:8} {'passed' if passed else 'FAILED'}  {summary}", flush=True)
        results.append(passed)
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
