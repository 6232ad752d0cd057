"""The protocol of all catalogs, and the values that its methods take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from typing_extensions import Self

    from ..inspection.model import Inspection
    from .derived import SequenceRows
    from .rows import RowBatch
    from .similarity import By

T = TypeVar("T")
PixelLevel: TypeAlias = Literal["flat", "deep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistOutcome:
    """The result of persisting an inspection; `inserted` is False if its file_id was stored already and counted."""

    file_id: str
    inserted: bool
    kept_statuses: Mapping[str, str] = field(default_factory=dict)  # by policy: of stored results that stay


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestError:
    """A file that could not be inspected; size, time and etag are those at the inspection, None if unknown."""

    file_path_normalized: str
    size_bytes: int | None
    mtime: datetime | None
    code: str
    message: str
    byte_offset: int | None
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """The path, size, time and etag of a file, from a listing; the etag is None for local files."""

    file_path_normalized: str
    size_bytes: int
    mtime: datetime | None
    etag: str | None = None


class PolicyRules(NamedTuple):
    """The name of a policy, the hash of its rules, and whether some of them are about pixels."""

    policy_id: str
    policy_hash: str
    about_pixels: bool = False


class PolicyResult(NamedTuple):
    """What a policy found in a file: its status, and how much of it was not evaluated."""

    status: str
    not_evaluated: int  # rules
    without_statistics: tuple[str, ...]  # of these, the identifiers of those that need statistics of pixels
    partly_decoded: bool  # whether rules about pixels had statistics of a part of the pixels


class SeenStatistics(NamedTuple):
    """The newest statistics of the pixels of a file."""

    batch_id: int
    is_whole: bool  # whether all pixels were decoded that can be
    rows: int  # of channels


class SeenFile(NamedTuple):
    """The last inspection of a file; without a completeness it failed, and `error` and `error_code` say why."""

    is_unchanged: bool  # whether the file has the size and etag, or else time, that it had then
    file_id: str = ""
    completeness: str | None = None
    problem_severity: str | None = None  # None also in rows that version 1 stored
    chunks_checked: int = 0  # chunks whose leader was read
    error: str | None = None
    error_code: str | None = None
    has_stats: bool = False  # whether its statistics are stored, if that was asked
    wants_deep: bool = False  # whether samples of deep parts are still to be decoded, if that was asked
    pixel_errors: tuple[str, ...] = ()  # the values of `part_stats.errors`, if that was asked
    result: PolicyResult | None = None  # by the rules of a policy, if that was asked; None: not validated by them
    statistics: SeenStatistics | None = None  # if a policy with rules about pixels was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStatus:
    """Versions, row counts and size of a catalog."""

    uri: str
    backend: str
    server_version: str
    schema_version: int
    row_counts: dict[str, int]
    vector_dimensions: dict[str, int]
    file_size_bytes: int | None  # None if the catalog is not a file


# The file_ids whose pixels were measured by table version 4 or later. Version 3 had neither empty regions nor errors;
# parts with samples of which only the number is known have none in any version.
MEASURED = """
    SELECT file_id FROM part_stats WHERE empty_regions IS NOT NULL OR errors IS NOT NULL
    UNION ALL
    SELECT file_id FROM part_stats JOIN (SELECT file_id FROM files WHERE is_deep) USING (file_id)
    GROUP BY file_id HAVING count(used_window) = 0"""

# The newest batch of a file counts (SQL after QUALIFY). Batch ids are null in rows of table version 1, which are older.
IS_NEWEST = "batch_id IS NOT DISTINCT FROM max(batch_id) OVER (PARTITION BY file_id)"


def newest_rows(table: str) -> str:
    """The rows of a table for which IS_NEWEST holds, as what follows FROM; for a whole table, with little memory."""
    newest = f"SELECT file_id AS newest_of, max(batch_id) AS newest_batch FROM {table} GROUP BY file_id"  # noqa: S608
    return f"{table} JOIN ({newest}) ON file_id = newest_of AND batch_id IS NOT DISTINCT FROM newest_batch"


# The SQL condition for rows of ingest_errors whose path has no current version in files: open errors.
OPEN_ERRORS = """NOT EXISTS (
        SELECT 1 FROM files WHERE files.file_path_normalized = ingest_errors.file_path_normalized AND files.is_current
    )"""


class ReadTable(Protocol):
    """Reads the rows of a table."""

    def __call__(self, table: str, columns: Sequence[str], consume: Callable[[Iterator[pa.Table]], T]) -> T:
        """The result of `consume` for pages of the rows; it is called again when a page could not be read."""


class Catalog(Protocol):
    """A database of inspections. A catalog opened for writing has its tables. Threads may share it.

    The tables of an open catalog have the version of this program, or a later one that it can read and write: opening
    migrates older tables on DuckDB, and raises CatalogSchemaError on VAST.

    All methods raise CatalogError or one of its subclasses, such as CatalogLockedError, CatalogSchemaError, QueryError.
    A history is kept: persisting and marking as deleted never delete rows of `files`.
    """

    uri: str
    files_per_transaction: int  # that suit the database when many files are persisted

    def ensure_schema(self) -> None:
        """Create the tables if they are missing.

        Raises CatalogSchemaError if a newer version created them, and on VAST if they are to be migrated first.
        """

    def persist(self, inspections: Sequence[Inspection]) -> list[PersistOutcome]:
        """Store inspections, and count those with a stored file_id. Returns one outcome for each, in order.

        One transaction: afterwards all rows of all tables are stored, or none. The last persisted version of a path is
        current and not deleted; an ingest error of the path is not open any more. Statistics of pixels are stored for
        stored files too, as a later result, unless they are those that are stored. Raises ValueError for an inspection
        of bytes without a name.
        """

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """Store inspections given as rows, for example from another process; otherwise like `persist`.

        The rows may have results of policies, also of stored files that are not in `files`, which do not count as
        inspected again. Results that are stored already are left out; `validation_status` is the worst of the newest
        of each policy.
        """

    def record_errors(self, errors: Sequence[IngestError]) -> None:
        """Record files that cannot be inspected, and count repeated errors of a path. One transaction.

        No version of such a path is current afterwards, as the file has changed since: the error is open.
        """

    def seen(
        self,
        file_stats: Sequence[FileStat],
        *,
        pixels: PixelLevel | None = None,
        policy: PolicyRules | None = None,
    ) -> dict[str, SeenFile]:
        """The last inspection of each file that has one, by normalized path.

        Deleted files are left out, so that they are inspected again when they come back. With `pixels`, also whether
        the statistics of the file are stored; `deep` also asks for those of the samples of deep parts. With `policy`,
        also its newest result, if that was by the same rules and no older program.
        """

    def statistics(self, batches: Mapping[str, int]) -> dict[str, pa.Table]:
        """The rows of `channel_stats` and `part_stats` of files, by table; of each file_id those of its batch."""

    def current_paths(self, prefix: str) -> Iterator[list[str]]:
        """The normalized paths that begin with `prefix` and are current and not deleted, or have an open error.

        In batches of bounded size. The prefix is plain text; end it with a slash for a folder.
        """

    def mark_deleted(self, paths: Sequence[str]) -> int:
        """Mark the files at normalized paths as deleted. Returns the number of paths with a file or error until now.

        The rows of `files` stay, the newest one current and with `deleted_at`; rows of `ingest_errors` are deleted.
        """

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> pa.Table:
        """The result of a query. `params` are bound to ? by position or $name by name. Raises QueryError.

        The query may also read `tables`, by name.
        """

    def rows_of(self, path: str) -> dict[str, pa.Table]:
        """All rows of the current version of the file at a normalized path, by table; nothing without one.

        Of results about the file, such as `problems`, those of the newest batch.
        """

    def similar(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        by: By = "metadata",
        k: int = 10,
        where: str | None = None,
        per_sequence: bool = False,
    ) -> pa.Table:
        """The k files with the vectors most similar to one of 384 (`metadata`) or 128 (`channels`) numbers, in order.

        Only current versions with vectors of this `embedding_version` that fulfil `where`, an SQL condition on the
        columns of `files`. Columns: file_id, file_path_normalized, sequence, frame, vector, similarity (a cosine, -1 to
        1, of 6 decimals). With `per_sequence` only the most similar file of each sequence, and `files`, the number of
        files in it. `method` in the metadata of the schema names the way of the search. Raises QueryError.
        """

    def replace_vectors(self, rows: pa.Table) -> None:
        """Set the vectors of files; the rows have `file_id` and the vector columns. One transaction."""

    def stored_columns(self) -> dict[str, pa.Schema]:
        """The columns of each table as the database has them; tables that are missing are left out."""

    def reading(self) -> AbstractContextManager[ReadTable]:
        """Reads whole tables, in pages of bounded size: on DuckDB in one transaction, on VAST in one for each table."""

    def status(self) -> CatalogStatus:
        """Versions, row counts and size of the catalog."""

    def close(self) -> None:
        """Close the catalog, and release it for other processes. Closing twice does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StoresDerived(Protocol):
    """A catalog that stores the derived tables."""

    def has_derived(self, show_pattern: str) -> bool:
        """Whether the derived tables are stored and right, with the shows that a pattern finds in paths."""

    def faulty_derived(self) -> list[str]:
        """The stored derived tables that should be right, and whose rows do not count the current files."""

    def refresh_derived(self, show_pattern: str | None, rows: SequenceRows, *, rebuild: bool = False) -> None:
        """Store the derived tables, or update stored ones; `rows` gives those of `sequences`. One transaction.

        Without a `show_pattern` those that are stored with any, and none are created.
        """
