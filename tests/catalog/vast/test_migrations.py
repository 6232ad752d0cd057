"""Migrations of VAST catalogs that the program of version 1 wrote, also while it goes on writing."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count

import pyarrow as pa
import pytest

from exr_inspector.catalog import migrate, migrations, repeat, sort
from exr_inspector.catalog.migrations import MIGRATIONS, AddColumns, AddTable, Migration, Recompute
from exr_inspector.catalog.schema import CHILD_TABLES, TABLES, VERSION
from exr_inspector.catalog.vast import VastCatalog, connection
from exr_inspector.catalog.vast import migrate as backend
from exr_inspector.cli.main import main
from exr_inspector.errors import CatalogConnectionError, CatalogError, CatalogSchemaError
from tests.support.exr_bytes import inspection

from ..conftest import BUCKET, lead_to
from ..test_migrations import (
    ENCODED_NAMES,
    RENAMED,
    UNREADABLE,
    frames_in,
    moved,
    moved_path,
    only,
    persist_renamed,
)
from ..version_1 import Version1, fill
from .conftest import SECRET, connection_to, moments_in, start

pytestmark = pytest.mark.slow

URI = f"vast://{BUCKET}/shows"
VERSIONS = [migration.version for migration in MIGRATIONS]


def changes_of_tables(migration):
    """The steps of a migration that need a request each, whatever the rows."""
    return [step for step in migration.steps if isinstance(step, (AddColumns, AddTable))]


STEPS = changes_of_tables(MIGRATIONS[0])


@pytest.fixture
def server():
    with start() as emulator:
        yield emulator


def version_1(server, uri=URI):
    """A program of version 1 with an open catalog."""
    return Version1(
        uri, VAST_DB_ENDPOINT=server.url, VAST_DB_ACCESS_KEY="key", VAST_DB_SECRET_KEY=SECRET, VAST_DB_DEADLINE_S="120"
    )


@pytest.fixture(scope="module")
def filled():
    """A server with catalogs of version 1, with rows and without, to copy. That program creates them in one
    transaction with the row of their version."""
    with start(mixed_transactions=True) as emulator:
        version_1(emulator, f"vast://{BUCKET}/empty").close()
        with version_1(emulator) as program:
            fill(program)
        yield emulator


@pytest.fixture
def old(server, filled):
    """The tables of a catalog of version 1 with rows."""
    server.copy_schema(BUCKET, "shows", "shows", source=filled)
    return server.committed_tables(BUCKET, "shows")


@pytest.fixture
def empty(server, filled):
    """A catalog of version 1 without rows."""
    server.copy_schema(BUCKET, "empty", "shows", source=filled)


def tables(server, schema="shows"):
    return server.committed_tables(BUCKET, schema)


def state(found):
    """The columns and rows of tables, for comparisons."""
    return {name: (table.schema.names, only(table.to_pylist(), table.column_names)) for name, table in found.items()}


def migrated(server, uri=URI, **options):
    return migrate(uri, connection=connection_to(server), **options)


def opened(server, uri=URI, **options):
    return VastCatalog(uri, connection=connection_to(server, deadline_s=120.0), **options)


def test_old_rows_are_equal_in_their_old_columns(server, old):
    assert [each.version for each in migrated(server).applied] == VERSIONS
    after = tables(server)
    opened(server, f"vast://{BUCKET}/new").close()
    new = tables(server, "new")
    assert {name: table.schema for name, table in after.items()} == {name: table.schema for name, table in new.items()}
    for name, table in old.items():
        kept = after[name].to_pylist() if name != "schema_version" else after[name].to_pylist()[:1]
        assert only(kept, table.column_names) == only(table.to_pylist(), table.column_names)
    assert after["files"]["batch_id"].null_count == after["files"].num_rows == 5
    versions = [(row["version"], row["readable_since"]) for row in after["schema_version"].to_pylist()]
    assert sorted(versions) == [(1, None), *((number, 1) for number in range(2, VERSION + 1))]


def test_old_rows_get_the_frames_of_this_program(server, empty):
    with version_1(server) as program:
        persist_renamed(program)
    migrated(server)
    found = tables(server)
    assert frames_in(found["files"].to_pylist()) == RENAMED
    assert frames_in(found["ingest_errors"].to_pylist()) == UNREADABLE


def test_uris_of_version_1_become_exact(server, empty):
    with version_1(server) as program:
        program.persist(*ENCODED_NAMES)
    migrated(server)
    assert set(tables(server)["files"]["file_path_normalized"].to_pylist()) == set(ENCODED_NAMES.values())


def test_uris_that_version_1_stored_after_the_migration_become_exact(server, old, monkeypatch, capfd):
    """Rows that were mapped before, and those of this program, stay as they are."""
    lead_to(server, monkeypatch)
    names = [*ENCODED_NAMES]
    current = inspection("s3://renders/20%2541.exr")
    with version_1(server) as program:
        program.persist(*names[::2])
        migrated(server)
        with opened(server) as catalog:
            catalog.persist([current])
        program.persist(*names)
        program.send(fail="s3://renders/cut%41.exr")
    before = state(tables(server))
    assert main(["db", "migrate", "--repeat", "--dry-run", "--catalog", URI]) == 0
    assert "rows would be recomputed" in capfd.readouterr().out
    assert state(tables(server)) == before
    assert main(["db", "migrate", "--repeat", "--catalog", URI]) == 0
    assert " rows recomputed" in capfd.readouterr().out
    uris = set(tables(server)["files"]["file_path_normalized"].to_pylist())
    expected = {*ENCODED_NAMES.values(), *old["files"]["file_path_normalized"].to_pylist()}
    assert uris == expected | {current.file.file_path_normalized}
    assert "s3://renders/cut%2541.exr" in tables(server)["ingest_errors"]["file_path_normalized"].to_pylist()
    after = state(tables(server))
    repeat(URI, connection=connection_to(server))
    assert state(tables(server)) == after


def test_uris_of_sorted_tables_cannot_be_recomputed(server, empty):
    with version_1(server) as program:
        migrated(server)
        program.persist("s3://renders/50%41.exr")
    sort(URI, connection=connection_to(server))
    with pytest.raises(CatalogError, match="is sorted by file_path_normalized"):
        repeat(URI, connection=connection_to(server))


def test_a_table_of_another_program_is_named(server, old):
    with connection.Connection(connection_to(server)).transaction() as transaction:
        columns = pa.schema([pa.field("a", pa.int64())])
        transaction.bucket(BUCKET).schema("shows").create_table("problems", columns)
    before = state(tables(server))
    with pytest.raises(CatalogSchemaError, match="version 2: problems; rename them"):
        migrated(server)
    assert state(tables(server)) == before


def test_a_column_of_another_program_is_named(server, old):
    with connection.Connection(connection_to(server)).transaction() as transaction:
        column = pa.schema([pa.field("inode", pa.string())])
        transaction.bucket(BUCKET).schema("shows").table("files").add_column(column)
    before = state(tables(server))
    with pytest.raises(CatalogSchemaError, match=r"version 2: files\.inode; rename them"):
        migrated(server)
    assert state(tables(server)) == before


def test_a_program_that_was_open_while_tables_were_sorted_goes_on(server, old):
    known = inspection("s3://renders/new.exr")
    migrated(server)
    with opened(server) as catalog:
        assert catalog.persist([known])[0].inserted
        assert sort(URI, connection=connection_to(server))
        assert not catalog.persist([known])[0].inserted
        assert catalog.mark_deleted([known.file.file_path_normalized]) == 1
    assert row_ids_are_decimal(server)


def test_sorting_whose_response_was_lost_is_reported(server, old):
    migrated(server)
    lost = server.fail("drop", after_effect=True, operation="commit", nth=2)
    assert sort(URI, connection=connection_to(server))
    assert lost.hits
    assert row_ids_are_decimal(server)


def test_a_migrated_catalog_is_used_like_a_new_one(server, old):
    migrated(server)
    known, new = inspection("s3://renders/b.exr", channels="AZ"), inspection("s3://renders/new.exr")
    with opened(server) as catalog:
        assert [outcome.inserted for outcome in catalog.persist([known, new])] == [False, True]
        (row,) = catalog.sql("SELECT * FROM files WHERE file_path = 's3://renders/b.exr'").to_pylist()
        assert (row["inspection_count"], row["batch_id"]) == (3, None)
        assert catalog.sql("SELECT 1 FROM parts JOIN files USING (file_id, batch_id)").num_rows == 1
        assert catalog.status().schema_version == VERSION


@pytest.mark.parametrize("read_only", [True, False])
def test_older_tables_are_rejected_with_the_command_that_migrates_them(server, old, read_only):
    with pytest.raises(CatalogSchemaError) as caught:
        opened(server, read_only=read_only)
    assert f"exr-inspector db migrate --catalog {URI}" in str(caught.value)
    assert caught.value.category == "schema", "the function is not ready"
    assert state(tables(server)) == state(old)


def test_the_command_migrates_once(server, old, monkeypatch, capfd):
    lead_to(server, monkeypatch)
    assert main(["db", "migrate", "--catalog", URI, "--dry-run"]) == 0
    assert f"would be migrated from table version 1 to {VERSION}" in capfd.readouterr().out
    assert state(tables(server)) == state(old)
    assert main(["query", "SELECT count(*) AS n FROM files", "--catalog", URI]) == 3
    assert f"db migrate --catalog {URI}" in capfd.readouterr().err
    assert main(["db", "migrate", "--catalog", URI]) == 0
    assert f"migrated from table version 1 to {VERSION}" in capfd.readouterr().out
    assert main(["db", "migrate", "--catalog", URI]) == 0
    assert "nothing to migrate" in capfd.readouterr().out
    assert main(["db", "migrate", "--catalog", f"vast://{BUCKET}/none"]) == 3
    assert "no catalog tables" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "assumptions"), [(10, {}), (4, {"row_conflicts": "commit"}), (4, {"snapshot_isolation": False})]
)
def test_migrators_at_once(filled, monkeypatch, number, assumptions):
    """One applies each version, the others find it applied, though all began in the same millisecond."""
    monkeypatch.setattr(backend, "version_row", cache(backend.version_row))
    with start(**assumptions) as server:
        server.copy_schema(BUCKET, "shows", "shows", source=filled)
        with ThreadPoolExecutor(number) as pool:
            results = list(pool.map(lambda _: migrated(server), range(number)))
        assert sorted(each.version for result in results for each in result.applied) == VERSIONS
        assert all(result.version == VERSION for result in results if not result.applied)
        assert tables(server)["schema_version"].num_rows == VERSION
        opened(server).close()


def test_migrators_complete_a_migration_that_ended_between_its_transactions(server, old):
    interrupt(server, migrated)
    assert set(tables(server)) == {*old, *(step.table for step in STEPS if isinstance(step, AddTable))}
    with pytest.raises(CatalogSchemaError, match="db migrate"):
        opened(server)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: migrated(server), range(4)))
    assert sorted(each.version for result in results for each in result.applied) == VERSIONS
    assert tables(server)["schema_version"].num_rows == VERSION
    opened(server).close()


def interrupt(server, work):
    """Lose every request of `work` from the first insert on, as after the end of the process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(connection._ATTEMPTS, CatalogConnectionError, 1)
        lost = server.fail("drop", operation="insert", times=0)
        with pytest.raises(CatalogConnectionError):
            work(server)
        assert lost.hits
    server.clear_faults()
    server.expire_transactions()


def single(steps):
    """A migration for each step. The first one adds the column that all need to be recorded."""
    ordered = sorted(steps, key=lambda step: step.table != "schema_version")
    return tuple(
        Migration(version=version, why="one step", steps=(step,)) for version, step in enumerate(ordered, start=2)
    )


def test_a_running_writer_of_version_1_loses_nothing(server, empty, monkeypatch):
    """It persists in the middle of each step's transaction, and after it."""
    numbers = count()
    apply = backend._apply
    persisted = []

    def persist():
        uri = f"s3://renders/running.{next(numbers):04}.exr"
        assert writer.persist(uri) == [True]
        assert writer.persist("s3://renders/known.exr") == [False]
        persisted.append(uri)

    def apply_and_persist(*arguments):
        apply(*arguments)
        persist()

    with version_1(server) as writer:
        assert writer.persist("s3://renders/known.exr") == [True]
        monkeypatch.setattr(migrations, "MIGRATIONS", single(STEPS))
        monkeypatch.setattr(migrations, "VERSION", len(STEPS) + 1)
        monkeypatch.setattr(backend, "_apply", apply_and_persist)
        for version in range(2, len(STEPS) + 2):
            assert [each.version for each in migrated(server, to=version).applied] == [version]
            persist()
    assert len(persisted) == 2 * len(STEPS)
    found = tables(server)
    counts = {row["file_path"]: row["inspection_count"] for row in found["files"].to_pylist()}
    assert counts == dict.fromkeys(persisted, 1) | {"s3://renders/known.exr": len(persisted) + 1}
    for table, rows in {"parts": 1, "channels": 3, "attributes": 8}.items():
        assert found[table].num_rows == rows * len(counts)
        assert set(found[table]["file_id"].to_pylist()) == set(found["files"]["file_id"].to_pylist())


def test_a_program_of_version_1_is_rejected_afterwards(server, old):
    migrated(server)
    with pytest.raises(RuntimeError, match=r"CatalogSchemaError.* newer"):
        version_1(server)


def moments(server, version):
    """The numbers of a migration's requests that are not equal to an earlier kill."""
    server.copy_schema(BUCKET, "shows", f"copy_{version}")
    server.reset_requests()
    migrated(server, f"vast://{BUCKET}/copy_{version}", to=version)
    return moments_in(server.requests)


def without_times(found):
    """Tables for comparisons; the time of a version is that of its migration."""
    return state(found | {"schema_version": found["schema_version"].drop_columns("applied_at")})


def test_a_kill_at_any_request_leaves_one_version(server, old, monkeypatch):
    """Every request from the n-th on is lost, as after the end of the process; the next program completes it."""
    monkeypatch.setitem(connection._ATTEMPTS, CatalogConnectionError, 1)
    for migration in MIGRATIONS:
        before = tables(server)
        numbers = moments(server, migration.version)
        after = without_times(tables(server, f"copy_{migration.version}"))
        assert len(numbers) > len(changes_of_tables(migration)) + 6
        states = [before]
        for n in numbers:
            schema = f"killed_{migration.version}_{n}"
            server.copy_schema(BUCKET, "shows", schema)
            lost = server.fail("drop", nth=n, times=0, path="/*")
            with pytest.raises(CatalogConnectionError):
                migrated(server, f"vast://{BUCKET}/{schema}", to=migration.version)
            assert lost.hits
            server.clear_faults()
            server.expire_transactions()
            left = tables(server, schema)
            assert {name: left[name].select(table.column_names) for name, table in before.items()} == before
            if left != states[-1]:
                states.append(left)
                completed = migrated(server, f"vast://{BUCKET}/{schema}", to=migration.version).applied
                assert [each.version for each in completed] == [migration.version]
                assert without_times(tables(server, schema)) == after
        assert len(states) == 2, "before and after the tables were changed"
        assert [each.version for each in migrated(server, to=migration.version).applied] == [migration.version]
        assert without_times(tables(server)) == after
    assert set(tables(server)) == set(TABLES)
    assert tables(server)["schema_version"].num_rows == VERSION
    assert migrated(server).applied == ()
    opened(server).close()


@pytest.mark.parametrize(
    ("operation", "nth"),
    [("begin", 2), ("begin", 3), ("select", 2), ("update", 1), ("insert", 1), ("commit", 2), ("commit", 3)],
)
@pytest.mark.parametrize("fault", [{"action": "drop"}, {"action": "drop", "after_effect": True}, {"action": 503}])
def test_a_lost_request_is_repeated(server, old, operation, nth, fault):
    """And a migration whose response was lost is reported as applied."""
    lost = server.fail(**fault, operation=operation, nth=nth)
    assert [each.version for each in migrated(server).applied] == VERSIONS
    assert lost.hits
    assert tables(server)["schema_version"].num_rows == VERSION
    opened(server).close()


def test_columns_are_recomputed(server, old, monkeypatch):
    """Equal values are not written."""
    step = Recompute("files", ("file_path_normalized",), moved, "paths")
    column = AddColumns("files", pa.schema([pa.field("later", pa.string())]))
    newer = Migration(version=VERSION + 1, why="paths", steps=(column, step), readable_since=VERSION + 1)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, newer))
    monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
    migrated(server, to=VERSION)
    server.reset_requests()
    assert [each.version for each in migrated(server).applied] == [VERSION + 1]
    updated = [request.path for request in server.requests if request.operation == "update"]
    assert len([path for path in updated if "/files" in path]) == 1
    after = {row["file_id"]: row["file_path_normalized"] for row in tables(server)["files"].to_pylist()}
    assert after == {row["file_id"]: moved_path(row["file_path_normalized"]) for row in old["files"].to_pylist()}
    with pytest.raises(CatalogSchemaError, match=rf"supports table version {VERSION + 1}"):
        opened(server)


def test_deduplication_leaves_later_results(server):
    """Two writers stored a file at once; the rows of the first stay, and results of a later batch."""
    one = inspection("s3://renders/twice.exr")
    with opened(server) as catalog:
        catalog.persist([one])
        with catalog.tables.transaction() as rows:
            for table in ("files", *CHILD_TABLES[:3]):
                copied = tables(server)[table]
                again = pa.array([7] * copied.num_rows, pa.int64())
                index = copied.schema.get_field_index("batch_id")
                rows.insert(table, copied.set_column(index, "batch_id", again))
            problem = {"file_id": one.file.file_id, "code": "x", "severity": "info", "message": "later", "batch_id": 9}
            rows.insert("problems", pa.Table.from_pylist([problem], schema=TABLES["problems"]))
        catalog.persist([one])
        catalog.deduplicate()
        found = tables(server)
        (batch_id,) = found["files"]["batch_id"].to_pylist()
        for table, number in {"parts": 1, "channels": 3, "attributes": 8}.items():
            assert found[table]["batch_id"].to_pylist() == [batch_id] * number
        assert found["problems"]["batch_id"].to_pylist() == [9]


def test_existing_tables_are_sorted_by_a_separate_step(server, old, monkeypatch, capfd):
    """Row ids have another type afterwards; rows stay as they are."""
    lead_to(server, monkeypatch)
    assert main(["db", "migrate", "--sort", "--catalog", URI]) == 3
    assert f"db migrate --catalog {URI}" in capfd.readouterr().err
    migrated(server)
    before = state(tables(server))
    assert not row_ids_are_decimal(server)
    assert main(["db", "migrate", "--sort", "--dry-run", "--catalog", URI]) == 0
    assert "would be sorted by path" in capfd.readouterr().out
    assert not row_ids_are_decimal(server)
    for expected in (f"{URI}: sorted by path", "already sorted by path"):
        assert main(["db", "migrate", "--sort", "--catalog", URI]) == 0
        assert expected in capfd.readouterr().out
    assert row_ids_are_decimal(server)
    assert state(tables(server)) == before
    known, new = inspection("s3://renders/b.exr", channels="AZ"), inspection("s3://renders/new.exr")
    with opened(server) as catalog:
        assert [outcome.inserted for outcome in catalog.persist([known, new])] == [False, True]
        assert catalog.mark_deleted([new.file.file_path_normalized]) == 1


def row_ids_are_decimal(server):
    with opened(server, read_only=True) as catalog, catalog.tables.reading() as rows:
        return pa.types.is_decimal(rows.select("files", ["file_id"], row_ids=True)["$row_id"].type)


def test_a_server_that_cannot_sort_gets_tables_without_a_sorting_key(server, monkeypatch, capfd):
    monkeypatch.setattr(connection.Connection, "can_sort", False)
    opened(server).close()
    assert not row_ids_are_decimal(server)
    lead_to(server, monkeypatch)
    assert main(["db", "migrate", "--sort", "--catalog", URI]) == 3
    assert "cannot sort tables" in capfd.readouterr().err


def test_new_tables_are_sorted(server):
    opened(server).close()
    assert row_ids_are_decimal(server)


def test_a_server_that_rejects_sorting_keys_gets_tables_without(server):
    """The version alone does not say that the feature is enabled."""
    rejected = server.fail(400, operation="create_table", path="*/files")
    opened(server).close()
    assert rejected.hits
    assert not row_ids_are_decimal(server)
