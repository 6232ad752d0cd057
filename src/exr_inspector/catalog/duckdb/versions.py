"""The stored versions of the paths in a batch, and which of them are current before and after it is persisted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from ..rows import RowBatch
from ..schema import PIXEL_TABLES
from ..validations import COLUMNS, NewValidations, new_validations, validated_files
from . import statements
from .derived import Change
from .statements import run

if TYPE_CHECKING:
    import duckdb


class StoredVersion(NamedTuple):
    """A stored version of a file."""

    file_id: str
    is_current: bool
    deleted_at: datetime | None
    batch_id: int | None
    sequence: str | None
    inspector_version: str


def stored_versions(connection: duckdb.DuckDBPyConnection, incoming: pa.Table) -> dict[str, StoredVersion]:
    """All stored versions of the paths in a batch, which is registered as `incoming`, by file_id."""
    paths = list(set(incoming["file_path_normalized"].to_pylist()))
    ((stored,),) = run(connection, "SELECT count(*) FROM files")
    if stored <= statements.ROWS_PER_LOOKUP * len(paths):
        rows = run(connection, statements.VERSIONS_BY_SCAN)
    else:
        rows = [row for some in _slices(paths) for row in run(connection, statements.versions(len(some)), some)]
    return {version.file_id: version for version in map(StoredVersion._make, rows)}


def pixel_results(
    connection: duckdb.DuckDBPyConnection, file_ids: Collection[str], stored: Mapping[str, StoredVersion]
) -> dict[str, pa.Table]:
    """The results of decoded pixels that are stored for some of the versions, by table."""
    since = min(stored[file_id].batch_id or 0 for file_id in file_ids)  # earlier batches are not read
    connection.register("evaluated", pa.table({"file_id": pa.array(file_ids, pa.string())}))
    return {
        table: connection.sql(statements.later_rows(table), params=[since]).to_arrow_table() for table in PIXEL_TABLES
    }


def set_statuses(connection: duckdb.DuckDBPyConnection, batch: RowBatch, new: Collection[str]) -> NewValidations:
    """The rows without results of policies that are stored; sets `validation_status` of stored files with others."""
    file_ids = validated_files(batch, new)
    if not file_ids:
        return NewValidations(batch)
    connection.register("validated", pa.table({"file_id": pa.array(file_ids, pa.string())}))
    known = {file_id for (file_id,) in run(connection, "SELECT file_id FROM files SEMI JOIN validated USING (file_id)")}
    query = f"SELECT {', '.join(COLUMNS)} FROM validations SEMI JOIN validated USING (file_id)"  # noqa: S608 (our names)
    found = new_validations(batch, new, known, connection.sql(query).to_arrow_table())
    if found.statuses.num_rows:
        connection.register("statuses", found.statuses)
        run(connection, statements.SET_STATUSES)
    return found


def _newest(incoming: pa.Table) -> set[str]:
    """The file_ids of a batch that are current afterwards."""
    return set(incoming.filter(incoming["is_current"])["file_id"].to_pylist())


def retire_older(
    connection: duckdb.DuckDBPyConnection, incoming: pa.Table, stored: Mapping[str, StoredVersion]
) -> None:
    """Clear is_current of older versions of the paths in a batch."""
    newest = _newest(incoming)
    older = [version.file_id for version in stored.values() if version.is_current and version.file_id not in newest]
    for file_ids in _slices(older):
        run(connection, statements.retire(len(file_ids)), file_ids)


def changes(incoming: pa.Table, stored: Mapping[str, StoredVersion]) -> Iterator[Change]:
    """The versions that a batch made current, and those that it replaced."""
    newest = _newest(incoming)
    were = {version.file_id for version in stored.values() if version.is_current and version.deleted_at is None}
    for file_id in were - newest:
        yield Change(file_id, stored[file_id].batch_id, stored[file_id].sequence, sign=-1)
    columns = (incoming[name].to_pylist() for name in ("file_id", "batch_id", "sequence"))
    for file_id, batch_id, sequence in zip(*columns, strict=True):
        if file_id in newest and file_id not in were:
            batch = stored[file_id].batch_id if file_id in stored else batch_id
            yield Change(file_id, batch, sequence, sign=1)


def _slices(values: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(values), statements.LONGEST_LIST):
        yield values[start : start + statements.LONGEST_LIST]
