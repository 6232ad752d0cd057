"""`?column` and `?sorted-columns`: list, add, rename and drop columns."""

from dataclasses import replace

import pyarrow as pa

from .column_types import check_field
from .errors import bad_request, conflict
from .messages import Answer, Request
from .service import Command, Service, page, wanted_names
from .storage import Column, TableState
from .table_commands import new_columns, read_schema
from .transactions import Catalog


def list_columns(service: Service, request: Request) -> Answer:
    """GET: a stream without batches whose schema is the page of columns."""
    state = service.table(request)
    return _column_list(service, request, state, [column.field.name for column in state.columns])


def list_sorted_columns(service: Service, request: Request) -> Answer:
    """GET, in the order of the sorting key."""
    state = service.table(request)
    if not state.sorting_key:
        raise bad_request("Listing sorted columns of a table without elysium being enabled")
    by_number = {column.number: column.field.name for column in state.columns}
    return _column_list(service, request, state, [by_number[number] for number in state.sorting_key])


def add_columns(service: Service, request: Request) -> Answer:
    """POST with a schema message. The new columns are null in all rows that exist."""
    table_id = service.table(request).table_id
    columns = new_columns(service, read_schema(request.body))

    def write(catalog: Catalog) -> None:
        state = catalog.by_id(table_id)
        for column in columns:
            if column.field.name in state.by_name:
                raise conflict(f"the column {column.field.name!r} exists already", "ColumnAlreadyExists")
        catalog.tables[table_id] = state.changed(columns=(*state.columns, *columns))

    things = [_thing(table_id, column.field.name) for column in columns]
    service.database.write(service.transaction(request), write, things)
    return Answer()


def rename_column(service: Service, request: Request) -> Answer:
    """PUT. Two transactions that rename the same column: the second is refused at once (known)."""
    table_id = service.table(request).table_id
    old, new = request.param("tabular-column-name"), request.params.get("tabular-new-column-name")
    if new is None:
        return Answer()

    def write(catalog: Catalog) -> None:
        state = catalog.by_id(table_id)
        _check_free(state, old)
        if new in state.by_name:
            raise conflict(f"the column {new!r} exists already", "ColumnAlreadyExists")
        check_field(state.by_name[old].field.with_name(new), service.assumptions)
        columns = (
            replace(column, field=column.field.with_name(new)) if column.field.name == old else column
            for column in state.columns
        )
        catalog.tables[table_id] = state.changed(columns=tuple(columns))

    things = [_thing(table_id, old), _thing(table_id, new)]
    service.database.write(service.transaction(request), write, things)
    return Answer()


def drop_columns(service: Service, request: Request) -> Answer:
    """DELETE with a schema message of the columns."""
    table_id = service.table(request).table_id
    names = read_schema(request.body).names

    def write(catalog: Catalog) -> None:
        state = catalog.by_id(table_id)
        for name in names:
            _check_free(state, name)
        columns = tuple(column for column in state.columns if column.field.name not in names)
        catalog.tables[table_id] = state.changed(columns=columns)

    service.database.write(service.transaction(request), write, [_thing(table_id, name) for name in names])
    return Answer()


def field_stream(fields: list[pa.Field]) -> bytes:
    """An Arrow IPC stream that is only a schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, pa.schema(fields)):
        pass
    return bytes(sink.getvalue())


def _column_list(service: Service, request: Request, state: TableState, names: list[str]) -> Answer:
    names = wanted_names(request, names)
    shown, headers = page(request, names)
    fields = [_described(service, state, state.by_name[names[index]]) for index in shown]
    body = field_stream(fields)
    if len(body) > service.assumptions.max_column_list_bytes and not request.flag("tabular-only-column-names"):
        raise bad_request(f"list column result size {len(body)} is too long")
    return Answer(body=body, headers=headers)


def _described(service: Service, state: TableState, column: Column) -> pa.Field:
    """From 5.5 on every field says whether it is a sorting column, and which one."""
    if service.version_numbers < (5, 5):
        return column.field
    if column.number not in state.sorting_key:
        return column.field.with_metadata({"VAST:sort_type": "Unsorted"})
    index = state.sorting_key.index(column.number)
    return column.field.with_metadata({"VAST:sort_type": "Sorted", "VAST:sort_index": str(index)})


def _check_free(state: TableState, name: str) -> None:
    """A column can be renamed or dropped when it is there and nothing hangs on it."""
    if (column := state.by_name.get(name)) is None:
        raise bad_request(f"the table has no column {name!r}", "TabularMismatchColumnName")
    if column.number in state.fixed_columns:
        raise bad_request(f"the column {name!r} belongs to the sorting key or the vector index")
    if any(name in projection.column_names for projection in state.projections):
        raise bad_request(f"the column {name!r} belongs to a projection")


def _thing(table_id: int, column: str) -> tuple[str, str, str]:
    return ("column", str(table_id), column)


COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "column"): list_columns,
    ("GET", "sorted-columns"): list_sorted_columns,
    ("POST", "column"): add_columns,
    ("PUT", "column"): rename_column,
    ("DELETE", "column"): drop_columns,
}
