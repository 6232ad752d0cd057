"""Sending a result on, as the platform's runtime does where a following function or a broker is set (K_SINK)."""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.request
from typing import Any
from urllib.parse import quote

from ...settings import function_settings
from ..envelope import CloudEvent

log = logging.getLogger(__name__)

_LEAST_S = 1.0  # that a sink has, however long the event took
# What the CloudEvents HTTP binding leaves as it is in a header: printable ASCII but for space, quote and percent.
_PLAIN = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def post_to_sink(event: CloudEvent, result: dict[str, Any], *, began: float) -> None:
    """Send the result to K_SINK, as an event of the same id, in what is left of the time of an event that `began`.

    That nobody takes it is told, and no reason to fail.
    """
    sink = os.environ.get("K_SINK")
    if not sink:
        return
    try:
        headers = {f"ce-{name}": quote(value, safe=_PLAIN) for name, value in _attributes(event).items()}
        headers["content-type"] = "application/json"
        request = urllib.request.Request(sink, json.dumps(result).encode(), headers, method="POST")  # noqa: S310
        left = function_settings().deadline_s - (time.monotonic() - began)
        with urllib.request.urlopen(request, timeout=max(left, _LEAST_S)):  # noqa: S310 (the platform names the sink)
            pass
    except Exception as problem:
        log.warning("the sink did not take a result: %s", type(problem).__name__)


def _attributes(event: CloudEvent) -> dict[str, str]:
    given = event.get_attributes()
    attributes = {
        "specversion": "1.0",
        "id": given["id"],
        "source": f"vastdata.com:{os.environ.get('K_NAME', 'exr-inspector')}",
        "type": "vastdata.com:Function",
    }
    attributes |= {name: given[name] for name in ("subject", "partitionkey", "traceparent") if name in given}
    try:
        overrides = json.loads(os.environ.get("K_CE_OVERRIDES") or "{}")["extensions"]
        attributes |= {str(name): str(value) for name, value in overrides.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # there are none
    return attributes
