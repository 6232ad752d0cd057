"""Values of files in one short line, for `repr`."""

from __future__ import annotations

from typing import Any

MAX_CHARACTERS = 60


def short_repr(value: Any) -> str:
    """The `repr` of a value, cut to about MAX_CHARACTERS; of a long text or list, only the start is formatted."""
    start = value[:MAX_CHARACTERS] if isinstance(value, (str, list, tuple)) and len(value) > MAX_CHARACTERS else value
    text = repr(start)
    return text if start is value and len(text) <= MAX_CHARACTERS + 2 else f"{text[:MAX_CHARACTERS]}…"
