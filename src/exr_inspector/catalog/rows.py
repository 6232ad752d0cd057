"""Inspections as Arrow tables: what a catalog stores, and what workers send to the process that writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from itertools import chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import EmbeddingError
from ..exr import Channel, split_name
from ..inspection.model import FileFacts, Inspection, PartFacts
from ..settings import CELL_LIMIT
from .cells import Cells, cells_of
from .schema import CHILD_TABLES, batch_schema

if TYPE_CHECKING:
    from ..vectors import Embedding

BATCH_TABLES = ("files", *CHILD_TABLES)

_FILE_COLUMNS = tuple(column.name for column in fields(FileFacts))
_PART_COLUMNS = tuple(column.name for column in fields(PartFacts) if column.metadata.get("row", True))
_file_values, _part_values = attrgetter(*_FILE_COLUMNS), attrgetter(*_PART_COLUMNS)
_split_short = lru_cache(maxsize=4096)(split_name)
_CACHED_CHARACTERS = 255  # of a channel's name; no library writes longer ones


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The rows of some inspections, by table. Pickles: 500 files cross a process border in milliseconds.

    `files` has one row for each inspection, in order, without the columns that are set at persist. The other
    tables have the rows of each file_id once, however often it occurs.
    """

    tables: dict[str, pa.Table]

    @classmethod
    def concat(cls, batches: Sequence[RowBatch]) -> RowBatch:
        """The rows of all batches; those that hang on a file_id which an earlier batch has are left out."""
        seen: set[str] = set()
        kept: dict[str, list[pa.Table]] = {table: [] for table in BATCH_TABLES}
        for batch in batches:
            file_ids = set(batch.tables["files"]["file_id"].to_pylist())
            again = pa.array(file_ids & seen, pa.string())
            seen |= file_ids
            kept["files"].append(batch.tables["files"])
            for table in CHILD_TABLES:
                rows = batch.tables[table]
                if len(again):
                    rows = rows.filter(pc.invert(pc.is_in(rows["file_id"], again)))
                kept[table].append(rows)
        return cls({table: pa.concat_tables(tables) for table, tables in kept.items()})

    def to_ipc(self) -> bytes:
        """The tables as Arrow IPC streams, one behind the other."""
        sink = pa.BufferOutputStream()
        for table in BATCH_TABLES:
            with pa.ipc.new_stream(sink, self.tables[table].schema) as writer:
                writer.write_table(self.tables[table])
        return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]

    @classmethod
    def from_ipc(cls, data: bytes) -> RowBatch:
        """The batch that to_ipc() wrote."""
        source = pa.BufferReader(data)
        return cls({table: pa.ipc.open_stream(source).read_all() for table in BATCH_TABLES})

    def __reduce__(self) -> tuple[Any, ...]:
        # pyarrow 23 pickles a vector column as one whose floats may be null, which VAST refuses
        return RowBatch.from_ipc, (self.to_ipc(),)


def from_inspections(
    inspections: Iterable[Inspection], *, cell_limit: int = CELL_LIMIT, vectors: bool = True
) -> RowBatch:
    """The rows of inspections, with their vectors.

    An attribute with a cell above `cell_limit` bytes is cut, and says so. Raises EmbeddingError, which names the file.
    """
    inspections = list(inspections)
    first: dict[str, Inspection] = {}
    for inspection in inspections:
        first.setdefault(inspection.file.file_id, inspection)
    once = list(first.values())
    tables = {
        **_empty_tables(),
        "files": _files(inspections, vectors),
        "parts": _parts(once),
        "channels": _channels(once),
        "attributes": _attributes(once, cell_limit),
    }
    return RowBatch(tables)


@cache
def _empty_tables() -> dict[str, pa.Table]:
    return {table: batch_schema(table).empty_table() for table in CHILD_TABLES}


def from_embeddable(
    inspections: Sequence[Inspection], *, cell_limit: int = CELL_LIMIT, vectors: bool = True
) -> tuple[RowBatch, list[EmbeddingError]]:
    """The rows of those inspections whose vectors can be computed, and what is wrong with the others' files."""
    failures: list[EmbeddingError] = []
    while True:
        try:
            return from_inspections(inspections, cell_limit=cell_limit, vectors=vectors), failures
        except EmbeddingError as failure:
            failures.append(failure)
            inspections = [each for each in inspections if each.file.file_path_normalized != failure.path]


def _files(inspections: list[Inspection], vectors: bool) -> pa.Table:
    columns = _columns(_FILE_COLUMNS, (_file_values(inspection.file) for inspection in inspections))
    columns["schema_version"] = [inspection.schema_version for inspection in inspections]
    columns["inspector_version"] = [inspection.inspector_version for inspection in inspections]
    if vectors:
        from ..vectors import embed

        columns |= vector_columns([embed(inspection) for inspection in inspections])
    return _table("files", columns, len(inspections))


def vector_columns(embeddings: Sequence[Embedding]) -> dict[str, pa.Array]:
    """The columns of `files` that come from a header's vectors."""
    import numpy as np  # only what makes rows pays for it

    from ..vectors import VERSION

    schema = batch_schema("files")
    columns = {"embedding_version": pa.array([VERSION] * len(embeddings), schema.field("embedding_version").type)}
    for name, one_each in (
        ("metadata_embedding", [each.metadata for each in embeddings]),
        ("channel_fingerprint", [each.channels for each in embeddings]),
    ):
        numbers = np.concatenate(one_each) if one_each else np.zeros(0, np.float32)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=schema.field(name).type)
    return columns


def _parts(inspections: list[Inspection]) -> pa.Table:
    parts = [part for inspection in inspections for part in inspection.parts]
    columns = _columns(_PART_COLUMNS, map(_part_values, parts))
    return _table("parts", columns | _owners(inspections, [len(i.parts) for i in inspections]), len(parts))


def _channels(inspections: list[Inspection]) -> pa.Table:
    names = ("part_index", "channel_index", "channel_name", "layer_name", "component_name",
             "channel_type", "x_sampling", "y_sampling", "p_linear")  # fmt: skip
    rows = [
        _channel_row(part.part_index, index, channel)
        for inspection in inspections
        for part in inspection.parts
        for index, channel in enumerate(part.channels)
    ]
    counts = [sum(len(part.channels) for part in inspection.parts) for inspection in inspections]
    return _table("channels", _columns(names, rows) | _owners(inspections, counts), len(rows))


def _split(name: str) -> tuple[str, str]:
    return _split_short(name) if len(name) <= _CACHED_CHARACTERS else split_name(name)


def _channel_row(part_index: int, index: int, channel: Channel) -> tuple[Any, ...]:
    name, channel_type, x_sampling, y_sampling, p_linear = channel
    return (part_index, index, name, *_split(name), channel_type, x_sampling, y_sampling, bool(p_linear))


def _attributes(inspections: list[Inspection], cell_limit: int) -> pa.Table:
    parts = [part for inspection in inspections for part in inspection.parts]
    cells = [cells_of(attribute, cell_limit) for part in parts for attribute in part.attributes]
    counts = [sum(len(part.attributes) for part in inspection.parts) for inspection in inspections]
    columns = _columns(Cells._fields, cells) | _owners(inspections, counts)
    columns["part_index"] = _repeated((part.part_index, len(part.attributes)) for part in parts)
    columns["attr_index"] = list(chain.from_iterable(range(len(part.attributes)) for part in parts))
    return _table("attributes", columns, len(cells))


def _owners(inspections: list[Inspection], counts: list[int]) -> dict[str, list[str]]:
    """The columns that say which file a row belongs to, for so many rows of each."""
    ids = [inspection.file.file_id for inspection in inspections]
    paths = [inspection.file.file_path for inspection in inspections]
    return {
        "file_id": _repeated(zip(ids, counts, strict=True)),
        "file_path": _repeated(zip(paths, counts, strict=True)),
    }


def _repeated(values: Iterable[tuple[Any, int]]) -> list[Any]:
    return list(chain.from_iterable(repeat(value, count) for value, count in values))


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*rows, strict=True), strict=False))  # no rows give no columns


def _table(table: str, columns: dict[str, Sequence[Any]], rows: int) -> pa.Table:
    """The columns under the table's schema; those that nothing is known of are null."""
    schema = batch_schema(table)
    arrays = [
        _array(columns[column.name], column.type) if column.name in columns else pa.nulls(rows, column.type)
        for column in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, type_: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type_)
