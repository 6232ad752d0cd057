"""What every catalog can do, in the words of the domain, and the small values that go in and come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa
    from typing_extensions import Self

    from ..inspection.model import Inspection
    from .rows import RowBatch
    from .similarity import By


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistOutcome:
    """What became of one inspection: `inserted` is False where its file_id was known and only counted up."""

    file_id: str
    inserted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestError:
    """A file that could not be inspected; size and time are those of the attempt, None where unknown."""

    file_path_normalized: str
    size_bytes: int | None
    mtime: datetime | None
    code: str
    message: str
    byte_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """What a listing tells of a file without reading it."""

    file_path_normalized: str
    size_bytes: int
    mtime: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFile:
    """A file that was looked at when it had the same size and time; `error` says why it was not readable."""

    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStatus:
    """What a catalog is and holds."""

    uri: str
    backend: str
    server_version: str
    schema_version: int
    row_counts: dict[str, int]
    vector_dimensions: dict[str, int]
    file_size_bytes: int | None  # None where the catalog is no file


# The condition of SQL under which a row of ingest_errors says what is wrong now.
OPEN_ERRORS = """NOT EXISTS (
        SELECT 1 FROM files WHERE files.file_path_normalized = ingest_errors.file_path_normalized AND files.is_current
    )"""


class Catalog(Protocol):
    """A database of inspections. One opened for writing has its tables; any thread may call any method.

    Every method raises CatalogError, or the more telling CatalogLockedError, CatalogSchemaError, QueryError.
    A history is kept: persisting and deleting never remove rows of `files`.
    """

    uri: str

    def ensure_schema(self) -> None:
        """Create the tables, or bring them to this version; does nothing where they are.

        Raises CatalogSchemaError where they were made by a newer version.
        """

    def persist(self, inspections: Sequence[Inspection]) -> list[PersistOutcome]:
        """Store inspections; one whose file_id is known only counts up. One outcome for each, in order.

        One transaction: afterwards every row of every table is there, or none. The version of a path that was
        persisted last is the current one, no longer deleted; an ingest error of the path is history thereby.
        """

    def persist_rows(self, batch: RowBatch) -> list[PersistOutcome]:
        """The same for rows that were made elsewhere, in another process say."""

    def record_errors(self, errors: Sequence[IngestError]) -> None:
        """Note files that cannot be read; one that is noted already counts up. One transaction.

        No version of such a path is current afterwards: what the catalog knows is not what lies there now. So an
        error is open while its path has no current version.
        """

    def seen(self, stamps: Sequence[FileStat]) -> dict[str, SeenFile]:
        """Those of the files, by normalized path, that were looked at with the same size and time.

        A deleted file is not among them, so that it is inspected again when it comes back.
        """

    def current_paths(self, prefix: str) -> Iterator[list[str]]:
        """The normalized paths that begin with `prefix` and are current and not deleted, or whose error is open.

        In batches of bounded size. The prefix is plain text: end it with a slash to mean a folder.
        """

    def mark_deleted(self, paths: Sequence[str]) -> int:
        """Say of normalized paths that nothing is there any more. Returns how many were there till now.

        Their rows stay, with `deleted_at`; their ingest errors go.
        """

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """The result of a query. `params` fill ? by position or $name by name. Raises QueryError."""

    def similar(
        self,
        vector: Sequence[float] | npt.NDArray[np.float32],
        *,
        by: By = "metadata",
        k: int = 10,
        where: str | None = None,
        per_sequence: bool = False,
    ) -> pa.Table:
        """The k files whose vectors are nearest to one of 384 (`metadata`) or 128 (`channels`) numbers, nearest first.

        Current versions with vectors of this `embedding_version` only, and those that fulfil `where`, a condition of
        SQL over the columns of `files`. Columns: file_id, file_path_normalized, sequence, frame, vector, similarity
        (a cosine, -1 to 1, of 6 decimals). With `per_sequence` only the nearest file of each sequence, and `files`, how
        many it has. The entry `method` of the schema's metadata says how it was found. Raises QueryError.
        """

    def replace_vectors(self, rows: pa.Table) -> None:
        """Set the vectors of files: `file_id` and the columns that are made of a header's vectors. One transaction."""

    def status(self) -> CatalogStatus:
        """What the catalog is and holds; counts are exact."""

    def close(self) -> None:
        """Give the catalog back, to other processes too. Closing twice does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
