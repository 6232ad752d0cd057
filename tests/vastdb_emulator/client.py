"""Short steps through the SDK that the tests share: one table with two columns, opened without requests."""

import pyarrow as pa
from vastdb import TableRef, TableType
from vastdb.config import QueryConfig
from vastdb.table_metadata import TableMetadata

KEYS = {"access_key": "key", "secret_key": "not-so-secret"}
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def create_table(session, schema=SCHEMA, **options):
    with session.transaction() as tx:
        tx.bucket("b").create_schema("s").create_table("t", schema, **options)


def table(tx, schema=SCHEMA):
    """The table without a request, as a program would open it that knows its tables."""
    return tx.table_from_metadata(TableMetadata(TableRef("b", "s", "t"), schema, TableType.Regular))


def insert(tx, *ids):
    return table(tx).insert(pa.table([ids, [f"name {i}" for i in ids]], schema=SCHEMA)).to_pylist()


def select(tx, **options):
    config = QueryConfig(num_splits=1, num_sub_splits=1, data_endpoints=[str(tx._rpc.api.next_endpoint())])
    return table(tx).select(config=config, **options).read_all()


def ids(tx):
    return select(tx)["id"].to_pylist()


def update(tx, row_id, name):
    table(tx).update(pa.table({"$row_id": pa.array([row_id], pa.uint64()), "name": [name]}))


def committed(emulator):
    """The ids that are stored, without a request."""
    return emulator.read_table("b", "s", "t")["id"].to_pylist()
