"""Text that is safe to print, and database values as JSON and as text."""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from ..inspection.json_form import base64_text, json_float
from ..inspection.model import timestamp_text
from ..inspection.value_text import shortened
from ..sources.uris import display_path, parse

# Characters that control a terminal, reorder its text or are invisible: C0 and C1 controls, line separators, marks of
# direction, zero-width characters, tags. Surrogates are escaped as well: they stand for bytes of a file name that are
# not UTF-8.
_UNSAFE_RANGES = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_UNSAFE_RANGES}\ud800-\udfff]")
_UNSAFE_IN_LINES = re.compile(f"(?![\n\t])[{_UNSAFE_RANGES}]")
# What a spreadsheet reads as the beginning of a formula, after OWASP's page on CSV injection.
_FORMULA = re.compile("[=+\\-@\t\r\n＝＋－＠]")


def clean(text: str, max_length: int = 0) -> str:
    """Text in one line without unsafe characters, which are escaped as in Python, cut to `max_length` characters."""
    text = _UNSAFE.sub(_escape, text)
    return shortened(text, max_length) if max_length else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean_lines(text: str) -> str:
    """Text in lines that end with LF, such as JSON or CSV, with unsafe characters escaped as in JSON."""
    return _UNSAFE_IN_LINES.sub(_json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def without_formula(text: str) -> str:
    """Text that no spreadsheet reads as a formula: an apostrophe is put before the beginning of one."""
    return f"'{text}" if _FORMULA.match(text) else text


def json_cell(value: Any) -> Any:
    """A database value in strict JSON: no NaN, bytes in base64, times in ISO 8601, decimals as numbers."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Decimal):  # also the type of sum() in DuckDB
        return int(value) if value == value.to_integral_value() else float(value)
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
    """A database value as text; lists and structs as JSON, decimals with all digits."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    shown = json_cell(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)


def uri_reference(uri: str) -> str:
    """The URI reference of a file or sequence (RFC 3986), relative if it is below the working folder."""
    scheme, name = parse(uri)
    path = _relative(name) if scheme == "file" else f"//{name}"
    encoded = quote(os.fsencode(path))
    return encoded if scheme == "file" else f"{scheme}:{encoded}"


def short_path(uri: str) -> str:
    """A local path without file://, relative if it is below the working folder; other URIs as they are."""
    return _relative(display_path(uri))


def _relative(path: str) -> str:
    return path.removeprefix(f"{os.getcwd()}/")
