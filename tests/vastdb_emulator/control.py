"""The control URL: faults and request log for tests that run in another process. Not signed.

POST /_emulator/faults      {"action": "drop", "operation": "commit", "after_effect": true}
GET  /_emulator/requests    {"request_count": 3, "requests": [{"method": …}], "faults": [{…, "hits": 1}]}
POST /_emulator/reset       forgets log and faults; the data stays
"""

import json
from typing import Any

from .errors import bad_request, not_found
from .faults import Fault, Recorder, make_fault
from .messages import Answer, Request

PREFIX = "/_emulator/"


def answer(recorder: Recorder, request: Request) -> Answer:
    """Carry out a control request; answers JSON."""
    match request.method, request.raw_path.removeprefix(PREFIX):
        case "POST", "faults":
            recorder.add(_fault(request.body))
        case "GET", "requests":
            return _json(recorder.as_json())
        case "POST", "reset":
            recorder.clear_requests()
            recorder.clear_faults()
        case _:
            raise not_found("control command", f"{request.method} {request.raw_path}")
    return _json({"ok": True})


def _fault(body: bytes) -> Fault:
    try:
        options = json.loads(body)
        return make_fault(options.pop("action"), **options)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad_request(f"this is no fault: {error!r}") from error


def _json(value: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})
