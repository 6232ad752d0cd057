"""The installation: versions of this program, of Python and of the packages that it needs."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from .. import __version__
from .model import Check, failure, ok, warning

_DISTRIBUTION = "exr-inspector"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?\s*(?P<limits>[^;]*)(?:;(?P<marker>.*))?")
_LIMIT = re.compile(r"(>=|<)\s*([\d.]+)")
_EXTRA = re.compile(r"""extra == ['"]([\w-]+)['"]""")
_COLLECTIONS = frozenset({"all", "deploy-check", "dev"})  # extras that only name others, or serve development
_ENGINE_DRIVER = "adbc-driver-vastdb"


@dataclass(frozen=True, slots=True)
class _Requirement:
    name: str
    limits: tuple[tuple[str, str], ...]
    is_conditional: bool  # whether only some versions of Python need it


def installation(*, needed_extras: frozenset[str]) -> Iterator[Check]:
    """Versions, and packages that are missing or too old; a missing package of a needed extra fails."""
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield ok("installation", f"exr-inspector {__version__}, {system}")
    try:
        texts = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield warning(
            "packages", "not checked: exr-inspector is not installed as a package", "pip install exr-inspector"
        )
        return
    for extra, requirements in _by_extra(texts).items():
        yield _packages(extra, requirements, is_needed=not extra or extra in needed_extras)
    if "vast" in needed_extras and _version(_ENGINE_DRIVER) is not None:
        yield warning(
            "query engine",
            f"the package {_ENGINE_DRIVER} is installed: every transaction needs the query engine of the cluster",
            f"pip uninstall {_ENGINE_DRIVER}, unless the engine is enabled",
        )


def _by_extra(texts: list[str]) -> dict[str, list[_Requirement]]:
    """The requirements of each extra, and under "" those of the package itself."""
    by_extra: dict[str, list[_Requirement]] = defaultdict(list)
    for text in texts:
        match = _REQUIREMENT.match(text)
        if match is None or match["name"] == _DISTRIBUTION:
            continue
        marker = match["marker"] or ""
        extra = _EXTRA.search(marker)
        name = extra[1] if extra else ""
        if name not in _COLLECTIONS:
            limits = tuple(_LIMIT.findall(match["limits"]))
            by_extra[name].append(_Requirement(match["name"], limits, is_conditional=bool(marker) and not extra))
    return by_extra


def _packages(extra: str, requirements: list[_Requirement], *, is_needed: bool) -> Check:
    name = f"extra {extra}" if extra else "packages"
    command = f"pip install --upgrade '{_DISTRIBUTION}[{extra}]'" if extra else f"pip install --upgrade {_DISTRIBUTION}"
    versions = {requirement: _version(requirement.name) for requirement in requirements}
    missing = [each.name for each, version in versions.items() if version is None and not each.is_conditional]
    unsuitable = [
        f"{each.name} {version} (needs {', '.join(f'{sign}{limit}' for sign, limit in each.limits)})"
        for each, version in versions.items()
        if version is not None and not _is_within(version, each.limits)
    ]
    if unsuitable:
        return failure(name, f"unsuitable versions: {', '.join(unsuitable)}", command)
    if missing:
        of_result = failure if is_needed else ok
        return of_result(name, f"not installed: {', '.join(missing)}", command)
    installed = [f"{each.name} {version}" for each, version in versions.items() if version is not None]
    return ok(name, ", ".join(installed))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _is_within(version: str, limits: tuple[tuple[str, str], ...]) -> bool:
    return all((_numbers(version) >= _numbers(limit)) == (sign == ">=") for sign, limit in limits)


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version, without zeros at their end."""
    numbers = [int(number) for number in re.findall(r"\d+", re.match(r"[\d.]*", version)[0])]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
