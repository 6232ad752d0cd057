"""Events of a file, such as dead letters, handled one after the other as if they were delivered again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from ...errors import EventError, RedeliveryError, SettingsError, SourceNotFoundError
from ...sources.local import unreadable
from .. import results
from ..envelope import CloudEvent, from_http
from ..events import event_id
from ..handler import handle
from .context import read_yaml

MAX_EVENT_BYTES = 1 << 20  # the platform's limit for a message
_FIRST_LINES = 10  # that show whether a file has an event in each line


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The result of an event; `number` counts lines or entries from 1, `is_pending` events to be replayed again."""

    number: int
    event_id: str
    result: dict[str, Any]
    is_pending: bool = False

    @property
    def status(self) -> str:
        """The status of the result, or `pending`, or `gone` if its only errors are files that no longer exist."""
        if self.is_pending:
            return "pending"
        files = self.result.get("results", [self.result])  # not all of them in a result that was cut
        categories = {file.get("category") for file in files if file["status"] == "error"}
        is_gone = categories == {SourceNotFoundError.category} and "results_left_out" not in self.result
        return "gone" if is_gone else str(self.result["status"])


def replay(path: str, ctx: Any) -> Iterator[Replayed]:
    """Handle the events of a file: JSON lines, or a JSON or YAML document with an event or a list of events.

    Raises SourceError if the file cannot be read, SettingsError if it is another document.
    """
    for number, text in _texts(path):
        try:
            event = _event(text)
        except EventError as error:
            yield Replayed(number=number, event_id="", result=results.failed(error))
            continue
        try:
            result = handle(ctx, event)
            yield Replayed(number=number, event_id=event_id(event), result=result, is_pending=_is_not_stored(result))
        except RedeliveryError as error:
            (result,) = error.result if isinstance(error.result, list) else [results.failed(error)]
            yield Replayed(number=number, event_id=event_id(event), result=result, is_pending=True)


def _is_not_stored(result: Mapping[str, Any]) -> bool:
    """Whether files were inspected without a catalog to store them in."""
    files = result.get("results", [result])
    return any(file["status"] == "success" and file["persistence"]["status"] == "skipped" for file in files)


def _texts(path: str) -> Iterator[tuple[int, bytes]]:
    """The JSON text of each event, with its number."""
    try:
        with open(path, "rb") as file:
            is_empty = next(_lines(file), None) is None
            file.seek(0)
            if is_empty or _has_json_lines(file):
                file.seek(0)
                yield from _lines(file)
                return
        document = read_yaml(path)
    except OSError as error:
        raise unreadable(path, error) from None
    events = document if isinstance(document, list) else [document]
    if not all(isinstance(event, dict) for event in events):
        raise SettingsError(f"{path}: expected events, as JSON lines, or as a JSON or YAML document")
    for number, event in enumerate(events, 1):
        yield number, json.dumps(event, default=str).encode()


def _has_json_lines(file: BinaryIO) -> bool:
    """Whether the first line is an object; or, if it is damaged, one of the next that nothing else encloses."""
    objects = [_is_object(line) for _, line in islice(_lines(file), _FIRST_LINES)]
    return objects[:1] == [True] or any(map(all, zip(objects, [*objects[1:], True], strict=False)))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers; of a longer line, the first MAX_EVENT_BYTES + 1 bytes."""
    number = 0
    while line := file.readline(MAX_EVENT_BYTES + 1):
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_EVENT_BYTES)
        if line.strip():
            yield number, line


def _event(text: bytes) -> CloudEvent:
    """The event of a JSON object: a CloudEvent, the data of one, or a Kafka message with either. Raises EventError."""
    if len(text) > MAX_EVENT_BYTES:
        raise EventError(f"the event is larger than {MAX_EVENT_BYTES} bytes")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise EventError("the line is not JSON") from None
    if not isinstance(event, dict):
        raise EventError("the event is not a JSON object")
    if "specversion" in event:
        return from_http((), text)
    if isinstance(payload := event.get("payload"), str) and "topic" in event:
        return _from_kafka(event, payload)
    return CloudEvent({}, event)


def _from_kafka(message: Mapping[str, Any], payload: str) -> CloudEvent:
    """The event of a message as `kcat -J` prints it: a binary CloudEvent has its attributes in a flat list."""
    headers = message.get("headers")
    texts = [str(header) for header in headers] if isinstance(headers, list) else []
    pairs = zip(texts[::2], texts[1::2], strict=False)
    attributes = {name.removeprefix("ce_"): value for name, value in pairs if name.startswith("ce_")}
    if attributes:
        return from_http(((f"ce-{name}", value) for name, value in attributes.items()), payload.encode())
    return _event(payload.encode())
