"""Recompute the vectors of a catalog from its rows, without reading any file."""

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

_BATCH_FILES = 500
_COLUMNS = {
    "parts": "*",
    "channels": "*",
    # Longer values do not count in a vector.
    "attributes": "file_id, part_index, attr_index, attr_name, attr_type, size_bytes, "
    f"CASE WHEN size_bytes <= {LONGEST_VALUE} THEN value_json END AS value_json",
}


# The SQL condition for files whose vectors this program recomputes.
OUTDATED = f"embedding_version IS DISTINCT FROM {VERSION}"


@dataclass(slots=True)
class ReembedProgress:
    """Numbers of files: to do, done, and failed."""

    files: int = 0
    done: int = 0
    failed: int = 0


def reembed(
    catalog: Catalog,
    *,
    everything: bool = False,
    report: Callable[[ReembedProgress], None] = lambda _: None,
) -> ReembedProgress:
    """Recompute the vectors of files whose `embedding_version` is not the current one, or of all files.

    The result equals that of a new inspection: attributes that the catalog has cut are too long to count in a vector.
    Each batch is one transaction, so an interrupted run continues where it stopped. Raises CatalogError.
    """
    condition = "true" if everything else OUTDATED
    query = f"SELECT file_id FROM files WHERE {condition} ORDER BY file_id"  # noqa: S608 (our condition)
    file_ids: list[str] = catalog.sql(query)["file_id"].to_pylist()
    progress = ReembedProgress(files=len(file_ids))
    for start in range(0, len(file_ids), _BATCH_FILES):
        _reembed_batch(catalog, file_ids[start : start + _BATCH_FILES], progress)
        report(progress)
    return progress


def _reembed_batch(catalog: Catalog, file_ids: Sequence[str], progress: ReembedProgress) -> None:
    rows = {table: _rows_by_file(catalog, table, file_ids) for table in _COLUMNS}
    embeddings: dict[str, Embedding] = {}
    for file_id in file_ids:
        parts, channels, attributes = (rows[table].get(file_id, []) for table in _COLUMNS)
        try:
            embeddings[file_id] = embed_rows(parts, channels, attributes)
        except EmbeddingError:
            progress.failed += 1
            continue
        progress.done += 1
    if embeddings:
        catalog.replace_vectors(_vector_rows(embeddings))


def _rows_by_file(catalog: Catalog, table: str, file_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    placeholders = ", ".join("?" * len(file_ids))  # a VAST Database filters by a list, but not by a joined table
    query = f"SELECT {_COLUMNS[table]} FROM {table} WHERE file_id IN ({placeholders})"  # noqa: S608 (our names)
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(catalog.sql(query, list(file_ids))):
        by_file[row["file_id"]].append(row)
    return by_file


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _vector_rows(embeddings: dict[str, Embedding]) -> pa.Table:
    """The vector columns of `files` for these files."""
    import pyarrow as pa

    from ..catalog.rows import vector_columns

    return pa.table({"file_id": pa.array(list(embeddings), pa.string()), **vector_columns(list(embeddings.values()))})
