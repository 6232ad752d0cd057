"""Transactions: a snapshot, a draft of it, and the writes that turn one into the other.

A write is a function that changes a catalog. It runs on the transaction's draft at once and, at
commit, once more on what others have committed meanwhile. Where that cannot be right, because two
transactions wrote the same thing, the later one is refused (see `assumptions`).
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .assumptions import Assumptions
from .errors import ApiError, bad_request, conflict, not_found
from .storage import RowIds, TableState


class TablePath(NamedTuple):
    """The full name of a table; `schema` has slashes when schemas are nested."""

    bucket: str
    schema: str
    name: str
    sub_table: str = ""  # "vastdb-imported-objects" for the list of imports behind a table


@dataclass(slots=True)
class Catalog:
    """All schemas and tables at one moment. Shared until somebody writes, then copied."""

    schemas: dict[tuple[str, str], None] = field(default_factory=dict)  # (bucket, path), in order of creation
    names: dict[TablePath, int] = field(default_factory=dict)
    tables: dict[int, TableState] = field(default_factory=dict)

    def copy(self) -> "Catalog":
        """A catalog that can be written to."""
        return Catalog(dict(self.schemas), dict(self.names), dict(self.tables))

    def check_schema(self, bucket: str, path: str) -> None:
        """Raise a 404 for a schema that is not there."""
        if (bucket, path) not in self.schemas:
            raise not_found("schema", path)

    def table(self, path: TablePath) -> TableState:
        """The table of that name."""
        if (table_id := self.names.get(path)) is None:
            raise not_found("table", "/".join(path).rstrip("/"))
        return self.tables[table_id]

    def in_schema(self, bucket: str, schema: str) -> dict[TablePath, TableState]:
        """The tables of a schema."""
        return {path: self.table(path) for path in self.names if (path.bucket, path.schema) == (bucket, schema)}

    def by_id(self, table_id: int) -> TableState:
        """The table that a write belongs to, whatever it is called by now."""
        if (state := self.tables.get(table_id)) is None:
            raise conflict("the table was dropped")
        return state


Write = Callable[[Catalog], None]
Thing = tuple[str, ...]  # what a transaction writes to: ("table", bucket, schema, name), ("column", …)


@dataclass(slots=True)
class WriteSet:
    """What a transaction has written to: things by name, rows by table."""

    things: set[Thing] = field(default_factory=set)
    rows: dict[int, set[int]] = field(default_factory=dict)

    def meets(self, other: "WriteSet") -> bool:
        """Whether both have written the same thing or row."""
        if not self.things.isdisjoint(other.things):
            return True
        return any(not rows.isdisjoint(other.rows[table]) for table, rows in self.rows.items() if table in other.rows)

    def add(self, other: "WriteSet") -> None:
        """Take over what the other has."""
        self.things |= other.things
        for table, rows in other.rows.items():
            self.rows.setdefault(table, set()).update(rows)


@dataclass(slots=True, eq=False)
class Transaction:
    """One open transaction. Its draft is the snapshot itself until the first write."""

    txid: int
    base: Catalog
    draft: Catalog
    began_at: int  # how many commits there had been
    last_used: float
    writes: list[Write] = field(default_factory=list)
    changes: set[str] = field(default_factory=set)  # "tables" and "rows", as far as it has changed them
    written: WriteSet = field(default_factory=WriteSet)


class Database:
    """The committed state and the open transactions. Every method may be called from any thread."""

    def __init__(self, assumptions: Assumptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._assumptions = assumptions
        self._clock = clock
        self._lock = threading.RLock()
        self._committed = Catalog()
        # The committed states, the last one first, as far back as statistics and other addresses lag.
        lag = max(assumptions.statistics_lag_commits, assumptions.announced_lag_commits)
        self._history = deque([self._committed] * (lag + 1), maxlen=lag + 1)
        self._lag = 0  # of selects through the announced address
        self._commit_count = 0
        self._recent: deque[tuple[int, WriteSet]] = deque()  # commits that some open transaction has not seen
        self._open: dict[int, Transaction] = {}
        self._finished: deque[int] = deque(maxlen=10_000)  # committed transactions, for repeated commits
        self._txids = itertools.count(int(time.time()) << 20)
        self._table_ids = itertools.count(1)
        self._column_numbers = itertools.count()
        self._row_counters: dict[int, int] = {}
        self.after_commit: Callable[[], None] = lambda: None  # called for each new committed state, before the next

    def begin(self) -> Transaction:
        """Open a transaction on the state of this moment; costs the same however much is stored."""
        with self._lock:
            self._expire()
            catalog = self._committed
            transaction = Transaction(next(self._txids), catalog, catalog, self._commit_count, self._clock())
            self._open[transaction.txid] = transaction
            return transaction

    def get(self, txid: int) -> Transaction:
        """The open transaction of that number, which is thereby in use."""
        with self._lock:
            self._expire()
            if (transaction := self._open.get(txid)) is None:
                status = self._assumptions.unknown_transaction_status
                raise ApiError(status, "NoSuchTransaction", f"there is no open transaction {txid}")
            transaction.last_used = self._clock()
            return transaction

    def refresh(self, transaction: Transaction) -> None:
        """Where snapshots are assumed not to be isolated: bring in what others have committed."""
        with self._lock:
            if not self._assumptions.snapshot_isolation and transaction.base is not self._committed:
                transaction.draft = self._replayed(transaction) if transaction.writes else self._committed
                transaction.base = self._committed
                transaction.began_at = self._commit_count

    def write(
        self,
        transaction: Transaction,
        write: Write,
        things: Iterable[Thing] = (),
        rows: tuple[TableState, RowIds] | None = None,
    ) -> None:
        """Run a write on the transaction's draft and keep it for the commit.

        `things` and `rows` are what it writes to. Names conflict at once, rows as is assumed.
        """
        with self._lock:
            self.get(transaction.txid)
            new = WriteSet(set(things))
            changes = transaction.changes | {"tables" if new.things else "rows"}
            if len(changes) > 1 and not self._assumptions.mixed_transactions:
                raise bad_request("the transaction changes both tables and rows", "TabularMixedTransaction")
            if rows is not None and self._assumptions.row_conflicts != "none":
                state, row_ids = rows
                if others := state.rows_of_others(row_ids, transaction.txid):
                    new.rows[state.table_id] = others
            at_once = new if self._assumptions.row_conflicts == "request" else WriteSet(new.things)
            self._refuse_conflicts(transaction, at_once, with_open=True)
            draft = transaction.draft.copy()
            write(draft)
            transaction.draft = draft
            transaction.writes.append(write)
            transaction.changes = changes
            transaction.written.add(new)

    def commit(self, txid: int) -> None:
        """Make the writes visible to all transactions that begin from now on, or refuse and drop them."""
        with self._lock:
            if self._assumptions.repeated_commit_succeeds and txid in self._finished:
                return
            transaction = self.get(txid)
            try:
                if transaction.writes:
                    self._refuse_conflicts(transaction, transaction.written, with_open=False)
                    catalog = transaction.draft if transaction.base is self._committed else self._replayed(transaction)
                    for table_id, state in catalog.tables.items():
                        if state is not self._committed.tables.get(table_id):
                            catalog.tables[table_id] = state.compacted()
                    self._committed = catalog
                    self._history.appendleft(catalog)
                    self._lag = self._assumptions.announced_lag_commits
                    self._commit_count += 1
                    self._recent.append((self._commit_count, transaction.written))
                    self.after_commit()
                self._finished.append(txid)
            finally:
                self._close(transaction)

    def rollback(self, txid: int) -> None:
        """Forget the transaction."""
        with self._lock:
            self._close(self.get(txid))

    def committed(self) -> Catalog:
        """What a transaction would see that began now. Not to be changed."""
        return self._committed

    def for_statistics(self, state: TableState) -> TableState:
        """The table with the rows that its statistics count: those of some commits ago."""
        if self._assumptions.statistics_lag_commits == 0:
            return state
        old = self._history[self._assumptions.statistics_lag_commits].tables.get(state.table_id)
        return state.changed(chunks=old.chunks if old else ())

    def lagging(self) -> Catalog:
        """What a select through the announced address sees. Not to be changed."""
        with self._lock:
            catalog = self._history[self._lag]
            self._lag = max(0, self._lag - 1)
            return catalog

    def open_transactions(self, *, writing: bool = False) -> list[int]:
        """Numbers of the transactions that neither ended nor expired, or of those which have written something."""
        with self._lock:
            self._expire()
            return sorted(txid for txid, transaction in self._open.items() if transaction.writes or not writing)

    def expire_all(self) -> None:
        """Drop every open transaction, as if each had been idle for too long."""
        with self._lock:
            for transaction in list(self._open.values()):
                self._close(transaction)

    def next_table_id(self) -> int:
        """A number for a new table."""
        return next(self._table_ids)

    def next_column_number(self) -> int:
        """A number for a new column, of whatever table."""
        return next(self._column_numbers)

    def take_row_ids(self, table_id: int, count: int) -> int:
        """The first of `count` new row ids. Those of a transaction that is rolled back are not used again."""
        with self._lock:
            first = self._row_counters.get(table_id, 0)
            self._row_counters[table_id] = first + count
            return first

    def reserve_row_ids(self, table_id: int, last: int) -> None:
        """Let ids that the server chooses start above `last`, which a client chose."""
        with self._lock:
            self._row_counters[table_id] = max(self._row_counters.get(table_id, 0), last + 1)

    def _refuse_conflicts(self, transaction: Transaction, new: WriteSet, *, with_open: bool) -> None:
        for number, written in self._recent:
            if number > transaction.began_at and new.meets(written):
                raise conflict(f"transaction {transaction.txid} wrote what was committed after it began")
        for other in self._open.values():
            if with_open and other is not transaction and new.meets(other.written):
                raise conflict(f"transaction {other.txid} has written what {transaction.txid} writes")

    def _replayed(self, transaction: Transaction) -> Catalog:
        catalog = self._committed.copy()
        try:
            for write in transaction.writes:
                write(catalog)
        except ApiError as error:
            raise conflict(f"what others have committed does not allow this any more: {error.message}") from error
        return catalog

    def _expire(self) -> None:
        oldest = self._clock() - self._assumptions.idle_timeout_s
        for transaction in [t for t in self._open.values() if t.last_used < oldest]:
            self._close(transaction)

    def _close(self, transaction: Transaction) -> None:
        self._open.pop(transaction.txid, None)
        oldest = min((t.began_at for t in self._open.values()), default=self._commit_count)
        while self._recent and self._recent[0][0] <= oldest:
            self._recent.popleft()
