"""Values of a header as one line of text, as all commands print them, and texts that show where two values differ."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..exr import Attribute, Channel
from .json_form import base64_text, json_value

_LONGEST = 200  # characters; of longer values the text around the first difference is shown
_BYTES_PER_CHARACTER = 8  # of a text, at most
_BEFORE, _FROM = 20, 40  # characters around a difference
_OPAQUE_TYPES = frozenset({"bytes", "idmanifest", "preview"})
_WINDOW_TYPES = frozenset({"box2f", "box2i"})


def region_text(window: Sequence[int]) -> str:
    """The pixels of a window: xMin, yMin, xMax, yMax."""
    left, top, right, bottom = window
    return f"x {left}–{right}, y {top}–{bottom}"


def value_text(attribute: Attribute) -> str:
    """The whole value; of data that people cannot read, its size."""
    value, attr_type = attribute.value, attribute.attr_type
    if value is None or attr_type in _OPAQUE_TYPES:
        size = f"{value.width}×{value.height}, " if attr_type == "preview" and value is not None else ""
        return f"{attr_type}, {size}{attribute.size_bytes} bytes"
    if attr_type in ("string", "timecode"):
        return str(value)
    if attr_type == "rational":
        return f"{value.numerator}/{value.denominator}"
    shown = json_value(attr_type, value)
    if isinstance(shown, dict):
        return "  ".join(f"{key} {item}" for key, item in shown.items())
    if attr_type in _WINDOW_TYPES:
        return f"[{','.join(map(str, shown))}]"
    if attr_type == "stringvector":
        return " ".join(shown)
    if isinstance(shown, list):
        return " ".join(map(str, shown)).replace("[", "(").replace("]", ")")
    return str(shown)


def whole_text(attribute: Attribute) -> str:
    """The whole value, also of other data: text lists, ID manifests and channel lists as JSON, bytes in base64."""
    if attribute.value is None or attribute.attr_type in ("bytes", "preview"):
        return base64_text(attribute.raw)
    if attribute.attr_type in ("chlist", "idmanifest", "stringvector"):
        return json.dumps(json_value(attribute.attr_type, attribute.value), ensure_ascii=False)
    return value_text(attribute)


def shortened(text: str, max_length: int) -> str:
    """The text, or its beginning and `…`: at most `max_length` characters."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"


def plural(count: int, noun: str) -> str:
    """The noun, as it stands after a count."""
    return noun if count == 1 else f"{noun}s"


def sampled_type(channel: Channel) -> str:
    """The pixel type of a channel, with its sampling unless every pixel has a sample."""
    kind = channel.channel_type or "unknown type"
    if (channel.x_sampling, channel.y_sampling) == (1, 1):
        return kind
    return f"{kind} 1/{channel.x_sampling}×1/{channel.y_sampling}"


def differing_texts(a: Attribute | None, b: Attribute | None, *, whole: bool = False) -> tuple[str | None, str | None]:
    """The texts of two attributes that are not equal, which differ, too; None for one that is absent.

    Long texts are cut, unless `whole`.
    """
    if a is None or b is None:
        return None if a is None else _text(a, whole), None if b is None else _text(b, whole)
    if a.attr_type != b.attr_type:
        return f"{a.attr_type} {_text(a, whole, quoted=True)}", f"{b.attr_type} {_text(b, whole, quoted=True)}"
    if not whole and (_is_surely_long(a) or _is_surely_long(b)):
        return _texts_at_difference(a, b)
    texts = value_text(a), value_text(b)
    if texts[0] == texts[1] or (not whole and max(map(len, texts)) > _LONGEST):
        return _texts_at_difference(a, b)
    if any(text != text.strip() or not text for text in texts):
        return _quoted(a, texts[0]), _quoted(b, texts[1])
    return texts


def _text(attribute: Attribute, whole: bool, *, quoted: bool = False) -> str:
    """The text of one attribute; if it is long, its beginning or its size."""
    if not whole and attribute.attr_type != "string" and _is_surely_long(attribute):
        return f"{attribute.attr_type}, {attribute.size_bytes} bytes"
    text = _quoted(attribute, value_text(attribute)) if quoted else value_text(attribute)
    return text if whole or len(text) <= _LONGEST else f"{text[:_FROM]}… ({len(text):,} characters)"


def _is_surely_long(attribute: Attribute) -> bool:
    """Whether the text is known to be long without making it; it may have millions of numbers."""
    is_long = attribute.size_bytes > _LONGEST * _BYTES_PER_CHARACTER
    return is_long and attribute.attr_type not in _OPAQUE_TYPES and attribute.value is not None


def _quoted(attribute: Attribute, text: str) -> str:
    return f'"{text}"' if attribute.attr_type == "string" else text


def _texts_at_difference(a: Attribute, b: Attribute) -> tuple[str, str]:
    """The size of each of two values of one type, the first byte that differs, and the data around it."""
    at = _first_difference(a.raw, b.raw)
    if a.attr_type == "string":
        texts = _text_at(a, at), _text_at(b, at)
        if texts[0] != texts[1]:
            return texts
    return _bytes_at(a, at), _bytes_at(b, at)


def _first_difference(a: bytes, b: bytes) -> int:
    """The position of the first byte that differs, or else the length of the shorter one."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _text_at(attribute: Attribute, at: int) -> str:
    start = max(at - _BEFORE, 0)
    around = attribute.raw[start : at + _FROM].decode("utf-8", "replace")
    ends = "" if at + _FROM >= len(attribute.raw) else "…"
    return f"{_where(attribute, at)}: {'…' if start else ''}{around}{ends}"


def _bytes_at(attribute: Attribute, at: int) -> str:
    around = attribute.raw[at : at + _BEFORE].hex(" ") or "end"
    return f"{attribute.attr_type}, {_where(attribute, at)}: {around}{'…' if at + _BEFORE < len(attribute.raw) else ''}"


def _where(attribute: Attribute, at: int) -> str:
    return f"{attribute.size_bytes:,} bytes, from byte {at:,}"
