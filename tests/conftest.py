"""Shared by all tests: the profiles of hypothesis, and a check that no secret is logged or raised."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.secrets import Watch

if TYPE_CHECKING:
    from tests.support.s3_server import S3Server

# Without compiled modules, each process that a test starts would compile all of the package.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Servers of tests are reached directly; without this, each request searches the whole environment for proxies twice.
os.environ["no_proxy"] = ",".join(filter(None, ("127.0.0.1,localhost", os.environ.get("no_proxy"))))

# A run in the background ignores SIGINT, and so would the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A time limit for one example fails on a busy machine; derandomized runs fail only for what the commit changed.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
PROFILE = "ci" if os.environ.get("CI") else "dev"
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    """Run fewer examples with `-m "not slow"`; a full run uses all of them. Nothing of a collection is garbage."""
    gc.disable()
    if config.getoption("markexpr") == "not slow":
        settings.register_profile("everyday", settings.get_profile(PROFILE), max_examples=20)
        settings.load_profile("everyday")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process more than processors: slow tests wait for others much of the time."""
    processors = os.cpu_count() or 1
    return processors if config.getoption("markexpr") == "not slow" else processors + 1


@pytest.hookimpl(tryfirst=True)  # before the selection with -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark cases as slow; the longest tests start first, so that no process waits for another's last test."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("fast_cases") and not item.get_closest_marker("slow"):
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for same_test in cases.values():
        count = same_test[0].get_closest_marker("fast_cases").args[0]
        fast = {number * len(same_test) // count for number in range(count)}
        for number, item in enumerate(same_test):
            if number not in fast:
                item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("first") is None)


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def watch() -> Iterator[Watch]:
    """Checks everything that is logged, at any level, and raised; a secret fails the run."""
    watching = Watch()
    logger = logging.getLogger("exr_inspector")
    logger.addHandler(watching)
    logger.setLevel(logging.DEBUG)
    watching.watch_errors()
    yield watching
    assert watching.leaks == []


@pytest.fixture(autouse=True)
def no_secret_leaks(watch: Watch) -> Iterator[None]:
    """Fails the test that leaks."""
    before = len(watch.leaks)
    yield
    assert watch.leaks[before:] == []


@pytest.fixture(autouse=True)
def no_timer_is_left() -> Iterator[None]:
    """A catalog that was not closed does nothing during another test."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An object store, shared by the tests of this process."""
    from tests.support.s3_server import S3Server  # starts with moto, which few tests need

    running = S3Server()
    yield running
    running.stop()


@pytest.fixture
def store(s3_server: S3Server) -> Iterator[S3Server]:
    """The object store, empty and without faults before the test and after it."""
    s3_server.reset()
    yield s3_server
    s3_server.reset()
