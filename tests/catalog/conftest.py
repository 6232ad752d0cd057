"""Empty catalogs of each backend."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog
from tests.vastdb_emulator import STRICT, Emulator

# Makes the URI of a catalog that does not exist yet, from an empty folder and a number.
BACKENDS: dict[str, Callable[[Path, int], str]] = {
    "duckdb": lambda folder, number: f"duckdb:{folder}/{number}.duckdb",
    "vast": lambda folder, number: f"vast://{BUCKET}/{folder.name}_{number}",
}
BUCKET = "renders"
BOTH = ["duckdb", pytest.param("vast", marks=pytest.mark.slow)]
UNSORTED = pytest.param("vast unsorted", marks=pytest.mark.slow)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """A VAST Database, shared by the tests of this process."""
    limits = replace(STRICT, idle_timeout_s=60.0)  # a busy machine takes long from one request to the next
    with Emulator(access_key="key", secret_key="not-a-real-secret", buckets=[BUCKET], assumptions=limits) as running:
        yield running


def lead_to(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect vast:// to the emulator."""
    monkeypatch.setenv("VAST_DB_ENDPOINT", emulator.url)
    monkeypatch.setenv("VAST_DB_ACCESS_KEY", "key")
    monkeypatch.setenv("VAST_DB_SECRET_KEY", "not-a-real-secret")
    monkeypatch.setenv("VAST_DB_DEADLINE_S", "120")  # of a busy machine
    monkeypatch.setenv("VAST_DB_REQUEST_TIMEOUT_S", "20")


@pytest.fixture
def vast_settings(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that connects vast:// to the emulator."""
    lead_to(emulator, monkeypatch)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of catalogs on each backend, and those of modules that change rows on unsorted tables too."""
    is_chosen = any(mark.args[0] == "new_uri" for mark in metafunc.definition.iter_markers("parametrize"))
    if "new_uri" in metafunc.fixturenames and not is_chosen:
        unsorted = [UNSORTED] if getattr(metafunc.module, "CHANGES_ROWS", False) else []
        metafunc.parametrize("new_uri", [*BOTH, *unsorted], indirect=True)


@pytest.fixture
def new_uri(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """URIs of catalogs that do not exist yet. Row ids of unsorted tables have another type."""
    backend, *kind = request.param.split()
    if backend == "vast":
        request.getfixturevalue("vast_settings")
    if kind:
        from exr_inspector.catalog.vast.connection import Connection

        monkeypatch.setattr(Connection, "can_sort", False)
    numbers = count()
    return lambda: BACKENDS[backend](tmp_path, next(numbers))


def copy_empty_schema(emulator: Emulator, uri: str) -> None:
    """Put empty tables at a URI of the emulator, sorted if the client can do that."""
    from exr_inspector.catalog.vast.connection import Connection

    empty = "sorted" if Connection.can_sort else "unsorted"
    if empty not in emulator.schemas(BUCKET):
        open_catalog(f"vast://{BUCKET}/{empty}").close()
    emulator.copy_schema(BUCKET, empty, uri.rpartition("/")[2])


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckDB file with empty tables."""
    path = tmp_path_factory.mktemp("empty") / "empty.duckdb"
    open_catalog(str(path)).close()
    return path


@pytest.fixture
def new_catalog(
    request: pytest.FixtureRequest, new_uri: Callable[[], str], empty_file: Path
) -> Iterator[Callable[[], Catalog]]:
    """Empty catalogs, closed after the test. Copying tables is faster than creating them."""

    def new() -> Catalog:
        uri = new_uri()
        if uri.startswith("duckdb:"):
            shutil.copy(empty_file, uri.removeprefix("duckdb:"))
        else:
            copy_empty_schema(request.getfixturevalue("emulator"), uri)
        return stack.enter_context(open_catalog(uri))

    with ExitStack() as stack:
        yield new


@pytest.fixture
def read_table(request: pytest.FixtureRequest) -> Callable[[Catalog, str], pa.Table]:
    """Reads a whole table; of VAST without requests, of which a query needs a dozen."""

    def read(catalog: Catalog, table: str) -> pa.Table:
        if catalog.uri.startswith("vast:"):
            emulator: Emulator = request.getfixturevalue("emulator")
            return emulator.read_table(BUCKET, catalog.uri.rpartition("/")[2], table)
        return catalog.sql(f"SELECT * FROM {table}")

    return read


@pytest.fixture(scope="module", params=BOTH)
def shared_catalog(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Callable[[Catalog], object]], Catalog]]:
    """Fills a catalog once for the tests of a module, which only read it."""
    with ExitStack() as stack:
        if request.param == "vast":
            lead_to(request.getfixturevalue("emulator"), stack.enter_context(pytest.MonkeyPatch.context()))
        uri = BACKENDS[request.param](tmp_path_factory.mktemp("shared"), 0)

        def make(fill: Callable[[Catalog], object]) -> Catalog:
            catalog = stack.enter_context(open_catalog(uri))
            fill(catalog)
            return catalog

        yield make


@pytest.fixture
def catalog(new_catalog: Callable[[], Catalog]) -> Catalog:
    """One empty catalog."""
    return new_catalog()
