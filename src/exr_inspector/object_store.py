"""Objects of an S3 store as byte sources: one request for almost every file, and no file on disk.

The first request asks for a range and learns the object's size, time and etag from the same answer; what is read
later is asked for under that etag, so that two versions of an object are never mixed.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import (
    MissingExtraError,
    SettingsError,
    SourceChangedError,
    SourceConnectionError,
    SourceDeniedError,
    SourceError,
    SourceNotFoundError,
)
from .identity import normalize_path

if TYPE_CHECKING:
    from obstore.store import S3Store
    from pydantic import SecretStr

T = TypeVar("T")

# Header and offset table of a 4K frame with one chunk a line have 17 KiB; over a network 64 KiB cost what 8 KiB cost.
FIRST_RANGE_BYTES = 64 << 10
RETRIES = 3
_FIRST_PAUSE_S = 0.1
_KEY_BYTES = 1024

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Decode|Interrupted)\b")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f]|^/|//|/$|(?:^|/)\.\.?(?:/|$)")
_TRANSIENT = {408, 425, 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """An object store and the keys to it: one bundle, which all comes from one place."""

    endpoint: str | None = None  # None is AWS itself
    access_key: SecretStr | None = None  # without keys requests are not signed
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    region: str = "us-east-1"
    path_style: bool = True
    verify_tls: bool = True
    ambient: bool = False  # AWS tells the keys of this machine or pod
    request_timeout_s: float = 15.0

    @property
    def place(self) -> str:
        """The endpoint, for people."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


class ObjectSource:
    """One object by its s3:// URI, opened with a request for its first bytes. Raises SourceError and its kinds.

    A request that fails for a reason that may pass is repeated, at most three times, with growing pauses, and not
    beyond `deadline` (of time.monotonic).
    """

    walk_chunks = False  # a request for each chunk: offset table and size decide

    def __init__(self, uri: str, access: S3Access | None = None, *, deadline: float | None = None) -> None:
        bucket, self._key = split_uri(uri)
        _refuse_unspeakable(uri, self._key)
        self.path, self.uri = uri, normalize_path(uri)
        self._access = access or environment_access()
        self._store = _store(self._access, bucket)
        self._deadline = deadline
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

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of a range; fewer where the object ends. Raises SourceChangedError when it was replaced."""
        end = min(offset + length, self.size_bytes)
        if end <= len(self._first):
            return self._first[offset:end]
        if offset >= end:
            return b""
        try:
            meta, data = self._get(offset, end, self._tag)
        except (_RangeError, SourceNotFoundError):
            raise SourceChangedError(self.path, "it was replaced or removed while it was read") from None
        if (meta["size"], meta["e_tag"]) != (self.size_bytes, self._tag) or len(data) != end - offset:
            raise SourceChangedError(self.path, "it was replaced while it was read")
        return data

    def close(self) -> None:
        """Nothing to give back: connections are kept for the next object."""

    def _get(self, start: int, end: int, tag: str | None) -> tuple[Any, bytes]:
        import obstore

        options: Any = {"range": (start, end)} | ({"if_match": tag} if tag else {})

        def request() -> tuple[Any, bytes]:
            self.requests += 1
            answer = obstore.get(self._store, self._key, options=options)
            return answer.meta, bytes(answer.bytes())

        return _repeated(request, self.path, self._access, self._deadline)

    def _head(self) -> Any:
        import obstore

        self.requests += 1
        return _repeated(lambda: obstore.head(self._store, self._key), self.path, self._access, self._deadline)


def list_objects(uri: str, *, recursive: bool = True, access: S3Access | None = None) -> Iterator[tuple[str, Any]]:
    """The objects below an s3:// URI, as a folder: each one's URI and its facts `size`, `last_modified`, `e_tag`.

    In the order of the store, a page of a thousand at a time. Raises SourceError.
    """
    import obstore

    bucket, prefix = split_uri(uri, may_be_bucket=True)
    prefix = prefix.strip("/")
    if prefix:
        _refuse_unspeakable(uri, prefix)
    access = access or environment_access()
    store = _store(access, bucket)
    try:
        if recursive:
            pages: Any = obstore.list(store, prefix or None)
        else:
            pages = [obstore.list_with_delimiter(store, prefix or None)["objects"]]
        for page in pages:
            for facts in page:
                yield f"s3://{bucket}/{facts['path']}", facts
    except Exception as problem:
        raise _translated(problem, uri, access) from problem


def object_facts(uri: str, access: S3Access | None = None) -> Any:
    """The facts of one object, as list_objects gives them. Raises SourceError."""
    import obstore

    bucket, key = split_uri(uri)
    _refuse_unspeakable(uri, key)
    access = access or environment_access()
    store = _store(access, bucket)
    return _repeated(lambda: obstore.head(store, key), uri, access, None)


def split_uri(uri: str, *, may_be_bucket: bool = False) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. The key is a name and stays as it is. Raises SourceError."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not _BUCKET.fullmatch(bucket):
        raise SourceError(uri, "not of the form s3://bucket/key")
    if not key and not may_be_bucket:
        raise SourceError(uri, "names a bucket and no object in it")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise SourceError(uri, "the key is no text that UTF-8 can hold") from None
    if size > _KEY_BYTES:
        raise SourceError(uri, f"the key has {size} bytes; a key has {_KEY_BYTES} at most")
    return bucket, key


def whole_seconds(moment: datetime) -> datetime:
    """A time of modification as headers tell it; listings know the milliseconds, too."""
    return moment.replace(microsecond=0)


def environment_access(environ: Mapping[str, str] = os.environ, *, request_timeout_s: float = 15.0) -> S3Access:
    """The store that S3_ENDPOINT, S3_ACCESS_KEY and S3_SECRET_KEY name; without any of them, the one of AWS_….

    An endpoint of one family is never used with keys of the other. Raises SettingsError for one key without the other.
    """
    from pydantic import SecretStr

    family = ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "", "S3_REGION")
    ambient = False
    if not any(environ.get(name) for name in family[:3]):
        family = ("", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
        ambient = any(environ.get(name) for name in _AMBIENT) and not environ.get("AWS_ACCESS_KEY_ID")
    endpoint, access_key, secret_key, token, region = (environ.get(name) or None for name in family)
    if not family[0]:
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or None
    if (access_key is None) != (secret_key is None):
        raise SettingsError(f"{family[1]} and {family[2]} belong together: set both or none")
    return S3Access(
        endpoint=checked_endpoint(endpoint, "S3_ENDPOINT"),
        access_key=SecretStr(access_key) if access_key else None,
        secret_key=SecretStr(secret_key) if secret_key else None,
        session_token=SecretStr(token) if token else None,
        region=region or "us-east-1",
        path_style=_flag(environ, "S3_PATH_STYLE"),
        verify_tls=_flag(environ, "S3_VERIFY_TLS"),
        ambient=ambient,
        request_timeout_s=request_timeout_s,
    )


_AMBIENT = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def checked_endpoint(endpoint: str | None, name: str) -> str | None:
    """An endpoint with a scheme and without credentials in it. Raises SettingsError, which does not repeat it."""
    if endpoint is None:
        return None
    scheme, mark, rest = endpoint.partition("://")
    if not mark or scheme.lower() not in ("http", "https") or not rest.strip("/") or "@" in rest:
        raise SettingsError(f"{name} has to be a URL such as https://store.example:9000, without user or password")
    return endpoint.rstrip("/")


def _flag(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() not in ("0", "false", "no", "off")


class _RangeError(Exception):
    """The range begins behind the end."""


def _refuse_unspeakable(uri: str, key: str) -> None:
    if _UNSPEAKABLE.search(key):
        raise SourceError(uri, "a key with an empty, '.' or '..' part or with control characters cannot be asked for")


@lru_cache(maxsize=64)
def _store(access: S3Access, bucket: str) -> S3Store:
    """A client, kept with its connections; used by any number of threads. Its own retries are off: see _repeated."""
    try:
        from obstore.store import S3Store
    except ModuleNotFoundError:
        raise MissingExtraError("s3", "reading s3://") from None
    keys: Any = {}
    if access.access_key and access.secret_key:
        keys = {
            "access_key_id": access.access_key.get_secret_value(),
            "secret_access_key": access.secret_key.get_secret_value(),
        }
        if access.session_token:
            keys["token"] = access.session_token.get_secret_value()
    elif not access.ambient:
        keys = {"skip_signature": True}
    endpoint = access.endpoint or (None if access.ambient else access.place)
    if endpoint:
        keys["endpoint"] = endpoint
    return S3Store(
        bucket,
        region=access.region,
        virtual_hosted_style_request=not access.path_style,
        client_options={
            "allow_http": access.place.startswith("http://"),
            "allow_invalid_certificates": not access.verify_tls,
            "timeout": timedelta(seconds=access.request_timeout_s),
            "connect_timeout": timedelta(seconds=min(5.0, access.request_timeout_s)),
        },
        retry_config={
            "max_retries": 0,
            "retry_timeout": timedelta(seconds=access.request_timeout_s),
            "backoff": {"init_backoff": timedelta(0), "max_backoff": timedelta(0), "base": 2},
        },
        **keys,
    )


def _repeated(request: Callable[[], T], place: str, access: S3Access, deadline: float | None) -> T:
    """What a request gives, asked for again when it failed for a reason that may pass. Raises SourceError."""
    pause = _FIRST_PAUSE_S
    for attempt in range(RETRIES + 1):
        if deadline is not None and time.monotonic() > deadline:
            raise SourceConnectionError(place, f"there was no time left to ask the object store at {access.place}")
        try:
            return request()
        except Exception as problem:
            translated = _translated(problem, place, access)
            last = attempt == RETRIES or not isinstance(translated, SourceConnectionError)
            wait = pause * random.uniform(0.5, 1.0)  # noqa: S311 (spreads retries)
            if last or (deadline is not None and time.monotonic() + wait + access.request_timeout_s > deadline):
                raise translated from None
            time.sleep(wait)
            pause *= 3
    raise AssertionError("unreachable")


def _translated(problem: Exception, place: str, access: S3Access) -> Exception:
    """A store's error in the words of the project; its text, which may hold anything, is left out."""
    name, text = type(problem).__name__, str(problem)
    found = _CODE.search(text)
    code = found[1] if found else name
    if isinstance(problem, SourceError):
        return problem
    if isinstance(problem, FileNotFoundError):
        return SourceNotFoundError(place, "no such bucket" if code == "NoSuchBucket" else "no such object")
    if name in ("PermissionDeniedError", "UnauthenticatedError"):
        way_out = "check its keys and what they may read" if access.access_key else "no keys are set"
        return SourceDeniedError(place, f"the object store at {access.place} refuses ({code}); {way_out}")
    if name == "PreconditionError":
        return SourceChangedError(place, "it was replaced while it was read")
    status = _STATUS.search(text)
    if status and status[1] == "416":
        return _RangeError()
    if name == "InvalidPathError":
        return SourceError(place, "a key below it has an empty, '.' or '..' part; name the folders beside it")
    if name != "GenericError":
        return SourceError(place, f"the object store client gives up ({name})")
    if status and int(status[1]) < 500 and int(status[1]) not in _TRANSIENT:
        return SourceError(place, f"the object store at {access.place} answers {status[1]} ({code})")
    kind = _KIND.search(text)
    how = f"answers {status[1]}" if status else _WORDS.get(kind[1] if kind else "", "broke off")
    return SourceConnectionError(place, f"the object store at {access.place} {how}; check that it is up")


_WORDS = {"Connect": "cannot be reached", "Timeout": "does not answer in time"}
