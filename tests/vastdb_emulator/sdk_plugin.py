"""A pytest plugin for runs of the SDK's own suite against the emulator.

It is loaded in an environment of its own and imports nothing of the project. It gives every worker a
bucket, since the suite empties its bucket before each test; skips what `sdk_exclusions.txt` lists;
cuts short the sleeps in which a real server would work in the background (up to five minutes in
one test), as the emulator has no background; and makes inputs smaller that take the client minutes.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

EXCLUSIONS = Path(__file__).with_name("sdk_exclusions.txt")
LONGEST_SLEEP_S = 0.05
# Constants in the code of a test, and others with which it sends the same kinds of requests.
SMALLER: dict[str, dict[Any, Any]] = {
    "test_tables::test_filters": {100_000: 600, 10_000: 400, 1000: 300},  # values: 112 bytes each, see LARGEST_REQUEST
    "test_fixed_list::test_fixed_list_type_values": {100: 20},  # rows of 250 values
    # columns: two pages, see COLUMNS_OF_A_PAGE; their names are long, so all of them are too many for one answer
    "test_tables::test_list_columns_with_pagination": {64_000: 7000, "long_f_name": "long_f_name" + 230 * "_"},
    "test_tables::test_select_splits_sanity": {1_000_000: 300_000},  # rows: some in each of four splits
}
LARGEST_REQUEST = {"test_tables::test_filters": 60_000}  # bytes that the SDK agrees to send; else 4.7 million
COLUMNS_OF_A_PAGE = 4000  # for which the SDK asks; else 10,000
EVERY_SEVENTH_ORDER = "test_nested::test_nested_select"  # of its 326 orders of columns


class _ImpatientTime(ModuleType):
    """The module `time` with a short sleep, for test modules to look it up in."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    @staticmethod
    def sleep(seconds: float) -> None:
        time.sleep(min(seconds, LONGEST_SLEEP_S))


class _FewOrders(ModuleType):
    """The module `itertools` with a part of all permutations."""

    def __getattr__(self, name: str) -> Any:
        return getattr(itertools, name)

    @staticmethod
    def permutations(values: Any, length: int) -> Iterator[tuple[Any, ...]]:
        return itertools.islice(itertools.permutations(values, length), 0, None, 7)


def read_exclusions() -> dict[str, str]:
    """Reasons by "module" or "module::test"."""
    lines = EXCLUSIONS.read_text(encoding="utf-8").splitlines()
    entries = (line.partition(": ") for line in lines if line.strip() and not line.startswith("#"))
    return {name: reason for name, _, reason in entries}


def _replaced(code: CodeType, ours: dict[Any, Any], found: set[Any]) -> CodeType:
    """The code, also that of comprehensions in it, with other constants; adds those that it had to `found`."""
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            constants.append(_replaced(constant, ours, found))
        elif type(constant) in (int, str) and constant in ours:
            found.add(constant)
            constants.append(ours[constant])
        else:
            constants.append(constant)
    return code.replace(co_consts=tuple(constants))


def _replace_constants(function: FunctionType, ours: dict[Any, Any]) -> None:
    """Change constants in the code of a test."""
    found: set[Any] = set()
    function.__code__ = _replaced(function.__code__, ours, found)
    if missing := ours.keys() - found:
        message = f"{function.__name__} has no constant {missing.pop()!r}; correct SMALLER in {Path(__file__).name}"
        raise pytest.UsageError(message)


def _name(item: pytest.Function) -> str:
    return f"{item.path.stem}::{item.originalname}"


@pytest.fixture(autouse=True)
def _largest_request(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if (size := LARGEST_REQUEST.get(_name(request.node))) is not None:
        monkeypatch.setattr("vastdb.util.MAX_QUERY_DATA_REQUEST_SIZE", size)


@pytest.fixture(scope="session", autouse=True)
def _columns_of_a_page(session: Any) -> None:
    session.api._max_entities_per_page = COLUMNS_OF_A_PAGE


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
    changed: set[FunctionType] = set()  # cases of a test share its function
    unused = {name for name in exclusions if name.partition("::")[0] in collected}
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        name = _name(item)
        if name in exclusions:
            unused.discard(name)
            item.add_marker(pytest.mark.skip(reason=f"excluded: {exclusions[name]}"))
        if name in SMALLER and item.function not in changed:
            _replace_constants(item.function, SMALLER[name])
            changed.add(item.function)
        if name == EVERY_SEVENTH_ORDER:
            item.module.itertools = _FewOrders("itertools")
        if getattr(item.module, "time", None) is time:
            item.module.time = _ImpatientTime("time")
    if unused:
        raise pytest.UsageError(f"{EXCLUSIONS.name} names tests that do not exist: {', '.join(sorted(unused))}")
