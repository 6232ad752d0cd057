"""The catalog in a DuckDB file, which one process at a time writes, from any of its threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ...defaults import CELL_LIMIT
from ...errors import CatalogError, CatalogSchemaError
from ..migrations import CREATION
from ..persistence import (
    children_of,
    error_rows,
    is_older,
    outcomes,
    unique_time,
    with_persist_columns,
)
from ..protocol import CatalogStatus, FileStat, IngestError, PersistOutcome, PixelLevel, PolicyRules, SeenFile
from ..results import later_results, with_pixels
from ..rows import RowBatch, from_inspections, has_rows
from ..schema import TABLES, TIME, VERSION, vector_dimensions
from ..user_sql import checked_condition, checked_query, result_table
from . import derived, errors, last_inspections, lookup, migrate, statements, whole_tables
from .derived import Change
from .locks import lock_of
from .statements import run as _run
from .versions import changes, pixel_results, retire_older, set_statuses, stored_versions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

    from ...inspection.model import Inspection
    from ..derived import SequenceRows
    from ..protocol import ReadTable
    from ..similarity import By

log = logging.getLogger(__name__)

PATHS_PER_BATCH = 10_000


class DuckDBCatalog:
    """A catalog in a DuckDB file; implements Catalog.

    Raises CatalogLockedError, naming the process, when another process has the file open for writing; CatalogError when
    the file is not a DuckDB database, or is missing and `read_only`; CatalogSchemaError when another program created
    its tables, or when they are older and cannot be migrated because file or folder are not writable.
    """

    files_per_transaction = 20_000

    def __init__(self, path: str, *, read_only: bool = False, cell_limit: int = CELL_LIMIT) -> None:
        self.uri = f"duckdb:{path}"
        self._path = Path(path).expanduser()
        self._read_only = read_only
        self._cell_limit = cell_limit
        self._closed = False
        self._filled: frozenset[str] | None = None
        self._threads = ThreadPoolExecutor()  # of lookups; each starts when it is needed
        self._write_lock = lock_of(self._path)
        with self._write_lock:
            try:
                self._root = errors.connect(self._path, read_only=read_only)
            except CatalogError:
                if self._path.is_file() and errors.not_writable(self._path) is not None:
                    migrate.migrate(self._path, self.uri)  # raises, naming the command, if the tables are older
                raise
            try:
                version = self._check_version()
                if version is not None and version < VERSION:
                    self._root.close()
                    done = migrate.migrate(self._path, self.uri)
                    if done.copy is not None:  # else another process has migrated it
                        log.warning("%s was migrated to table version %s; before: %s", self.uri, VERSION, done.copy)
                    self._root = errors.connect(self._path, read_only=read_only)
                if not read_only:
                    self.ensure_schema()
                    with self._transaction() as connection:
                        derived.detect_unlogged(connection)
            except BaseException:
                self.close()
                raise

    def ensure_schema(self) -> None:
        """Create the tables if they are missing. Older tables were migrated when the file was opened."""
        if self._check_version() is not None:
            return
        with self._transaction() as connection:
            if self._check_version() is None:  # another thread may have created the tables
                migrate.expect_no_tables(connection, self._path, TABLES)
                for step in CREATION:
                    migrate.apply(connection, step)
                migrate.record_version(connection)

    def persist(self, inspections: Sequence[Inspection]) -> list[PersistOutcome]:
        """Store inspections, and count those with a stored file_id. One transaction."""
        if not inspections:
            return []
        return self.persist_rows(from_inspections(inspections, cell_limit=self._cell_limit))

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """Store the rows of inspections, and count those with a stored file_id. One transaction."""
        if not has_rows(batch):
            return []
        persisted_at = unique_time(batch.tables["files"].num_rows)
        incoming = with_persist_columns(batch.tables["files"], persisted_at)
        with self._transaction() as connection:
            connection.register("incoming", incoming)
            versions = stored_versions(connection, incoming)
            retire_older(connection, incoming, versions)
            is_known = pc.is_in(incoming["file_id"], pa.array(versions, pa.string()))
            new = incoming.filter(pc.invert(is_known))
            connection.register("new", new)
            _run(connection, statements.INSERT_FILES)
            stored = incoming.filter(is_known)
            if stored.num_rows:
                connection.register("known", stored)
                _run(connection, statements.COUNT_UP)
            judged = [
                file_id for file_id in stored["file_id"].to_pylist() if is_older(versions[file_id].inspector_version)
            ]
            if judged:
                connection.register("judged", incoming.filter(pc.is_in(incoming["file_id"], pa.array(judged))))
                _run(connection, statements.JUDGE_AGAIN)
                parts = batch.tables["parts"]
                connection.register("judged_parts", parts.filter(pc.is_in(parts["file_id"], pa.array(judged))))
                _run(connection, statements.JUDGE_PARTS_AGAIN)
            evaluated = with_pixels(batch, stored["file_id"].to_pylist())
            if evaluated:
                evaluated = later_results(batch, evaluated, pixel_results(connection, evaluated, versions))
            validations = set_statuses(connection, batch, set(new["file_id"].to_pylist()))
            batch = validations.batch
            for table, rows in children_of(batch, incoming, new["file_id"], persisted_at, judged, evaluated).items():
                connection.register("children", rows)
                _run(connection, f"INSERT INTO {table} BY NAME SELECT * FROM children")  # noqa: S608 (our names)
            derived.log(connection, persisted_at, changes(incoming, versions))
            if judged:
                derived.invalidate(connection)
        return outcomes(batch, new["file_id"].to_pylist(), validations.kept_statuses)

    def record_errors(self, errors: Sequence[IngestError]) -> None:
        """Record files that cannot be inspected, and count repeated errors of a path. One transaction."""
        if not errors:
            return
        recorded_at = unique_time()
        incoming = error_rows(errors, recorded_at)
        with self._transaction() as connection:
            connection.register("incoming", incoming)
            _run(connection, statements.COUNT_ERRORS_UP)
            _run(connection, statements.INSERT_ERRORS)
            retired = _run(connection, statements.RETIRE_FAILED)
            removed = (
                Change(file_id, batch_id, sequence, sign=-1)
                for file_id, deleted_at, batch_id, sequence in retired
                if deleted_at is None
            )
            failed = (Change(None, None, sequence) for sequence in set(incoming["sequence"].to_pylist()))
            derived.log(connection, recorded_at, chain(removed, failed))

    def seen(
        self,
        file_stats: Sequence[FileStat],
        *,
        pixels: PixelLevel | None = None,
        policy: PolicyRules | None = None,
    ) -> dict[str, SeenFile]:
        """The last inspection of each file that has one, by normalized path."""
        with self._cursor() as connection:
            return last_inspections.seen(connection, file_stats, pixels, policy)

    def statistics(self, batches: Mapping[str, int]) -> dict[str, pa.Table]:
        """The rows of `channel_stats` and `part_stats` of files, by table; of each file_id those of its batch."""
        with self._cursor() as connection:
            return last_inspections.statistics(connection, batches)

    def current_paths(self, prefix: str) -> Iterator[list[str]]:
        """The normalized paths that begin with `prefix` and are current and not deleted, or have an open error."""
        with self._cursor() as connection:
            result = connection.execute(statements.CURRENT_PATHS, {"prefix": prefix})
            while rows := result.fetchmany(PATHS_PER_BATCH):
                yield [path for (path,) in rows]

    def mark_deleted(self, paths: Sequence[str]) -> int:
        """Mark the files at normalized paths as deleted, and delete their errors. Returns the number of such paths."""
        if not paths:
            return 0
        deleted_at = unique_time()
        times = pa.array([deleted_at] * len(paths), TIME)
        table = pa.table({"path": pa.array(paths, pa.string()), "deleted_at": times})
        with self._transaction() as connection:
            connection.register("deleted", table)
            marked = _run(connection, statements.MARK_DELETED)
            unreadable = _run(connection, statements.MARK_UNREADABLE_DELETED)
            errors = _run(connection, statements.DELETE_ERRORS)
            removed = (Change(file_id, batch_id, sequence, -1) for _, file_id, batch_id, sequence in marked)
            failed = (Change(None, None, sequence) for _, sequence in errors)
            derived.log(connection, deleted_at, chain(removed, failed))
        return len({path for path, *_ in chain(marked, unreadable, errors)})

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pa.Table:
        """The result of a query, in a transaction that cannot write. Raises QueryError."""
        values: Any = dict(params) if isinstance(params, Mapping) else None if params is None else list(params)
        with self._cursor(errors.of_query) as connection:
            for name, rows in tables.items():
                connection.register(name, rows)
            statement = checked_query(connection, query)
            _run(connection, "BEGIN TRANSACTION READ ONLY")  # closing the connection ends it
            return result_table(connection, statement, values)

    def rows_of(self, path: str) -> dict[str, pa.Table]:
        """The rows of the current version at a normalized path, by table; nothing without one."""
        with self._cursor() as connection:
            _run(connection, "BEGIN TRANSACTION READ ONLY")
            if not self._read_only:
                filled = lookup.filled(connection)
                return lookup.rows_of(connection, path, filled, lambda read: partial(read, connection))
            if self._filled is None:
                self._filled = lookup.filled(connection)
            return lookup.rows_of(connection, path, self._filled, self._start)

    def _start(self, read: lookup.Read) -> Callable[[], lookup.Tables]:
        """Read in a thread with another connection; of a read-only catalog, as nobody writes to its file meanwhile."""

        def run() -> lookup.Tables:
            with self._cursor() as connection:
                return read(connection)

        return self._threads.submit(run).result

    def similar(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        by: By = "metadata",
        k: int = 10,
        where: str | None = None,
        per_sequence: bool = False,
    ) -> pa.Table:
        """The k files with the most similar vectors, most similar first. Raises QueryError."""
        from ... import vectors  # imports numpy
        from .. import similarity

        checked = similarity.checked_vector(vector, by)
        condition = "true" if where is None else checked_condition(where)
        query = statements.most_similar(
            similarity.VECTOR_COLUMNS[by], len(checked), condition, per_sequence=per_sequence
        )
        params = {"vector": checked.tolist(), "version": vectors.VERSION, "rows": similarity.candidates(k)}
        return similarity.ranked(self.sql(query, params), checked, k, "array_cosine_distance in DuckDB")

    def replace_vectors(self, rows: pa.Table) -> None:
        """Set the vectors of files. One transaction."""
        with self._transaction() as connection:
            connection.register("renewed", rows)
            _run(connection, statements.REPLACE_VECTORS)
            derived.log_vectors(connection, unique_time())

    def has_derived(self, show_pattern: str) -> bool:
        """Whether the derived tables are stored and right, with the shows that a pattern finds in paths."""
        with self._cursor() as connection:
            return derived.are_current(connection, show_pattern)

    def refresh_derived(self, show_pattern: str | None, rows: SequenceRows, *, rebuild: bool = False) -> None:
        """Store the derived tables, or update stored ones; `rows` gives those of `sequences`. One transaction."""
        with self._transaction() as connection:
            if not derived.exist(connection):
                if show_pattern is None:
                    return
                migrate.expect_no_tables(connection, self._path, derived.STORED)
                derived.create(connection)
            derived.refresh(connection, show_pattern, rows, rebuild=rebuild)

    def faulty_derived(self) -> list[str]:
        """The derived tables whose rows do not count the current files, although no program wrote without them."""
        with self._cursor() as connection:
            return derived.faulty(connection)

    def stored_columns(self) -> dict[str, pa.Schema]:
        """The columns of each table as the database has them."""
        with self._cursor() as connection:
            present = statements.present(connection, TABLES)
            return {table: connection.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema for table in present}

    @contextmanager
    def reading(self) -> Iterator[ReadTable]:
        """Reads whole tables, in pages of bounded size, in one transaction."""
        with self._cursor() as connection:
            _run(connection, "BEGIN TRANSACTION READ ONLY")  # closing the connection ends it
            yield partial(whole_tables.read, connection)

    def load(self, pages: Iterable[tuple[str, pa.Table]]) -> None:
        """Insert the rows of all tables, also of `schema_version`, in one transaction.

        Raises SettingsError if the catalog has files.
        """
        with self._transaction() as connection:
            whole_tables.load(connection, self.uri, pages)

    def status(self) -> CatalogStatus:
        """Versions, row counts and size of the catalog; counts are exact."""
        with self._cursor() as connection:
            if missing := TABLES.keys() - statements.present(connection, TABLES):
                raise CatalogSchemaError(f"{self.uri}: missing tables: {', '.join(sorted(missing))}; restore a backup")
            row_counts = dict(_run(connection, statements.ROW_COUNTS))
        return CatalogStatus(
            uri=self.uri,
            backend="duckdb",
            server_version=f"DuckDB {duckdb.__version__}",
            schema_version=self._check_version() or VERSION,
            row_counts={table: row_counts[table] for table in TABLES},
            vector_dimensions=vector_dimensions(),
            file_size_bytes=_size(self._path) + _size(self._path.with_name(f"{self._path.name}.wal")),
        )

    def close(self) -> None:
        """Close the file, and release it for other processes. Closing twice does nothing."""
        self._closed = True
        with self._write_lock:  # waits for the transaction of another thread
            self._root.close()
        self._threads.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _closed_error(self) -> CatalogError:
        return CatalogError(f"{self.uri} was closed; open it again")

    @contextmanager
    def _cursor(self, translate: errors.Translator = errors.as_catalog_error) -> Iterator[duckdb.DuckDBPyConnection]:
        """A new connection, so that threads run queries concurrently and do not share registered tables."""
        if self._closed:
            raise self._closed_error()
        try:
            connection = self._root.cursor()
            try:
                yield connection
            finally:
                connection.close()
        except (duckdb.Error, RuntimeError) as error:
            if self._closed:  # by another thread
                raise self._closed_error() from error
            if isinstance(error, duckdb.Error):
                raise errors.of_columns(error, self._path, self.stored_columns) or translate(
                    error, self._path
                ) from error
            if "interrupted" in str(error):  # by Ctrl-C
                raise KeyboardInterrupt from None
            raise

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a transaction: committed at the end of the block, rolled back if it raises."""
        if self._read_only:
            raise CatalogError(f"{self.uri} was opened read-only; open it for writing to change it")
        with self._write_lock, self._cursor() as connection:
            _run(connection, "BEGIN")
            yield connection
            _run(connection, "COMMIT")  # closing the connection before rolls back

    def _check_version(self) -> int | None:
        """The version of the tables, None without tables. Raises CatalogSchemaError."""
        with self._cursor() as connection:
            version = migrate.stored_version(connection, self.uri)
        if version is None and self._read_only:
            raise errors.no_catalog(self._path)
        return version


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
