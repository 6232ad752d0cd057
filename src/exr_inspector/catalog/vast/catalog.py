"""The catalog in a VAST Database: transactions of few requests, stored whole or not at all, and retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ...defaults import CELL_LIMIT, QUERY_MEMORY_MB
from ...errors import CatalogError
from ...settings import VastConnection
from ...vectors import VERSION as EMBEDDING_VERSION
from .. import similarity
from ..migrations import needs_migration
from ..persistence import children_of, is_time, outcomes, unique_time, with_persist_columns
from ..protocol import CatalogStatus, FileStat, IngestError, PersistOutcome, PixelLevel, PolicyRules, SeenFile
from ..results import later_results, with_pixels
from ..rows import RowBatch, from_inspections, has_rows
from ..schema import PIXEL_TABLES, TABLES, VERSION, current_version, vector_dimensions
from ..similarity import By
from . import ingest_errors, lookup, whole_tables
from .conditions import Condition
from .connection import Clock
from .coordination import DeduplicationQueue, PathLocks
from .duplicates import deduplicate_files
from .errors import CatalogConflictError
from .migrate import create
from .persist_plan import COLUMNS, Plan, changed_rows, deletable, plan
from .stored_files import judge_parts, set_statuses
from .tables import ROW_ID, Rows, no_tables, tables_at

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

    from ...inspection.model import Inspection
    from ..protocol import ReadTable

PATHS_PER_BATCH = 10_000
_PATHS_PER_DEDUPLICATION = 2000


class VastCatalog:
    """A catalog in a schema of a VAST bucket; implements Catalog.

    Errors: CatalogConnectionError when the cluster does not answer within the deadline, CatalogAuthenticationError,
    CatalogTransactionError when a transaction failed in all attempts, CatalogSchemaError, CatalogTooLargeError.
    A commit whose response is lost stores nothing twice: the next attempt reads whether it was committed.
    """

    files_per_transaction = 2000

    def __init__(
        self,
        uri: str,
        *,
        connection: VastConnection | None,
        read_only: bool = False,
        cell_limit: int = CELL_LIMIT,
        query_memory_mb: int = QUERY_MEMORY_MB,
    ) -> None:
        self.tables = tables_at(uri, connection, read_only=read_only)
        self.uri = self.tables.uri
        self._connection = self.tables.connection
        self._read_only = read_only
        self._cell_limit, self._query_memory_mb = cell_limit, query_memory_mb
        self._closed = False
        self._locks = PathLocks()
        self._queue = DeduplicationQueue(self._deduplicate)
        if read_only:
            self._connection.retried(self._check_version)
        else:
            self.ensure_schema()

    def ensure_schema(self) -> None:
        """Create the tables if they are missing. Any number of processes may do so at once.

        Older tables are only migrated by the command, as other programs may be writing to them.
        """
        self._connection.retried(self._ensure)

    def persist(self, inspections: Sequence[Inspection]) -> list[PersistOutcome]:
        """Store inspections, and count those with a stored file_id. One transaction."""
        if not inspections:
            return []
        return self.persist_rows(from_inspections(inspections, cell_limit=self._cell_limit))

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """Store the rows of inspections, and count those with a stored file_id. One transaction.

        New files cost begin, one select, one insert for each table with rows, and commit; known files cost begin, one
        select, one update, and commit; whatever their number, as long as sizes fit into requests.
        """
        self._check_open(to="change")
        if not has_rows(batch):
            return []
        persisted_at = unique_time(batch.tables["files"].num_rows)
        incoming = with_persist_columns(batch.tables["files"], persisted_at)
        paths = set(incoming["file_path_normalized"].to_pylist())
        with self._locks.hold(paths, self._connection.clock().left):
            done, kept_statuses = self._connection.retried(
                lambda clock: self._persist(batch, incoming, paths, persisted_at, clock), self._ensure
            )
        self._queue.add(files=set(done.new["file_path_normalized"].to_pylist()) | done.duplicate_paths)
        return outcomes(batch, done.inserted, kept_statuses)

    def record_errors(self, errors: Sequence[IngestError]) -> None:
        """Record files that cannot be inspected, and count repeated errors of a path. One transaction."""
        self._check_open(to="change")
        if not errors:
            return
        recorded_at = unique_time()
        paths = {error.file_path_normalized for error in errors}
        with self._locks.hold(paths, self._connection.clock().left):
            inserted = self._connection.retried(
                lambda clock: self._record_errors(errors, paths, recorded_at, clock), self._ensure
            )
        if inserted:
            self._queue.add(errors=paths)

    def seen(
        self,
        file_stats: Sequence[FileStat],
        *,
        pixels: PixelLevel | None = None,
        policy: PolicyRules | None = None,
    ) -> dict[str, SeenFile]:
        """The last inspection of each file that has one, by normalized path."""
        self._check_open()
        if not file_stats:
            return {}
        return self._connection.retried(lambda clock: lookup.seen(self.tables, clock, file_stats, pixels, policy))

    def statistics(self, batches: Mapping[str, int]) -> dict[str, pa.Table]:
        """The rows of `channel_stats` and `part_stats` of files, by table; of each file_id those of its batch."""
        return self._connection.retried(lambda clock: lookup.statistics(self.tables, clock, batches))

    def current_paths(self, prefix: str) -> Iterator[list[str]]:
        """The normalized paths that begin with `prefix` and are current and not deleted, or have an open error."""
        self._check_open()
        paths = self._current_paths(prefix)
        while batch := list(islice(paths, PATHS_PER_BATCH)):
            yield batch

    def mark_deleted(self, paths: Sequence[str]) -> int:
        """Mark the files at normalized paths as deleted, and delete their errors. Returns the number of such paths."""
        self._check_open(to="change")
        if not paths:
            return 0
        deleted_at = unique_time()
        with self._locks.hold(paths, self._connection.clock().left):
            return len(self._connection.retried(lambda clock: self._mark_deleted(set(paths), deleted_at, clock)))

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pa.Table:
        """The result of a query, which DuckDB runs here on the columns and rows that it needs. Raises QueryError."""
        self._check_open()
        return self._connection.retried(lambda _: self._sql(query, params, tables))

    def rows_of(self, path: str) -> dict[str, pa.Table]:
        """The rows of the current version at a normalized path, by table; nothing without one."""
        self._check_open()
        return self._connection.retried(lambda clock: lookup.rows_of(self.tables, clock, path))

    def similar(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        by: By = "metadata",
        k: int = 10,
        where: str | None = None,
        per_sequence: bool = False,
    ) -> pa.Table:
        """The k files with the most similar vectors, most similar first; streams all vectors. Raises QueryError."""
        self._check_open()
        from ..user_sql import checked_condition  # imports DuckDB, which the function does not need

        checked = similarity.checked_vector(vector, by)
        condition = None if where is None else checked_condition(where)
        top = similarity.RunningTop(checked, k, per_sequence=per_sequence)
        self._connection.retried(lambda _: self._stream_vectors(top, by, condition))
        return top.result("vectors streamed from the VAST Database")

    def replace_vectors(self, rows: pa.Table) -> None:
        """Set the vectors of files. One transaction."""
        self._check_open(to="change")
        self._connection.retried(lambda clock: self._replace_vectors(rows, clock))

    def stored_columns(self) -> dict[str, pa.Schema]:
        """The columns of each table as the server has them."""
        self._check_open()
        return self._connection.retried(self.tables.columns)

    @contextmanager
    def reading(self) -> Iterator[ReadTable]:
        """Reads whole tables, in pages of bounded size, each table in one transaction that is repeated if it fails."""
        self._check_open()
        yield partial(whole_tables.read, self.tables)

    def status(self) -> CatalogStatus:
        """Versions and row counts of the catalog; the counts come from the server's statistics, which may lag."""
        self._check_open()
        row_counts = self._connection.retried(self.tables.row_counts)
        return CatalogStatus(
            uri=self.uri,
            backend="vast",
            server_version=f"VAST {self._connection.server_version} at {self._connection.endpoint}",
            schema_version=self._connection.retried(self._check_version) or VERSION,
            row_counts=row_counts,
            vector_dimensions=vector_dimensions(),
            file_size_bytes=None,
        )

    def deduplicate(self) -> None:
        """Remove duplicates of concurrent writers from the paths persisted last; happens by itself a moment later."""
        self._queue.run()

    def close(self) -> None:
        """Deduplicate what was persisted last, and close the catalog. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._queue.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self, *, to: str = "") -> None:
        if self._closed:
            raise CatalogError(f"{self.uri} was closed; open it again")
        if to and self._read_only:
            raise CatalogError(f"{self.uri} was opened read-only; open it for writing to {to} it")

    def _check_version(self, clock: Clock) -> int | None:
        return self._checked(self.tables.versions(clock))

    def _checked(self, versions: list[dict[str, Any]]) -> int | None:
        """The version in the rows of `schema_version`, None without rows."""
        version = current_version(self.uri, versions)
        if version is None and self._read_only:
            raise no_tables(self.uri)
        if version is not None and version < VERSION:
            raise needs_migration(self.uri, version)
        return version

    def _ensure(self, clock: Clock) -> None:
        versions = self.tables.versions(clock)
        self._checked(versions)
        if not versions or len({row["version"] for row in versions}) < len(versions):  # a creation is not complete
            create(self.tables, clock)

    def _persist(
        self, batch: RowBatch, incoming: pa.Table, paths: set[str], persisted_at: datetime, clock: Clock
    ) -> tuple[Plan, Mapping[str, Mapping[str, str]]]:
        """What was done, and the statuses of stored results that stay."""
        queued = self._queue.some_files()
        with self.tables.transaction(clock) as rows:
            stored = rows.select_in("files", COLUMNS, "file_path_normalized", paths | queued)
            todo = plan(incoming, stored, persisted_at)
            rows.update("files", todo.changed)
            rows.update("files", todo.judged.drop_columns("file_id"))
            judge_parts(rows, batch.tables["parts"], todo.judged["file_id"].to_pylist())
            if todo.new.num_rows:
                rows.insert("files", todo.new)
            judged = todo.judged["file_id"].to_pylist()
            evaluated = with_pixels(batch, todo.counted)
            if evaluated:
                results = {
                    table: rows.select_in(table, TABLES[table].names, "file_id", evaluated) for table in PIXEL_TABLES
                }
                evaluated = later_results(batch, evaluated, results)
            validations = set_statuses(rows, batch, set(todo.new["file_id"].to_pylist()))
            batch = validations.batch
            if todo.new.num_rows or judged or evaluated or batch.tables["validations"].num_rows:
                for table, children in children_of(
                    batch, incoming, todo.new["file_id"], persisted_at, judged, evaluated
                ).items():
                    rows.insert(table, children)
        self._queue.remove(queued - todo.duplicate_paths)
        return todo, validations.kept_statuses

    def _record_errors(
        self, errors: Sequence[IngestError], paths: set[str], recorded_at: datetime, clock: Clock
    ) -> bool:
        with self.tables.transaction(clock) as rows:
            stored = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
            retired = {row[ROW_ID]: row | {"is_current": False} for row in stored.to_pylist() if row["is_current"]}
            rows.update("files", changed_rows(retired, stored.schema.field(ROW_ID).type))
            return ingest_errors.record_errors(rows, errors, recorded_at)

    def _current_paths(self, prefix: str) -> Iterator[str]:
        with self.tables.reading() as rows:
            failed = set(rows.select("ingest_errors", ["file_path_normalized"])["file_path_normalized"].to_pylist())
            for batch in rows.stream("files", ["file_path_normalized", "is_current", "deleted_at"]):
                for row in batch.to_pylist():
                    if row["is_current"]:
                        failed.discard(row["file_path_normalized"])
                        if row["deleted_at"] is None and row["file_path_normalized"].startswith(prefix):
                            yield row["file_path_normalized"]
        yield from (path for path in failed if path.startswith(prefix))

    def _mark_deleted(self, paths: set[str], deleted_at: datetime, clock: Clock) -> set[str]:
        with self.tables.transaction(clock) as rows:
            stored = rows.select_in("files", COLUMNS, "file_path_normalized", paths)
            done = {row["file_path_normalized"] for row in stored.to_pylist() if is_time(row["deleted_at"], deleted_at)}
            gone = deletable(stored.to_pylist())
            changed = {row[ROW_ID]: row | {"is_current": True, "deleted_at": deleted_at} for row in gone}
            rows.update("files", changed_rows(changed, stored.schema.field(ROW_ID).type))
            deleted = {row["file_path_normalized"] for row in gone}
            return done | deleted | ingest_errors.delete_errors(rows, paths)

    def _sql(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None, tables: Mapping[str, pa.Table]
    ) -> pa.Table:
        with self.tables.reading() as rows:  # one transaction, so that joined tables are consistent
            return self._run(rows, query, params, tables)

    def _run(
        self,
        rows: Rows,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pa.Table:
        from . import streamed_sql  # imports DuckDB, which the function does not need

        def fetch(scan: streamed_sql.Scan) -> Iterator[pa.RecordBatch]:
            return rows.stream(scan.table, scan.columns, scan.conditions)

        return streamed_sql.run(query, params, fetch, memory_mb=self._query_memory_mb, given=tables)

    def _stream_vectors(self, top: similarity.RunningTop, by: By, condition: str | None) -> None:
        column = similarity.VECTOR_COLUMNS[by]
        top.clear()
        with self.tables.reading() as rows:
            kept: pa.Array | None = None
            if condition is not None:
                query = f"SELECT file_id FROM files WHERE is_current AND deleted_at IS NULL AND {condition}"  # noqa: S608
                kept = self._run(rows, query)["file_id"].combine_chunks()
            version = Condition(column="embedding_version", operator="=", value=EMBEDDING_VERSION)
            columns = (*similarity.SHOWN, column, "embedding_version", "is_current", "deleted_at")
            for page in rows.stream("files", columns, [version]):
                is_wanted = (pc.field("embedding_version") == EMBEDDING_VERSION) & pc.field(column).is_valid()
                is_wanted &= pc.field("is_current") & pc.field("deleted_at").is_null()
                if kept is not None:
                    is_wanted &= pc.field("file_id").isin(kept)
                table = pa.table(page).filter(is_wanted).select([*similarity.SHOWN, column])
                top.add(table.rename_columns([*similarity.SHOWN, "vector"]))

    def _replace_vectors(self, renewed: pa.Table, clock: Clock) -> None:
        with self.tables.transaction(clock) as rows:
            stored = rows.select_in("files", ["file_id"], "file_id", renewed["file_id"].to_pylist())
            changed = renewed.take(pc.index_in(stored["file_id"], renewed["file_id"].combine_chunks()))
            rows.update("files", changed.drop_columns("file_id").append_column(ROW_ID, stored[ROW_ID]))

    def _deduplicate(self, files: set[str], errors: set[str]) -> None:
        """Deduplicate the rows of paths in `files` and `ingest_errors`."""
        for work, paths in ((deduplicate_files, sorted(files)), (ingest_errors.deduplicate_errors, sorted(errors))):
            for start in range(0, len(paths), _PATHS_PER_DEDUPLICATION):
                self._deduplicate_by_halves(work, paths[start : start + _PATHS_PER_DEDUPLICATION])

    def _deduplicate_by_halves(self, work: Callable[[Rows, Sequence[str]], None], paths: Sequence[str]) -> None:
        """All paths in one transaction; after a conflict with another writer in two, and so on."""
        is_last = len(paths) == 1
        try:
            with self._locks.hold(paths if is_last else (), self._connection.clock().left):
                self._connection.retried(partial(self._transaction, work, paths), is_patient=is_last)
        except CatalogConflictError:
            if is_last:
                raise
            half = len(paths) // 2
            self._deduplicate_by_halves(work, paths[:half])
            self._deduplicate_by_halves(work, paths[half:])

    def _transaction(self, work: Callable[[Rows, Sequence[str]], None], paths: Sequence[str], clock: Clock) -> None:
        with self.tables.transaction(clock) as rows:
            work(rows, paths)
