"""What the emulator promises beyond the SDK's own suite: who may come in, how much fits, that it can be stopped."""

import http.client
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import requests
import vastdb
from vastdb import VectorIndexSpec, errors
from vastdb.config import QueryConfig

from . import Assumptions
from .client import KEYS, SCHEMA, committed, create_table, ids, insert, select, table

ROOT = Path(__file__).parents[2]


def test_a_wrong_key_is_forbidden(emulator, connect):
    """Already the first request says so."""
    with pytest.raises(errors.Forbidden, match="SignatureDoesNotMatch"):
        connect(emulator, secret="wrong")
    with pytest.raises(errors.Forbidden, match="InvalidAccessKeyId"):
        vastdb.connect(access="nobody", secret="x", endpoint=emulator.url)


def test_a_request_that_is_not_signed_is_forbidden(emulator):
    assert requests.get(f"{emulator.url}/?transaction", timeout=5).status_code == 403


def test_a_signature_covers_the_body(emulator, session):
    """A body that was changed on its way is refused."""
    with session.transaction() as tx:
        pooled = next(iter(session.api._sessions.values()))
        signed = pooled.prepare_request(
            requests.Request("POST", f"{emulator.url}/b/x?schema", {"tabular-txid": str(tx.txid)}, data=b"body")
        )
        signed.body = b"ydob"
        assert "XAmzContentSHA256Mismatch" in pooled.send(signed, timeout=5).text


# Start and stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_it_runs_by_hand(number):
    """The command prints its URL in one line and ends when it is told to."""
    command = [sys.executable, "-m", "tests.vastdb_emulator", "--bucket", "b", "--version", "5.5.0.0"]
    keys = ["--access-key", KEYS["access_key"], "--secret-key", KEYS["secret_key"]]
    with subprocess.Popen([*command, *keys], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        url = process.stdout.readline().strip()
        session = vastdb.connect(access=KEYS["access_key"], secret=KEYS["secret_key"], endpoint=url)
        assert session.api.vast_version == (5, 5, 0, 0)
        for pooled in session.api._sessions.values():
            pooled.close()
        process.send_signal(number)
        assert process.wait(10) == 0


def test_a_restart_breaks_connections_and_keeps_the_data(emulator, session):
    """Same port, same rows."""
    with session.transaction() as tx:
        insert(tx, 1)
    emulator.stop()
    with pytest.raises(errors.ConnectionError), session.transaction():
        pass
    emulator.start()
    with session.transaction() as tx:
        assert ids(tx) == [1]


# Load and limits


@pytest.mark.slow
def test_sixteen_threads_share_a_session(emulator, session):
    """Sixty-four transactions insert and read at once; every row arrives."""

    def work(number):
        with session.transaction() as tx:
            insert(tx, number, number + 1000)
            found = select(tx, predicate=table(tx)["id"] == number)
            return found.num_rows

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(64))) == [1] * 64
    assert sorted(committed(emulator)) == [*range(64), *range(1000, 1064)]
    row_ids = [request for request in emulator.requests if request.operation == "insert"]
    assert len(row_ids) == 64


@pytest.mark.slow
def test_pages_and_splits_are_exact(start, connect):
    """However a table is cut up, each row that matches comes once. A select asks for what is left only."""
    emulator = start(assumptions=Assumptions(page_bytes=200_000))
    session = connect(emulator)
    create_table(session)
    with session.transaction() as tx:
        for start_id in range(0, 200_000, 50_000):
            rows = range(start_id, start_id + 50_000)
            table(tx).insert(pa.table([rows, [str(row % 10) for row in rows]], schema=SCHEMA))
    with session.transaction() as tx:
        t = table(tx)
        t.delete(pa.table({"$row_id": pa.array(range(0, 200_000, 7), pa.uint64())}))
        for splits, subsplits, limit in ((1, 1, 131_072), (3, 2, 1000), (8, 4, 20_000)):
            config = QueryConfig(
                num_splits=splits,
                num_sub_splits=subsplits,
                limit_rows_per_sub_split=limit,
                num_row_groups_per_sub_split=1,
                data_endpoints=[emulator.url],
            )
            found = t.select(columns=["id"], predicate=t["name"] == "3", config=config).read_all()
            expected = [row for row in range(3, 200_000, 10) if row % 7]
            assert sorted(found["id"].to_pylist()) == expected


def test_a_body_is_limited(emulator, session):
    """The SDK splits its requests; one that does not is refused."""
    with session.transaction() as tx, pytest.raises(errors.BadRequest, match="EntityTooLarge"):
        session.api.insert_rows("b", "s", "t", bytes(5 * (1 << 20) + 1), txid=tx.txid)


def test_a_cell_is_limited(emulator, session):
    """What is assumed to be the limit of a cell can be stored, a byte more cannot."""
    limit = Assumptions.max_cell_bytes
    with session.transaction() as tx:
        table(tx).insert(pa.table([[1], ["x" * limit]], schema=SCHEMA))
        with pytest.raises(errors.BadRequest, match="TabularCellTooLarge"):
            table(tx).insert(pa.table([[2], ["x" * (limit + 1)]], schema=SCHEMA))
    assert committed(emulator) == [1]


def test_rows_that_do_not_fit_are_refused(emulator, session):
    """Other columns and other types have the error codes that the SDK's tests know."""
    with session.transaction() as tx:
        for rows, code in (
            (pa.table({"nosuch": [1]}), "TabularMismatchColumnName"),
            (pa.table({"id": pa.array([1], pa.int32())}), "TabularMismatchColumnType"),
        ):
            with pytest.raises(errors.BadRequest, match=code):
                table(tx, rows.schema).insert(rows)


def test_a_column_of_a_projection_stays(session):
    """It can be neither dropped nor renamed, as the projection would be without it."""
    with session.transaction() as tx:
        t = tx.bucket("b").schema("s").table("t")
        t.create_projection("p", sorted_columns=["name"], unsorted_columns=["id"])
        with pytest.raises(errors.BadRequest, match="projection"):
            t.drop_column(pa.schema([SCHEMA.field("id")]))
        with pytest.raises(errors.BadRequest, match="projection"):
            t.rename_column("name", "other")


def test_what_is_not_emulated_says_so(start, connect):
    session = connect(start(version="5.5.0.0"))
    create_table(session)
    with session.transaction() as tx, pytest.raises(errors.NotImplemented, match="not emulated"):
        tx.bucket("b").schema("s").table("t").blob_expansion("name")


def test_a_connection_survives_errors_and_bodies(emulator):
    """Requests that are refused have their bodies read, or the next one would be garbage."""
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc)
    for _ in range(3):
        connection.request("GET", "/b/s/t?data", body=b"x" * 100_000)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 403
    connection.close()


# Version 5.5


def test_a_vector_indexed_table_has_decimal_row_ids(start, connect):
    """From 5.5. Its vector cannot be updated, its other columns can."""
    emulator = start(version="5.5.0.0")
    session = connect(emulator)
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 4)
    schema = pa.schema([("id", pa.int64()), ("v", vector)])
    create_table(session, schema, vector_index=VectorIndexSpec("v", "ip"))
    with session.transaction() as tx:
        t = tx.bucket("b").schema("s").table("t")
        assert t.vector_index.distance_metric == "ip"
        row_ids = t.insert(pa.table([[7], [[1, 2, 3, 4]]], schema=schema))
        assert row_ids.type == pa.decimal128(38, 0)
        t.update(pa.table({"$row_id": row_ids, "id": [8]}))
        with pytest.raises(errors.BadRequest):
            t.update(pa.table([row_ids, pa.array([[0, 0, 0, 0]], vector)], ["$row_id", "v"]))
    assert emulator.read_table("b", "s", "t").to_pydict() == {"id": [8], "v": [[1, 2, 3, 4]]}


def test_a_vector_index_needs_version_5_5(start, connect):
    session = connect(start())
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 4)
    with session.transaction() as tx:
        schema = tx.bucket("b").create_schema("s")
        with pytest.raises(errors.NotImplemented):
            schema.create_table("t", pa.schema([("v", vector)]), vector_index=VectorIndexSpec("v", "ip"))
