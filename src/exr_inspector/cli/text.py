"""Text that is safe to print, and database values as JSON and as text."""

from __future__ import annotations

import json
import re
from typing import Any

from ..inspection.json_form import base64_text, json_float
from ..inspection.model import timestamp_text

# Characters that control a terminal or reorder its text: C0 and C1 controls, line separators, bidi marks. Surrogates
# are escaped as well: they stand for bytes of a file name that are not UTF-8.
_CONTROLS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[{_CONTROLS}\ud800-\udfff]")
UNSAFE_IN_LINES = re.compile(f"(?![\r\n\t])[{_CONTROLS}]")


def clean(text: str, max_length: int = 0) -> str:
    """Text in one line without characters that control a terminal, cut to `max_length` characters."""
    text = _UNSAFE.sub(_escape, text)
    return text if not max_length or len(text) <= max_length else text[: max_length - 1] + "…"


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else "�"


def json_cell(value: Any) -> Any:
    """A database value in strict JSON: no NaN, bytes in base64, times in ISO 8601."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return json_float(value, single=False)
    if isinstance(value, (bytes, bytearray)):
        return base64_text(bytes(value))
    if isinstance(value, dict):
        return {str(key): json_cell(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_cell(item) for item in value]
    if hasattr(value, "astimezone"):
        return timestamp_text(value)
    return str(value)


def text_cell(value: Any) -> str:
    """A database value as text; lists and structs as JSON."""
    shown = json_cell(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
