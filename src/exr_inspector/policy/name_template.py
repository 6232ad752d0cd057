"""Templates of file names, such as `{show}_{shot:sh*}_v{version:3}.{frame:4}.exr`.

`{field}` is a text up to the character that follows it, `{field:3}` three digits, `{field:sh*}` a text that matches a
shell pattern. Other text is literal.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

from .globs import segments

_TOKEN = re.compile(r"\{(?P<field>[a-z_]{1,40})(?::(?P<format>[^{}]*))?\}|(?P<literal>[^{}]+)|(?P<other>.)", re.DOTALL)
_MAX_FIELDS = 20


def _checked(template: str) -> str:
    name_expression(template)
    return template


NameTemplate = Annotated[str, Field(max_length=500), AfterValidator(_checked)]


@lru_cache(maxsize=64)
def name_expression(template: str) -> re.Pattern[str]:
    """What names of a template match in full. Raises ValueError."""
    tokens = list(_TOKEN.finditer(template))
    fields = [token["field"] for token in tokens if token["field"]]
    if len(fields) > _MAX_FIELDS or len(fields) != len(set(fields)):
        raise ValueError(f"expected at most {_MAX_FIELDS} fields, each once")
    pieces = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token["other"]:
            raise ValueError(f"unbalanced {token['other']}; fields are {{name}}, {{name:4}} for digits or {{name:sh*}}")
        if token["literal"]:
            pieces.append(re.escape(token["literal"]))
        else:
            pieces.append(_field(token, following))
    return re.compile("".join(pieces), re.DOTALL)


def _field(token: re.Match[str], following: re.Match[str] | None) -> str:
    """The expression of a field. It ends where the next text begins, so that no two fields share characters."""
    text = token["format"] or "*"
    if text.isascii() and text.isdigit():
        return f"[0-9]{{{min(int(text), 255)}}}"
    if following is not None and following["field"]:
        raise ValueError(f"expected text between {token[0]} and {following[0]}")
    end = re.escape(following["literal"][0]) if following else ""
    some = f"[^/{end}]"
    return f"{some}+" if text == "*" else f"{some}*".join(segments(text))
