"""Empty catalogs of each backend."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from exr_inspector.catalog import Catalog, open_catalog

# Makes the URI of a catalog that does not exist yet, from an empty folder and a number.
BACKENDS: dict[str, Callable[[Path, int], str]] = {
    "duckdb": lambda folder, number: f"duckdb:{folder}/{number}.duckdb",
}


@pytest.fixture(params=BACKENDS)
def new_uri(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """URIs of catalogs that do not exist yet."""
    numbers = count()
    return lambda: BACKENDS[request.param](tmp_path, next(numbers))


@pytest.fixture
def new_catalog(new_uri: Callable[[], str]) -> Iterator[Callable[[], Catalog]]:
    """Empty catalogs, closed in the end."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(open_catalog(new_uri()))


@pytest.fixture
def catalog(new_catalog: Callable[[], Catalog]) -> Catalog:
    """One empty catalog."""
    return new_catalog()
