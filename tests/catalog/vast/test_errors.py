"""Exceptions of the SDK and its libraries are translated into CatalogError, without secrets."""

import inspect as introspect
import pickle
import socket
import struct

import ibis.common.exceptions
import pyarrow as pa
import pytest
import requests
import vastdb.errors
from adbc_driver_manager import OperationalError
from vastdb._internal import QueryDataInternalError, UnsupportedServer
from vastdb.table_metadata import TableRef
from vastdb.transaction import NoAdbcConnectionError, TransactionNotActiveError

from exr_inspector.catalog.vast.errors import CatalogConflictError, CatalogRejectedError, as_catalog_error, translated
from exr_inspector.errors import (
    CatalogAuthenticationError,
    CatalogConnectionError,
    CatalogError,
    CatalogSchemaError,
    CatalogTooLargeError,
    CatalogTransactionError,
)

SECRET = "do-not-tell"

BY_CLASS = {
    "NotFound": CatalogSchemaError,
    "Forbidden": CatalogAuthenticationError,
    "BadRequest": CatalogRejectedError,
    "MethodNotAllowed": CatalogRejectedError,
    "RequestTimeout": CatalogConnectionError,
    "Conflict": CatalogConflictError,
    "InternalServerError": CatalogTransactionError,
    "NotImplemented": CatalogRejectedError,
    "ServiceUnavailable": CatalogConnectionError,
    "Slowdown": CatalogConnectionError,
    "UnexpectedError": CatalogTransactionError,
    "InsufficientCapacity": CatalogConnectionError,
    "HttpError": CatalogTransactionError,
    "ImportFilesError": CatalogError,
    "InvalidArgument": CatalogError,
    "TooLargeRequest": CatalogTooLargeError,
    "TooWideRow": CatalogTooLargeError,
    "Missing": CatalogSchemaError,
    "MissingTransaction": CatalogTransactionError,
    "MissingRowIdColumn": CatalogSchemaError,
    "MissingBucket": CatalogSchemaError,
    "MissingSnapshot": CatalogSchemaError,
    "MissingSchema": CatalogSchemaError,
    "MissingTable": CatalogSchemaError,
    "MissingProjection": CatalogSchemaError,
    "MissingBlobExpansion": CatalogSchemaError,
    "Exists": CatalogConflictError,
    "SchemaExists": CatalogConflictError,
    "TableExists": CatalogConflictError,
    "NotSupported": CatalogSchemaError,
    "NotSupportedCommand": CatalogSchemaError,
    "NotSupportedVersion": CatalogError,
    "NotSupportedSchema": CatalogSchemaError,
    "ConnectionError": CatalogConnectionError,
    "ApiResponseError": CatalogConnectionError,
}

STATUSES = {
    "BadRequest": 400, "Forbidden": 403, "NotFound": 404, "MethodNotAllowed": 405, "RequestTimeout": 408,
    "Conflict": 409, "InternalServerError": 500, "NotImplemented": 501, "ServiceUnavailable": 503, "Slowdown": 503,
    "InsufficientCapacity": 507,
}  # fmt: skip

FILLINGS = {
    "bucket": "renders",
    "schema": "show",
    "table": "files",
    "snapshot": "s",
    "projection": "p",
    "table_ref": TableRef("renders", "show", "files"),
    "source_column": "value",
    "message": "it failed",
    "error_dict": {},
    "err_msg": "too old",
    "version": (5, 0),
    "cause": requests.ConnectionError("refused"),
    "may_retry": False,
    "code": "Code",
    "method": "GET",
    "url": f"http://host/?X-Amz-Signature={SECRET}",
    "headers": {"Authorization": SECRET},
}


def sdk_errors():
    found = introspect.getmembers(vastdb.errors, introspect.isclass)
    return [kind for _, kind in found if issubclass(kind, Exception) and kind.__module__ == "vastdb.errors"]


def make(kind):
    if kind.__init__ is Exception.__init__:
        return kind("words")
    names = list(introspect.signature(kind).parameters)
    values = FILLINGS | {"status": STATUSES.get(kind.__name__, 500)}
    return kind(**{name: values[name] for name in names})


@pytest.mark.parametrize("kind", sdk_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_sdk_is_translated(kind):
    """A new class of a newer SDK fails here until it is in the table above."""
    error = as_catalog_error(make(kind), "http://host")
    assert type(error) is BY_CLASS[kind.__name__]
    assert str(error).startswith("http://host: ")
    assert SECRET not in str(error)
    assert "\n" not in str(error)
    assert type(pickle.loads(pickle.dumps(error))) is type(error)


@pytest.mark.parametrize(
    ("leak", "kind", "words"),
    [
        (requests.exceptions.ReadTimeout("read"), CatalogConnectionError, "no response in time"),
        (requests.exceptions.ConnectTimeout("x"), CatalogConnectionError, "no response in time"),
        (requests.exceptions.SSLError("bad cert"), CatalogConnectionError, "VAST_DB_VERIFY"),
        (requests.exceptions.InvalidSchema("x"), CatalogError, "http://"),
        (requests.exceptions.ChunkedEncodingError("cut"), CatalogConnectionError, "cannot be reached"),
        (ValueError("502 is not a valid HttpStatus"), CatalogConnectionError, "responded with 502"),
        (ValueError("429 is not a valid HttpStatus"), CatalogConnectionError, "responded with 429"),
        (ValueError("401 is not a valid HttpStatus"), CatalogAuthenticationError, "responded with 401"),
        (ValueError("413 is not a valid HttpStatus"), CatalogTooLargeError, "larger"),
        (ValueError("201 is not a valid HttpStatus"), CatalogTransactionError, "responded with 201"),
        (ValueError("Invalid header value: a key"), CatalogError, "ValueError"),
        (pa.ArrowInvalid("cut"), CatalogConnectionError, "cut or damaged"),
        (EOFError(), CatalogConnectionError, "cut or damaged"),
        (struct.error("unpack"), CatalogConnectionError, "cut or damaged"),
        (QueryDataInternalError("x"), CatalogConnectionError, "cut or damaged"),
        (UnsupportedServer("nginx"), CatalogError, "not a VAST Database"),
        (NotImplementedError("vastdb <= 0.0.5"), CatalogError, "not a VAST Database"),
        (TransactionNotActiveError(), CatalogTransactionError, "does not exist"),
        (NoAdbcConnectionError("x"), CatalogTransactionError, "does not exist"),
        (OperationalError("x", status_code=11), CatalogConnectionError, "uninstall"),
        (ibis.common.exceptions.IbisTypeError("type"), CatalogError, "the SDK rejected the request"),
        (KeyError("column"), CatalogError, "KeyError"),
        (RuntimeError("surprise"), CatalogError, "RuntimeError"),
    ],
    ids=lambda value: f"{type(value).__name__} {value}" if isinstance(value, Exception) else None,
)
def test_other_exceptions_of_the_sdk_are_translated(leak, kind, words):
    with pytest.raises(CatalogError) as caught, translated("http://host"):
        raise leak
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert caught.value.__cause__ is leak


def test_the_host_of_the_endpoint_is_named_once(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(CatalogConnectionError) as caught, translated("http://host.invalid:1"):
        requests.get("http://host.invalid:1", timeout=9)
    reason = "cannot be reached ([Errno -2] Name or service not known)"
    assert str(caught.value) == f"http://host.invalid:1: {reason}"


def test_catalog_errors_and_interrupts_are_not_translated():
    with pytest.raises(CatalogTooLargeError, match="ours"), translated("http://host"):
        raise CatalogTooLargeError("ours")
    with pytest.raises(KeyboardInterrupt), translated("http://host"):
        raise KeyboardInterrupt
