"""Shell patterns of texts as regular expressions: `*` for any text, `?` for a character, `[a-z]`, `[!a-z]`.

Other than in patterns of paths, slashes are characters as any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..frames.patterns import escaped_set

_TOKEN = re.compile(
    r"(?P<stars>\*+)|(?P<one>\?)|\[(?P<negated>!|(?!!))(?P<set>\][^\]]*|[^\]]+)\]|(?P<literal>.)", re.DOTALL
)
_NOTHING, _ANYTHING = r"[^\s\S]", r"[\s\S]"


def compiled(glob: str) -> re.Pattern[str]:
    """What the texts of a pattern match in full. The cost is at most the length of the text times the pattern's.

    The first match of a segment is kept, as all matches of a segment have the same length.
    """
    first, *others = segments(glob)
    if not others:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?=(?P<s{n}>.*?{segment}))(?P=s{n})" for n, segment in enumerate(others[:-1]))
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)


def re2_expression(globs: Iterable[str]) -> str:
    """The expression of RE2 that the texts of some of the patterns match in full."""
    return "(?s)" + "|".join(f"(?:{'.*'.join(segments(glob))})" for glob in globs)


def segments(glob: str) -> list[str]:
    """The expressions between stars."""
    found = [""]
    for token in _TOKEN.finditer(glob):
        if token["stars"]:
            found.append("")
        elif token["one"]:
            found[-1] += "."
        elif token["set"] is not None:
            found[-1] += _one_of(token["set"], is_negated=bool(token["negated"]))
        else:
            found[-1] += re.escape(token["literal"])
    return found


def _one_of(characters: str, *, is_negated: bool) -> str:
    escaped = escaped_set(characters)
    text = f"[^{escaped}]" if is_negated else f"[{escaped}]"
    try:
        re.compile(text)
    except re.error:  # a range whose end is before its start, which no character is in
        return _ANYTHING if is_negated else _NOTHING
    return text
