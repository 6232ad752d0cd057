"""`?projection`: sorted copies of some columns, by name."""

from collections.abc import Callable
from dataclasses import replace

from vastdb.vast_flatbuf.tabular.AlterProjectionTableRequest import AlterProjectionTableRequest
from vastdb.vast_flatbuf.tabular.ColumnType import ColumnType
from vastdb.vast_flatbuf.tabular.CreateProjectionRequest import CreateProjectionRequest

from . import answers
from .column_commands import field_stream
from .errors import bad_request, conflict, not_found
from .messages import Answer, Request
from .service import Command, Service, page, wanted_names
from .storage import Projection, TableState
from .transactions import Catalog

Change = Callable[[tuple[Projection, ...]], tuple[Projection, ...]]


def list_projections(service: Service, request: Request) -> Answer:
    """GET."""
    state = service.table(request)
    path = request.table
    numbers = {projection.name: projection.number for projection in state.projections}
    names = wanted_names(request, numbers)
    shown, headers = page(request, names)
    details = [answers.Details(name=names[index], handle=numbers[names[index]], state=state) for index in shown]
    body = answers.list_projections(path.bucket, path.schema, path.name, details)
    return Answer(body=body, headers=headers)


def create_projection(service: Service, request: Request) -> Answer:
    """POST: columns, each sorted or not."""
    state = service.table(request)
    read = CreateProjectionRequest.GetRootAs(request.body)
    columns = [read.Columns(index) for index in range(read.ColumnsLength())]
    is_sorted = {column.Name().decode(): column.Type() == ColumnType.Sorted for column in columns}
    for name in is_sorted:
        if name not in state.by_name:
            raise bad_request(f"the table has no column {name!r}", "TabularMismatchColumnName")
    projection = Projection(
        number=service.database.next_table_id(),
        name=request.param("name"),
        sorted_columns=tuple(name for name, sort in is_sorted.items() if sort),
        unsorted_columns=tuple(name for name, sort in is_sorted.items() if not sort),
    )
    if not projection.sorted_columns:
        raise bad_request("a projection needs a sorted column")

    def change(known: tuple[Projection, ...]) -> tuple[Projection, ...]:
        if any(one.name == projection.name for one in known):
            raise conflict(f"the projection {projection.name!r} exists already", "ProjectionAlreadyExists")
        return (*known, projection)

    return _change(service, request, state, change)


def rename_projection(service: Service, request: Request) -> Answer:
    """PUT."""
    state = service.table(request)
    old = find_projection(state, request)
    if (new_name := AlterProjectionTableRequest.GetRootAs(request.body).NewName()) is None:
        return Answer()
    renamed = replace(old, name=new_name.decode())
    return _change(service, request, state, lambda known: tuple(renamed if p.name == old.name else p for p in known))


def drop_projection(service: Service, request: Request) -> Answer:
    """DELETE."""
    state = service.table(request)
    name = find_projection(state, request).name
    return _change(service, request, state, lambda known: tuple(p for p in known if p.name != name))


def list_projection_columns(service: Service, request: Request) -> Answer:
    """GET `?projection-columns`."""
    state = service.table(request)
    names = wanted_names(request, find_projection(state, request).column_names)
    shown, headers = page(request, names)
    return Answer(body=field_stream([state.by_name[names[i]].field for i in shown]), headers=headers)


def projection_stats(service: Service, request: Request) -> Answer:
    """GET `?projection-stats`."""
    state = service.table(request)
    find_projection(state, request)
    return Answer(body=answers.projection_stats(state.row_count, state.size_bytes))


def find_projection(state: TableState, request: Request) -> Projection:
    """The projection that a request names."""
    name = request.param("name")
    for projection in state.projections:
        if projection.name == name:
            return projection
    raise not_found("projection", name)


def _change(service: Service, request: Request, state: TableState, change: Change) -> Answer:
    def write(catalog: Catalog) -> None:
        current = catalog.by_id(state.table_id)
        catalog.tables[state.table_id] = current.changed(projections=change(current.projections))

    thing = ("projection", str(state.table_id), request.param("name"))
    service.database.write(service.transaction(request), write, [thing])
    return Answer()


COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "projection"): list_projections,
    ("POST", "projection"): create_projection,
    ("PUT", "projection"): rename_projection,
    ("DELETE", "projection"): drop_projection,
    ("GET", "projection-columns"): list_projection_columns,
    ("GET", "projection-stats"): projection_stats,
}
