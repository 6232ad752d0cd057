"""The project's wheel, and environments in which it is installed.

Their packages are links to those of this environment, which takes no time: of each distribution that the wheel needs,
and of no other.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PIP = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]


def install(folder: Path, requirement: Requirement, wheel: Path) -> Path:
    """Create an environment with the wheel and what the requirement for it needs; returns its `bin` folder."""
    venv.create(folder)
    programs = folder / "bin"
    without = ["--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*PIP, "--python", programs / "python", "install", *without, wheel], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": folder}))
    (metadata,) = packages.glob("exr_inspector-*.dist-info")
    for found in _needed(requirement, Distribution.at(metadata)).values():
        for name in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            link = packages / name
            if not link.exists():  # a namespace of several
                link.symlink_to(str(found.locate_file(name)))
    return programs


def _needed(requirement: Requirement, of: Distribution) -> dict[str, Distribution]:
    """Distributions that a requirement needs, by name, without the one that it names."""
    needed: dict[str, Distribution] = {}
    done: set[tuple[str, str]] = set()

    def add(of: Distribution, extras: set[str]) -> None:
        for extra in {"", *extras}:
            if (of.name, extra) in done:
                continue
            done.add((of.name, extra))
            for text in of.requires or ():
                wanted = Requirement(text)
                if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                    found = distribution(wanted.name)
                    assert wanted.specifier.contains(found.version, prereleases=True), f"{of.name} needs {text}"
                    needed[canonicalize_name(wanted.name)] = found
                    add(found, wanted.extras)

    add(of, requirement.extras)
    return needed
