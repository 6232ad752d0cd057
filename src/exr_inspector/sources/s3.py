"""Objects of an S3 store as byte sources: usually one request per object, no temporary files.

The first request returns the first bytes of the object with its size, time and etag. Later requests require the same
etag, so that the bytes of two versions of an object are never mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import tenacity

from ..deadline import retrying, seconds_left
from ..errors import (
    MissingExtraError,
    SettingsError,
    SourceChangedError,
    SourceConnectionError,
    SourceNameError,
    SourceNotFoundError,
)
from ..settings import S3Access
from .protocol import Storage
from .s3_errors import RangeError, UnlistableKeyError, is_client_error, translated
from .s3_listing import Page, fetch_page
from .uris import bucket_and_key, object_uri

if TYPE_CHECKING:
    from obstore.store import S3Store

T = TypeVar("T")

# Covers header and offset table of a 4K frame with one line per chunk (17 KiB); takes as long as 8 KiB over a network.
FIRST_RANGE_BYTES = 64 << 10
# Longer ranges are split: each request has its own timeout.
_MAX_RANGE_BYTES = 4 << 20
_ATTEMPTS = 4
_WAIT = tenacity.wait_exponential(multiplier=0.05, exp_base=3) + tenacity.wait_random(0, 0.1)
_TIMEOUT_MARGIN = 1.2  # requests end a little after their timeout

_INVALID_KEY = re.compile(r"[\x00-\x1f\x7f]|^/|//|/$|(?:^|/)\.\.?(?:/|$)")


class ObjectSource:
    """An object of an S3 store, opened with a request for its first bytes. Raises SourceError and its subclasses.

    Requests are retried after transient errors, three times at most and within the caller's `time_limit`.
    """

    inode: int | None = None
    storage: Storage = "object"

    def __init__(self, uri: str, access: S3Access) -> None:
        bucket, self._key = bucket_and_key(uri)
        check_key(uri, self._key)
        self.path, self.uri = uri, object_uri(bucket, self._key)
        self._access = access
        self._store = store_client(access, bucket)
        self.requests = 0
        try:
            metadata, self._first = self._get(0, FIRST_RANGE_BYTES, None)
        except RangeError:  # every range of an empty object is invalid
            metadata, self._first = self._head(), b""
        self.size_bytes: int = metadata["size"]
        self.mtime: datetime | None = whole_seconds(metadata["last_modified"])
        self._etag_header: str | None = metadata["e_tag"]
        self.etag = plain_etag(self._etag_header)
        self.prefix_bytes = max(len(self._first), 1)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer at the end of the object. Raises SourceChangedError if it was replaced."""
        end = min(offset + length, self.size_bytes)
        if end <= len(self._first):
            return self._first[offset:end]
        data = bytearray(self._first[offset:])
        while (start := offset + len(data)) < end:
            data += self._read_unchanged(start, min(start + _MAX_RANGE_BYTES, end))
        return bytes(data)

    def _read_unchanged(self, start: int, end: int) -> bytes:
        try:
            metadata, data = self._get(start, end, self._etag_header)
        except (RangeError, SourceNotFoundError):
            raise SourceChangedError(self.path, "replaced or removed while it was read") from None
        version = (metadata["size"], metadata["e_tag"])
        if version != (self.size_bytes, self._etag_header) or len(data) != end - start:
            raise SourceChangedError(self.path, "replaced while it was read")
        return data

    def prefetch(self, offset: int, length: int) -> None:
        """Do nothing: each range is a request."""

    def close(self) -> None:
        """Do nothing: connections are kept for the next object."""

    def _get(self, start: int, end: int, etag: str | None) -> tuple[Any, bytes]:
        obstore = client_library()
        options: Any = {"range": (start, end)}
        if etag and not etag.startswith("W/"):
            options["if_match"] = etag

        def send() -> tuple[Any, bytes]:
            self.requests += 1
            response = obstore.get(self._store, self._key, options=options)
            return response.meta, bytes(response.bytes())

        return _request(send, self.path, self._access)

    def _head(self) -> Any:
        obstore = client_library()
        self.requests += 1
        return _request(lambda: obstore.head(self._store, self._key), self.path, self._access)


def list_objects(uri: str, access: S3Access, *, recursive: bool = True) -> Iterator[tuple[str, Any]]:
    """The objects below an s3:// URI as a folder: URI and metadata (`size`, `last_modified`, `e_tag`) of each.

    The URIs are normalized. In the order of the store, a thousand per request, including keys that check_key rejects;
    with `ambient` credentials, such a key ends the listing. Raises SourceError.
    """
    bucket, prefix = bucket_and_key(uri, key_required=False)
    prefix = prefix.strip("/")
    if prefix:
        check_key(uri, prefix)
    last: str | None = None
    try:
        for page in _pages(uri, bucket, prefix, recursive, access):
            yield from ((object_uri(bucket, metadata["path"]), metadata) for metadata in page)
            last = page[-1]["path"]
        return
    except UnlistableKeyError:
        if access.ambient:  # only obstore has these credentials
            raise
    for page in _pages_with_any_key(uri, bucket, prefix, recursive, access, last or ""):
        yield from ((object_uri(bucket, metadata["path"]), metadata) for metadata in page)


def object_metadata(uri: str, access: S3Access) -> Any:
    """The metadata of an object, as list_objects returns it. Raises SourceError."""
    bucket, key = bucket_and_key(uri)
    check_key(uri, key)
    obstore, store = client_library(), store_client(access, bucket)
    return _request(lambda: obstore.head(store, key), uri, access)


def check_key(uri: str, key: str) -> None:
    """Raise SourceNameError for a key that S3 allows but obstore cannot request."""
    if _INVALID_KEY.search(key):
        raise SourceNameError(
            uri, "the key has an empty, '.' or '..' part or control characters, which cannot be read; rename the object"
        )


def plain_etag(header: str | None) -> str | None:
    """An etag without its quotes; None without one."""
    return header.strip('"') if header else None


def whole_seconds(time: datetime) -> datetime:
    """A modification time as in response headers; listings add milliseconds."""
    return time.replace(microsecond=0)


def _pages(uri: str, bucket: str, prefix: str, recursive: bool, access: S3Access) -> Iterator[Any]:
    """The non-empty pages of a listing. Raises UnlistableKeyError for a key that obstore cannot represent."""
    obstore, store = client_library(), store_client(access, bucket)
    if not recursive:
        if objects := _request(lambda: obstore.list_with_delimiter(store, prefix or None), uri, access)["objects"]:
            yield objects
        return
    last: str | None = None
    pages: Any = None

    def next_page() -> Any:
        nonlocal pages
        if pages is None:
            pages = obstore.list(store, prefix or None, offset=last)
        try:
            return next(pages, None)
        except Exception:
            pages = None  # a retry restarts the listing after the last page
            raise

    while page := _request(next_page, uri, access):
        yield page
        last = page[-1]["path"]


def _pages_with_any_key(
    uri: str, bucket: str, prefix: str, recursive: bool, access: S3Access, start_after: str
) -> Iterator[Any]:
    """The pages of a listing after the key `start_after`, one request each."""
    token: str | None = None

    def next_page() -> Page:
        return fetch_page(
            access,
            bucket,
            prefix=f"{prefix}/" if prefix else "",
            delimiter="" if recursive else "/",
            start_after=start_after,
            token=token,
        )

    while True:
        page = _request(next_page, uri, access)
        yield page.objects
        if (token := page.next_token) is None:
            return


def _request(send: Callable[[], T], uri: str, access: S3Access) -> T:
    """The result of a request, retried after transient errors. Raises SourceError."""
    if seconds_left() < access.request_timeout_s:
        raise SourceConnectionError(uri, f"no time left for a request to the object store at {access.url}")

    retry = retrying(
        lambda error: isinstance(error, SourceConnectionError),
        attempts=_ATTEMPTS,
        wait=_WAIT,
        left=lambda: seconds_left() - _TIMEOUT_MARGIN * access.request_timeout_s,
    )
    return retry(lambda: translated(send, uri, access))


def client_library() -> Any:
    """The client library. Raises MissingExtraError."""
    try:
        import obstore
    except ModuleNotFoundError:
        raise MissingExtraError("s3", "reading s3://") from None
    return obstore


@lru_cache(maxsize=64)
def store_client(access: S3Access, bucket: str, *, retries: int = 0) -> S3Store:
    """A client with its connections, shared by all threads. Its own retries are for uploads, see _request."""
    client_library()
    from obstore.store import S3Store

    keys: Any = {} if access.ambient else {"skip_signature": not access.access_key.get_secret_value()}
    if access.access_key.get_secret_value():
        # A credential provider, because obstore adds AWS_SESSION_TOKEN from the environment to plain keys.
        keys["credential_provider"] = lambda: {
            "access_key_id": access.access_key.get_secret_value(),
            "secret_access_key": access.secret_key.get_secret_value(),
            "token": access.session_token.get_secret_value() or None,
            "expires_at": None,
        }
    if access.endpoint or not access.ambient:
        # By this name, because obstore prefers AWS_ENDPOINT_URL_S3 from the environment to `endpoint`.
        # With virtual_hosted_style_request it expects the URL of the bucket.
        keys["aws_endpoint_url_s3"] = access.url if access.path_style else access.bucket_url(bucket)
    options = _client_options(access)
    try:
        return S3Store(
            bucket,
            region=access.region,
            virtual_hosted_style_request=not access.path_style,
            client_options=options,
            retry_config={"max_retries": retries},
            **keys,
        )
    except BaseException as error:
        if not is_client_error(error):
            raise
        raise SettingsError(
            "the S3 client rejects the S3_ or AWS_ settings; check endpoint, keys and certificates"
        ) from None


def _client_options(access: S3Access) -> Any:
    options: dict[str, Any] = {
        "allow_http": access.url.lower().startswith("http://"),
        "timeout": timedelta(seconds=access.request_timeout_s),
        "connect_timeout": timedelta(seconds=access.request_timeout_s),
    }
    if access.verify is False:
        options["allow_invalid_certificates"] = True
    elif isinstance(access.verify, str):
        try:
            with open(access.verify, "rb") as certificates:
                options["root_certificate"] = certificates.read()
        except OSError as error:
            raise SettingsError(f"S3_VERIFY: {access.verify}: {error.strerror}") from None
    return options
