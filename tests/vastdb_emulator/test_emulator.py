"""What the emulator promises beyond the SDK's own suite, seen through the unmodified SDK."""

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
import requests
import vastdb
from vastdb import TableRef, TableType, VectorIndexSpec, errors
from vastdb.config import BackoffConfig, QueryConfig
from vastdb.table_metadata import TableMetadata

from . import Assumptions, Emulator

KEYS = {"access_key": "key", "secret_key": "not-so-secret"}
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
ROOT = Path(__file__).parents[2]


@pytest.fixture
def start():
    """Starts emulators; they are stopped in the end."""
    started = []

    def start(**options):
        emulator = Emulator(**KEYS, buckets=["b"], **options)
        emulator.start()
        started.append(emulator)
        return emulator

    yield start
    for emulator in started:
        emulator.stop()


@pytest.fixture
def connect():
    """Opens SDK sessions that do not retry; their sockets are closed in the end."""
    sessions = []

    def connect(emulator, *, secret=KEYS["secret_key"], tries=1, **options):
        backoff = BackoffConfig(max_tries=tries, max_value=0.01)
        session = vastdb.connect(
            access=KEYS["access_key"], secret=secret, endpoint=emulator.url, backoff_config=backoff, **options
        )
        sessions.append(session)
        return session

    yield connect
    for session in sessions:
        for pooled in session.api._sessions.values():
            pooled.close()


@pytest.fixture
def emulator(start):
    return start()


@pytest.fixture
def session(emulator, connect):
    session = connect(emulator)
    create_table(session)
    emulator.reset_requests()
    return session


def create_table(session, schema=SCHEMA, **options):
    with session.transaction() as tx:
        tx.bucket("b").create_schema("s").create_table("t", schema, **options)


def table(tx, schema=SCHEMA):
    """The table without a request, as a program would open it that knows its tables."""
    return tx.table_from_metadata(TableMetadata(TableRef("b", "s", "t"), schema, TableType.Regular))


def insert(tx, *ids):
    return table(tx).insert(pa.table([ids, [f"name {i}" for i in ids]], schema=SCHEMA)).to_pylist()


def select(tx, **options):
    config = QueryConfig(num_splits=1, num_sub_splits=1, data_endpoints=[str(tx._rpc.api.next_endpoint())])
    return table(tx).select(config=config, **options).read_all()


def ids(tx):
    return select(tx)["id"].to_pylist()


def committed(emulator):
    return emulator.read_table("b", "s", "t")["id"].to_pylist()


def update(tx, row_id, name):
    table(tx).update(pa.table({"$row_id": pa.array([row_id], pa.uint64()), "name": [name]}))


# Transactions


def test_a_transaction_sees_its_own_rows_and_no_others(session):
    """Neither of two open transactions sees what the other has inserted."""
    with session.transaction() as one, session.transaction() as two:
        insert(one, 1)
        insert(two, 2)
        assert (ids(one), ids(two)) == ([1], [2])


def test_a_snapshot_outlives_the_commits_of_others(session):
    """What is committed later stays invisible, new and changed and deleted rows alike."""
    with session.transaction() as tx:
        insert(tx, 1, 2)
    with session.transaction() as reader:
        with session.transaction() as writer:
            insert(writer, 3)
            update(writer, 0, "changed")
            table(writer).delete(pa.table({"$row_id": pa.array([1], pa.uint64())}))
        assert select(reader).to_pydict() == {"id": [1, 2], "name": ["name 1", "name 2"]}
    with session.transaction() as tx:
        assert select(tx).to_pydict() == {"id": [1, 3], "name": ["changed", "name 3"]}


def test_read_committed_can_be_assumed_instead(start, connect):
    """Then a transaction sees each commit, together with its own writes."""
    session = connect(start(assumptions=Assumptions(snapshot_isolation=False)))
    create_table(session)
    with session.transaction() as reader:
        insert(reader, 1)
        with session.transaction() as writer:
            insert(writer, 2)
        assert sorted(ids(reader)) == [1, 2]


def test_rollback_leaves_nothing_behind(emulator, session):
    """Rows are gone, and so are tables and schemas; only their row ids are used up."""
    with pytest.raises(ZeroDivisionError), session.transaction() as tx:
        insert(tx, 1)
        tx.bucket("b").create_schema("other")
        1 / 0  # noqa: B018
    assert emulator.open_transactions == []
    assert committed(emulator) == []
    with session.transaction() as tx:
        assert [schema.name for schema in tx.bucket("b").schemas()] == ["s"]
        assert insert(tx, 2) == [1]


def test_an_idle_transaction_expires(start, connect):
    """Its next request finds it gone, and its rows with it."""
    emulator = start(assumptions=Assumptions(idle_timeout_s=0.2))
    session = connect(emulator)
    create_table(session)
    with pytest.raises(errors.NotFound, match="NoSuchTransaction"), session.transaction() as tx:
        insert(tx, 1)
        time.sleep(0.3)
    assert committed(emulator) == []


@pytest.mark.parametrize("status", [400, 409])
def test_the_status_of_an_unknown_transaction_is_an_assumption(start, connect, status):
    """A client must not depend on 404."""
    emulator = start(assumptions=Assumptions(unknown_transaction_status=status))
    session = connect(emulator)
    with pytest.raises(errors.HttpError) as caught, session.transaction():
        emulator.expire_transactions()
    assert caught.value.status == status


def test_committing_twice_fails_unless_assumed_otherwise(start, connect):
    """A client that repeats a commit whose answer was lost can meet either."""
    for succeeds in (False, True):
        session = connect(start(assumptions=Assumptions(repeated_commit_succeeds=succeeds)))
        with session.transaction() as tx:
            txid = tx.txid
        if succeeds:
            session.api.commit_transaction(txid)
        else:
            with pytest.raises(errors.NotFound):
                session.api.commit_transaction(txid)


# Conflicts


def test_inserts_never_conflict(emulator, session):
    """Two transactions append to one table, and both commit."""
    with session.transaction() as one, session.transaction() as two:
        insert(one, 1)
        insert(two, 2)
    assert sorted(committed(emulator)) == [1, 2]


@pytest.mark.parametrize("when", ["request", "commit", "none"])
def test_a_row_written_twice_conflicts_when_it_is_assumed_to(start, connect, when):
    """At the second write, at the second commit, or not at all: then the later commit wins."""
    emulator = start(assumptions=Assumptions(row_conflicts=when))
    session = connect(emulator)
    create_table(session)
    with session.transaction() as tx:
        insert(tx, 1, 2)
    one, two = session.transaction().__enter__(), session.transaction().__enter__()
    update(one, 0, "one")
    update(two, 1, "another row")
    if when == "request":
        with pytest.raises(errors.Conflict):
            update(two, 0, "two")
    else:
        update(two, 0, "two")
    one.__exit__(None, None, None)
    if when == "commit":
        with pytest.raises(errors.Conflict):
            two.__exit__(None, None, None)
    else:
        two.__exit__(None, None, None)
    expected = {"request": "one", "commit": "one", "none": "two"}[when]
    assert emulator.read_table("b", "s", "t")["name"][0].as_py() == expected


def test_a_row_committed_meanwhile_conflicts(session):
    """A transaction cannot overwrite what it has not seen."""
    with session.transaction() as tx:
        insert(tx, 1)
    with session.transaction() as late:
        with session.transaction() as early:
            update(early, 0, "early")
        with pytest.raises(errors.Conflict):
            update(late, 0, "late")


def test_an_insert_into_a_table_that_was_dropped_fails_at_commit(session):
    """The writer cannot know before."""
    with pytest.raises(errors.Conflict), session.transaction() as writer:
        insert(writer, 1)
        with session.transaction() as dropper:
            dropper.bucket("b").schema("s").table("t").drop()


def test_creating_the_same_table_twice_at_a_time_conflicts_at_once(start, connect):
    """Two processes that set up their schema meet like this."""
    session = connect(start())
    with session.transaction() as one, session.transaction() as two:
        one.bucket("b").create_schema("s")
        with pytest.raises(errors.Conflict):
            two.bucket("b").create_schema("s")


# Access


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


# Faults


def test_a_commit_that_is_lost_before_its_effect_leaves_nothing(emulator, session):
    """The client sees a lost connection; the transaction is still open."""
    emulator.fail("drop", operation="commit")
    with pytest.raises(errors.ConnectionError), session.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == []
    assert len(emulator.open_transactions) == 1


def test_a_commit_that_is_lost_after_its_effect_is_there(emulator, session):
    """To the client it looks the same."""
    fault = emulator.fail("drop", operation="commit", after_effect=True)
    with pytest.raises(errors.ConnectionError), session.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == [1]
    assert fault.hits == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", errors.Forbidden),
        (409, "", errors.Conflict),
        (500, "", errors.InternalServerError),
        (503, "", errors.ServiceUnavailable),
        (503, "SlowDown", errors.Slowdown),
    ],
)
def test_a_status_on_order(emulator, session, status, code, expected):
    """It strikes once, before the insert takes effect."""
    emulator.fail(status, code=code, operation="insert")
    with session.transaction() as tx:
        with pytest.raises(expected) as caught:
            insert(tx, 1)
        assert type(caught.value) is expected
        insert(tx, 2)
    assert committed(emulator) == [2]


def test_slow_down_is_repeated_by_the_sdk_and_other_503s_are_not(emulator, connect):
    """Only the error code tells the SDK to try again."""
    session = connect(emulator, tries=5)
    slow = emulator.fail(503, code="SlowDown", operation="begin", times=2)
    with session.transaction():
        pass
    assert slow.hits == 2
    emulator.fail(503, operation="begin")
    with pytest.raises(errors.ServiceUnavailable), session.transaction():
        pass


def test_a_delay_after_the_effect_is_a_timeout_with_an_effect(emulator, session, connect):
    """The client gives up waiting, the commit is done."""
    hasty = connect(emulator, timeout=0.2)
    emulator.fail("delay", seconds=0.5, operation="commit", after_effect=True)
    with pytest.raises(requests.exceptions.ReadTimeout), hasty.transaction() as tx:
        insert(tx, 1)
    assert committed(emulator) == [1]


def test_a_select_that_is_cut_is_resumed(emulator, session, connect):
    """Its answer is sent in chunks, so the SDK notices and asks for the page again."""
    patient = connect(emulator, tries=3)
    fault = emulator.fail("cut", operation="select")
    with patient.transaction() as tx:
        insert(tx, 1, 2)
        assert ids(tx) == [1, 2]
    assert fault.hits == 1


def test_a_fault_waits_for_its_turn(emulator, session):
    """It strikes at the n-th matching request, then as often as it was told."""
    emulator.fail(500, command="rows", method="POST", path="/b/s/*", nth=2, times=2)
    outcomes = []
    for number in range(5):
        try:
            with session.transaction() as tx:
                insert(tx, number)
            outcomes.append("ok")
        except errors.InternalServerError:
            outcomes.append("failed")
    assert outcomes == ["ok", "failed", "failed", "ok", "ok"]


def test_a_fault_that_cannot_be_is_refused(emulator):
    for options in ({"action": "explode"}, {"action": 200}):
        with pytest.raises(ValueError):
            emulator.fail(**options)


# Observation


def test_four_inserts_are_six_requests(emulator, session):
    """With known tables there is begin, one request a table, and commit."""
    with session.transaction() as tx:
        for number in range(4):
            insert(tx, number)
    log = emulator.requests
    assert [request.operation for request in log] == ["begin", *["insert"] * 4, "commit"]
    assert (log[1].method, log[1].path, log[1].command) == ("POST", "/b/s/t", "rows")
    assert log[1].txid == log[5].txid > 0
    assert log[1].body_bytes > 100
    assert log[5].body_bytes == 0
    emulator.reset_requests()
    assert emulator.requests == []


def test_the_log_can_be_left_out(start, connect):
    """A long ingest counts its requests and keeps none."""
    emulator = start(log_requests=False)
    connect(emulator)
    assert (emulator.requests, emulator.request_count) == ([], 1)


def test_latency_is_added_to_each_request(emulator, session):
    emulator.latency_s = 0.1
    started = time.monotonic()
    with session.transaction():
        pass
    assert time.monotonic() - started >= 0.2


def test_another_process_can_order_faults_and_read_the_log(emulator, session):
    """Through the control URL, which is neither signed nor logged."""
    order = {"action": "drop", "operation": "commit", "after_effect": True}
    program = (
        "import sys, urllib.request as u; "
        "u.urlopen(u.Request(sys.argv[1] + '/_emulator/faults', sys.argv[2].encode(), method='POST'))"
    )
    subprocess.run([sys.executable, "-c", program, emulator.url, json.dumps(order)], check=True)
    with pytest.raises(errors.ConnectionError), session.transaction():
        pass
    with urllib.request.urlopen(f"{emulator.url}/_emulator/requests") as answer:
        seen = json.load(answer)
    assert [request["operation"] for request in seen["requests"]] == ["begin", "commit"]
    assert [fault["hits"] for fault in seen["faults"]] == [1]
    requests.post(f"{emulator.url}/_emulator/reset", timeout=5)
    assert emulator.request_count == 0
    assert requests.post(f"{emulator.url}/_emulator/faults", json={"action": "?"}, timeout=5).status_code == 400


def test_it_runs_by_hand(connect):
    """The command prints its URL in one line and ends when it is told to."""
    command = [sys.executable, "-m", "tests.vastdb_emulator", "--bucket", "b", "--version", "5.5.0.0"]
    keys = ["--access-key", KEYS["access_key"], "--secret-key", KEYS["secret_key"]]
    with subprocess.Popen([*command, *keys], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        url = process.stdout.readline().strip()
        session = vastdb.connect(access=KEYS["access_key"], secret=KEYS["secret_key"], endpoint=url)
        assert session.api.vast_version == (5, 5, 0, 0)
        for pooled in session.api._sessions.values():
            pooled.close()
        process.send_signal(signal.SIGTERM)
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
    with session.transaction() as tx, pytest.raises(errors.NotImplemented):
        schema = tx.bucket("b").create_schema("s")
        schema.create_table("t", pa.schema([("v", vector)]), vector_index=VectorIndexSpec("v", "ip"))
