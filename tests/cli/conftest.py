"""Folders that the tests of a module share."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], object]], Path]:
    """Lets something be made inside a folder of its own, and gives the folder."""

    def make(work: Callable[[], object]) -> Path:
        folder = tmp_path_factory.mktemp("made")
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.chdir(folder)
            work()
        return folder

    return make
