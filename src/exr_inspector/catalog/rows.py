"""Inspections as Arrow tables: the rows that a catalog stores, and that workers send to the writing process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from functools import cache, lru_cache, partial
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..defaults import CELL_LIMIT
from ..errors import EmbeddingError
from ..exr import Channel, Problem, split_name
from ..inspection.model import FileFacts, Inspection, PartFacts
from ..sources.memory import UNNAMED
from .cells import Cells, cells_of
from .schema import CHILD_TABLES, batch_schema

if TYPE_CHECKING:
    from ..vectors import Embedding

BATCH_TABLES = ("files", *CHILD_TABLES)

_FILE_COLUMNS = tuple(column.name for column in fields(FileFacts))
_PART_COLUMNS = tuple(column.name for column in fields(PartFacts) if column.metadata.get("row", True))
_file_values, _part_values = attrgetter(*_FILE_COLUMNS), attrgetter(*_PART_COLUMNS)
_split_short = lru_cache(maxsize=2048)(split_name)
_CACHED_CHARACTERS = 255  # of a channel's name; no library writes longer ones
_HEADER_BYTES = 64 << 20  # of a group: an array of texts has at most 2 GiB, and JSON up to six times the bytes


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The rows of inspections, by table. Pickles quickly: 500 files pass between processes in milliseconds.

    `files` has one row for each inspection, in order, without the columns that are set at persist. The other tables
    have the rows of each file_id once; results of policies also of files that are stored already, and not in `files`.
    """

    tables: dict[str, pa.Table]

    @classmethod
    def concat(cls, batches: Sequence[RowBatch]) -> RowBatch:
        """The rows of all batches; child rows of a file_id in an earlier batch are left out."""
        seen: set[str] = set()
        kept: dict[str, list[pa.Table]] = {table: [] for table in BATCH_TABLES}
        for batch in batches:
            file_ids = set(batch.tables["files"]["file_id"].to_pylist())
            file_ids.update(batch.tables["validations"]["file_id"].to_pylist())  # also of files that are stored
            repeated = pa.array(file_ids & seen, pa.string())
            seen |= file_ids
            kept["files"].append(batch.tables["files"])
            for table in CHILD_TABLES:
                rows = batch.tables[table]
                if len(repeated):
                    rows = rows.filter(pc.invert(pc.is_in(rows["file_id"], repeated)))
                kept[table].append(rows)
        return cls({table: pa.concat_tables(tables) for table, tables in kept.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        # pyarrow 23 pickles a vector column with nullable floats, which VAST rejects
        return _from_ipc, ({table: _to_ipc(rows) for table, rows in self.tables.items() if rows.num_rows},)


def _to_ipc(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _from_ipc(streams: Mapping[str, bytes]) -> RowBatch:
    tables = {table: pa.ipc.open_stream(stream).read_all() for table, stream in streams.items()}
    return RowBatch({table: tables.get(table) or batch_schema(table).empty_table() for table in BATCH_TABLES})


def has_rows(batch: RowBatch) -> bool:
    """Whether there is anything to store."""
    return bool(batch.tables["files"].num_rows or batch.tables["validations"].num_rows)


def from_inspections(
    inspections: Iterable[Inspection],
    *,
    cell_limit: int = CELL_LIMIT,
    vectors: bool = True,
    embeddings: Mapping[str, Embedding] = MappingProxyType({}),
) -> RowBatch:
    """The rows of inspections, with their vectors, which are computed unless `embeddings` has those of the file_id.

    Attributes above `cell_limit` bytes are cut, and marked as `truncated`. Raises EmbeddingError, naming the file,
    and ValueError for an inspection of bytes without a name: all such files would be versions of one path.
    """
    inspections = list(inspections)
    if any(inspection.file.file_path_normalized == UNNAMED for inspection in inspections):
        raise ValueError("an inspection of bytes without a name cannot be stored; give one: inspect(data, name=PATH)")
    first: dict[str, Inspection] = {}
    for inspection in inspections:
        kept = first.get(inspection.file.file_id)
        if kept is None or _has_more_pixels(inspection, kept):
            first[inspection.file.file_id] = inspection
    unique = list(first.values())
    groups = list(_groups(unique))
    tables = {
        **_empty_tables(),
        "files": _files(inspections, vectors, embeddings),
        "parts": _parts(unique),
        "channels": pa.concat_tables(map(_channels, groups)),
        "attributes": pa.concat_tables(_attributes(group, cell_limit) for group in groups),
        "problems": _problems(unique),
        **_stats([inspection for inspection in unique if inspection.pixels is not None]),
    }
    return RowBatch(tables)


def _groups(inspections: Sequence[Inspection]) -> Iterator[Sequence[Inspection]]:
    """The inspections in order: in groups with headers of at most `_HEADER_BYTES`, or alone; at least one group."""
    begin = size = 0
    for index, inspection in enumerate(inspections):
        size += inspection.file.header_bytes
        if size > _HEADER_BYTES and index > begin:
            yield inspections[begin:index]
            begin, size = index, inspection.file.header_bytes
    yield inspections[begin:]


def _has_more_pixels(inspection: Inspection, kept: Inspection) -> bool:
    """Whether an inspection has statistics of pixels, and another one of the file has none, or of fewer pixels."""
    if inspection.pixels is None:
        return False
    from ..inspection.pixel_rows import is_evaluated

    return kept.pixels is None or (not is_evaluated(kept.pixels) and is_evaluated(inspection.pixels))


@cache
def _empty_tables() -> dict[str, pa.Table]:
    return {table: batch_schema(table).empty_table() for table in CHILD_TABLES}


def from_embeddable(
    inspections: Sequence[Inspection], *, cell_limit: int = CELL_LIMIT, vectors: bool = True
) -> tuple[RowBatch, list[EmbeddingError]]:
    """The rows of inspections whose vectors can be computed, and the errors of the others."""
    embeddings, errors = embed_all(inspections) if vectors else ({}, {})
    rejected = {error.path for error in errors.values()}
    kept = (inspection for inspection in inspections if inspection.file.file_path_normalized not in rejected)
    rows = from_inspections(kept, cell_limit=cell_limit, vectors=vectors, embeddings=embeddings)
    return rows, list(errors.values())


def embed_all(inspections: Iterable[Inspection]) -> tuple[dict[str, Embedding], dict[str, EmbeddingError]]:
    """The vectors of inspections by file_id, and the errors of those whose vectors cannot be computed."""
    from ..vectors import embed

    embeddings: dict[str, Embedding] = {}
    errors: dict[str, EmbeddingError] = {}
    for inspection in inspections:
        file_id = inspection.file.file_id
        if file_id in embeddings or file_id in errors:
            continue
        try:
            embeddings[file_id] = embed(inspection)
        except EmbeddingError as error:
            errors[file_id] = error
    return embeddings, errors


def _files(inspections: list[Inspection], vectors: bool, embeddings: Mapping[str, Embedding]) -> pa.Table:
    columns = _columns(_FILE_COLUMNS, (_file_values(inspection.file) for inspection in inspections))
    columns["schema_version"] = [inspection.schema_version for inspection in inspections]
    columns["inspector_version"] = [inspection.inspector_version for inspection in inspections]
    if vectors:
        from ..vectors import embed

        columns |= vector_columns([embeddings.get(each.file.file_id) or embed(each) for each in inspections])
    return _table("files", columns, len(inspections))


def vector_columns(embeddings: Sequence[Embedding]) -> dict[str, pa.Array]:
    """The vector columns of `files`."""
    import numpy as np  # imported only by processes that compute rows

    from ..vectors import VERSION

    schema = batch_schema("files")
    columns = {"embedding_version": pa.array([VERSION] * len(embeddings), schema.field("embedding_version").type)}
    for name, vectors in (
        ("metadata_embedding", [each.metadata for each in embeddings]),
        ("channel_fingerprint", [each.channels for each in embeddings]),
    ):
        numbers = np.concatenate(vectors) if vectors else np.zeros(0, np.float32)
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(numbers), type=schema.field(name).type)
    return columns


def _parts(inspections: list[Inspection]) -> pa.Table:
    parts = [part for inspection in inspections for part in inspection.parts]
    columns = _columns(_PART_COLUMNS, map(_part_values, parts))
    return _table("parts", columns | _owners(inspections, [len(i.parts) for i in inspections]), len(parts))


def _channels(inspections: Sequence[Inspection]) -> pa.Table:
    names = ("channel_name", "layer_name", "component_name", "channel_type", "x_sampling", "y_sampling", "p_linear")
    return _items(inspections, "channels", "channel_index", names, _channel_row)


def _channel_row(channel: Channel) -> tuple[Any, ...]:
    name, channel_type, x_sampling, y_sampling, p_linear = channel
    split = _split_short if len(name) <= _CACHED_CHARACTERS else split_name
    return (name, *split(name), channel_type, x_sampling, y_sampling, bool(p_linear))


def _attributes(inspections: Sequence[Inspection], cell_limit: int) -> pa.Table:
    return _items(inspections, "attributes", "attr_index", Cells._fields, partial(cells_of, cell_limit=cell_limit))


def _items(
    inspections: Sequence[Inspection],
    table: str,
    index: str,
    names: Sequence[str],
    cells_of_item: Callable[[Any], Sequence[Any]],
) -> pa.Table:
    """The rows of all items of the parts' field `table`, with their number in the part as `index`.

    Frames of a sequence share most items: the cells of each object are converted once, for all of its rows.
    """
    of_files = [[getattr(part, table) for part in inspection.parts] for inspection in inspections]
    of_parts = list(chain.from_iterable(of_files))
    items = list(chain.from_iterable(of_parts))
    distinct = {id(item): item for item in items}
    positions = dict(zip(distinct, range(len(distinct)), strict=True))
    rows = pa.array([positions[id(item)] for item in items], pa.int64())
    cells = _columns(names, map(cells_of_item, distinct.values()))
    schema, counts = batch_schema(table), list(map(len, of_parts))
    columns: dict[str, Any] = {name: _array(cells[name], schema.field(name).type).take(rows) for name in cells}
    columns |= _owners(inspections, [sum(map(len, of_file)) for of_file in of_files])
    part_indexes = [part.part_index for inspection in inspections for part in inspection.parts]
    columns["part_index"] = _repeated(part_indexes, pa.int64(), counts)
    columns[index] = list(chain.from_iterable(map(range, counts)))
    return _table(table, columns, len(items))


def _problems(inspections: list[Inspection]) -> pa.Table:
    rows = [
        (inspection.file.file_id, *problem, problem.severity)
        for inspection in inspections
        for problem in inspection.problems
    ]
    return _table("problems", _columns(("file_id", *Problem._fields, "severity"), rows), len(rows))


def _stats(inspections: list[Inspection]) -> dict[str, pa.Table]:
    """The tables of the figures of pixels; of files to be decoded again, only those of the channels, not evaluated."""
    if not inspections:
        return {}
    from ..inspection.pixel_rows import (
        ChannelStatsRow,
        PartStatsRow,
        channel_stats_rows,
        is_evaluated,
        part_stats_rows,
    )

    channels: list[tuple[Any, ...]] = []
    parts: list[tuple[Any, ...]] = []
    for inspection in inspections:
        file_id, report = inspection.file.file_id, inspection.pixels
        assert report is not None
        evaluated_at = datetime.now(timezone.utc) if is_evaluated(report) else None
        channels += [(file_id, evaluated_at, *row) for row in channel_stats_rows(inspection.parts, report)]
        if evaluated_at is not None:
            parts += [(file_id, evaluated_at, *row) for row in part_stats_rows(report)]
    names = ("file_id", "evaluated_at")
    return {
        "channel_stats": _table("channel_stats", _columns((*names, *ChannelStatsRow._fields), channels), len(channels)),
        "part_stats": _table("part_stats", _columns((*names, *PartStatsRow._fields), parts), len(parts)),
    }


def _owners(inspections: Sequence[Inspection], counts: list[int]) -> dict[str, pa.Array]:
    """The columns file_id and file_path, repeated for the number of rows of each inspection."""
    return {
        "file_id": _repeated([inspection.file.file_id for inspection in inspections], pa.string(), counts),
        "file_path": _repeated([inspection.file.file_path for inspection in inspections], pa.string(), counts),
    }


def _repeated(values: list[Any], type_: pa.DataType, counts: list[int]) -> pa.Array:
    """Each value as often as its count says."""
    import numpy as np

    return _array(values, type_).take(pa.array(np.repeat(np.arange(len(values)), counts)))


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*rows, strict=True), strict=False))  # without rows there are no columns


def _table(table: str, columns: dict[str, Sequence[Any]], rows: int) -> pa.Table:
    """The columns in the schema of the table; missing columns are null."""
    schema = batch_schema(table)
    arrays = [
        _array(columns[column.name], column.type) if column.name in columns else pa.nulls(rows, column.type)
        for column in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: Any, type_: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """The values; in texts "\u2400" stands for NUL, which a database may reject. `value_json` has it escaped."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if pa.types.is_string(type_) and "\0" in "".join(filter(None, values)):
        values = [value and value.replace("\0", "\u2400") for value in values]
    return pa.array(values, type_)
