"""Catalogs on emulators, and their rows, read without the product."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from pydantic import SecretStr

from exr_inspector.catalog.vast import VastCatalog, coordination
from exr_inspector.settings import VastConnection
from tests.vastdb_emulator import Assumptions, Emulator

from ..conftest import BUCKET

SECRET = "not-a-real-secret"

_numbers = count()


def connection_to(emulator: Emulator, **options: object) -> VastConnection:
    """How to reach an emulator."""
    keys = {"access_key": SecretStr("key"), "secret_key": SecretStr(SECRET)}
    return VastConnection(**{"endpoint": emulator.url, **keys, **options})  # type: ignore[arg-type]


def start(**assumptions: object) -> Emulator:
    """An emulator with the keys of these tests."""
    return Emulator(
        access_key="key",
        secret_key=SECRET,
        buckets=[BUCKET],
        assumptions=Assumptions(**assumptions),  # type: ignore[arg-type]
    )


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns deduplication in the background off for tests that count requests."""
    monkeypatch.setattr(coordination, "DELAY_S", 3600)


@pytest.fixture
def open_vast(emulator: Emulator) -> Iterator[Callable[..., VastCatalog]]:
    """Opens catalogs on the shared emulator: a new one, or that of a URI."""
    opened: list[VastCatalog] = []

    def open_one(uri: str | None = None, **options: object) -> VastCatalog:
        uri = uri or f"vast://{BUCKET}/test_{next(_numbers)}"
        opened.append(VastCatalog(uri, connection=connection_to(emulator, **options)))
        return opened[-1]

    yield open_one
    emulator.clear_faults()
    for catalog in opened:
        catalog.close()


def schema_of(catalog: VastCatalog) -> str:
    return catalog.uri.rpartition("/")[2]


def stored(emulator: Emulator, catalog: VastCatalog, table: str) -> list[dict]:
    """The committed rows, without a request."""
    rows: list[dict] = emulator.read_table(BUCKET, schema_of(catalog), table).to_pylist()
    return rows
