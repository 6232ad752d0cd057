"""`?rows` and `?data`: insert, update, delete and select."""

import itertools
import time

import numpy as np
import pyarrow as pa

from .column_types import fit
from .errors import bad_request, not_found
from .messages import Answer, Request
from .query import Query, columns_of, read_query
from .selects import ROW_GROUP_ROWS, ROW_ID, Split, row_id_type, select
from .service import Command, Service
from .storage import Chunk, RowIds, TableState
from .transactions import Catalog

# A column of this name and of type int64 shows the row ids, and lets an insert choose them.
EXTERNAL_ROW_ID = "vastdb_rowid"
FREE_ROWS = 10_000  # in a table, before scans take time


def insert(service: Service, request: Request) -> Answer:
    """POST with one record batch; the answer is a stream with the new row ids."""
    state = service.table(request)
    row_ids = append_batch(service, request, state, read_batch(request.body))
    ids = pa.array(row_ids).cast(row_id_type(state))
    return Answer(body=batch_stream(pa.record_batch([ids], [ROW_ID])))


def append_batch(service: Service, request: Request, state: TableState, batch: pa.RecordBatch) -> RowIds:
    """Put the rows at the table's end; returns their ids."""
    arrays = _fitted(service, state, batch)
    external = EXTERNAL_ROW_ID in batch.schema.names
    if external:
        row_ids = _external_row_ids(service, state, batch.column(EXTERNAL_ROW_ID))
    else:
        first = service.database.take_row_ids(state.table_id, batch.num_rows)
        row_ids = np.arange(first, first + batch.num_rows, dtype=np.uint64)
        if (column := state.by_name.get(EXTERNAL_ROW_ID)) and column.field.type == pa.int64():
            arrays[column.number] = pa.array(row_ids.astype(np.int64))
    chunk = Chunk(row_ids=row_ids, arrays=arrays, writer=request.txid)

    def write(catalog: Catalog) -> None:
        current = catalog.by_id(state.table_id)
        if external:
            current = current.changed(external_row_ids=True)
        catalog.tables[state.table_id] = current.append(chunk)

    service.database.write(service.transaction(request), write)
    return row_ids


def update(service: Service, request: Request) -> Answer:
    """PUT with one record batch: row ids, and the columns to change."""
    state = service.table(request)
    batch = read_batch(request.body)
    row_ids = _row_ids(service, state, batch)
    arrays = _fitted(service, state, batch.drop_columns([ROW_ID]))
    if fixed := state.fixed_columns & arrays.keys():
        names = [column.field.name for column in state.columns if column.number in fixed]
        raise bad_request(f"columns of a sorting key or vector index cannot be updated: {', '.join(names)}")

    def write(catalog: Catalog) -> None:
        catalog.tables[state.table_id] = catalog.by_id(state.table_id).update(row_ids, arrays)

    service.database.write(service.transaction(request), write, rows=(state, row_ids))
    return Answer()


def delete(service: Service, request: Request) -> Answer:
    """DELETE with one record batch of row ids."""
    state = service.table(request)
    row_ids = _row_ids(service, state, read_batch(request.body))

    def write(catalog: Catalog) -> None:
        catalog.tables[state.table_id] = catalog.by_id(state.table_id).delete(row_ids)

    service.database.write(service.transaction(request), write, rows=(state, row_ids))
    return Answer()


def select_rows(service: Service, request: Request) -> Answer:
    """GET with a query as body. The answer is sent in chunks, as one that is cut is then noticed."""
    state = service.table(request)
    if request.number("tabular-schedule-id", 0) < 0:
        raise bad_request("a schedule id cannot be negative")
    query, split = read_query(request.body), Split.of(request)
    if beyond := max(0, state.row_count - FREE_ROWS):
        time.sleep(beyond * service.assumptions.scan_s_per_row)
    state = _projected(state, query, request)
    frames = select(state, query, split, service.assumptions.page_bytes)
    first = next(frames)  # refusals come before the status is sent
    return Answer(body=itertools.chain([first], frames))


def read_batch(body: bytes) -> pa.RecordBatch:
    """The one record batch of a request's Arrow IPC stream. Its columns stay in the body's memory."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(body)) as reader:
            batches = list(reader)
    except (pa.ArrowException, OSError) as error:
        raise bad_request(f"the rows cannot be read: {error}") from error
    if len(batches) != 1:
        raise bad_request(f"a request carries one record batch, this one has {len(batches)}")
    return batches[0]


def batch_stream(batch: pa.RecordBatch) -> bytes:
    """An Arrow IPC stream of one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _fitted(service: Service, state: TableState, batch: pa.RecordBatch) -> dict[int, pa.Array]:
    if len(set(batch.schema.names)) != batch.num_columns:
        raise bad_request("two columns have the same name")
    arrays = {}
    for field, values in zip(batch.schema, batch.columns, strict=True):
        if (column := state.by_name.get(field.name)) is None:
            raise bad_request(f"the table has no column {field.name!r}", "TabularMismatchColumnName")
        arrays[column.number] = fit(values, field, column, service.assumptions)
    return arrays


def _external_row_ids(service: Service, state: TableState, values: pa.Array) -> RowIds:
    ids = values.to_numpy(zero_copy_only=False)
    if values.null_count or (ids < 0).any() or not (np.diff(ids) > 0).all():
        raise bad_request("Found duplicate row ids or not in ascending order")
    row_ids: RowIds = ids.astype(np.uint64)
    if service.assumptions.external_row_ids_unique and state.count_existing(row_ids):
        raise bad_request("Found duplicate row ids or not in ascending order: some exist already")
    if len(ids):
        service.database.reserve_row_ids(state.table_id, int(ids[-1]))
    return row_ids


def _row_ids(service: Service, state: TableState, batch: pa.RecordBatch) -> RowIds:
    if ROW_ID not in batch.schema.names:
        raise bad_request(f"the column {ROW_ID} is missing")
    values = batch.column(ROW_ID)
    if values.type != row_id_type(state) or values.null_count:
        expected = row_id_type(state)
        raise bad_request(f"row ids are {expected}, not {values.type}", "TabularMismatchColumnType")
    row_ids = np.asarray(values.cast(pa.uint64()).to_numpy())
    if service.assumptions.missing_rows_are_errors and (count := state.count_existing(row_ids)) < len(row_ids):
        raise not_found("row", f"{len(row_ids) - count} of {len(row_ids)}")
    return row_ids


def _projected(state: TableState, query: Query, request: Request) -> TableState:
    """The table in the order of a projection: the one that was named, or one that suits the condition.

    A projection is chosen unasked when it has all columns, is sorted by one of the condition, and the
    table is large enough for it to matter.
    """
    projections = {projection.name: projection for projection in state.projections}
    if name := request.params.get("name"):
        if name not in projections:
            raise not_found("projection", name)
        return state.sorted_by(projections[name].sorted_columns)
    if not request.flag("tabular-enable-sorted-projections") or state.row_count < ROW_GROUP_ROWS:
        return state
    conditioned = set(columns_of(query.condition))
    for projection in projections.values():
        has_all = conditioned | set(query.columns) <= set(projection.column_names)
        if has_all and projection.sorted_columns[0] in conditioned:
            return state.sorted_by(projection.sorted_columns)
    return state


COMMANDS: dict[tuple[str, str], Command] = {
    ("POST", "rows"): insert,
    ("PUT", "rows"): update,
    ("DELETE", "rows"): delete,
    ("GET", "data"): select_rows,
}
