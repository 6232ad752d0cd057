"""A fault at any request: each file ends with one complete set of rows, and never has a part of one."""

from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from itertools import count, product

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from exr_inspector.catalog.rows import from_inspections
from exr_inspector.catalog.schema import CHILD_TABLES
from exr_inspector.catalog.vast import VastCatalog
from exr_inspector.errors import CatalogError
from tests.support.exr_bytes import inspection, text

from ..conftest import BUCKET
from ..test_contract import error_at, path_of
from .conftest import connection_to, schema_of, start, stored

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_timer")]  # whose requests a fault would hit

# A late answer comes after the time that a request has; all others have more, for the sake of a busy machine.
SHORT_TIMEOUT_S, TIMEOUT_S, DEADLINE_S = 0.5, 5.0, 40.0

FAULTS = {
    "lost before": {"action": "drop"},
    "lost after": {"action": "drop", "after_effect": True},
    "answer cut": {"action": "cut"},
    "500": {"action": 500},
    "500 after": {"action": 500, "after_effect": True},
    "502": {"action": 502},
    "503": {"action": 503},
    "503 SlowDown": {"action": 503, "code": "SlowDown"},
    "403": {"action": 403, "code": "AccessDenied"},
    "409": {"action": 409, "code": "Conflict"},
    "late": {"action": "delay", "seconds": 2 * SHORT_TIMEOUT_S},
    "late after": {"action": "delay", "seconds": 2 * SHORT_TIMEOUT_S, "after_effect": True},
}

# Undocumented properties of the server: the backend must be correct with each of them.
SERVERS = {
    "as assumed": {},
    "conflicts at commit": {"row_conflicts": "commit"},
    "reads what was committed": {"snapshot_isolation": False},
    "knows no old transaction (400)": {"unknown_transaction_status": 400},
    "knows no old transaction (409)": {"unknown_transaction_status": 409},
    "commits twice": {"repeated_commit_succeeds": True},
    "misses deleted rows": {"missing_rows_are_errors": True},
}


@pytest.fixture(scope="module")
def servers():
    """One running server of each kind, with empty tables. A parametrized fixture would start one for each case."""
    with ExitStack() as stack:

        @cache
        def running(kind):
            emulator = stack.enter_context(start(**SERVERS[kind]))
            VastCatalog(f"vast://{BUCKET}/empty", connection=connection_to(emulator)).close()
            return emulator

        yield running


@pytest.fixture
def server(servers, request):
    return servers(request.param)


_numbers = count()


@pytest.fixture
def catalog(server, fault):
    """Empty tables of its own, as each check of a committed state reads all rows."""
    timeout_s = SHORT_TIMEOUT_S if "late" in fault else TIMEOUT_S
    options = {"request_timeout_s": timeout_s, "deadline_s": DEADLINE_S}
    schema = f"faults_{next(_numbers)}"
    server.copy_schema(BUCKET, "empty", schema)
    with VastCatalog(f"vast://{BUCKET}/{schema}", connection=connection_to(server, **options)) as opened:
        yield opened
        server.clear_faults()


@contextmanager
def every_file_is_whole(server, catalog):
    """Until the block ends, every committed state has all rows of every file: a reader never sees a part of one."""
    wrong, states = [], 0

    def check():
        nonlocal states
        states += 1
        tables = server.committed_tables(BUCKET, schema_of(catalog))
        counts = {table: Counter(tables[table]["file_id"].to_pylist()) for table in ("files", *CHILD_TABLES[:3])}
        for file_id, copies in counts["files"].items():
            expected = ("parts", 1), ("channels", 3), ("attributes", 9)
            wrong.extend((file_id, t, counts[t][file_id]) for t, n in expected if counts[t][file_id] != n * copies)
        wrong.extend((f, t) for t in counts for f in counts[t] if f not in counts["files"])

    with server.each_commit(check):
        yield
    assert states
    assert not wrong


def once_more(work):
    """Retries once, like a caller."""
    try:
        return work()
    except CatalogError:
        return work()


def rows_of(server, catalog, inspections):
    """The stored rows of the files, by table."""
    ids = pa.array([one.file.file_id for one in inspections])
    tables = server.committed_tables(BUCKET, schema_of(catalog))
    return {
        table: tables[table].filter(pc.is_in(tables[table]["file_id"], ids)).to_pylist()
        for table in ("files", *CHILD_TABLES)
    }


def assert_one_set(server, catalog, inspections):
    expected = from_inspections(inspections).tables
    found = rows_of(server, catalog, inspections)
    for table in CHILD_TABLES:
        without_batch = [{name: row[name] for name in row if name != "batch_id"} for row in found[table]]
        assert Counter(map(repr, without_batch)) == Counter(map(repr, expected[table].to_pylist()))
    assert Counter(row["file_id"] for row in found["files"]) == {one.file.file_id: 1 for one in inspections}
    batches = {row["file_id"]: row["batch_id"] for row in found["files"]}
    assert all(row["batch_id"] == batches[row["file_id"]] for table in CHILD_TABLES for row in found[table])
    assert all(row["is_current"] for row in found["files"])


def some(name, number, note=""):
    return [inspection(f"s3://renders/{name}.{n:04}.exr", text("note", note)) for n in range(number)]


CASES = {"new": (1, False), "known": (1, True), "batch": (3, False)}
REQUESTS = {"new": 7, "known": 4, "batch": 7}


def sweep(server, catalog, case, fault, name):
    """The fault at each request of the case in turn."""
    number, is_known = CASES[case]
    for n in range(1, REQUESTS[case] + 1):
        files = some(f"{name}/{n}", number, "first")
        if is_known:
            catalog.persist(files)
        options = dict(FAULTS[fault])
        struck = server.fail(options.pop("action"), nth=n, path="/*", **options)
        outcomes = once_more(partial(catalog.persist, files))
        server.clear_faults()
        catalog.deduplicate()
        assert struck.hits, f"request {n} was not made"
        assert_one_set(server, catalog, files)
        assert [outcome.file_id for outcome in outcomes] == [one.file.file_id for one in files]
        (counted,) = {row["inspection_count"] for row in rows_of(server, catalog, files)["files"]}
        assert counted in ((2, 3) if is_known else (1, 2)), "a failure that was reported may have been none"


def combinations():
    """All faults on a server with the default assumptions; on the others those that they handle differently.

    One new file takes the same requests as a batch of them.
    """
    for fault, case in product(FAULTS, CASES):
        if case != "new" or fault.startswith("lost"):
            yield "as assumed", fault, case
    for server in list(SERVERS)[1:]:
        yield server, "lost after", "known"
        yield server, "lost after", "batch"
        yield server, "500 after", "batch"
        yield server, "late after", "known"


@pytest.mark.parametrize(("server", "fault", "case"), list(combinations()), indirect=["server"])
def test_a_fault_at_each_request(server, catalog, case, fault, request):
    with every_file_is_whole(server, catalog):
        sweep(server, catalog, case, fault, request.node.name)
    assert server.writing_transactions == []


def rows_at(server, catalog, table, path):
    return [row for row in stored(server, catalog, table) if row["file_path_normalized"] == path]


ANY_FAULT = pytest.mark.parametrize("fault", [fault for fault in FAULTS if "late" not in fault])


@ANY_FAULT
@pytest.mark.parametrize("server", ["as assumed"], indirect=True)
def test_a_fault_while_an_error_is_recorded(server, catalog, fault, request):
    files = some(request.node.name, 6)
    catalog.persist(files)
    catalog.deduplicate()
    for n, path in enumerate(map(path_of, files), 1):
        options = dict(FAULTS[fault])
        struck = server.fail(options.pop("action"), nth=n, path="/*", **options)
        once_more(partial(catalog.record_errors, [error_at(path)]))
        server.clear_faults()
        catalog.deduplicate()
        (error,) = rows_at(server, catalog, "ingest_errors", path)
        assert struck.hits
        assert error["count"] in (1, 2)
        assert [row["is_current"] for row in rows_at(server, catalog, "files", path)] == [False]


@ANY_FAULT
@pytest.mark.parametrize("server", ["as assumed"], indirect=True)
def test_a_fault_while_a_file_is_deleted(server, catalog, fault, request):
    files = some(request.node.name, 6)
    paths = [path_of(one) for one in files]
    catalog.record_errors([error_at(path) for path in paths])
    catalog.persist(files)
    catalog.deduplicate()
    for n, path in enumerate(paths, 1):
        options = dict(FAULTS[fault])
        struck = server.fail(options.pop("action"), nth=n, path="/*", **options)
        assert once_more(partial(catalog.mark_deleted, [path])) in (0, 1)
        server.clear_faults()
        (row,) = rows_at(server, catalog, "files", path)
        assert struck.hits
        assert row["deleted_at"] is not None
        assert rows_at(server, catalog, "ingest_errors", path) == []
