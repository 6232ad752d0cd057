"""What comes in, whatever its flavour, as a list of FileEvents: one pure function for each flavour.

Nothing here reads a file or looks at the environment, and no text of an event gets into an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import unquote, unquote_plus

from ..errors import EventError
from ..sources.listing import EXTENSION
from .envelope import decoded, unwrapped

# What an event may say of the database, each with vastdb_ before it.
DATABASE_FIELDS = ("endpoint", "access_key", "secret_key", "region", "bucket", "schema")


class Kind(Enum):
    """What an event says of a file."""

    CREATED = "created"
    REMOVED = "removed"
    SKIPPED = "skipped"  # nothing to look at; `reason` says why
    INVALID = "invalid"  # it should name a file, and does not; `reason` says what is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a caller wants to know of a file."""

    meta: bool = True
    stats: bool = False
    deep_stats: bool = False
    validate: bool = False
    policy_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent:
    """One file, and what happened to it."""

    kind: Kind
    places: tuple[str, ...] = ()  # paths or URIs; the first one that is there is meant
    reason: str = ""
    options: Options = field(default_factory=Options)


def file_events(event: Any) -> list[FileEvent]:
    """The files that one event names; at least one entry, which says why where it names none. Never raises."""
    try:
        return from_direct_call(event) if is_plain(event) else from_platform_event(event)
    except EventError as problem:
        return [_invalid(str(problem))]


def event_id(event: Any) -> str:
    """What the sender calls the event; empty where it does not say."""
    found = event.get("id") if isinstance(event, Mapping) else None
    if not is_plain(event):
        attributes = _asked(event, "get_attributes")
        found = attributes.get("id") if isinstance(attributes, Mapping) else _member(event, "id")
    return found if isinstance(found, str) else ""


def database_fields(event: Any) -> dict[str, str]:
    """The database that an event names, by DATABASE_FIELDS: in the event, or in its data. Raises EventError."""
    payload: Any = event
    if not is_plain(event):
        payload = _asked(event, "get_data")
    found: dict[str, str] = {}
    for _ in range(3):  # the event, the envelope around its data, its data
        payload = decoded(payload)
        if not isinstance(payload, Mapping):
            break
        for name in DATABASE_FIELDS:
            if name not in found and (value := payload.get(f"vastdb_{name}")) is not None:
                if not isinstance(value, str):
                    raise EventError(f"vastdb_{name} has to be text")
                found[name] = value
        payload = payload.get("data")
    return {name: value for name, value in found.items() if value}


def from_direct_call(event: Any) -> list[FileEvent]:
    """A plain dict: `{"data": {"path": …}}`, or anything that would come over the wire."""
    if not isinstance(event, Mapping):
        return [_invalid("the event is no object")]
    if "specversion" in event:
        return from_cloud_event({name: value for name, value in event.items() if name != "data"}, event.get("data"))
    for payload in (decoded(event.get("data")), event):
        if isinstance(payload, Mapping) and (found := _from_payload(payload, Kind.CREATED)):
            return found
    return [_invalid("the event names no file: data.path is missing")]


def from_path(data: Mapping[str, Any]) -> FileEvent:
    """`{"path": …, "meta": true, "stats": false, "deep_stats": false, "validate": false, "policy_path": …}`."""
    try:
        place = _text(data, "path")
        if not place:
            raise EventError("data.path is empty")
        options = Options(
            meta=_flag(data, "meta", True),
            stats=_flag(data, "stats", False),
            deep_stats=_flag(data, "deep_stats", False),
            validate=_flag(data, "validate", False),
            policy_path=_text(data, "policy_path") or None,
        )
    except EventError as problem:
        return _invalid(str(problem))
    return FileEvent(kind=Kind.CREATED, places=(place,), options=options)


def from_notification(payload: Mapping[str, Any]) -> list[FileEvent]:
    """An S3 notification: one FileEvent for each of its `Records`."""
    records = payload.get("Records")
    if not isinstance(records, Sequence) or isinstance(records, (str, bytes)):
        return [_invalid("Records is no list")]
    if not records:
        return [_skipped("the notification has no records")]
    return [_from_record(record) for record in records]


def from_cloud_event(attributes: Mapping[str, Any], data: Any) -> list[FileEvent]:
    """A CloudEvent: DataEngine's element event, or one whose data is a notification, a path, or a bucket and key.

    The extension `elementpath` (bucket/key) goes before what the records say, as it is not encoded twice.
    """
    attributes, data = unwrapped(attributes, decoded(data))
    kind, subtype = _vast_type(attributes.get("type"))
    payload = data if isinstance(data, Mapping) else {}
    bucket, _, key = str(attributes.get("elementpath") or "").partition("/")
    if bucket and key:
        return [_from_element(bucket, key, subtype, payload)]
    for inner in (payload, payload.get("data")):
        if isinstance(inner, Mapping) and (found := _from_payload(inner, _by_subtype(subtype))):
            return found
    return [_skipped(f"{_KIND_NAMES.get(kind, 'the event')} names no file")]


def from_platform_event(event: Any) -> list[FileEvent]:
    """An event object as the platform hands it over, or as a CloudEvents library makes it; its class does not matter.

    What its members do when something is missing differs from release to release, so each is asked with care.
    """
    attributes: dict[str, Any] = {}
    for found in (_asked(event, "get_attributes"), _member(event, "extensions")):
        if isinstance(found, Mapping):
            attributes = {str(name): value for name, value in found.items()} | attributes
    element = _asked(event, "as_element_event") or event
    bucket, key = _member(element, "bucket"), _member(element, "object_key")
    if isinstance(bucket, str) and isinstance(key, str) and bucket and key:
        attributes.setdefault("elementpath", f"{bucket}/{key}")
    if not attributes.get("type"):
        kind, subtype = _member(event, "type"), _member(event, "subtype")
        attributes["type"] = f"{kind}.{subtype}" if subtype else str(kind or "")
    data = _asked(event, "get_data")
    return from_cloud_event(attributes, _member(event, "data") if data is None else data)


def is_batch(event: Any) -> bool:
    """Whether several events came at once: a list, or the platform's own kind of list."""
    if isinstance(event, (Mapping, str, bytes, bytearray)) or hasattr(event, "get_data"):
        return False
    return isinstance(event, Sequence) or (hasattr(event, "__len__") and hasattr(event, "__getitem__"))


def is_plain(event: Any) -> bool:
    """Whether an event is made of nothing but JSON values: then no platform delivered it."""
    return event is None or isinstance(event, (Mapping, list, str, int, float))


def _from_payload(payload: Mapping[str, Any], kind: FileEvent | Kind) -> list[FileEvent]:
    """A notification, a bucket and key, or a path; nothing where it is none of them."""
    if "Records" in payload:
        return from_notification(payload)
    for bucket_name, key_name in (("s3_bucket", "s3_key"), ("bucket", "key"), ("bucket", "object_key")):
        bucket, key = payload.get(bucket_name), payload.get(key_name)
        if isinstance(bucket, str) and isinstance(key, str):
            return [_stored(kind, bucket, (key,))]
    if "path" in payload:
        return [from_path(payload)]
    if payload.get("Event") == "s3:TestEvent":
        return [_skipped("a test event names no file")]
    return []


def _from_element(bucket: str, key: str, subtype: str, payload: Mapping[str, Any]) -> FileEvent:
    records = payload.get("Records")
    record = records[0] if isinstance(records, list) and len(records) == 1 else {}
    name = record.get("eventName") if isinstance(record, Mapping) else None
    kind = _by_event_name(name) if isinstance(name, str) and name else _by_subtype(subtype)
    keys = _once(key, unquote(key), unquote_plus(key))
    told = _record_key(record)
    if told in keys:  # a body is not encoded on the way, as a header may be
        keys = _once(told, *keys)
    return _stored(kind, bucket, keys)


def _from_record(record: Any) -> FileEvent:
    name = record.get("eventName") if isinstance(record, Mapping) else None
    key, bucket = _record_key(record), _record_bucket(record)
    if not isinstance(name, str) or not name:
        return _invalid("a record has no eventName")
    if not key or not bucket:
        return _invalid("a record names no bucket and key")
    if "vast" in str(record.get("eventSource", "")):
        return _stored(_by_event_name(name), bucket, _once(key, unquote(key), unquote_plus(key)))
    # AWS and those that follow it encode keys as forms do, some stores not at all
    return _stored(_by_event_name(name), bucket, _once(unquote_plus(key), key) if _is_encoded(key) else (key,))


def _is_encoded(key: str) -> bool:
    """Whether a key may be encoded: what encoding would have replaced does not occur in it."""
    return key.isascii() and " " not in key and ("+" in key or unquote(key) != key)


def _record_key(record: Any) -> str:
    return _nested(record, "s3", "object", "key")


def _record_bucket(record: Any) -> str:
    return _nested(record, "s3", "bucket", "name")


def _nested(value: Any, *names: str) -> str:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _stored(kind: FileEvent | Kind, bucket: str, keys: Sequence[str]) -> FileEvent:
    """What happened to an object, unless its name says that it is no EXR file."""
    if isinstance(kind, FileEvent):
        return kind
    if not any(key.lower().endswith(EXTENSION) for key in keys):
        return _skipped(f"not an EXR file: its name does not end in {EXTENSION}", bucket, keys)
    return FileEvent(kind=kind, places=tuple(f"s3://{bucket}/{key}" for key in keys))


def _by_event_name(name: str) -> FileEvent | Kind:
    """`ObjectCreated:Put`, `s3:ObjectRemoved:Delete`, …"""
    what = name.removeprefix("s3:").partition(":")[0]
    if what == "ObjectCreated":
        return Kind.CREATED
    if what in ("ObjectRemoved", "LifecycleExpiration"):
        return Kind.REMOVED
    if what == "ObjectTagging":
        return _skipped("tags changed, the file did not")
    return _skipped("an event of a kind that changes no file")


def _by_subtype(subtype: str) -> FileEvent | Kind:
    """`ElementCreated`, `ElementDeleted`, …; an event without one is taken for a creation."""
    if subtype in ("", "ElementCreated", "ObjectCreated"):
        return Kind.CREATED
    if subtype in ("ElementDeleted", "ElementRemoved", "ObjectRemoved", "ObjectDeleted"):
        return Kind.REMOVED
    if "Tag" in subtype:
        return _skipped("tags changed, the file did not")
    return _skipped("an event of a kind that changes no file")


_KIND_NAMES = {"Schedule": "a schedule event", "Function": "another function's event", "Element": "the element event"}


def _vast_type(text: Any) -> tuple[str, str]:
    """Kind and subtype of `vastdata.com:Element.ElementCreated`; empty where the type is another one."""
    kind, _, subtype = str(text or "").removeprefix("vastdata.com:").partition(".")
    return (kind, subtype) if kind in _KIND_NAMES else ("", "")


def _asked(event: Any, method: str) -> Any:
    try:
        return getattr(event, method)()
    except Exception:  # which ones, only the platform knows
        return None


def _member(event: Any, name: str) -> Any:
    try:
        return getattr(event, name)
    except Exception:  # properties of the platform's events raise where the event is not of its grammar
        return None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise EventError(f"data.{name} has to be text")
    return value


def _flag(data: Mapping[str, Any], name: str, default: bool) -> bool:
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise EventError(f"data.{name} has to be true or false")
    return value


def _once(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _invalid(reason: str) -> FileEvent:
    return FileEvent(kind=Kind.INVALID, reason=reason)


def _skipped(reason: str, bucket: str = "", keys: Sequence[str] = ()) -> FileEvent:
    places = tuple(f"s3://{bucket}/{key}" for key in keys[:1])
    return FileEvent(kind=Kind.SKIPPED, reason=reason, places=places)
