"""Creations of a catalog that end at any request, or happen at once: the next program that opens it completes them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Barrier

import pyarrow as pa
import pytest

from exr_inspector.catalog.schema import TABLES, VERSION, version_row
from exr_inspector.catalog.vast import VastCatalog, connection
from exr_inspector.catalog.vast.tables import Rows
from exr_inspector.errors import CatalogConnectionError, CatalogSchemaError

from ..conftest import BUCKET
from ..test_contract import A
from .conftest import connection_to, moments_in, start

pytestmark = pytest.mark.slow

_numbers = count()


@pytest.fixture(scope="module")
def server():
    with start() as emulator:
        yield emulator


@pytest.fixture
def schema(server):
    """The name of a schema that does not exist."""
    yield f"created_{next(_numbers)}"
    server.clear_faults()


def opened(server, schema, **options):
    return VastCatalog(f"vast://{BUCKET}/{schema}", connection=connection_to(server, deadline_s=120.0), **options)


def killed(server, schema, **fault):
    """Lose every request from that of the fault on, as after the end of the process."""
    lost = server.fail("drop", times=0, **fault)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(connection._ATTEMPTS, CatalogConnectionError, 1)
        with suppress(CatalogConnectionError):  # not for the commit of what is only read
            opened(server, schema).close()
    assert lost.hits
    server.clear_faults()
    server.expire_transactions()


def versions(server, schema):
    return server.committed_tables(BUCKET, schema)["schema_version"]["version"].to_pylist()


def test_a_kill_at_any_request_leaves_tables_that_the_next_program_completes(server, schema):
    server.reset_requests()
    opened(server, schema).close()
    states = []
    for n in moments_in(server.requests):
        name = f"{schema}_{n}"
        killed(server, name, path="/*", nth=n)
        found = server.committed_tables(BUCKET, name)
        state = (len(found), len(found["schema_version"]) if found else 0)
        if state not in states:
            states.append(state)
            if state != (len(TABLES), 1):
                with pytest.raises(CatalogSchemaError, match="has no catalog tables; create them with"):
                    opened(server, name, read_only=True)
            with opened(server, name) as catalog:
                assert catalog.persist([A])[0].inserted
            assert versions(server, name) == [VERSION]
    assert states == [(0, 0), (len(TABLES), 0), (len(TABLES), 1)]


def test_many_programs_complete_a_creation_at_once(server, schema):
    killed(server, schema, operation="insert")
    assert versions(server, schema) == []
    with ThreadPoolExecutor(8) as pool:
        catalogs = list(pool.map(lambda _: opened(server, schema), range(8)))
    assert versions(server, schema) == [VERSION]
    assert sum(catalog.persist([A])[0].inserted for catalog in catalogs) == 1
    for catalog in catalogs:
        catalog.close()


def test_programs_that_insert_the_version_at_once_leave_one_row(server, schema, monkeypatch):
    """All of them found none."""
    killed(server, schema, operation="insert")
    together = Barrier(3, timeout=60)
    insert = Rows.insert

    def insert_together(rows, table, values):
        if table == "schema_version":
            together.wait()
        insert(rows, table, values)

    monkeypatch.setattr(Rows, "insert", insert_together)
    server.reset_requests()
    with ThreadPoolExecutor(3) as pool:
        for catalog in pool.map(lambda _: opened(server, schema), range(3)):
            catalog.close()
    assert [request.operation for request in server.requests].count("insert") == 3
    assert versions(server, schema) == [VERSION]


def test_a_second_row_of_the_version_is_deleted_by_the_next_writer(server, schema):
    """It is left by a program that ended after it inserted the row at the same time as another one."""
    with opened(server, schema) as catalog, catalog.tables.transaction() as rows:
        rows.insert("schema_version", version_row())
    with opened(server, schema, read_only=True) as catalog:
        assert catalog.status().schema_version == VERSION
    assert versions(server, schema) == [VERSION, VERSION]
    opened(server, schema).close()
    assert versions(server, schema) == [VERSION]


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: schema.table("parts").drop(),
        lambda schema: schema.table("parts").add_column(pa.schema([pa.field("other", pa.int64())])),
        lambda schema: schema.table("parts").rename_column("compression", "other"),
    ],
    ids=["a table is missing", "a column more", "another column"],
)
def test_tables_without_a_version_that_are_not_those_of_a_creation_are_rejected(server, schema, change):
    killed(server, schema, operation="insert")
    with connection.Connection(connection_to(server)).transaction() as transaction:
        change(transaction.bucket(BUCKET).schema(schema))
    for read_only in (True, False):
        with pytest.raises(CatalogSchemaError, match=r"that exr-inspector did not create: .*files"):
            opened(server, schema, read_only=read_only)
    assert versions(server, schema) == []
