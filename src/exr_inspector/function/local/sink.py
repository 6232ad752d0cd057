"""Results sent as events to the next function or broker (K_SINK), as the platform's runtime does."""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..envelope import CloudEvent

log = logging.getLogger(__name__)

_MIN_TIMEOUT_S = 1.0
# Not encoded in headers by the CloudEvents HTTP binding: printable ASCII without space, quote and percent.
_SAFE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """The receiver of results."""

    url: str
    source: str  # attribute of the events that it receives
    extensions: Mapping[str, str]  # further attributes

    def post(self, event: CloudEvent, result: dict[str, Any], *, timeout_s: float) -> None:
        """Send a result as an event with the id of the handled one. Raises nothing: an error is logged."""
        try:
            headers = {f"ce-{name}": quote(value, safe=_SAFE) for name, value in self._attributes(event).items()}
            headers["content-type"] = "application/json"
            request = urllib.request.Request(self.url, json.dumps(result).encode(), headers, method="POST")  # noqa: S310
            with urllib.request.urlopen(request, timeout=max(timeout_s, _MIN_TIMEOUT_S)):  # noqa: S310 (from K_SINK)
                pass
        except Exception as error:
            log.warning("the sink did not accept a result: %s", type(error).__name__)

    def _attributes(self, event: CloudEvent) -> dict[str, str]:
        received = event.get_attributes()
        attributes = {
            "specversion": "1.0",
            "id": received["id"],
            "source": self.source,
            "type": "vastdata.com:Function",
        }
        attributes |= {name: received[name] for name in ("subject", "partitionkey", "traceparent") if name in received}
        return attributes | dict(self.extensions)


def sink_of_environment() -> Sink | None:
    """The sink that K_SINK, K_NAME and K_CE_OVERRIDES describe; None without K_SINK."""
    url = os.environ.get("K_SINK")
    if not url:
        return None
    try:
        overrides = json.loads(os.environ.get("K_CE_OVERRIDES") or "{}")["extensions"]
        extensions = {str(name): str(value) for name, value in overrides.items()}
    except (ValueError, KeyError, TypeError, AttributeError):  # none, or malformed
        extensions = {}
    name = os.environ.get("K_NAME", "exr-inspector")
    return Sink(url=url, source=f"vastdata.com:{name}", extensions=extensions)
