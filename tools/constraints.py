"""Write deploy/constraints.txt, the versions in the image: those that are installed here. `make constraints`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "deploy" / "constraints.txt"
EXTRAS = frozenset({"pixels", "s3", "vast", "web"})  # those of deploy/Dockerfile
_IMAGE = {
    "python_version": "3.12",
    "python_full_version": "3.12.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
}


def needed() -> set[str]:
    """The names of all packages that the image needs, in their normal form."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    texts = [*project["dependencies"], *(text for extra in EXTRAS for text in project["optional-dependencies"][extra])]
    found: dict[str, frozenset[str]] = {}
    pending = list(_named(texts, frozenset()))
    while pending:
        name, extras = pending.pop()
        if extras <= found.get(name, frozenset()) and name in found:
            continue
        found[name] = found.get(name, frozenset()) | extras
        pending += _named(requires(name) or (), extras)
    return set(found)


def _named(texts: Iterable[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Name and extras of the requirements that hold in the image."""
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**_IMAGE, "extra": extra}) for extra in extras or {""}):
            yield canonicalize_name(requirement.name), frozenset(requirement.extras)


def constraints() -> str:
    """The lines of the file."""
    head = "# Versions of the image of deploy/Dockerfile; `make constraints` writes those that are installed here.\n"
    return head + "".join(f"{name}=={version(name)}\n" for name in sorted(needed()))


if __name__ == "__main__":
    CONSTRAINTS.write_text(constraints(), "utf-8")
