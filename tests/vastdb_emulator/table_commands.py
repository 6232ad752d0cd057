"""`?table` and `?stats`: create, list, rename, sort and drop tables."""

import itertools

import pyarrow as pa

from . import answers
from .assumptions import DEFAULT_QUANTIZATION, SQL_DISTANCE_FUNCTIONS
from .column_types import check_field
from .errors import ApiError, bad_request, conflict, not_implemented
from .messages import Answer, Request
from .schema_commands import check_name, tables_in
from .service import Command, Service, page, wanted_names
from .storage import Column, TableState, VectorIndex
from .transactions import Catalog


def list_tables(service: Service, request: Request) -> Answer:
    """GET on a schema. A table that is not there is an empty list, not an error."""
    service.check_bucket(request.bucket)
    catalog = service.transaction(request).draft
    bucket, schema = request.bucket, request.schema
    catalog.check_schema(bucket, schema)
    paths = {path.name: path for path in tables_in(catalog, bucket, schema)}
    names = wanted_names(request, paths)
    shown, headers = page(request, names)
    with_stats = request.flag("tabular-include-list-stats")
    details = []
    for index in shown:
        table_id = catalog.names[paths[names[index]]]
        state = service.database.for_statistics(catalog.tables[table_id]) if with_stats else None
        details.append(answers.Details(name=names[index], handle=table_id, state=state))
    return Answer(body=answers.list_tables(bucket, schema, details), headers=headers)


def create_table(service: Service, request: Request) -> Answer:
    """POST with a schema message. The list of imports exists with the table and cannot be created."""
    service.check_bucket(request.bucket)
    path = request.table
    if path.sub_table:
        raise ApiError(500, "InternalError", "We encountered an internal error: the imports table exists")
    check_name(service, path.name)
    schema = read_schema(request.body)
    if any(key.startswith(b"VAST:table:partition-key-") for key in schema.metadata or {}):
        raise not_implemented("a partitioned table")
    state = _new_table(service, request, schema)

    def write(catalog: Catalog) -> None:
        catalog.check_schema(path.bucket, path.schema)
        if path in catalog.names:
            raise conflict(f"the table {path.name!r} exists already", "TableAlreadyExists")
        catalog.names[path] = state.table_id
        catalog.tables[state.table_id] = state

    service.database.write(service.transaction(request), write, [("table", *path)])
    return Answer()


def alter_table(service: Service, request: Request) -> Answer:
    """PUT: rename, or give a sorting key to a table that has none."""
    path = request.table
    state = service.table(request)
    if new_name := request.params.get("tabular-new-table-name"):
        schema, _, name = new_name.rpartition("/")
        check_name(service, name)
        new_path = path._replace(schema=schema, name=name)

        def rename(catalog: Catalog) -> None:
            catalog.table(path)
            catalog.check_schema(path.bucket, schema)
            if new_path in catalog.names:
                raise conflict(f"the table {name!r} exists already", "TableAlreadyExists")
            for known in [known for known in catalog.names if known[:3] == path[:3]]:
                catalog.names[known._replace(schema=schema, name=name)] = catalog.names.pop(known)

        service.database.write(service.transaction(request), rename, [("table", *path), ("table", *new_path)])
    if indices := _sorting_indices(request):
        if state.sorting_key:
            raise bad_request("the table has a sorting key already")
        key = _sorting_key(service, indices, state.columns)

        def sort(catalog: Catalog) -> None:
            catalog.tables[state.table_id] = catalog.table(path).changed(sorting_key=key)

        service.database.write(service.transaction(request), sort, [("table", *path)])
    return Answer()


def drop_table(service: Service, request: Request) -> Answer:
    """DELETE, with the list of imports behind it."""
    service.table(request)
    path = request.table

    def write(catalog: Catalog) -> None:
        catalog.table(path)
        for known in [known for known in catalog.names if known[:3] == path[:3]]:
            if not path.sub_table or known == path:
                del catalog.tables[catalog.names.pop(known)]

    service.database.write(service.transaction(request), write, [("table", *path)])
    return Answer()


def table_stats(service: Service, request: Request) -> Answer:
    """GET."""
    return Answer(body=answers.table_stats(service.database.for_statistics(service.table(request)), service.vip))


def read_schema(body: bytes) -> pa.Schema:
    """The columns in a request: one Arrow IPC schema message, without a stream around it."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(body))
    except (pa.ArrowException, OSError) as error:
        raise bad_request(f"the schema cannot be read: {error}") from error


def new_columns(service: Service, schema: pa.Schema) -> tuple[Column, ...]:
    """The columns of a schema, with numbers of their own."""
    for field in schema:
        check_field(field, service.assumptions)
    if len(set(schema.names)) != len(schema):
        raise bad_request("two columns have the same name")
    return tuple(
        Column(number=service.database.next_column_number(), field=field.remove_metadata()) for field in schema
    )


def _new_table(service: Service, request: Request, schema: pa.Schema) -> TableState:
    columns = new_columns(service, schema)
    return TableState(
        table_id=service.database.next_table_id(),
        columns=columns,
        sorting_key=_sorting_key(service, _sorting_indices(request), columns),
        vector_index=_vector_index(service, request, schema),
        external_row_ids=request.flag("use-external-row-ids-alloc"),
    )


def _sorting_indices(request: Request) -> list[int]:
    headers = (f"tabular-sorted-column-{index}" for index in itertools.count())
    return [request.number(header, 0) for header in itertools.takewhile(request.headers.__contains__, headers)]


def _sorting_key(service: Service, indices: list[int], columns: tuple[Column, ...]) -> tuple[int, ...]:
    if any(not 0 <= index < len(columns) for index in indices):
        if service.version_numbers >= (5, 5):
            raise bad_request("a column of the sorting key does not exist")
        raise ApiError(500, "InternalError", "We encountered an internal error. Please try again.")
    return tuple(columns[index].number for index in indices)


def _vector_index(service: Service, request: Request, schema: pa.Schema) -> VectorIndex | None:
    if (column := request.headers.get("tabular-vector-index-column")) is None:
        return None
    if service.version_numbers < (5, 5):
        raise not_implemented("a vector index before version 5.5")
    if column not in schema.names or not pa.types.is_fixed_size_list(schema.field(column).type):
        raise bad_request(f"invalid vector indexed column name {column}")
    metric = request.headers.get("tabular-vector-index-distance-metric", "")
    if metric not in SQL_DISTANCE_FUNCTIONS:
        supported = ", ".join(repr(known) for known in SQL_DISTANCE_FUNCTIONS)
        raise bad_request(f"invalid vector index distance metric {metric}, supported metrics: {supported}")
    cluster, search = (
        request.headers.get(f"tabular-vector-index-{kind}-quantization", DEFAULT_QUANTIZATION)
        for kind in ("cluster", "search")
    )
    if not {cluster, search} <= {"scalar_8bit", "none"} or (cluster, search) == ("scalar_8bit", "none"):
        raise bad_request(f"invalid vector index quantization: cluster {cluster}, search {search}")
    return VectorIndex(
        column=column,
        distance_metric=metric,
        sql_function=SQL_DISTANCE_FUNCTIONS[metric],
        cluster_quantization=cluster,
        search_quantization=search,
    )


COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "table"): list_tables,
    ("POST", "table"): create_table,
    ("PUT", "table"): alter_table,
    ("DELETE", "table"): drop_table,
    ("GET", "stats"): table_stats,
}
