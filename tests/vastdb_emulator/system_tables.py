"""The tables that exist on every cluster: the catalog, a snapshot of it, and the audit log; a row each."""

import numpy as np
import pyarrow as pa

from .service import AUDIT_BUCKET, CATALOG_BUCKET, Service
from .storage import Chunk, TableState
from .table_commands import new_columns
from .transactions import Catalog, TablePath

_SCHEMA = pa.schema([("name", pa.string()), ("parent_path", pa.string()), ("size", pa.int64())])
_PATHS = (
    TablePath(CATALOG_BUCKET, "vast_big_catalog_schema", "vast_big_catalog_table"),
    TablePath(f"{CATALOG_BUCKET}/.snapshot/bc_table_1", "vast_big_catalog_schema", "vast_big_catalog_table"),
    TablePath(AUDIT_BUCKET, "vast_audit_log_schema", "vast_audit_log_table"),
)


def create_system_tables(service: Service) -> None:
    """Put them into an empty database."""

    def write(catalog: Catalog) -> None:
        for path in _PATHS:
            columns = new_columns(service, _SCHEMA)
            values = (pa.array(["emulator"]), pa.array(["/"]), pa.array([0], pa.int64()))
            arrays = {column.number: array for column, array in zip(columns, values, strict=True)}
            chunk = Chunk(row_ids=np.zeros(1, np.uint64), arrays=arrays)
            table_id = service.database.next_table_id()
            catalog.schemas[path.bucket, path.schema] = None
            catalog.names[path] = table_id
            catalog.tables[table_id] = TableState(table_id=table_id, columns=columns, chunks=(chunk,))

    transaction = service.database.begin()
    service.database.write(transaction, write)
    service.database.commit(transaction.txid)
