"""A pytest plugin for runs of the SDK's own suite against the emulator.

It is loaded in an environment of its own and imports nothing of the project. It gives every worker a
bucket, since the suite empties its bucket before each test; skips what `sdk_exclusions.txt` lists;
cuts short the sleeps in which a real server would work in the background (up to five minutes in
one test), as the emulator has no background; and makes two inputs smaller that take the client minutes.
"""

import time
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

EXCLUSIONS = Path(__file__).with_name("sdk_exclusions.txt")
LONGEST_SLEEP_S = 0.05
# Numbers in the code of a test, and smaller ones with which it sends the same kinds of requests.
SMALLER = {
    "test_tables::test_filters": (100_000, 45_000),  # values: the SDK refuses to send more than 42,000
    "test_tables::test_list_columns_with_pagination": (64_000, 20_000),  # columns: two pages, too many for one answer
}


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


def _replace_number(function: FunctionType, theirs: int, ours: int) -> None:
    """Change a number in the code of a test."""
    constants = function.__code__.co_consts
    if theirs not in constants:
        raise pytest.UsageError(f"{function.__name__} has no number {theirs}; correct SMALLER in {Path(__file__).name}")
    function.__code__ = function.__code__.replace(co_consts=tuple(ours if c == theirs else c for c in constants))


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
        if name in SMALLER:
            _replace_number(item.function, *SMALLER[name])
        if getattr(item.module, "time", None) is time:
            item.module.time = _ImpatientTime("time")
    if unused:
        raise pytest.UsageError(f"{EXCLUSIONS.name} names tests that do not exist: {', '.join(sorted(unused))}")
