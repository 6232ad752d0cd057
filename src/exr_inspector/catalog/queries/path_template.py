"""Path templates: the positions of show, shot and layer, as `{show}/{sequence:sq*}/{shot:sh*}/{task}[/{layer}]/**`.

A template describes the end of a path, starting at any folder. `{field}` is text without a slash, `{field:pattern}`
text that matches a shell pattern, `*` any text without a slash, `**` any text. Brackets enclose optional text; other
text is literal.
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
    """A regular expression of RE2 for each of FIELDS, with that field of a path as its only group.

    Expressions of fields that are not in the template never match. Raises SettingsError for an invalid template.
    """
    pieces: list[tuple[str, str]] = []  # the field or "", and its expression
    for token in _TOKEN.finditer(template.strip("/")):
        if token["field"] is not None:
            pieces.append((_checked_field(token["field"], template, pieces), _shell(token["pattern"])))
        elif token["sign"]:
            pieces.append(("", _SIGNS[token["sign"]]))
        elif token["text"]:
            pieces.append(("", re.escape(token["text"])))
        else:
            raise SettingsError(f"path template {template!r}: unbalanced {token[0]}")
    if not _brackets_close(template):
        raise SettingsError(f"path template {template!r}: unbalanced brackets")
    named = {field for field, _ in pieces if field}
    if not named:
        raise SettingsError(f"path template {template!r} has no field; the fields are {', '.join(FIELDS)}")
    return {field: _expression(pieces, field) if field in named else _NEVER for field in FIELDS}


def _brackets_close(template: str) -> bool:
    depth = 0
    for sign in template:
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            return False
    return depth == 0


def _checked_field(field: str, template: str, before: list[tuple[str, str]]) -> str:
    if field not in FIELDS:
        raise SettingsError(f"path template {template!r}: {{{field}}} is not one of {', '.join(FIELDS)}")
    if any(field == other for other, _ in before):
        raise SettingsError(f"path template {template!r} has {{{field}}} twice")
    return field


def _shell(pattern: str | None) -> str:
    if pattern is None:
        return "[^/]+?"
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(sign, re.escape(sign)) for sign in pattern)


def _expression(pieces: list[tuple[str, str]], field: str) -> str:
    body = "".join(f"({piece})" if name == field else piece for name, piece in pieces)
    return f"(?s)(?:^|/){body}$"
