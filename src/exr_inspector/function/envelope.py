"""CloudEvents over HTTP, and envelopes nested in the data of an event.

Implemented here so that the function depends on no release of the CloudEvents library; the platform has an old one.
Source: CloudEvents 1.0, HTTP protocol binding and JSON format.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EventError

REQUIRED = ("specversion", "id", "source", "type")
MAX_NESTING = 4
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """Attributes and extensions as text, and the decoded data; has the same methods as the platform's events."""

    attributes: dict[str, str]
    data: Any

    def get_attributes(self) -> dict[str, str]:
        """All attributes and extensions."""
        return dict(self.attributes)

    def get_data(self) -> Any:
        """The payload."""
        return self.data


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> CloudEvent:
    """The event of a request, in binary or structured mode, or of an S3 notification, which stores such as MinIO send.

    Raises EventError for any other request.
    Header values are not percent-decoded: senders differ in whether they encode them.
    """
    lowered = {name.lower(): value for name, value in headers}
    content_type = lowered.get("content-type", "").partition(";")[0].strip().lower()
    attributes = {name[3:]: _header_text(value) for name, value in lowered.items() if name.startswith("ce-")}
    if content_type == BATCH:
        raise EventError("batches of CloudEvents are not supported; send one event per request")
    data: Any
    if attributes:
        if content_type:
            attributes.setdefault("datacontenttype", content_type)
        is_json = content_type == "application/json" or content_type.endswith("+json")
        data = _body_data(body, is_json=is_json) if body else None
    else:
        attributes, data = _structured(body)
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise EventError(f"not a CloudEvent: {', '.join(missing)} missing")
    if not attributes["specversion"].startswith("1."):
        raise EventError("unsupported specversion of the CloudEvent; send version 1.0")
    return CloudEvent(attributes, data)


def unwrapped(attributes: Mapping[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    """The attributes and data of the innermost event: `vastde functions invoke` sends a whole envelope as data.

    Attributes of an outer event take precedence.
    """
    merged = {str(name): value for name, value in attributes.items() if value is not None}
    for _ in range(MAX_NESTING):
        if not (isinstance(data, Mapping) and "specversion" in data and ("data" in data or "data_base64" in data)):
            break
        for name, value in data.items():
            if name not in ("data", "data_base64") and isinstance(value, (str, int)):
                merged.setdefault(str(name), value)
        data = decode_json(data["data"] if "data" in data else _from_base64(data["data_base64"]))
    return merged, data


def decode_json(data: Any) -> Any:
    """The JSON value of text or bytes; other data, and text that is not JSON, unchanged."""
    if isinstance(data, (str, bytes, bytearray)):
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return data
    return data


def _structured(body: bytes) -> tuple[dict[str, str], Any]:
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        raise EventError("not a CloudEvent: neither ce- headers nor a JSON envelope in the body") from None
    if not isinstance(envelope, dict):
        raise EventError("not a CloudEvent: the body is not a JSON object")
    if "Records" in envelope and "specversion" not in envelope:
        return _notification_attributes(body), envelope
    data = envelope.get("data")
    if data is None and envelope.get("data_base64") is not None:
        data = decode_json(_from_base64(envelope["data_base64"]))
    attributes = {}
    for name, value in envelope.items():
        if name in ("data", "data_base64") or value is None:
            continue
        if not isinstance(value, (str, int)):
            raise EventError("not a CloudEvent: an attribute is neither a string nor an integer")
        attributes[name] = str(value)
    return attributes, data


def _notification_attributes(body: bytes) -> dict[str, str]:
    """The required attributes of an S3 notification; its id is the same when it is sent again."""
    identifier = hashlib.sha256(body).hexdigest()[:32]
    return {"specversion": "1.0", "id": identifier, "source": "s3", "type": "s3.notification"}


def _from_base64(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise EventError("data_base64 is not base64") from None


def _body_data(body: bytes, *, is_json: bool) -> Any:
    data = decode_json(body)
    if is_json and isinstance(data, bytes):
        raise EventError("the data is not JSON, although the content-type declares it")
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data


def _header_text(value: str) -> str:
    """The value of a header, which servers decode as Latin-1, decoded as UTF-8 if possible."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
