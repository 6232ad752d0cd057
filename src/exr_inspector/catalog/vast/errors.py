"""Whatever the SDK, its HTTP client, Arrow or ibis raise, in the words of the catalog: the one place that translates.

The SDK's errors have no common base, and what it does not foresee comes through as it is.
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
)

# An answer that was cut, mangled, or never came: the same request can succeed.
_BROKEN_ANSWERS = (pa.ArrowException, EOFError, struct.error, sdk.ApiResponseError, QueryDataInternalError)

_TOO_LARGE = 413
_BUSY_STATUSES = frozenset({408, 429, 502, 503, 504, 507})


class CatalogConflictError(CatalogTransactionError):
    """Another transaction has written the same rows: doing it again later succeeds."""


class CatalogRefusedError(CatalogError):
    """The server did not accept a request as it was; one of a transaction that it has forgotten, perhaps."""


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turns what is raised inside into CatalogError and its kinds. `place` names the database, without keys."""
    try:
        yield
    except CatalogError:
        raise
    except Exception as problem:
        raise as_catalog_error(problem, place) from problem


def as_catalog_error(problem: Exception, place: str) -> CatalogError:
    """What went wrong, and what to do about it. Neither keys nor headers are in the text."""
    if isinstance(problem, sdk.HttpError):
        return _of_status(problem.status, f"{problem.code or ''} {problem.message or ''}".strip(), place)
    if isinstance(problem, sdk.ConnectionError):
        return _of_connection(problem.cause, place)
    if isinstance(problem, requests.RequestException):
        return _of_connection(problem, place)
    if isinstance(problem, sdk.TooLargeRequest):
        return CatalogTooLargeError(f"{place}: a row or request is larger than the database takes: {problem}")
    if isinstance(problem, (sdk.Missing, sdk.Exists, sdk.NotSupported, UnsupportedServer, NotImplementedError)):
        return _of_schema(problem, place)
    if isinstance(problem, (TransactionNotActiveError, NoAdbcConnectionError)):
        return CatalogTransactionError(f"{place}: the transaction is not open any more")
    if isinstance(problem, AdbcError):
        return CatalogConnectionError(
            f"{place}: the query engine does not answer ({_first_line(problem)}); where the package adbc-driver-vastdb "
            "is installed, every transaction needs the engine: uninstall it, or enable the engine on the cluster"
        )
    if isinstance(problem, ValueError) and (status := _unforeseen_status(problem)) is not None:
        return _of_status(status, "", place)
    if isinstance(problem, _BROKEN_ANSWERS):
        return CatalogConnectionError(f"{place}: the answer was cut or damaged ({_first_line(problem)})")
    if isinstance(problem, (sdk.InvalidArgument, IbisError)):
        return CatalogError(f"{place}: the request was refused before it was sent: {_first_line(problem)}")
    # Not its text: that of a refused header holds the header, and so keys.
    return CatalogError(f"{place}: {type(problem).__name__}")


def _of_status(status: int, words: str, place: str) -> CatalogError:
    said = f"{place}: answered {status}" + (f" ({words})" if words else "")
    if status in (401, 403):
        return CatalogAuthenticationError(
            f"{said}: the keys are wrong or may not do this; check VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY, "
            "the identity policy, and the clock of this machine"
        )
    if status == _TOO_LARGE or "TooLarge" in words:
        return CatalogTooLargeError(f"{said}: a row or request is larger than the database takes")
    if status == 409:
        return CatalogConflictError(f"{said}: another transaction was writing the same")
    if status in _BUSY_STATUSES:
        return CatalogConnectionError(f"{said}: the database is busy or not reachable")
    if status == 404 and "Transaction" not in words:
        return CatalogSchemaError(f"{said}: {_MAKE_TABLES}")
    if status in (400, 405, 501):
        return CatalogRefusedError(said)
    return CatalogTransactionError(f"{said}: the transaction failed")


_MAKE_TABLES = "create the bucket on the cluster, then the tables with: exr-inspector db create-schema"


def _of_connection(cause: BaseException, place: str) -> CatalogError:
    if isinstance(cause, requests.exceptions.SSLError):
        return CatalogConnectionError(
            f"{place}: the certificate is not trusted ({_reason(cause)}); "
            "give the file of its authority in VAST_DB_VERIFY"
        )
    if isinstance(cause, (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema)):
        return CatalogError(f"{place}: the endpoint must begin with http:// or https://")
    if isinstance(cause, requests.exceptions.InvalidHeader):
        return CatalogError(f"{place}: the keys hold characters that no key has")
    if isinstance(cause, requests.exceptions.Timeout):
        return CatalogConnectionError(f"{place}: no answer in time")
    return CatalogConnectionError(f"{place}: cannot be reached ({_reason(cause)})")


def _of_schema(problem: Exception, place: str) -> CatalogError:
    if isinstance(problem, sdk.MissingTransaction):
        return CatalogTransactionError(f"{place}: the transaction is not open any more")
    if isinstance(problem, sdk.MissingBucket):
        return CatalogSchemaError(f"{place}: there is no bucket {problem.bucket}; {_MAKE_TABLES}")
    if isinstance(problem, sdk.Exists):
        return CatalogConflictError(f"{place}: another process was creating the same")
    if isinstance(problem, (UnsupportedServer, NotImplementedError, sdk.NotSupportedVersion)):
        return CatalogError(f"{place}: no VAST Database, or a version that the SDK cannot use: {_first_line(problem)}")
    return CatalogSchemaError(f"{place}: {_describe(problem)}; {_MAKE_TABLES}")


def _unforeseen_status(problem: ValueError) -> int | None:
    """The HTTP status that the SDK does not know: it says only `502 is not a valid HttpStatus`."""
    first, _, rest = str(problem).partition(" ")
    return int(first) if first.isdecimal() and "HttpStatus" in rest else None


def _describe(problem: Any) -> str:
    fields = " ".join(str(value) for value in vars(problem).values() if isinstance(value, str))
    return f"{type(problem).__name__} {fields}".strip()


def _reason(cause: BaseException) -> str:
    """The innermost reason of an HTTP client's error: its own text holds addresses of objects."""
    while True:
        inner = getattr(cause, "reason", None) or next((a for a in cause.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return _first_line(cause).rpartition(": ")[2] or type(cause).__name__


def _first_line(problem: BaseException) -> str:
    return next(iter(str(problem).splitlines()), "") or type(problem).__name__
