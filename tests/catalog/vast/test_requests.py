"""The number of requests of each operation, as received by the emulator."""

import re
import subprocess
import sys

import pyarrow as pa
import pytest

from exr_inspector.catalog import FileStat
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.vast import VastCatalog
from exr_inspector.catalog.vast.conditions import Condition
from exr_inspector.catalog.vast.tables import ROW_ID, Tables
from tests.support.exr_bytes import inspection, text

from ..conftest import BUCKET
from ..test_contract import A_AGAIN, A, B, error_at, path_of, stat_of
from ..test_pixel_results import URI, batches, plain, with_stats
from .conftest import connection_to, start

pytestmark = pytest.mark.usefixtures("no_timer")

NEW = ["begin", "select", "insert", "insert", "insert", "insert", "commit"]  # files, parts, channels, attributes


@pytest.fixture
def asked(emulator):
    """Runs a function and returns its requests."""

    def run(work, *arguments):
        emulator.reset_requests()
        work(*arguments)
        return [request.operation for request in emulator.requests]

    return run


@pytest.mark.slow
def test_a_new_file_costs_seven_requests(open_vast, asked):
    catalog = open_vast()
    assert asked(catalog.persist, [A]) == NEW
    assert asked(catalog.persist, [B]) == NEW  # looks in passing whether somebody else stored the first


@pytest.mark.slow
def test_a_known_file_costs_four(open_vast, asked):
    catalog = open_vast()
    catalog.persist([A])
    assert asked(catalog.persist, [A]) == ["begin", "select", "update", "commit"]


@pytest.mark.slow
def test_statistics_of_a_known_file_cost_four_more(open_vast, asked, emulator):
    """Two to read those that are stored, and two to insert; also if the response to the commit is lost."""
    catalog, one = open_vast(), plain()
    catalog.persist([one])
    assert asked(catalog.persist, [one]) == ["begin", "select", "update", "commit"]
    read = ["begin", "select", "update", "select", "select"]
    assert asked(catalog.persist, [with_stats(digest=False)]) == [*read, "insert", "insert", "commit"]
    assert asked(catalog.persist, [with_stats(digest=False)]) == [*read, "commit"]
    lost = emulator.fail("drop", after_effect=True, operation="commit")
    catalog.persist([with_stats()])
    assert lost.hits
    assert batches(catalog) == [[3, 3], [1, 1]]
    stat = FileStat(file_path_normalized=URI, size_bytes=one.file.size_bytes, mtime=None)
    assert asked(catalog.seen, [stat]) == ["begin", "select", "commit"]
    assert asked(lambda: catalog.seen([stat], pixels="deep")) == ["begin", "select", "select", "commit"]


@pytest.mark.slow
def test_a_new_version_costs_one_more_than_a_new_file(open_vast, asked):
    catalog = open_vast()
    catalog.persist([A])
    assert asked(catalog.persist, [A_AGAIN]) == ["begin", "select", "update", *NEW[2:]]


@pytest.mark.slow
def test_a_batch_costs_what_one_file_costs(open_vast, asked):
    catalog = open_vast()
    batch = [inspection(f"s3://renders/{number:04}.exr") for number in range(500)]
    assert asked(catalog.persist, batch) == NEW
    assert asked(catalog.persist, batch) == ["begin", "select", "update", "commit"]


@pytest.mark.slow
def test_large_batches_take_more_requests(open_vast, asked):
    """A row is never split, and a column that must not be null is never left out for a moment."""
    catalog = open_vast()
    large = [inspection(f"s3://renders/{n}.exr", text("note", "x" * 60_000)) for n in range(100)]
    operations = asked(catalog.persist, large)
    assert 3 < operations.count("insert") - 3 < 10
    assert operations.count("update") == 0
    (row,) = catalog.sql(
        "SELECT count(*) AS n, min(length(value_text)) AS l FROM attributes WHERE attr_name = 'note'"
    ).to_pylist()
    assert row == {"n": 100, "l": 60_000}


@pytest.mark.slow
def test_opening_an_existing_catalog_costs_five_and_no_ddl(open_vast, asked):
    uri = open_vast().uri
    assert asked(open_vast, uri) == ["probe", "begin", "stats", "select", "commit"]


@pytest.mark.slow
def test_deduplication_costs_three(open_vast, asked):
    catalog = open_vast()
    catalog.persist([A, B])
    assert asked(catalog.deduplicate) == ["begin", "select", "commit"]
    assert asked(catalog.deduplicate) == []


@pytest.mark.slow
def test_other_operations_cost_few(open_vast, asked):
    catalog = open_vast()
    catalog.persist([A])
    unreadable = error_at("s3://renders/x.exr")
    assert asked(catalog.record_errors, [unreadable]) == ["begin", "select", "select", "insert", "commit"]
    assert asked(catalog.record_errors, [unreadable]) == ["begin", "select", "select", "update", "commit"]
    assert asked(catalog.seen, [stat_of(A)] * 100) == ["begin", "select", "commit"]
    assert asked(catalog.seen, [stat_of(A), stat_of(B)]) == ["begin", "select", "select", "commit"]
    assert asked(catalog.mark_deleted, [path_of(A)]) == ["begin", "select", "update", "select", "commit"]
    assert asked(catalog.status) == ["begin", *["stats"] * len(TABLES), "commit", "begin", "select", "commit"]


@pytest.mark.slow
def test_a_transaction_begins_while_another_thread_forgets_that_tables_are_sorted(open_vast, monkeypatch):
    """As it does after a rejected request."""
    catalog = open_vast()
    catalog.persist([A])
    answers = iter([True, None])
    forgotten = property(lambda _: next(answers), lambda _, value: None)
    with monkeypatch.context() as patched:
        patched.setattr(Tables, "are_sorted", forgotten, raising=False)
        with catalog.tables.reading() as rows:
            found = rows.select("files", [], row_ids=True)
    assert pa.types.is_decimal(found[ROW_ID].type)


@pytest.mark.slow
@pytest.mark.parametrize("column", ["version_flags", "sequence", "deleted_at"])
def test_the_server_evaluates_null_tests(open_vast, column):
    """Only rows without a value in the column are transferred."""
    catalog = open_vast()
    catalog.persist([A, B])
    catalog.mark_deleted([path_of(A)])
    everything = catalog.sql(f"SELECT {column} FROM files")[column]
    with catalog.tables.reading() as rows:
        batches = rows.stream("files", [column], [Condition(column=column, operator="is_null")])
        transferred = pa.chunked_array([batch[column] for batch in batches], everything.type)
    assert len(transferred) == transferred.null_count == everything.null_count < len(everything)


@pytest.mark.slow
def test_selects_go_to_the_endpoint_by_default():
    with start() as server:
        connection = connection_to(server, use_announced_endpoints=True)
        with VastCatalog(f"vast://{BUCKET}/announced", connection=connection) as catalog:
            catalog.persist([A])
            server.reset_requests()
            catalog.persist([A])
            operations = [request.operation for request in server.requests]
    assert "stats" in operations, "the addresses that the server announces are in the statistics"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_catalog():
    """Ingest, status, sequences, a query by key and a full scan."""
    command = [sys.executable, "-m", "benchmarks.vast", "--scale", "5000"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peaks = [int(peak) for peak in re.findall(r"peak memory until here (\d+) MB", output)]
    assert len(peaks) == 6
    assert max(peaks) < 500
