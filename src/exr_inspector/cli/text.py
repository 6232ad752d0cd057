"""Text that is safe to show, and database values as text."""

from __future__ import annotations

import json
import re
from typing import Any

from ..inspection.json_form import base64_text, json_float
from ..inspection.model import timestamp_text

# What can steer a terminal or turn the order of its text round: C0 and C1 controls, line separators, bidi marks. Also
# surrogates, which stand for bytes of a file name that are no UTF-8.
_STEERING = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_UNCLEAN = re.compile(f"[{_STEERING}\ud800-\udfff]")
UNCLEAN_IN_LINES = re.compile(f"(?![\r\n\t])[{_STEERING}]")


def clean(text: str, most: int = 0) -> str:
    """Text in one line that cannot steer a terminal, cut to `most` characters."""
    text = _UNCLEAN.sub(_named, text)
    return text if not most or len(text) <= most else text[: most - 1] + "…"


def _named(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else "�"


def plain(value: Any) -> Any:
    """A database value as strict JSON knows it."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return json_float(value, single=False)
    if isinstance(value, (bytes, bytearray)):
        return base64_text(bytes(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "astimezone"):
        return timestamp_text(value)
    return str(value)


def plain_text(value: Any) -> str:
    """A database value as one piece of text."""
    shown = plain(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
