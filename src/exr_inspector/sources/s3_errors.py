"""Errors of the S3 client and of listings as SourceError, without the text of responses, which may contain anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.client import HTTPException
from typing import TypeVar

from ..errors import (
    SourceChangedError,
    SourceConnectionError,
    SourceDeniedError,
    SourceError,
    SourceNotFoundError,
    SourceStoreError,
)
from ..settings import S3Access

T = TypeVar("T")

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_NETWORK_ERROR = re.compile(r"kind: (Connect|Timeout|Decode|Interrupted|Request|Unknown)\b")
_CERTIFICATE_ERROR = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_RESPONSE_ERROR = re.compile(r"Generic S3 error: (Received non-partial response[\w ]*|Requested [\d.]+, got [\d.]+)")
_TRANSIENT_STATUS = {408, 425, 429}
# The status of obstore's errors whose text has none.
_STATUS_OF_ERROR = {
    "FileNotFoundError": 404,
    "PermissionDeniedError": 403,
    "UnauthenticatedError": 401,
    "PreconditionError": 412,
}
_CREDENTIAL_CODES = {
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "AuthorizationHeaderMalformed",
}


class RangeError(SourceError):
    """The requested range begins after the end of the object."""


class UnlistableKeyError(SourceError):
    """A page of a listing contains a key that obstore cannot represent."""


def is_client_error(error: BaseException) -> bool:
    """Whether an exception is an error of the client: for unexpected settings, obstore raises a BaseException."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def translated(call: Callable[[], T], uri: str, access: S3Access) -> T:
    """The result of a call of the client about `uri`. Raises SourceError."""
    try:
        return call()
    except BaseException as error:
        if not is_client_error(error):
            raise
        source_error = _translate(error, uri, access)
    raise source_error  # outside of the handler: without the response's text as its context


def _translate(error: BaseException, uri: str, access: S3Access) -> SourceError:
    """The SourceError for an error of a request about `uri`."""
    if isinstance(error, SourceError):
        return error
    store = f"the object store at {access.url}"
    if not isinstance(error, Exception):
        return SourceStoreError(uri, f"{store} cannot be accessed with these settings; check endpoint and region")
    name, text = type(error).__name__, str(error)
    code_match, status_match = _CODE.search(text), _STATUS.search(text)
    code = code_match[1] if code_match else name
    status = int(status_match[1]) if status_match else _STATUS_OF_ERROR.get(name, 0)
    if status or code in _CREDENTIAL_CODES:
        return _from_status(status, code, uri, access)
    if name == "InvalidPathError":
        return UnlistableKeyError(
            uri,
            "a key below it has an empty, '.' or '..' part or control characters, and cannot be listed with the "
            "credentials of the platform; set S3_ACCESS_KEY and S3_SECRET_KEY, or name other folders",
        )
    return _without_status(error, uri, access)


def _from_status(status: int, code: str, uri: str, access: S3Access) -> SourceError:
    store = f"the object store at {access.url}"
    if status == 404:
        return SourceNotFoundError(uri, "no such bucket" if code == "NoSuchBucket" else "no such object")
    if status in (401, 403) or code in _CREDENTIAL_CODES:
        has_keys = access.ambient or access.access_key.get_secret_value()
        advice = "check the keys and their permissions" if has_keys else "set S3_ACCESS_KEY and S3_SECRET_KEY"
        return SourceDeniedError(uri, f"{store} denies access ({code}); {advice}", may_hide=code == "AccessDenied")
    if status == 412:
        return SourceChangedError(uri, "replaced while it was read")
    if status == 416:
        return RangeError(uri, "shorter than the requested range")
    if status >= 500 or status in _TRANSIENT_STATUS:
        return SourceConnectionError(uri, f"{store} responds with status {status}; check that it is running")
    return SourceStoreError(uri, f"{store} responds with status {status} ({code}); check the S3_ settings")


def _without_status(error: Exception, uri: str, access: S3Access) -> SourceError:
    store, text = f"the object store at {access.url}", str(error)
    if match := _CERTIFICATE_ERROR.search(text):
        reason = f"the certificate of {store} is not trusted ({match[1]}); set S3_VERIFY to its CA certificate file"
        return SourceConnectionError(uri, reason)
    if isinstance(error, (OSError, HTTPException)):
        return SourceConnectionError(uri, f"{store} cannot be reached; check that it is running")
    if match := _NETWORK_ERROR.search(text):
        failures = {"Connect": "cannot be reached", "Timeout": "does not respond in time"}
        failure = failures.get(match[1], "broke off the connection")
        return SourceConnectionError(uri, f"{store} {failure}; check that it is running")
    if "edirect" in text:
        return SourceStoreError(uri, f"{store} has the bucket in another region than {access.region}; set S3_REGION")
    match = _RESPONSE_ERROR.match(text)  # the client's own text, without anything of the response
    details = match[1] if match else "details unavailable"
    return SourceStoreError(uri, f"{store} does not respond like an S3 store ({type(error).__name__}): {details}")
