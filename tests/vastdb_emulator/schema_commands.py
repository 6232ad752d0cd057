"""`?schema`: schemas are nested paths below a bucket; lists show direct children only."""

from . import answers
from .errors import bad_request, conflict
from .messages import Answer, Request
from .service import Command, Service, page, wanted_names
from .transactions import Catalog, TablePath


def list_schemas(service: Service, request: Request) -> Answer:
    """GET."""
    service.check_bucket(request.bucket)
    catalog = service.transaction(request).draft
    parent = request.schema
    if parent:
        catalog.check_schema(request.bucket, parent)
    start = len(parent) + 1 if parent else 0
    names = wanted_names(request, (path[start:] for path in _children(catalog, request.bucket, parent)))
    shown, headers = page(request, names)
    details = [answers.Details(name=names[index]) for index in shown]
    return Answer(body=answers.list_schemas(request.bucket, details), headers=headers)


def create_schema(service: Service, request: Request) -> Answer:
    """POST."""
    service.check_bucket(request.bucket)
    bucket, path = request.bucket, request.schema
    parent, _, name = path.rpartition("/")
    check_name(service, name)

    def write(catalog: Catalog) -> None:
        if parent:
            catalog.check_schema(bucket, parent)
        if (bucket, path) in catalog.schemas:
            raise conflict(f"the schema {path!r} exists already", "SchemaAlreadyExists")
        catalog.schemas[bucket, path] = None

    service.database.write(service.transaction(request), write, [("schema", bucket, path)])
    return Answer()


def rename_schema(service: Service, request: Request) -> Answer:
    """PUT. What is in the schema moves with it."""
    service.check_bucket(request.bucket)
    bucket, path = request.bucket, request.schema
    if (name := request.params.get("tabular-new-schema-name")) is None:
        return Answer()
    parent = path.rpartition("/")[0]
    name = name.rpartition("/")[2]
    check_name(service, name)
    new_path = f"{parent}/{name}" if parent else name

    def moved(schema: str) -> str:
        is_inside = schema == path or schema.startswith(f"{path}/")
        return new_path + schema[len(path) :] if is_inside else schema

    def write(catalog: Catalog) -> None:
        catalog.check_schema(bucket, path)
        if (bucket, new_path) in catalog.schemas:
            raise conflict(f"the schema {new_path!r} exists already", "SchemaAlreadyExists")
        catalog.schemas = {(b, moved(p) if b == bucket else p): None for b, p in catalog.schemas}
        catalog.names = {
            table._replace(schema=moved(table.schema)) if table.bucket == bucket else table: table_id
            for table, table_id in catalog.names.items()
        }

    things = [("schema", bucket, path), ("schema", bucket, new_path)]
    service.database.write(service.transaction(request), write, things)
    return Answer()


def drop_schema(service: Service, request: Request) -> Answer:
    """DELETE. Only an empty schema can be dropped."""
    service.check_bucket(request.bucket)
    bucket, path = request.bucket, request.schema

    def write(catalog: Catalog) -> None:
        catalog.check_schema(bucket, path)
        if _children(catalog, bucket, path) or tables_in(catalog, bucket, path):
            raise conflict(f"the schema {path!r} is not empty", "SchemaNotEmpty")
        del catalog.schemas[bucket, path]

    service.database.write(service.transaction(request), write, [("schema", bucket, path)])
    return Answer()


def tables_in(catalog: Catalog, bucket: str, schema: str) -> list[TablePath]:
    """The tables of a schema, without those that hold lists of imports."""
    return [path for path in catalog.names if (path.bucket, path.schema, path.sub_table) == (bucket, schema, "")]


def check_name(service: Service, name: str) -> None:
    """Refuse a name that is empty, too long, or would change the meaning of a path."""
    if not name or len(name) > service.assumptions.max_name_chars or "/" in name:
        raise bad_request(f"invalid name {name!r}")


def _children(catalog: Catalog, bucket: str, parent: str) -> list[str]:
    return [path for b, path in catalog.schemas if b == bucket and path.rpartition("/")[0] == parent]


COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "schema"): list_schemas,
    ("POST", "schema"): create_schema,
    ("PUT", "schema"): rename_schema,
    ("DELETE", "schema"): drop_schema,
}
