"""Vectors computed again from the rows of a catalog, as when their recipe has changed; no file is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..catalog import Catalog
from ..errors import EmbeddingError
from ..vectors import LONGEST_VALUE, VERSION, Embedding, embed_rows

if TYPE_CHECKING:
    import pyarrow as pa

_FILES_AT_ONCE = 500
_COLUMNS = {
    "parts": "*",
    "channels": "*",
    # Of values only those that count in a vector.
    "attributes": "file_id, part_index, attr_index, attr_name, attr_type, size_bytes, "
    f"CASE WHEN size_bytes <= {LONGEST_VALUE} THEN value_json END AS value_json",
}


@dataclass(slots=True)
class Renewed:
    """How it went so far."""

    files: int = 0  # of so many
    done: int = 0
    failed: int = 0


def reembed(
    catalog: Catalog, *, everything: bool = False, progress: Callable[[Renewed], None] = lambda _: None
) -> Renewed:
    """Compute the vectors of the files whose `embedding_version` is not this one's, or of all; old versions too.

    They are those of a new inspection: an attribute that the catalog has cut is too long to count in a vector.
    A batch is a transaction: a run that was interrupted goes on where it was. Raises CatalogError.
    """
    condition = "true" if everything else f"embedding_version IS DISTINCT FROM {VERSION}"
    query = f"SELECT file_id FROM files WHERE {condition} ORDER BY file_id"  # noqa: S608 (our own)
    file_ids: list[str] = catalog.sql(query)["file_id"].to_pylist()
    renewed = Renewed(files=len(file_ids))
    for start in range(0, len(file_ids), _FILES_AT_ONCE):
        _renew(catalog, file_ids[start : start + _FILES_AT_ONCE], renewed)
        progress(renewed)
    return renewed


def _renew(catalog: Catalog, file_ids: Sequence[str], renewed: Renewed) -> None:
    rows = {table: _by_file(catalog, table, file_ids) for table in _COLUMNS}
    found: dict[str, Embedding] = {}
    for file_id in file_ids:
        parts, channels, attributes = (rows[table].get(file_id, []) for table in _COLUMNS)
        try:
            found[file_id] = embed_rows(parts, channels, attributes)
        except EmbeddingError:
            renewed.failed += 1
            continue
        renewed.done += 1
    if found:
        catalog.replace_vectors(_table(found))


def _by_file(catalog: Catalog, table: str, file_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    marks = ", ".join("?" * len(file_ids))
    query = f"SELECT {_COLUMNS[table]} FROM {table} WHERE file_id IN ({marks})"  # noqa: S608 (our names, and marks)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(catalog.sql(query, list(file_ids))):
        found[row["file_id"]].append(row)
    return found


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _table(found: dict[str, Embedding]) -> pa.Table:
    """The columns of `files` that hold vectors, for these files."""
    import pyarrow as pa

    from ..catalog.rows import vector_columns

    return pa.table({"file_id": pa.array(list(found), pa.string()), **vector_columns(list(found.values()))})
