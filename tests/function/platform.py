"""Events as the platform hands them over, in the shape that a real log shows."""

from collections.abc import Mapping
from typing import Any


class ElementEvent:
    """An element event: a look-alike with the members that were observed, which raise where the real ones do."""

    def __init__(
        self, bucket: str, key: str, *, subtype: str = "ElementCreated", name: str = "ObjectCreated:Put"
    ) -> None:
        self._attributes = {
            "specversion": "1.0",
            "id": "1004356627333135",
            "source": "vastdata.com:exr-landed.b45a6820-410c-457a-ac1b-035a102b5d05",
            "type": f"vastdata.com:Element.{subtype}",
            "time": "2026-04-08T15:41:29.591955Z",
            "subject": "vast-broker-engine-broker.main",
            "elementpath": f"{bucket}/{key}",
            "elementhandle": "8025198034623744117",
            "elementsourcetype": "vast:s3",
            "knativekafkaoffset": "135498",
        }
        self.type, self.subtype = "Element", subtype
        self.bucket, self.object_key = bucket, key
        self.extensions = {"elementpath": f"{bucket}/{key}"}
        self._data: Any = {"Records": [record(bucket, key, name)]}

    def get_attributes(self) -> Mapping[str, str]:
        return dict(self._attributes)

    def get_data(self) -> Any:
        return self._data

    def as_element_event(self) -> "ElementEvent":
        return self

    def as_schedule_event(self) -> None:
        raise TypeError("not a schedule event")


class WrappedElementEvent(ElementEvent):
    """The same as `vastde functions invoke` sends it: the whole envelope comes as data."""

    def get_data(self) -> Any:
        return {**self._attributes, "data": self._data}


def record(bucket: str, key: str, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    """One record of a notification, as VAST writes it."""
    return {
        "eventVersion": "2.2",
        "eventSource": "vast:s3",
        "eventTime": "2026-04-08T15:41:29.591955Z",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 52428800, "eTag": "1d61"}},
    }
