from __future__ import annotations

from collections.abc import Iterator

import pytest

from exr_inspector.pixels.worker import PixelWorker


@pytest.fixture(scope="module")
def worker() -> Iterator[PixelWorker]:
    """A worker process for the tests of a module."""
    with PixelWorker() as running:
        yield running
