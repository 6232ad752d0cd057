"""Events of every format as FileEvents: one pure function per format.

Must not read files or the environment, and must not repeat the content of an event in an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import unquote, unquote_plus

from ..errors import EventError
from ..sources.selection import EXTENSIONS, has_exr_extension
from ..sources.uris import object_uri
from .aws_messages import detail_of, message_of
from .envelope import MAX_NESTING, decode_json, unwrapped

_NO_FILE = "names no file: it has neither Records, nor a bucket and key, nor a path"

# Fields of an event that name the database, each with the prefix vastdb_.
DATABASE_FIELDS = ("endpoint", "access_key", "secret_key", "region", "bucket", "schema")


class Kind(Enum):
    """The change of a file that an event reports."""

    CREATED = "created"
    REMOVED = "removed"
    SKIPPED = "skipped"  # no file to inspect; see `reason`
    INVALID = "invalid"  # malformed; see `reason`


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parts of the result that a caller requests."""

    meta: bool = True
    stats: bool = False
    deep_stats: bool = False
    validate: bool = False
    policy_path: str | None = None

    @property
    def wants_pixels(self) -> bool:
        """Whether statistics of pixels are requested."""
        return self.stats or self.deep_stats


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEvent:
    """One file of an event."""

    kind: Kind
    paths: tuple[str, ...] = ()  # candidate paths or URIs; the first that exists counts
    reason: str = ""
    options: Options = field(default_factory=Options)


def file_events(event: Any) -> list[FileEvent]:
    """The files that one event names; at least one entry, SKIPPED or INVALID if it names no file. Never raises."""
    try:
        return from_direct_call(event) if is_plain(event) else from_platform_event(event)
    except EventError as error:
        return [_invalid(str(error))]


def event_id(event: Any) -> str:
    """The id that the sender gave the event; empty without one."""
    value = event.get("id") if isinstance(event, Mapping) else None
    if not is_plain(event):
        attributes = _call(event, "get_attributes")
        value = attributes.get("id") if isinstance(attributes, Mapping) else _member(event, "id")
    return value if isinstance(value, str) else ""


def database_fields(event: Any) -> dict[str, str]:
    """The values of DATABASE_FIELDS in an event or its data. Raises EventError for values that are not strings."""
    payload: Any = event
    if not is_plain(event):
        payload = _call(event, "get_data")
    fields: dict[str, str] = {}
    for _ in range(3):  # the event, the envelope around its data, its data
        payload = decode_json(payload)
        if not isinstance(payload, Mapping):
            break
        for name in DATABASE_FIELDS:
            if name not in fields and (value := payload.get(f"vastdb_{name}")) is not None:
                if not isinstance(value, str):
                    raise EventError(f"vastdb_{name} must be a string")
                fields[name] = value
        payload = payload.get("data")
    return {name: value for name, value in fields.items() if value}


def from_direct_call(event: Any) -> list[FileEvent]:
    """A plain dict: `{"data": {"path": …}}`, or the JSON of any other format."""
    if not isinstance(event, Mapping):
        return [_invalid("the event is not a JSON object")]
    if "specversion" in event:
        return from_cloud_event({name: value for name, value in event.items() if name != "data"}, event.get("data"))
    for payload in (decode_json(event.get("data")), event):
        if isinstance(payload, Mapping) and (files := _from_payload(payload, Kind.CREATED)):
            return files
    return [_invalid(f"the event {_NO_FILE}")]


def from_path(data: Mapping[str, Any]) -> FileEvent:
    """`{"path": …, "meta": true, "stats": false, "deep_stats": false, "validate": false, "policy_path": …}`."""
    try:
        path = _text(data, "path")
        if not path:
            raise EventError("data.path is empty")
        options = Options(
            meta=_flag(data, "meta", True),
            stats=_flag(data, "stats", False),
            deep_stats=_flag(data, "deep_stats", False),
            validate=_flag(data, "validate", False),
            policy_path=_text(data, "policy_path") or None,
        )
    except EventError as error:
        return _invalid(str(error))
    return FileEvent(kind=Kind.CREATED, paths=(path,), options=options)


def from_notification(payload: Mapping[str, Any], nesting: int = 0) -> list[FileEvent]:
    """An S3 notification with `Records`, or messages of SQS or SNS that contain one."""
    records = payload.get("Records")
    if not isinstance(records, Sequence) or isinstance(records, (str, bytes)):
        return [_invalid("Records is not a list")]
    if not records:
        return [_skipped("the notification has no records")]
    return [file for record in records for file in _from_record(record, nesting)]


def from_cloud_event(attributes: Mapping[str, Any], data: Any) -> list[FileEvent]:
    """A CloudEvent: DataEngine's element event, or one whose data is a notification, a path, or a bucket and key.

    The extension `elementpath` (bucket/key) takes precedence over records, whose keys may be encoded twice.
    """
    attributes, data = unwrapped(attributes, decode_json(data))
    kind, subtype = _vast_type(attributes.get("type"))
    payload = data if isinstance(data, Mapping) else {}
    bucket, _, key = str(attributes.get("elementpath") or "").partition("/")
    if bucket and key:
        return [_from_element(bucket, key, subtype, payload)]
    for inner in (payload, payload.get("data")):
        if isinstance(inner, Mapping) and (files := _from_payload(inner, _by_subtype(subtype))):
            return files
    if kind in _KINDS_WITHOUT_FILE:
        return [_skipped(f"{_KINDS_WITHOUT_FILE[kind]} names no file")]
    return [_invalid("the element event names no file: elementpath is missing" if kind else f"the event {_NO_FILE}")]


def from_platform_event(event: Any) -> list[FileEvent]:
    """An event object of the platform or of a CloudEvents library; its class does not matter.

    Any of its members may be missing or raise, depending on the release of the platform.
    """
    attributes: dict[str, Any] = {}
    for values in (_call(event, "get_attributes"), _member(event, "extensions")):
        if isinstance(values, Mapping):
            attributes = {str(name): value for name, value in values.items()} | attributes
    element = _call(event, "as_element_event") or event
    bucket, key = _member(element, "bucket"), _member(element, "object_key")
    if isinstance(bucket, str) and isinstance(key, str) and bucket and key:
        attributes.setdefault("elementpath", f"{bucket}/{key}")
    if not attributes.get("type"):
        kind, subtype = _member(event, "type"), _member(event, "subtype")
        attributes["type"] = f"{kind}.{subtype}" if subtype else str(kind or "")
    data = _call(event, "get_data")
    return from_cloud_event(attributes, _member(event, "data") if data is None else data)


def is_batch(event: Any) -> bool:
    """Whether it is several events: a list, or the platform's own list type."""
    if isinstance(event, (Mapping, str, bytes, bytearray)) or hasattr(event, "get_data"):
        return False
    return isinstance(event, Sequence) or (hasattr(event, "__len__") and hasattr(event, "__getitem__"))


def is_plain(event: Any) -> bool:
    """Whether an event consists of JSON values, as in a direct call; delivered events are objects."""
    return event is None or isinstance(event, (Mapping, list, str, int, float))


def _from_payload(payload: Mapping[str, Any], kind: FileEvent | Kind, nesting: int = 0) -> list[FileEvent]:
    """The files of a notification, a message, a bucket and key, or a path; empty for any other payload."""
    if "Records" in payload:
        return from_notification(payload, nesting)
    if (message := message_of(payload)) is not None:
        return _from_message(message, nesting)
    if detail := detail_of(payload):
        change, *bucket_and_key = detail
        return [_object_event(_by_event_name(change), bucket_and_key[0], bucket_and_key[1:])]
    for bucket_name, key_name in (("s3_bucket", "s3_key"), ("bucket", "key"), ("bucket", "object_key")):
        bucket, key = payload.get(bucket_name), payload.get(key_name)
        if isinstance(bucket, str) and isinstance(key, str):
            return [_object_event(kind, bucket, (key,))]
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
    keys = _unique(key, unquote(key), unquote_plus(key))
    record_key = _record_key(record)
    if record_key in keys:  # more reliable: unlike a header, a body is not encoded in transit
        keys = _unique(record_key, *keys)
    return _object_event(kind, bucket, keys)


def _from_message(message: Any, nesting: int) -> list[FileEvent]:
    """The files of the content of a message, which may be another envelope."""
    if nesting == MAX_NESTING:
        return [_invalid("envelopes are nested too deeply")]
    files = _from_payload(message, Kind.CREATED, nesting + 1) if isinstance(message, Mapping) else []
    return files or [_invalid(f"the message {_NO_FILE}")]


def _from_record(record: Any, nesting: int) -> list[FileEvent]:
    message = message_of(record) if isinstance(record, Mapping) else None
    return [_from_s3_record(record)] if message is None else _from_message(message, nesting)


def _from_s3_record(record: Any) -> FileEvent:
    name = record.get("eventName") if isinstance(record, Mapping) else None
    key, bucket = _record_key(record), _record_bucket(record)
    if not isinstance(name, str) or not name:
        return _invalid("a record has no eventName")
    if not key or not bucket:
        return _invalid("a record names no bucket and key")
    if "vast" in str(record.get("eventSource", "")):
        return _object_event(_by_event_name(name), bucket, _unique(key, unquote(key), unquote_plus(key)))
    # AWS and compatible stores encode keys as in HTML forms; some stores do not encode them.
    keys = _unique(unquote_plus(key), key) if _is_encoded(key) else (key,)
    return _object_event(_by_event_name(name), bucket, keys)


def _is_encoded(key: str) -> bool:
    """Whether a key may be encoded: it has no character that encoding would have replaced."""
    return key.isascii() and " " not in key and ("+" in key or unquote(key) != key)


def _record_key(record: Any) -> str:
    return _nested(record, "s3", "object", "key")


def _record_bucket(record: Any) -> str:
    return _nested(record, "s3", "bucket", "name")


def _nested(value: Any, *names: str) -> str:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _object_event(kind: FileEvent | Kind, bucket: str, keys: Sequence[str]) -> FileEvent:
    """The event of an object; SKIPPED if its name does not have the extension of an EXR file."""
    if isinstance(kind, FileEvent):
        return kind
    if not any(map(has_exr_extension, keys)):
        return _skipped(f"not an EXR file: its name does not end in {', '.join(EXTENSIONS)}", bucket, keys)
    return FileEvent(kind=kind, paths=tuple(object_uri(bucket, key) for key in keys))


def _by_event_name(name: str) -> FileEvent | Kind:
    """The change that `ObjectCreated:Put`, `s3:ObjectRemoved:Delete`, … report."""
    change = name.removeprefix("s3:").partition(":")[0]
    if change == "ObjectCreated":
        return Kind.CREATED
    if change in ("ObjectRemoved", "LifecycleExpiration"):
        return Kind.REMOVED
    return _unchanged(change)


def _by_subtype(subtype: str) -> FileEvent | Kind:
    """The change that `ElementCreated`, `ElementDeleted`, … report; a creation if empty."""
    if subtype in ("", "ElementCreated", "ObjectCreated"):
        return Kind.CREATED
    if subtype in ("ElementDeleted", "ElementRemoved", "ObjectRemoved", "ObjectDeleted"):
        return Kind.REMOVED
    return _unchanged(subtype)


def _unchanged(change: str) -> FileEvent:
    return _skipped("only tags changed" if "Tag" in change else "events of this type do not change files")


# Kinds of events of the platform that need not name a file.
_KINDS_WITHOUT_FILE = {"Schedule": "a schedule event", "Function": "another function's event"}


def _vast_type(text: Any) -> tuple[str, str]:
    """Kind and subtype of `vastdata.com:Element.ElementCreated`; empty for any other type."""
    kind, _, subtype = str(text or "").removeprefix("vastdata.com:").partition(".")
    return (kind, subtype) if kind == "Element" or kind in _KINDS_WITHOUT_FILE else ("", "")


def _call(event: Any, method: str) -> Any:
    """The result of a method; None if it is missing or raises anything."""
    try:
        return getattr(event, method)()
    except Exception:
        return None


def _member(event: Any, name: str) -> Any:
    """The value of a member; None if it is missing or raises anything, as properties of the platform's events do."""
    try:
        return getattr(event, name)
    except Exception:
        return None


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise EventError(f"data.{name} must be a string")
    return value


def _flag(data: Mapping[str, Any], name: str, default: bool) -> bool:
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise EventError(f"data.{name} must be true or false")
    return value


def _unique(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _invalid(reason: str) -> FileEvent:
    return FileEvent(kind=Kind.INVALID, reason=reason)


def _skipped(reason: str, bucket: str = "", keys: Sequence[str] = ()) -> FileEvent:
    paths = tuple(object_uri(bucket, key) for key in keys[:1])
    return FileEvent(kind=Kind.SKIPPED, reason=reason, paths=paths)
