"""CloudEvents over HTTP, and what may be wrapped around an event's data.

The few lines that are needed of the format stand here, so that neither release of the CloudEvents library, of which
the platform brings the older, is needed. Source: CloudEvents 1.0, HTTP protocol binding and JSON format.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EventError

REQUIRED = ("specversion", "id", "source", "type")
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """Attributes and extensions as text, and the data as it came. Has the members that the platform's events have."""

    attributes: dict[str, str]
    data: Any

    def get_attributes(self) -> dict[str, str]:
        """All attributes and extensions."""
        return dict(self.attributes)

    def get_data(self) -> Any:
        """The payload."""
        return self.data


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> CloudEvent:
    """The event of a request, in binary or structured mode. Raises EventError for what is no CloudEvent.

    Header values are left as they are: whether a percent sign is one or begins a code is not known here.
    """
    lowered = {name.lower(): value for name, value in headers}
    content_type = lowered.get("content-type", "").partition(";")[0].strip().lower()
    attributes = {name[3:]: _header_text(value) for name, value in lowered.items() if name.startswith("ce-")}
    if content_type == BATCH:
        raise EventError("batches of CloudEvents are not accepted; send one a request")
    data: Any
    if attributes:
        if content_type:
            attributes.setdefault("datacontenttype", content_type)
        is_json = content_type == "application/json" or content_type.endswith("+json")
        data = _json_or_text(body, is_json=is_json) if body else None
    else:
        attributes, data = _structured(body)
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise EventError(f"not a CloudEvent: {', '.join(missing)} missing")
    if not attributes["specversion"].startswith("1."):
        raise EventError("a CloudEvent of another version than 1.0")
    return CloudEvent(attributes, data)


def unwrapped(attributes: Mapping[str, Any], data: Any) -> tuple[dict[str, Any], Any]:
    """The event inside of an event: `vastde functions invoke` sends headers and the whole envelope as body.

    What the outer attributes lack is taken from the envelope.
    """
    merged = {str(name): value for name, value in attributes.items() if value is not None}
    for _ in range(4):  # nobody wraps deeper
        if not (isinstance(data, Mapping) and "specversion" in data and ("data" in data or "data_base64" in data)):
            break
        for name, value in data.items():
            if name not in ("data", "data_base64") and isinstance(value, (str, int)):
                merged.setdefault(str(name), value)
        data = decoded(data["data"] if "data" in data else _from_base64(data["data_base64"]))
    return merged, data


def decoded(data: Any) -> Any:
    """Data that came as text or bytes, as the JSON that it is; what is none stays as it is."""
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
        raise EventError("not a CloudEvent: neither ce- headers nor a JSON envelope") from None
    if not isinstance(envelope, dict):
        raise EventError("not a CloudEvent: the JSON is no envelope")
    data = envelope.get("data")
    if data is None and envelope.get("data_base64") is not None:
        data = decoded(_from_base64(envelope["data_base64"]))
    attributes = {}
    for name, value in envelope.items():
        if name in ("data", "data_base64") or value is None:
            continue
        if not isinstance(value, (str, int)):
            raise EventError("not a CloudEvent: an attribute is neither text nor a number")
        attributes[name] = str(value)
    return attributes, data


def _from_base64(text: Any) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (ValueError, TypeError):
        raise EventError("data_base64 is not base64") from None


def _json_or_text(body: bytes, *, is_json: bool) -> Any:
    data = decoded(body)
    if is_json and isinstance(data, bytes):
        raise EventError("the data is no JSON, as its content-type says")
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data


def _header_text(value: str) -> str:
    """A header's value, whose bytes the server took for Latin-1, as UTF-8 where it is that."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
