"""Envelopes of AWS around S3 events: messages of SQS and SNS, and events of EventBridge.

Sources: the documentation of AWS Lambda ("Using Lambda with Amazon SQS", "… with Amazon SNS") and of Amazon S3
("EventBridge event message structure").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .envelope import decode_json

_EVENT_NAMES = {
    "Object Created": "ObjectCreated",
    "Object Deleted": "ObjectRemoved",
    "Object Tags Added": "ObjectTagging",
    "Object Tags Deleted": "ObjectTagging",
}


def message_of(value: Mapping[str, Any]) -> Any:
    """The content of an SQS or SNS message, or of a record with one; None for anything else."""
    sns = value.get("Sns")
    envelope = sns if isinstance(sns, Mapping) else value
    if envelope.get("Type") == "Notification" and "Message" in envelope:
        return decode_json(envelope["Message"])
    if value.get("eventSource") == "aws:sqs" and "body" in value:
        return decode_json(value["body"])
    return None


def detail_of(payload: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Name of the change, bucket and key in an EventBridge event, or in its detail alone; None for anything else.

    The name is that of a record of an S3 notification; keys are not encoded.
    """
    detail = payload.get("detail") if "detail-type" in payload else payload
    if not isinstance(detail, Mapping):
        return None
    bucket, entry = detail.get("bucket"), detail.get("object")
    if not isinstance(bucket, Mapping) or not isinstance(entry, Mapping):
        return None
    name, key = bucket.get("name"), entry.get("key")
    if not (isinstance(name, str) and isinstance(key, str) and name and key):
        return None
    inferred = "Object Deleted" if "deletion-type" in detail else "Object Created"
    change = str(payload.get("detail-type", inferred))
    return _EVENT_NAMES.get(change, change), name, key
