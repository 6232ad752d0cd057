"""The catalog in a VAST Database: transactions made of few requests, done whole or not at all, and tried again."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import CatalogError, CatalogSchemaError, SettingsError
from ...settings import CELL_LIMIT, QUERY_MEMORY_MB, VastConnection
from ...vectors import VERSION as EMBEDDING_VERSION
from .. import nearest
from ..nearest import By
from ..persist_rows import children_of, outcomes, with_persist_columns
from ..protocol import CatalogStatus, FileStat, IngestError, PersistOutcome, SeenFile
from ..rows import RowBatch, from_inspections
from ..schema import TABLES, VERSION, vector_dimensions
from . import ingest_errors
from .conditions import Condition
from .connection import Clock, Connection
from .duplicates import settle
from .errors import CatalogConflictError
from .pending import PathLocks, Pending
from .tables import ROW_ID, Rows, Tables
from .versions import COLUMNS, Plan, changed_rows, plan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

    from ...inspection.model import Inspection

PATHS_PER_BATCH = 10_000
_PATHS_PER_LOOK = 2000

# What the server does not change: a space or a question mark in a name breaks the SDK's URLs.
_PLACE = re.compile(r"vast://([A-Za-z0-9][A-Za-z0-9._-]*)/([A-Za-z0-9_][A-Za-z0-9_-]*)/?", re.IGNORECASE)


class VastCatalog:
    """A catalog in the schema of a VAST bucket. See Catalog for what the methods promise.

    Errors: CatalogConnectionError when the cluster does not answer within the deadline, CatalogAuthenticationError,
    CatalogTransactionError when a transaction failed each time, CatalogSchemaError, CatalogTooLargeError.
    A lost answer to a commit is no reason to store anything twice: the next try reads what became of it.
    """

    def __init__(
        self,
        uri: str,
        *,
        connection: VastConnection | None,
        read_only: bool = False,
        cell_limit: int = CELL_LIMIT,
        query_memory_mb: int = QUERY_MEMORY_MB,
    ) -> None:
        place = _PLACE.fullmatch(uri)
        if place is None:
            raise SettingsError(
                f"{uri!r} names no VAST catalog; give it as vast://BUCKET/SCHEMA, in letters, digits, - and _; "
                "the endpoint and the keys are settings: VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY"
            )
        self.uri = f"vast://{place[1]}/{place[2]}"
        self._read_only = read_only
        self._closed = False
        if connection is None:
            raise SettingsError(f"{self.uri} needs a connection: the endpoint and keys of the VAST Database")
        self._cell_limit, self._query_memory_mb = cell_limit, query_memory_mb
        self._connection = Connection(connection)
        self.tables = Tables(self._connection, place[1], place[2])
        self._stamps = _Stamps()
        self._locks = PathLocks()
        self._pending = Pending(self._look)
        if read_only:
            self._connection.retried(self._check_version)
        else:
            self.ensure_schema()

    def ensure_schema(self) -> None:
        """Create the tables; does nothing where they are. Twenty processes may do it at once."""
        self._connection.retried(self._ensure)

    def persist(self, inspections: Sequence[Inspection]) -> list[PersistOutcome]:
        """Store inspections; one whose file_id is known only counts up. One transaction."""
        if not inspections:
            return []
        return self.persist_rows(from_inspections(inspections, cell_limit=self._cell_limit))

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """Store the rows of inspections; those whose file_id is known only count up. One transaction.

        New files cost begin, one select, one insert for each table with rows, and commit; known ones begin, one
        select, one update, and commit; however many they are, as far as they fit into requests.
        """
        self._refuse("change")
        if not batch.tables["files"].num_rows:
            return []
        stamp = self._stamps.next()
        incoming = with_persist_columns(batch.tables["files"], stamp)
        paths = set(incoming["file_path_normalized"].to_pylist())
        with self._locks.hold(paths, self._connection.clock().left):
            done = self._connection.retried(
                lambda clock: self._persist(batch, incoming, paths, stamp, clock), self._ensure
            )
        self._pending.add(files=set(done.new["file_path_normalized"].to_pylist()) | done.doubled)
        return outcomes(batch, done.inserted)

    def record_errors(self, errors: Sequence[IngestError]) -> None:
        """Note files that cannot be read; one that is noted already counts up. One transaction."""
        self._refuse("change")
        if not errors:
            return
        stamp = self._stamps.next()
        paths = {error.file_path_normalized for error in errors}
        with self._locks.hold(paths, self._connection.clock().left):
            inserted = self._connection.retried(lambda clock: self._record(errors, paths, stamp, clock), self._ensure)
        if inserted:
            self._pending.add(errors=paths)

    def seen(self, stamps: Sequence[FileStat]) -> dict[str, SeenFile]:
        """Those of the files, by normalized path, that were looked at with the same size and time."""
        self._refuse()
        if not stamps:
            return {}
        return self._connection.retried(lambda clock: self._seen(stamps, clock))

    def current_paths(self, prefix: str) -> Iterator[list[str]]:
        """The normalized paths that begin with `prefix` and are current and not deleted, or in error."""
        self._refuse()
        paths = self._live_paths(prefix)
        while some := list(islice(paths, PATHS_PER_BATCH)):
            yield some

    def mark_deleted(self, paths: Sequence[str]) -> int:
        """Say of normalized paths that nothing is there any more. Returns how many were there till now."""
        self._refuse("change")
        if not paths:
            return 0
        stamp = self._stamps.next()
        with self._locks.hold(paths, self._connection.clock().left):
            return len(self._connection.retried(lambda clock: self._mark_deleted(set(paths), stamp, clock)))

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """The result of a query, which runs here on the columns and rows that it needs. Raises QueryError."""
        self._refuse()
        return self._connection.retried(lambda _: self._sql(query, params))

    def similar(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        by: By = "metadata",
        k: int = 10,
        where: str | None = None,
        per_sequence: bool = False,
    ) -> pa.Table:
        """The k files whose vectors are nearest to one, nearest first; all vectors are streamed. Raises QueryError."""
        self._refuse()
        checked = nearest.checked_vector(vector, by)
        condition = None if where is None else nearest.checked_condition(where)
        top = nearest.RunningTop(checked, k, per_sequence=per_sequence)
        self._connection.retried(lambda _: self._stream_vectors(top, by, condition))
        return top.result("vectors streamed from the VAST Database")

    def replace_vectors(self, rows: pa.Table) -> None:
        """Set the vectors of files. One transaction."""
        self._refuse("change")
        self._connection.retried(lambda clock: self._replace_vectors(rows, clock))

    def status(self) -> CatalogStatus:
        """What the catalog is and holds; the counts are those of the server's statistics."""
        self._refuse()
        row_counts = self._connection.retried(self._row_counts)
        return CatalogStatus(
            uri=self.uri,
            backend="vast",
            server_version=f"VAST {self._connection.server_version} at {self._connection.endpoint}",
            schema_version=self._connection.retried(self._check_version) or VERSION,
            row_counts=row_counts,
            vector_dimensions=vector_dimensions(),
            file_size_bytes=None,
        )

    def settle(self) -> None:
        """Look now whether other writers stored the same as this one, instead of a moment later."""
        self._pending.settle_now()

    def close(self) -> None:
        """Look whether other writers stored the same, and be done. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._pending.settle_now()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse(self, intent: str = "") -> None:
        if self._closed:
            raise CatalogError(f"{self.uri} was closed; open it again")
        if intent and self._read_only:
            raise CatalogError(f"{self.uri} was opened read-only; open it for writing to {intent} it")

    def _check_version(self, clock: Clock) -> int | None:
        version = self.tables.version(clock)
        if version is None and self._read_only:
            raise CatalogSchemaError(
                f"{self.uri} is no catalog yet; make one with: exr-inspector db create-schema --catalog {self.uri}"
            )
        if version is not None and version > VERSION:
            raise CatalogSchemaError(
                f"{self.uri} was made by a newer exr-inspector: its tables have version {version}, "
                f"this one knows {VERSION}; update exr-inspector"
            )
        return version

    def _ensure(self, clock: Clock) -> None:
        if self._check_version(clock) is None:
            self.tables.create(clock)

    def _persist(self, batch: RowBatch, incoming: pa.Table, paths: set[str], stamp: datetime, clock: Clock) -> Plan:
        passing = self._pending.in_passing()
        with self.tables.transaction(clock) as rows:
            found = rows.select_in("files", COLUMNS, "file_path_normalized", paths | passing)
            todo = plan(incoming, found, stamp)
            rows.update("files", todo.changed)
            if todo.new.num_rows:
                rows.insert("files", todo.new)
                for table, children in children_of(batch, todo.new["file_id"]).items():
                    rows.insert(table, children)
        self._pending.settled(passing - todo.doubled)
        return todo

    def _record(self, errors: Sequence[IngestError], paths: set[str], stamp: datetime, clock: Clock) -> bool:
        with self.tables.transaction(clock) as rows:
            found = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
            retired = {row[ROW_ID]: row | {"is_current": False} for row in found.to_pylist() if row["is_current"]}
            rows.update("files", changed_rows(retired, found.schema.field(ROW_ID).type))
            return ingest_errors.note(rows, errors, stamp)

    def _seen(self, stamps: Sequence[FileStat], clock: Clock) -> dict[str, SeenFile]:
        paths = [stamp.file_path_normalized for stamp in stamps]
        columns = ["file_path_normalized", "size_bytes", "mtime"]
        with self.tables.reading(clock) as rows:
            files = rows.select_in("files", [*columns, "is_current", "deleted_at"], "file_path_normalized", set(paths))
            current = {row["file_path_normalized"]: row for row in files.to_pylist() if row["is_current"]}
            rest = set(paths).difference(current)
            errors = rows.select_in("ingest_errors", [*columns, "code", "message"], "file_path_normalized", rest)
        wrong = {row["file_path_normalized"]: row for row in errors.to_pylist()}
        seen: dict[str, SeenFile] = {}
        for stamp in stamps:
            path = stamp.file_path_normalized
            row = current.get(path)
            if row is not None and row["deleted_at"] is None and _is_same(row, stamp):
                seen[path] = SeenFile(error=None)
            elif row is None and path in wrong and _is_same(wrong[path], stamp):
                seen[path] = SeenFile(error=f"{wrong[path]['message']} ({wrong[path]['code']})")
        return seen

    def _live_paths(self, prefix: str) -> Iterator[str]:
        with self.tables.reading() as rows:
            wrong = set(rows.select("ingest_errors", ["file_path_normalized"])["file_path_normalized"].to_pylist())
            for batch in rows.stream("files", ["file_path_normalized", "is_current", "deleted_at"]):
                for row in batch.to_pylist():
                    if row["is_current"]:
                        wrong.discard(row["file_path_normalized"])
                        if row["deleted_at"] is None and row["file_path_normalized"].startswith(prefix):
                            yield row["file_path_normalized"]
        yield from (path for path in wrong if path.startswith(prefix))

    def _mark_deleted(self, paths: set[str], stamp: datetime, clock: Clock) -> set[str]:
        with self.tables.transaction(clock) as rows:
            found = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
            ours = {row["file_path_normalized"] for row in found.to_pylist() if row["deleted_at"] == stamp}
            gone = [row for row in found.to_pylist() if row["is_current"] and row["deleted_at"] is None]
            changed = {row[ROW_ID]: row | {"deleted_at": stamp} for row in gone}
            rows.update("files", changed_rows(changed, found.schema.field(ROW_ID).type))
            return ours | {row["file_path_normalized"] for row in gone} | ingest_errors.forget(rows, paths)

    def _sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None) -> pa.Table:
        with self.tables.reading() as rows:  # one transaction: tables of a join belong together
            return self._run(rows, query, params)

    def _run(self, rows: Rows, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        from . import streamed_sql  # imports DuckDB, which the function never needs

        def fetch(scan: streamed_sql.Scan) -> Iterator[pa.RecordBatch]:
            return rows.stream(scan.table, scan.columns, scan.conditions)

        return streamed_sql.run(query, params, fetch, memory_mb=self._query_memory_mb)

    def _stream_vectors(self, top: nearest.RunningTop, by: By, condition: str | None) -> None:
        column = nearest.VECTOR_COLUMNS[by]
        top.clear()
        with self.tables.reading() as rows:
            kept: pa.Array | None = None
            if condition is not None:
                query = f"SELECT file_id FROM files WHERE is_current AND deleted_at IS NULL AND {condition}"  # noqa: S608
                kept = self._run(rows, query)["file_id"].combine_chunks()
            version = Condition(column="embedding_version", operator="=", value=EMBEDDING_VERSION)
            wanted = (*nearest.SHOWN, column, "embedding_version", "is_current", "deleted_at")
            for page in rows.stream("files", wanted, [version]):
                is_wanted = (pc.field("embedding_version") == EMBEDDING_VERSION) & pc.field(column).is_valid()
                is_wanted &= pc.field("is_current") & pc.field("deleted_at").is_null()
                if kept is not None:
                    is_wanted &= pc.field("file_id").isin(kept)
                table = pa.table(page).filter(is_wanted).select([*nearest.SHOWN, column])
                top.add(table.rename_columns([*nearest.SHOWN, "vector"]))

    def _replace_vectors(self, renewed: pa.Table, clock: Clock) -> None:
        with self.tables.transaction(clock) as rows:
            found = rows.select_in("files", ["file_id"], "file_id", renewed["file_id"].to_pylist())
            taken = renewed.take(pc.index_in(found["file_id"], renewed["file_id"].combine_chunks()))
            rows.update("files", taken.drop_columns("file_id").append_column(ROW_ID, found[ROW_ID]))

    def _row_counts(self, clock: Clock) -> dict[str, int]:
        with self.tables.reading(clock) as rows:
            return {table: rows.count(table) for table in TABLES}

    def _look(self, files: set[str], errors: set[str]) -> None:
        """Remove what this and other writers stored twice."""
        for work, paths in ((self._settle, sorted(files)), (self._settle_errors, sorted(errors))):
            for start in range(0, len(paths), _PATHS_PER_LOOK):
                self._settle_apart(work, paths[start : start + _PATHS_PER_LOOK])

    def _settle_apart(self, work: Callable[[Sequence[str], Clock], None], paths: Sequence[str]) -> None:
        """All paths in one transaction; where another writer is in the way, in two, and so on."""
        is_last = len(paths) == 1
        try:
            with self._locks.hold(paths if is_last else (), self._connection.clock().left):
                self._connection.retried(partial(work, paths), is_patient=is_last)
        except CatalogConflictError:
            if is_last:
                raise
            half = len(paths) // 2
            self._settle_apart(work, paths[:half])
            self._settle_apart(work, paths[half:])

    def _settle(self, paths: Sequence[str], clock: Clock) -> None:
        with self.tables.transaction(clock) as rows:
            settle(rows, paths)

    def _settle_errors(self, paths: Sequence[str], clock: Clock) -> None:
        with self.tables.transaction(clock) as rows:
            ingest_errors.settle_errors(rows, paths)


class _Stamps:
    """Times that no two operations of this process share: a row that bears one was written by that operation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = datetime.min.replace(tzinfo=timezone.utc)

    def next(self) -> datetime:
        """The time, in UTC without a zone as the tables have it, or a microsecond after the last one."""
        with self._lock:
            self._last = max(datetime.now(timezone.utc), self._last + timedelta(microseconds=1))
            return self._last.replace(tzinfo=None)


def _is_same(row: dict[str, Any], stamp: FileStat) -> bool:
    mtime = stamp.mtime and stamp.mtime.astimezone(timezone.utc).replace(tzinfo=None)
    return bool(row["size_bytes"] == stamp.size_bytes and row["mtime"] == mtime)
