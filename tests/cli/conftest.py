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
