"""Look-alikes of what DataEngine hands to a handler, held to what was observed of it.

The platform's events are CloudEvents of the library's 1.x generation, with members of its own that cut up `type`,
`source` and `elementpath` when they are asked, and raise where those are not of its grammar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudevents.v1.pydantic import CloudEvent, from_http

_OWN = "vastdata.com:"
_STANDARD = {"source", "id", "type", "specversion", "time", "subject", "datacontenttype", "dataschema"}


class VastEvent:
    """One event."""

    def __init__(self, event: CloudEvent) -> None:
        self._event = event
        int(self.id.replace("-", ""), 16)  # it seeds the trace id
        self._cut("subject", event.subject)

    @classmethod
    def from_http(cls, headers: Mapping[str, str], body: bytes) -> VastEvent:
        """As the platform's runtime does."""
        return cls(from_http(dict(headers), body))

    @property
    def id(self) -> str:
        return str(self._event.id)

    @property
    def type(self) -> str:
        """The kind only, as "Element"."""
        return self._of_type()[0]

    @property
    def subtype(self) -> str | None:
        return self._of_type()[1]

    @property
    def trigger(self) -> str:
        return self._cut("source", self._event.source)[0]

    @property
    def broker(self) -> str:
        return self._cut("subject", self._event.subject)[0]

    @property
    def extensions(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_attributes().items() if name not in _STANDARD}

    @property
    def data(self) -> Any:
        return self._event.data

    def get(self, name: str) -> Any:
        return self.get_attributes().get(name)

    def get_attributes(self) -> dict[str, Any]:
        return dict(self._event.get_attributes())

    def get_data(self) -> Any:
        return self._event.get_data()

    def as_element_event(self) -> ElementTriggerVastEvent:
        if self.type != "Element":
            raise TypeError(f"not an element event but {self.type}")
        return ElementTriggerVastEvent(self._event)

    def _of_type(self) -> tuple[str, str | None]:
        text = str(self._event.type)
        if not text.startswith(_OWN):
            raise ValueError(f"malformed vast event: type {text}")
        kind, _, subtype = text.removeprefix(_OWN).partition(".")
        return kind, subtype or None

    @staticmethod
    def _cut(name: str, text: Any) -> tuple[str, str]:
        first, dot, rest = str(text or "").removeprefix(_OWN).partition(".")
        if not dot:
            raise ValueError(f"malformed vast event: {name} {text}")
        return first, rest

    def __str__(self) -> str:
        return repr(self._event)


class ElementTriggerVastEvent(VastEvent):
    """An event of an object."""

    @property
    def bucket(self) -> str | None:
        return self._place()[0]

    @property
    def object_key(self) -> str | None:
        return self._place()[1]

    def as_element_event(self) -> ElementTriggerVastEvent:
        return self

    def _place(self) -> tuple[str | None, str | None]:
        path = self.extensions.get("elementpath")
        if path is None:
            return None, None
        bucket, _, key = path.partition("/")
        return bucket, key


class VastEventList:
    """Several events that are delivered at once: a sequence, and no list."""

    def __init__(self, events: Iterable[VastEvent]) -> None:
        self._events = list(events)

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: int) -> VastEvent:
        return self._events[index]
