"""Folders shared by the tests of a module."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], object]], Path]:
    """Calls a function inside a new folder and returns the folder."""

    def make(work: Callable[[], object]) -> Path:
        folder = tmp_path_factory.mktemp("made")
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.chdir(folder)
            work()
        return folder

    return make


@pytest.fixture(scope="module")
def made_show(request: pytest.FixtureRequest, made_once: Callable[[Callable[[], object]], Path]) -> Path:
    """The folder that `make_show` of the module fills."""
    return made_once(request.module.make_show)


@pytest.fixture
def show(made_show: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder as the working folder; the tests do not change it."""
    monkeypatch.chdir(made_show)
    return made_show
