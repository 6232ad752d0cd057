"""Whether a bucket can hold a catalog: buckets of a VAST cluster are for objects, for a database, or for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vastdb import errors as sdk

from ...errors import CatalogSchemaError
from .connection import without_sdk_warnings
from .tables import tables_at

if TYPE_CHECKING:
    from ...settings import VastConnection
    from .connection import Clock

_NOT_A_DATABASE = frozenset({400, 404, 405, 501})  # responses to the list of schemas of a bucket that exists


def check_bucket(uri: str, connection: VastConnection | None) -> str:
    """The version of the server. Raises CatalogSchemaError unless the bucket of the URI is a database bucket."""
    tables = tables_at(uri, connection, read_only=True)

    @without_sdk_warnings()
    def attempt(clock: Clock) -> None:
        with tables.connection.transaction(clock, read_only=True) as transaction:
            bucket = transaction.bucket(tables.bucket)
            try:
                list(bucket.schemas())
            except sdk.HttpError as error:
                if error.status not in _NOT_A_DATABASE:
                    raise
                raise CatalogSchemaError(
                    f"the bucket {tables.bucket} exists, and is not a database bucket; enable the protocol DATABASE in "
                    "its view on the cluster, or give another bucket"
                ) from error

    tables.connection.retried(attempt)
    return tables.connection.server_version
