"""`POST ?data`: import of Parquet objects into a table, and the list of what was imported.

The answer has one JSON object per file, each padded with blanks to the 1024 bytes that the SDK reads
at once. Importing by key columns, which updates rows and adds columns, is not emulated.
"""

import io
import json
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import vastdb.vast_flatbuf
from vastdb.vast_flatbuf.tabular import KeyName, S3File
from vastdb.vast_flatbuf.tabular.ImportDataRequest import ImportDataRequest

from .column_types import same_type
from .errors import ApiError, bad_request, not_implemented
from .messages import Answer, Request
from .row_commands import append_batch
from .service import Command, Service
from .storage import TableState
from .table_commands import new_columns
from .transactions import Catalog

IMPORTS = "vastdb-imported-objects"
_IMPORTS_SCHEMA = pa.schema([("BucketName", pa.string()), ("ObjectName", pa.string())])

# The reader of ImportDataRequest imports its parts from a top-level package that does not exist.
sys.modules.setdefault("vast_flatbuf", vastdb.vast_flatbuf)
sys.modules.setdefault("vast_flatbuf.tabular", vastdb.vast_flatbuf.tabular)
sys.modules.setdefault("vast_flatbuf.tabular.S3File", S3File)
sys.modules.setdefault("vast_flatbuf.tabular.KeyName", KeyName)


def import_files(service: Service, request: Request) -> Answer:
    """Append the rows of each file; the first file that does not fit ends the import."""
    read = ImportDataRequest.GetRootAs(request.body)
    if read.KeyNamesLength():
        raise not_implemented("an import by key columns")
    results = []
    for index in range(read.S3FilesLength()):
        file = read.S3Files(index)
        result = _import_file(service, request, file)
        results.append(json.dumps(result).encode().ljust(1024))
        if result["res"] != "Success":
            break
    return Answer(body=b"".join(results))


def _import_file(service: Service, request: Request, file: Any) -> dict[str, str]:
    bucket, key = file.BucketName().decode(), file.FileName().decode()
    result = {"res": "Success", "err_msg": "", "bucket_name": bucket, "object_name": key}
    try:
        state = service.table(request)
        table = pq.read_table(io.BytesIO(service.objects.get(bucket, key)))
        if file.PartitionsLength():
            table = _with_partition(table, file.PartitionsAsNumpy().tobytes())
        _check_columns(state, table.schema)
        for batch in table.combine_chunks().to_batches():
            append_batch(service, request, service.table(request), batch)
        _note_import(service, request, bucket, key)
    except ApiError as error:
        result |= {"res": error.code, "err_msg": error.message}
    return result


def _with_partition(table: pa.Table, partition: bytes) -> pa.Table:
    """The rows with the values of the file's partition, which come as a batch of one row."""
    row = pa.ipc.open_stream(partition).read_all()
    for field, value in zip(row.schema, row.columns, strict=True):
        table = table.append_column(field, pa.array(value.to_pylist() * table.num_rows, field.type))
    return table


def _check_columns(state: TableState, schema: pa.Schema) -> None:
    for field in schema:
        if (column := state.by_name.get(field.name)) is None:
            raise bad_request(f"the table has no column {field.name!r}", "TabularMismatchColumnName")
        if not same_type(column.field.type, field.type):
            raise bad_request(
                f"column {field.name}: expected {column.field.type}, got {field.type}",
                "TabularMismatchColumnType",
            )


def _note_import(service: Service, request: Request, bucket: str, key: str) -> None:
    path = request.table._replace(sub_table=IMPORTS)
    transaction = service.transaction(request)
    if path not in transaction.draft.names:
        new = TableState(table_id=service.database.next_table_id(), columns=new_columns(service, _IMPORTS_SCHEMA))

        def write(catalog: Catalog) -> None:
            catalog.names[path] = new.table_id
            catalog.tables[new.table_id] = new

        service.database.write(transaction, write, [("table", *path)])
    row = pa.record_batch([[bucket], [key]], schema=_IMPORTS_SCHEMA)
    append_batch(service, request, transaction.draft.table(path), row)


COMMANDS: dict[tuple[str, str], Command] = {("POST", "data"): import_files}
