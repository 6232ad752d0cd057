"""Translates the exceptions of the SDK, its HTTP client, Arrow and ibis into CatalogError and its subclasses.

The SDK's errors have no common base class, and unexpected exceptions pass through it unchanged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import requests
from adbc_driver_manager import Error as AdbcError
from ibis.common.exceptions import IbisError
from vastdb import errors as sdk
from vastdb._internal import QueryDataInternalError, UnsupportedServer
from vastdb.transaction import NoAdbcConnectionError, TransactionNotActiveError

from ...errors import (
    CatalogAuthenticationError,
    CatalogConnectionError,
    CatalogError,
    CatalogSchemaError,
    CatalogTooLargeError,
    CatalogTransactionError,
    ExrInspectorError,
)

# A response that is cut, damaged or missing: the same request can succeed.
_BROKEN_RESPONSES = (pa.ArrowException, EOFError, struct.error, sdk.ApiResponseError, QueryDataInternalError)

_TOO_LARGE = 413
_BUSY_STATUSES = frozenset({408, 429, 502, 503, 504, 507})


class CatalogConflictError(CatalogTransactionError):
    """Another transaction has written the same rows; a retry can succeed."""


class CatalogRejectedError(CatalogError):
    """The server rejected a request as invalid, possibly because its transaction does not exist any more."""


@contextmanager
def translated(endpoint: str) -> Iterator[None]:
    """Translate the exceptions of this block into CatalogError and its subclasses, but for those of this package."""
    try:
        yield
    except ExrInspectorError:
        raise
    except Exception as error:
        raise as_catalog_error(error, endpoint) from error


def as_catalog_error(error: Exception, endpoint: str) -> CatalogError:
    """The CatalogError for an exception, saying what to do. Its text contains neither keys nor headers."""
    if isinstance(error, sdk.HttpError):
        return _of_status(error.status, f"{error.code or ''} {error.message or ''}".strip(), endpoint)
    if isinstance(error, sdk.ConnectionError):
        return _of_connection(error.cause, endpoint)
    if isinstance(error, requests.RequestException):
        return _of_connection(error, endpoint)
    if isinstance(error, sdk.TooLargeRequest):
        return CatalogTooLargeError(f"{endpoint}: a row or request is larger than the database takes: {error}")
    if isinstance(error, (sdk.Missing, sdk.Exists, sdk.NotSupported, UnsupportedServer, NotImplementedError)):
        return _of_schema(error, endpoint)
    if isinstance(error, (TransactionNotActiveError, NoAdbcConnectionError)):
        return CatalogTransactionError(f"{endpoint}: the transaction does not exist any more")
    if isinstance(error, AdbcError):
        return CatalogConnectionError(
            f"{endpoint}: the query engine does not respond ({_first_line(error)}); if the package "
            "adbc-driver-vastdb is installed, every transaction needs the engine: uninstall it, "
            "or enable the engine on the cluster"
        )
    if isinstance(error, ValueError) and (status := _unknown_status(error)) is not None:
        return _of_status(status, "", endpoint)
    if isinstance(error, _BROKEN_RESPONSES):
        return CatalogConnectionError(f"{endpoint}: the response was cut or damaged ({_first_line(error)})")
    if isinstance(error, (sdk.InvalidArgument, IbisError)):
        return CatalogError(f"{endpoint}: the SDK rejected the request: {_first_line(error)}")
    # Without its text: that of an invalid header contains the header, and so keys.
    return CatalogError(f"{endpoint}: {type(error).__name__}")


def _of_status(status: int, details: str, endpoint: str) -> CatalogError:
    response = f"{endpoint}: responded with {status}" + (f" ({details})" if details else "")
    if status in (401, 403):
        return CatalogAuthenticationError(
            f"{response}: the keys are invalid or lack permission; check VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY, "
            "the identity policy, and the clock of this machine"
        )
    if status == _TOO_LARGE or "TooLarge" in details:
        return CatalogTooLargeError(f"{response}: a row or request is larger than the database takes")
    if status == 409:
        return CatalogConflictError(f"{response}: another transaction was writing the same rows")
    if status in _BUSY_STATUSES:
        return CatalogConnectionError(f"{response}: the database is busy or not reachable")
    if status == 404 and "Transaction" not in details:
        return CatalogSchemaError(f"{response}: {_CREATE_TABLES}")
    if status in (400, 405, 501):
        return CatalogRejectedError(response)
    return CatalogTransactionError(f"{response}: the transaction failed")


_CREATE_TABLES = "create the bucket on the cluster, then the tables with: exr-inspector db create-schema"


def _of_connection(cause: BaseException, endpoint: str) -> CatalogError:
    if isinstance(cause, requests.exceptions.SSLError):
        return CatalogConnectionError(
            f"{endpoint}: the certificate is not trusted ({_reason(cause)}); "
            "give the file of its authority in VAST_DB_VERIFY"
        )
    if isinstance(cause, (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema)):
        return CatalogError(f"{endpoint}: the endpoint must begin with http:// or https://")
    if isinstance(cause, requests.exceptions.InvalidHeader):
        return CatalogError(f"{endpoint}: the keys contain invalid characters")
    if isinstance(cause, requests.exceptions.Timeout):
        return CatalogConnectionError(f"{endpoint}: no response in time")
    return CatalogConnectionError(f"{endpoint}: cannot be reached ({_reason(cause)})")


def _of_schema(error: Exception, endpoint: str) -> CatalogError:
    if isinstance(error, sdk.MissingTransaction):
        return CatalogTransactionError(f"{endpoint}: the transaction does not exist any more")
    if isinstance(error, sdk.MissingBucket):
        bucket, _, snapshot = error.bucket.partition("/.snapshot/")
        if snapshot:
            return CatalogSchemaError(f"{endpoint}: no snapshot {snapshot} of the bucket {bucket}; check both names")
        return CatalogSchemaError(f"{endpoint}: no bucket {bucket}; {_CREATE_TABLES}")
    if isinstance(error, sdk.Exists):
        return CatalogConflictError(f"{endpoint}: another process was creating it")
    if isinstance(error, (UnsupportedServer, NotImplementedError, sdk.NotSupportedVersion)):
        return CatalogError(f"{endpoint}: not a VAST Database, or not a supported version: {_first_line(error)}")
    return CatalogSchemaError(f"{endpoint}: {_describe(error)}; {_CREATE_TABLES}")


def _unknown_status(error: ValueError) -> int | None:
    """The HTTP status in `502 is not a valid HttpStatus`, the SDK's error for a status unknown to it."""
    first, _, rest = str(error).partition(" ")
    return int(first) if first.isdecimal() and "HttpStatus" in rest else None


def _describe(error: Any) -> str:
    fields = " ".join(str(value) for value in vars(error).values() if isinstance(value, str))
    return f"{type(error).__name__} {fields}".strip()


def _reason(cause: BaseException) -> str:
    """The innermost reason of an HTTP client's error, as its own text contains the host and addresses of objects."""
    while True:
        inner = getattr(cause, "reason", None) or next((a for a in cause.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            inner = cause.__cause__
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return _first_line(cause).rpartition(": ")[2] or type(cause).__name__


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
