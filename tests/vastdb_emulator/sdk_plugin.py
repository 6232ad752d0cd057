"""A pytest plugin for runs of the SDK's own suite against the emulator.

It is loaded in an environment of its own and imports nothing of the project. It gives every worker a
bucket, since the suite empties its bucket before each test; skips what `sdk_exclusions.txt` lists;
and cuts short the sleeps in which a real server would work in the background (up to five minutes in
one test), as the emulator has no background.
"""

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXCLUSIONS = Path(__file__).with_name("sdk_exclusions.txt")
LONGEST_SLEEP_S = 0.05


class _ImpatientTime(ModuleType):
    """The module `time` with a short sleep, for test modules to look it up in."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, LONGEST_SLEEP_S))


def read_exclusions() -> dict[str, str]:
    """Reasons by "module" or "module::test"."""
    lines = EXCLUSIONS.read_text(encoding="utf-8").splitlines()
    entries = (line.partition(": ") for line in lines if line.strip() and not line.startswith("#"))
    return {name: reason for name, _, reason in entries}


def pytest_configure(config: pytest.Config) -> None:
    """Workers are named gw0, gw1, …; so are their buckets."""
    if hasattr(config, "workerinput"):
        config.option.tabular_bucket_name += f"-{config.workerinput['workerid']}"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out excluded modules."""
    return True if collection_path.stem in read_exclusions() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip excluded tests; refuse exclusions of tests that their module does not have."""
    exclusions = read_exclusions()
    collected = {item.path.stem for item in items}
    unused = {name for name in exclusions if name.partition("::")[0] in collected}
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        name = f"{item.path.stem}::{item.originalname}"
        if name in exclusions:
            unused.discard(name)
            item.add_marker(pytest.mark.skip(reason=f"excluded: {exclusions[name]}"))
        if getattr(item.module, "time", None) is time:
            item.module.time = _ImpatientTime("time")
    if unused:
        raise pytest.UsageError(f"{EXCLUSIONS.name} names tests that do not exist: {', '.join(sorted(unused))}")
