"""What all tests share: how hypothesis runs, and a watch that no secret is told."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.secrets import Watch

# A time limit for one example fails on a busy machine; derandomized runs fail only for what the commit changed.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
PROFILE = "ci" if os.environ.get("CI") else "dev"
settings.load_profile(PROFILE)


def pytest_configure(config: pytest.Config) -> None:
    """Let the everyday loop, which leaves out what is slow, try a fifth of the examples; a whole run tries them all."""
    if config.getoption("markexpr") == "not slow":
        settings.register_profile("everyday", settings.get_profile(PROFILE), max_examples=20)
        settings.load_profile("everyday")


@pytest.fixture(scope="session", autouse=True)
def watch() -> Iterator[Watch]:
    """What is logged, at whatever level, and what is raised; a secret in it fails the run."""
    watching = Watch()
    logger = logging.getLogger("exr_inspector")
    logger.addHandler(watching)
    logger.setLevel(logging.DEBUG)
    watching.watch_errors()
    yield watching
    assert watching.leaks == []


@pytest.fixture(autouse=True)
def tells_no_secret(watch: Watch) -> Iterator[None]:
    """Each test by itself, so that it is known which one."""
    before = len(watch.leaks)
    yield
    assert watch.leaks[before:] == []


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """What a catalog that was not closed would still do must not happen in the middle of another test."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()
            thread.join()
