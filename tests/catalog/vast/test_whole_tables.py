"""Restores into a VAST catalog that fail at any request: the catalog is not opened until all rows are stored, once."""

from contextlib import nullcontext
from itertools import count

import pytest

from exr_inspector import open_catalog
from exr_inspector.catalog import load
from exr_inspector.catalog.backup import backup, parquet, restore
from exr_inspector.catalog.columns import typed
from exr_inspector.catalog.schema import INCOMPLETE, TABLES, version_row
from exr_inspector.catalog.vast import VastCatalog, connection
from exr_inspector.catalog.vast.tables import tables_at
from exr_inspector.errors import CatalogConnectionError, CatalogError, CatalogSchemaError
from tests.support.exr_bytes import inspection, text

from ..conftest import BUCKET
from ..test_backup import content
from .conftest import connection_to, start

pytestmark = pytest.mark.slow

URI = f"vast://{BUCKET}/copy"


@pytest.fixture
def server():
    with start() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A backup, the rows of its catalog, and a backup of another catalog."""
    folder = tmp_path_factory.mktemp("saved")
    for name, count_ in (("other", 1), ("first", 5)):
        with open_catalog(f"duckdb:{folder}/{name}.duckdb") as catalog:
            catalog.persist([inspection(f"s3://renders/{n}.exr", text("note", str(n))) for n in range(count_)])
            backup(catalog, str(folder / name))
            rows = content(catalog)
    return folder / "first", rows, folder / "other"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    """Two rows in a transaction."""
    monkeypatch.setattr(parquet, "ROWS", 2)


def restored(server, folder, **options):
    options = {"deadline_s": 120.0, "request_timeout_s": 10.0} | options
    return restore(str(folder), URI, connection=connection_to(server, **options))


def rows_of(server):
    with VastCatalog(URI, connection=connection_to(server), read_only=True) as catalog:
        return content(catalog)


def test_a_restore_that_ends_at_any_request_is_completed_by_the_next(server, saved, monkeypatch):
    """Every request from the n-th on is lost, as after the end of the process. An empty catalog exists."""
    folder, rows, _ = saved
    VastCatalog(URI, connection=connection_to(server)).close()
    is_begun = False
    monkeypatch.setitem(connection._ATTEMPTS, CatalogConnectionError, 1)
    for n in count(1):
        server.reset_requests()
        lost = server.fail("drop", nth=n, times=0, path="/*")
        try:
            restored(server, folder)
        except CatalogConnectionError:
            assert lost.hits
        server.clear_faults()
        server.expire_transactions()
        stored = server.committed_tables(BUCKET, "copy")["schema_version"]
        if is_begun and stored["version"].to_pylist() != [INCOMPLETE]:
            break
        if is_begun := is_begun or stored["version"].to_pylist() == [INCOMPLETE]:
            with pytest.raises(CatalogSchemaError, match="db restore BACKUP"):
                rows_of(server)
    assert rows_of(server) == rows
    assert n > 5


FAULTS = [{"action": "drop"}, {"action": "drop", "after_effect": True}, {"action": 503}]


@pytest.mark.parametrize("operation", ["begin", "select", "insert", "update", "commit"])
def test_every_request_may_be_lost_once(server, saved, operation):
    """Every sixth of these requests, by each fault in turn: one attempt to begin has up to six."""
    faults = [server.fail(**FAULTS[n % 3], operation=operation, nth=2 + 6 * n) for n in range(17)]
    folder, rows, _ = saved
    restored(server, folder)
    assert rows_of(server) == rows
    assert all(each.hits for each in faults[:3])


@pytest.mark.parametrize("fault", FAULTS)
def test_the_removal_of_the_marker_may_be_lost_once(server, saved, fault):
    """The only request that deletes rows."""
    folder, rows, _ = saved
    lost = server.fail(**fault, operation="delete")
    restored(server, folder)
    assert rows_of(server) == rows
    assert lost.hits


def test_a_version_that_another_program_adds_meanwhile_is_replaced(server, saved):
    """That of a program which was creating the tables when the restore began."""
    folder, rows, _ = saved
    tables = tables_at(URI, connection_to(server))

    def pages():
        for number, page in enumerate(pages_of(folder)):
            if number == 2:
                with tables.transaction() as changing:
                    changing.insert("schema_version", version_row())
                with pytest.raises(CatalogSchemaError, match="is being restored"):
                    VastCatalog(URI, connection=connection_to(server))
            yield page

    load(URI, pages(), "backup", connection=connection_to(server))
    assert rows_of(server) == rows


def test_a_part_of_another_backup_is_not_continued(server, saved, monkeypatch):
    folder, rows, other = saved
    with pytest.raises(CatalogError), monkeypatch.context() as patched:
        patched.setitem(connection._ATTEMPTS, CatalogConnectionError, 1)
        server.fail("drop", operation="insert", nth=4, times=0)
        restored(server, folder)
    server.clear_faults()
    server.expire_transactions()
    advice = f"restore that one, or drop the catalog first: exr-inspector db drop --no-backup --catalog {URI}"
    with pytest.raises(CatalogError, match=advice):
        restored(server, other)
    with pytest.raises(CatalogError, match=advice), monkeypatch.context() as patched:
        patched.setattr(parquet, "ROWS", 3)  # the pages of another release
        restored(server, folder)
    for read_only in (True, False):
        with pytest.raises(CatalogSchemaError, match="is being restored from a backup; if that was interrupted"):
            VastCatalog(URI, connection=connection_to(server), read_only=read_only)
    restored(server, folder)
    assert rows_of(server) == rows


def test_two_restores_of_one_backup_at_once_store_it_once(server, saved):
    """The other process stores a part of it, and then all of it, between two pages of the first one."""
    folder, rows, _ = saved
    pages = list(pages_of(folder))

    def first():
        for number, page in enumerate(pages):
            if number in (2, 7):
                with pytest.raises(InterruptedRestoreError) if number == 2 else nullcontext():
                    load(URI, others(end=4 if number == 2 else None), "backup", connection=connection_to(server))
            yield page

    def others(end):
        yield from pages[:end]
        if end is not None:
            raise InterruptedRestoreError

    with pytest.raises(CatalogError, match="was restored by another process meanwhile"):
        load(URI, first(), "backup", connection=connection_to(server))
    assert rows_of(server) == rows


class InterruptedRestoreError(Exception):
    """A restore that ends."""


def pages_of(folder):
    for table in TABLES:
        for page in parquet.read_rows(str(folder), table, None):
            yield table, typed(page, TABLES[table])
