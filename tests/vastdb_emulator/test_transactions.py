"""What transactions see of each other, and when they are refused, seen through the unmodified SDK."""

import time

import pyarrow as pa
import pytest
from vastdb import errors

from . import Assumptions
from .client import committed, create_table, ids, insert, select, table, update


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

    def fail():
        with session.transaction() as tx:
            insert(tx, 1)
            tx.bucket("b").create_schema("other")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert emulator.open_transactions == []
    assert committed(emulator) == []
    with session.transaction() as tx:
        assert [schema.name for schema in tx.bucket("b").schemas()] == ["s"]
        assert insert(tx, 2) == [1]


@pytest.mark.slow
def test_an_idle_transaction_expires(start, connect):
    """Its next request finds it gone, and its rows with it."""
    emulator = start(assumptions=Assumptions(idle_timeout_s=3))
    session = connect(emulator)
    create_table(session)
    tx = session.transaction().__enter__()
    insert(tx, 1)
    time.sleep(3.1)
    with pytest.raises(errors.NotFound, match="NoSuchTransaction"):
        tx.__exit__(None, None, None)
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
    writer = session.transaction().__enter__()
    insert(writer, 1)
    with session.transaction() as dropper:
        dropper.bucket("b").schema("s").table("t").drop()
    with pytest.raises(errors.Conflict):
        writer.__exit__(None, None, None)


def test_creating_the_same_table_twice_at_a_time_conflicts_at_once(start, connect):
    """Two processes that set up their schema meet like this."""
    session = connect(start())
    with session.transaction() as one, session.transaction() as two:
        one.bucket("b").create_schema("s")
        with pytest.raises(errors.Conflict):
            two.bucket("b").create_schema("s")
