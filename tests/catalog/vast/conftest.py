"""Catalogs on emulators, and their rows, read without the product."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count

import pytest
from pydantic import SecretStr

from exr_inspector.catalog.vast import VastCatalog, coordination
from exr_inspector.settings import VastConnection
from tests.vastdb_emulator import Assumptions, Emulator, LoggedRequest

from ..conftest import BUCKET

SECRET = "not-a-real-secret"

_numbers = count()


def connection_to(emulator: Emulator, **options: object) -> VastConnection:
    """How to reach an emulator."""
    keys = {"access_key": SecretStr("key"), "secret_key": SecretStr(SECRET)}
    return VastConnection(**{"endpoint": emulator.url, **keys, **options})  # type: ignore[arg-type]


def start(**assumptions: object) -> Emulator:
    """An emulator with the keys of these tests. It rejects transactions that change tables and rows."""
    return Emulator(
        access_key="key",
        secret_key=SECRET,
        buckets=[BUCKET],
        assumptions=Assumptions(**{"mixed_transactions": False} | assumptions),  # type: ignore[arg-type]
    )


READS = ("probe", "head_", "list_", "stats", "select")


def moments_in(requests: Iterable[LoggedRequest]) -> list[int]:
    """The numbers of the requests at which a kill is not equal to an earlier one: the first read of each kind, and
    everything else."""
    operations = [request.operation for request in requests]
    return [n for n, one in enumerate(operations, 1) if not one.startswith(READS) or one not in operations[: n - 1]]


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
