"""Empty catalogs of each backend."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from exr_inspector.catalog import Catalog, open_catalog
from tests.vastdb_emulator import Emulator

# Makes the URI of a catalog that does not exist yet, from an empty folder and a number.
BACKENDS: dict[str, Callable[[Path, int], str]] = {
    "duckdb": lambda folder, number: f"duckdb:{folder}/{number}.duckdb",
    "vast": lambda folder, number: f"vast://{BUCKET}/{folder.name}_{number}",
}
BUCKET = "renders"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """A VAST Database, shared by the tests of this process."""
    with Emulator(access_key="key", secret_key="not-a-real-secret", buckets=[BUCKET]) as running:
        yield running


@pytest.fixture
def vast_settings(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment in which vast:// leads to the emulator."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", emulator.url)
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "key")
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "not-a-real-secret")
    monkeypatch.setenv("VAST_DB_DEADLINE_S", "120")  # of a busy machine
    monkeypatch.setenv("VAST_DB_REQUEST_TIMEOUT_S", "20")


@pytest.fixture(params=["duckdb", pytest.param("vast", marks=pytest.mark.slow)])
def new_uri(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """URIs of catalogs that do not exist yet."""
    if request.param == "vast":
        request.getfixturevalue("vast_settings")
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
