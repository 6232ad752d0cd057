"""Objects of an S3 store as byte sources: one request for almost every file, and no file on disk.

The first request asks for a range and learns the object's size, time and etag from the same answer; what is read
later is asked for under that etag, so that two versions of an object are never mixed.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, TypeVar

from ..deadline import seconds_left
from ..errors import (
    MissingExtraError,
    SettingsError,
    SourceChangedError,
    SourceConnectionError,
    SourceDeniedError,
    SourceError,
    SourceNameError,
    SourceNotFoundError,
    SourceStoreError,
)
from ..settings import S3Access, s3_access
from .s3_listing import Page, fetch_page
from .uris import bucket_and_key, normalize_path

if TYPE_CHECKING:
    from obstore.store import S3Store

T = TypeVar("T")

# Header and offset table of a 4K frame with one chunk a line have 17 KiB; over a network 64 KiB cost what 8 KiB cost.
FIRST_RANGE_BYTES = 64 << 10
# A longer range is asked for in pieces, so that a request that takes its whole time is one that hangs.
_PIECE_BYTES = 4 << 20
RETRIES = 3
_FIRST_PAUSE_S = 0.1

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_BROKEN = re.compile(r"kind: (Connect|Timeout|Decode|Interrupted|Request|Unknown)\b")
_UNTRUSTED = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_FORM = re.compile(r"Generic S3 error: (Received non-partial response[\w ]*|Requested [\d.]+, got [\d.]+)")
_INVALID_KEY = re.compile(r"[\x00-\x1f\x7f]|^/|//|/$|(?:^|/)\.\.?(?:/|$)")
_TRANSIENT = {408, 425, 429}
# The status that an error of obstore stands for, where its text has none.
_STATUS_OF_ERROR = {
    "FileNotFoundError": 404,
    "PermissionDeniedError": 403,
    "UnauthenticatedError": 401,
    "PreconditionError": 412,
}
_BAD_KEYS = {
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidAccessKeyId",
    "AuthorizationHeaderMalformed",
}


class ObjectSource:
    """One object by its s3:// URI, opened with a request for its first bytes. Raises SourceError and its kinds.

    A request that fails for a reason that may pass is repeated, at most three times, with growing pauses, and only
    where it would end within the caller's `time_limit`.
    """

    def __init__(self, uri: str, access: S3Access | None = None) -> None:
        bucket, self._key = bucket_and_key(uri)
        check_key(uri, self._key)
        self.path, self.uri = uri, normalize_path(uri)
        self._access = access or s3_access()
        self._store = _store(self._access, bucket)
        self.requests = 0
        try:
            meta, self._first = self._get(0, FIRST_RANGE_BYTES, None)
        except _RangeError:  # of an empty object no range can be asked for
            meta, self._first = self._head(), b""
        self.size_bytes: int = meta["size"]
        self.mtime: datetime | None = whole_seconds(meta["last_modified"])
        self._tag: str | None = meta["e_tag"]
        self.etag = self._tag.strip('"') if self._tag else None
        self.prefix_bytes = max(len(self._first), 1)
        # Leaders that are not here would each cost a request: then the one of the last chunk is read, no other.
        self.walk_chunks = len(self._first) >= self.size_bytes

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer where the object ends. Raises SourceChangedError when it was replaced."""
        end = min(offset + length, self.size_bytes)
        if end <= len(self._first):
            return self._first[offset:end]
        data = bytearray(self._first[offset:])
        while (start := offset + len(data)) < end:
            data += self._piece(start, min(start + _PIECE_BYTES, end))
        return bytes(data)

    def _piece(self, start: int, end: int) -> bytes:
        try:
            meta, data = self._get(start, end, self._tag)
        except (_RangeError, SourceNotFoundError):
            raise SourceChangedError(self.path, "it was replaced or removed while it was read") from None
        if (meta["size"], meta["e_tag"]) != (self.size_bytes, self._tag) or len(data) != end - start:
            raise SourceChangedError(self.path, "it was replaced while it was read")
        return data

    def close(self) -> None:
        """Nothing to give back: connections are kept for the next object."""

    def _get(self, start: int, end: int, tag: str | None) -> tuple[Any, bytes]:
        obstore = _obstore()
        options: Any = {"range": (start, end)} | ({"if_match": tag} if tag and not tag.startswith("W/") else {})

        def request() -> tuple[Any, bytes]:
            self.requests += 1
            answer = obstore.get(self._store, self._key, options=options)
            return answer.meta, bytes(answer.bytes())

        return _repeated(request, self.path, self._access)

    def _head(self) -> Any:
        obstore = _obstore()
        self.requests += 1
        return _repeated(lambda: obstore.head(self._store, self._key), self.path, self._access)


def list_objects(uri: str, *, recursive: bool = True, access: S3Access | None = None) -> Iterator[tuple[str, Any]]:
    """The objects below an s3:// URI, as a folder: each one's URI and its facts `size`, `last_modified`, `e_tag`.

    In the order of the store, a page of a thousand at a time, keys that check_key rejects included. Raises SourceError.
    """
    bucket, prefix = bucket_and_key(uri, key_required=False)
    prefix = prefix.strip("/")
    if prefix:
        check_key(uri, prefix)
    access = access or s3_access()
    last: str | None = None
    try:
        for page in _pages(uri, bucket, prefix, recursive, access):
            yield from ((f"s3://{bucket}/{facts['path']}", facts) for facts in page)
            last = page[-1]["path"]
        return
    except _InvalidKeyError:
        if access.ambient:  # these keys are obstore's alone
            raise
    for page in _pages_with_any_key(uri, bucket, prefix, recursive, access, last or ""):
        yield from ((f"s3://{bucket}/{facts['path']}", facts) for facts in page)


def _pages(uri: str, bucket: str, prefix: str, recursive: bool, access: S3Access) -> Iterator[Any]:
    """The pages of a listing, none empty. Raises _InvalidKeyError at a page with a key that obstore does not take."""
    obstore, store = _obstore(), _store(access, bucket)
    if not recursive:
        if objects := _repeated(lambda: obstore.list_with_delimiter(store, prefix or None), uri, access)["objects"]:
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
            pages = None  # to be begun again behind the last page
            raise

    while page := _repeated(next_page, uri, access):
        yield page
        last = page[-1]["path"]


def _pages_with_any_key(
    uri: str, bucket: str, prefix: str, recursive: bool, access: S3Access, start_after: str
) -> Iterator[Any]:
    """The pages of a listing behind the key `start_after`, one request each."""
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
        page = _repeated(next_page, uri, access)
        yield page.objects
        if (token := page.next_token) is None:
            return


def object_facts(uri: str, access: S3Access | None = None) -> Any:
    """The facts of one object, as list_objects gives them. Raises SourceError."""
    bucket, key = bucket_and_key(uri)
    check_key(uri, key)
    access = access or s3_access()
    obstore, store = _obstore(), _store(access, bucket)
    return _repeated(lambda: obstore.head(store, key), uri, access)


def whole_seconds(moment: datetime) -> datetime:
    """A time of modification as headers tell it; listings know the milliseconds, too."""
    return moment.replace(microsecond=0)


class _RangeError(SourceError):
    """The range begins behind the end."""


class _InvalidKeyError(SourceError):
    """A page of a listing has a key that obstore does not take."""


def check_key(uri: str, key: str) -> None:
    """Raises SourceNameError for a key that S3 allows and the client cannot request."""
    if _INVALID_KEY.search(key):
        raise SourceNameError(
            uri, "the key has an empty, '.' or '..' part or control characters, which cannot be read; rename the object"
        )


def _obstore() -> Any:
    """The client. Raises MissingExtraError."""
    try:
        import obstore
    except ModuleNotFoundError:
        raise MissingExtraError("s3", "reading s3://") from None
    return obstore


@lru_cache(maxsize=64)
def _store(access: S3Access, bucket: str) -> S3Store:
    """A client, kept with its connections; used by any number of threads. Its own retries are off: see _repeated."""
    _obstore()
    from obstore.store import S3Store

    keys: Any = {} if access.ambient else {"skip_signature": not access.access_key.get_secret_value()}
    if access.access_key.get_secret_value():
        # Keys that are given as such would be joined by the AWS_SESSION_TOKEN of the environment.
        keys["credential_provider"] = lambda: {
            "access_key_id": access.access_key.get_secret_value(),
            "secret_access_key": access.secret_key.get_secret_value(),
            "token": access.session_token.get_secret_value() or None,
            "expires_at": None,
        }
    if access.endpoint or not access.ambient:
        # Under this name, as the client would prefer an AWS_ENDPOINT_URL_S3 of the environment to its `endpoint`.
        keys["aws_endpoint_url_s3"] = access.place
    options = _client_options(access)
    try:
        return S3Store(
            bucket,
            region=access.region,
            virtual_hosted_style_request=not access.path_style,
            client_options=options,
            retry_config={"max_retries": 0},
            **keys,
        )
    except BaseException as problem:
        if not _is_failure(problem):
            raise
        raise SettingsError(
            "the object store cannot be set up as S3_… or AWS_… say; check endpoint, keys and certificates"
        ) from None


def _is_failure(problem: BaseException) -> bool:
    """Whether the client failed: for settings that it did not expect it raises what is no Exception."""
    return isinstance(problem, Exception) or type(problem).__name__ == "PanicException"


def _client_options(access: S3Access) -> Any:
    options: dict[str, Any] = {
        "allow_http": access.place.lower().startswith("http://"),
        "timeout": timedelta(seconds=access.request_timeout_s),
        "connect_timeout": timedelta(seconds=access.request_timeout_s),
    }
    if access.verify is False:
        options["allow_invalid_certificates"] = True
    elif isinstance(access.verify, str):
        try:
            with open(access.verify, "rb") as certificates:
                options["root_certificate"] = certificates.read()
        except OSError as problem:
            raise SettingsError(f"S3_VERIFY: {access.verify}: {problem.strerror}") from None
    return options


def _repeated(request: Callable[[], T], place: str, access: S3Access) -> T:
    """What a request gives, asked for again when it failed for a reason that may pass. Raises SourceError."""
    if seconds_left() < access.request_timeout_s:
        raise SourceConnectionError(place, f"there was no time left to ask the object store at {access.place}")
    pause = _FIRST_PAUSE_S
    for attempt in range(RETRIES + 1):
        try:
            return request()
        except BaseException as problem:
            if not _is_failure(problem):
                raise
            translated = _translated(problem, place, access)
        wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries)
        can_help = isinstance(translated, SourceConnectionError) and attempt < RETRIES
        if not can_help or seconds_left() < wait + access.request_timeout_s:
            break
        time.sleep(wait)
        pause *= 3
    raise translated  # here, where the store's own text does not come along as its context


def _translated(problem: BaseException, place: str, access: S3Access) -> SourceError:
    """A store's error in the words of the project; its text, which may hold anything, is left out."""
    if isinstance(problem, SourceError):
        return problem
    if not isinstance(problem, Exception):
        return SourceError(place, f"cannot be asked for at {access.place}; check the settings of the store")
    name, text = type(problem).__name__, str(problem)
    code = found[1] if (found := _CODE.search(text)) else name
    status = int(found[1]) if (found := _STATUS.search(text)) else _STATUS_OF_ERROR.get(name, 0)
    store = f"the object store at {access.place}"
    if status == 404:
        return SourceNotFoundError(place, "no such bucket" if code == "NoSuchBucket" else "no such object")
    if status in (401, 403) or code in _BAD_KEYS:
        way_out = "check its keys and what they may read" if access.access_key.get_secret_value() else "no keys are set"
        return SourceDeniedError(place, f"{store} refuses ({code}); {way_out}", may_hide=code == "AccessDenied")
    if status == 412:
        return SourceChangedError(place, "it was replaced while it was read")
    if status == 416:
        return _RangeError(place, "it is shorter than was asked for")
    if name == "InvalidPathError":
        return _InvalidKeyError(
            place,
            "a key below it has an empty, '.' or '..' part or control characters, and cannot be listed with the keys "
            "of the platform; set S3_ACCESS_KEY and S3_SECRET_KEY, or name other folders",
        )
    if status >= 500 or status in _TRANSIENT:
        return SourceConnectionError(place, f"{store} answers {status}; check that it is up")
    if status:
        return SourceStoreError(place, f"{store} answers {status} ({code})")
    if found := _UNTRUSTED.search(text):
        way_out = "give the file of its authority in S3_VERIFY"
        return SourceConnectionError(place, f"the certificate of {store} is not trusted ({found[1]}); {way_out}")
    if isinstance(problem, (OSError, HTTPException)):
        return SourceConnectionError(place, f"{store} cannot be reached; check that it is up")
    if found := _BROKEN.search(text):
        how = {"Connect": "cannot be reached", "Timeout": "does not answer in time"}.get(found[1], "broke off")
        return SourceConnectionError(place, f"{store} {how}; check that it is up")
    if "edirect" in text:
        return SourceStoreError(place, f"{store} has the bucket in another region than {access.region}; set S3_REGION")
    return SourceStoreError(place, f"{store} gives an answer that is not one of S3 ({name}): {_summary(text)}")


def _summary(text: str) -> str:
    """The client's own words: what it says of an answer's form holds nothing of the answer."""
    found = _FORM.match(text)
    return found[1] if found else "no more is known"
