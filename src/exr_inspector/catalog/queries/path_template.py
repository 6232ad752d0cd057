"""Where show, shot and layer stand in a path, as a template: `{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**`.

A template describes the end of a path, from the beginning of any folder on. `{field}` is some text without a slash,
`{field:pattern}` one that a shell pattern matches, `*` any text without a slash, `**` any text. What stands between
them is there as it is; what stands in brackets may be there.
"""

from __future__ import annotations

import re

from ...errors import SettingsError

FIELDS = ("show", "sequence", "shot", "task", "layer", "version", "name")

_TOKEN = re.compile(
    r"\{(?P<field>[^{}:]*)(?::(?P<pattern>[^{}]*))?\}|(?P<sign>\*\*|\*|\[|\])|(?P<text>[^*{}\[\]]+)|.", re.S
)
_SIGNS = {"**": ".+", "*": "[^/]*", "[": "(?:", "]": ")?"}
_NEVER = r"[^\s\S]"


def field_patterns(template: str) -> dict[str, str]:
    """For each of FIELDS a regular expression, in the words of RE2, whose one group is that field of a path.

    One that the template does not name never matches. Raises SettingsError, naming what is wrong.
    """
    pieces: list[tuple[str, str]] = []  # the field or "", and its expression
    for token in _TOKEN.finditer(template.strip("/")):
        if token["field"] is not None:
            pieces.append((_known(token["field"], template, pieces), _shell(token["pattern"])))
        elif token["sign"]:
            pieces.append(("", _SIGNS[token["sign"]]))
        elif token["text"]:
            pieces.append(("", re.escape(token["text"])))
        else:
            raise SettingsError(f"path template {template!r}: a {token[0]} without its other half")
    if not _brackets_close(template):
        raise SettingsError(f"path template {template!r}: a bracket without its other half")
    named = {field for field, _ in pieces if field}
    if not named:
        raise SettingsError(f"path template {template!r} names no field; it may name {', '.join(FIELDS)}")
    return {field: _expression(pieces, field) if field in named else _NEVER for field in FIELDS}


def _brackets_close(template: str) -> bool:
    depth = 0
    for sign in template:
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            return False
    return depth == 0


def _known(field: str, template: str, before: list[tuple[str, str]]) -> str:
    if field not in FIELDS:
        raise SettingsError(f"path template {template!r}: {{{field}}} is none of {', '.join(FIELDS)}")
    if any(field == other for other, _ in before):
        raise SettingsError(f"path template {template!r} names {{{field}}} twice")
    return field


def _shell(pattern: str | None) -> str:
    if pattern is None:
        return "[^/]+?"
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign)) for sign in pattern)


def _expression(pieces: list[tuple[str, str]], field: str) -> str:
    body = "".join(f"({piece})" if name == field else piece for name, piece in pieces)
    return f"(?s)(?:^|/){body}$"
