"""Limits that a real cluster may have, as the SDK meets them."""

from datetime import datetime

import pyarrow as pa
import pytest
from vastdb import errors
from vastdb.config import QueryConfig

from . import STRICT
from .assumptions import Assumptions
from .client import SCHEMA, create_table, ids, insert, select, table


@pytest.fixture
def strict(start, connect):
    session = connect(start(assumptions=STRICT))
    create_table(session)
    return session


def test_a_text_with_nul_is_refused(strict):
    with strict.transaction() as tx, pytest.raises(errors.BadRequest, match="NUL"):
        table(tx).insert(pa.table([[1], ["a\0b"]], schema=SCHEMA))


def test_a_cell_has_at_most_64_kib(strict):
    with strict.transaction() as tx:
        table(tx).insert(pa.table([[1], ["x" * 65_536]], schema=SCHEMA))
        with pytest.raises(errors.BadRequest, match="TabularCellTooLarge"):
            table(tx).insert(pa.table([[2], ["x" * 65_537]], schema=SCHEMA))


def test_times_are_cut_to_milliseconds(start, connect):
    emulator = start(assumptions=STRICT)
    schema = pa.schema([("at", pa.timestamp("us"))])
    session = connect(emulator)
    create_table(session, schema)
    with session.transaction() as tx:
        table(tx, schema).insert(pa.table([[datetime(2026, 1, 2, 3, 4, 5, 6789)]], schema=schema))
    stored = emulator.read_table("b", "s", "t")["at"].to_pylist()
    assert stored == [datetime(2026, 1, 2, 3, 4, 5, 6000)]


@pytest.mark.slow
def test_statistics_are_those_of_an_earlier_commit(strict):
    counts = []
    for number in range(3):
        with strict.transaction() as tx:
            insert(tx, number)
        with strict.transaction() as tx:
            counts.append(tx.bucket("b").schema("s").table("t").get_stats().num_rows)
    assert counts == [0, 1, 2]


@pytest.mark.parametrize("ahead_s", [-301, 301])
def test_a_wrong_clock_is_refused(start, connect, ahead_s):
    with pytest.raises(errors.Forbidden, match="RequestTimeTooSkewed"):
        connect(start(assumptions=Assumptions(max_clock_skew_s=300, clock_ahead_s=ahead_s)))


@pytest.mark.parametrize("first", ["tables", "rows"])
def test_a_transaction_changes_tables_or_rows(start, connect, first):
    session = connect(start(assumptions=Assumptions(mixed_transactions=False)))
    create_table(session)
    changes = {
        "tables": lambda tx: tx.bucket("b").create_schema("other"),
        "rows": lambda tx: insert(tx, 1),
    }
    second = "rows" if first == "tables" else "tables"
    with session.transaction() as tx:
        changes[first](tx)
        with pytest.raises(errors.BadRequest, match="both tables and rows"):
            changes[second](tx)


def test_scans_of_long_tables_take_time(start, connect, monkeypatch):
    waited = []
    monkeypatch.setattr("tests.vastdb_emulator.row_commands.time.sleep", waited.append)
    session = connect(start(assumptions=STRICT))
    create_table(session)
    with session.transaction() as tx:
        insert(tx, *range(11_000))
        assert len(select(tx)) == 11_000
    assert sum(waited) == pytest.approx(1_000 * STRICT.scan_s_per_row)


def test_selects_through_the_announced_address_lag(strict):
    with strict.transaction() as tx:
        insert(tx, 1)
    with strict.transaction() as tx:
        lagging = QueryConfig(num_splits=1, num_sub_splits=1)
        opened = tx.bucket("b").schema("s").table("t")
        assert [opened.select(config=lagging).read_all()["id"].to_pylist() for _ in range(2)] == [[], [1]]
        assert ids(tx) == [1]
