"""Parameters of a query, declared in the comments at its head, and the values that are bound to them.

    -- param path text = *: one line per parameter; a parameter without default is required

Kinds: text, integer, number, timestamp, list (separated by commas), path (a path, URI or pattern of files, with the
fields `$path.prefix` and `$path.regex`), file (a path or file_id, with `$file.given` and `$file.uri`), template (a path
template, with a field for each of its fields: `$template.show`), or a choice such as `a|b`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ...defaults import PATH_TEMPLATE
from ...errors import SettingsError
from ...sources.patterns import uri_condition
from ...sources.uris import normalize_path
from .path_template import field_patterns

_PARAMETER = re.compile(r"-- param (\w+) ([\w|]+)(?: (=) ?(.*?))?: (.+)")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a query."""

    name: str
    kind: str
    default: str | None  # None for a required parameter
    meaning: str

    def value(self, text: str) -> Any:
        """The value to bind, converted from text. Raises SettingsError for text of another kind."""
        if "|" in self.kind:
            if text in self.kind.split("|"):
                return text
            raise SettingsError(f"parameter {self.name}: {text!r} is not one of {self.kind.replace('|', ', ')}")
        try:
            return _KINDS[self.kind](text)
        except (ValueError, OverflowError):
            raise SettingsError(f"parameter {self.name}: {text!r} is not of the kind {self.kind}") from None


def declared_parameters(sql: str) -> tuple[Parameter, ...]:
    """The parameters that the comments at the head of SQL declare. Raises ValueError for an invalid declaration."""
    return tuple(_parse(line) for line in head_lines(sql) if line.startswith("-- param "))


def head_lines(sql: str) -> list[str]:
    """The comments at the head of SQL; empty lines may precede them."""
    return list(itertools.takewhile(lambda line: line.startswith("--"), sql.lstrip().splitlines()))


def _parse(line: str) -> Parameter:
    match = _PARAMETER.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r}: expected -- param NAME KIND = DEFAULT: MEANING")
    name, kind, default = match[1], match[2], match[4] if match[3] else None
    if "|" not in kind and kind not in _KINDS:
        raise ValueError(f"{line!r}: the kind {kind} is not one of {', '.join(_KINDS)}, or a choice such as a|b")
    return Parameter(name=name, kind=kind, default=default, meaning=match[5])


def query_values(sql: str, given: Mapping[str, str], *, path_template: str = PATH_TEMPLATE) -> dict[str, Any]:
    """The values of the parameters that SQL declares; others that it has are text. Raises SettingsError."""
    try:
        parameters = {parameter.name: parameter for parameter in declared_parameters(sql)}
    except ValueError as error:
        raise SettingsError(str(error)) from None
    for name in given:
        if name not in parameters and re.search(rf"\${re.escape(name)}\b", sql):
            parameters[name] = Parameter(name=name, kind="text", default=None, meaning="")
    return bind("the query", parameters.values(), given, path_template=path_template)


def bind(
    owner: str, parameters: Iterable[Parameter], given: Mapping[str, str], *, path_template: str = PATH_TEMPLATE
) -> dict[str, Any]:
    """The value of each parameter, converted from text; `path_template` replaces empty templates.

    Raises SettingsError, which names the parameter, and the owner of the parameters.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise SettingsError(f"{owner} has no parameter {name!r}; it has {names}")
    missing = [p.name for p in known.values() if p.default is None and p.name not in given]
    if missing:
        raise SettingsError(f"{owner} needs a value for {', '.join(missing)}")
    texts = {p.name: given.get(p.name, p.default or "") for p in known.values()}
    return {
        p.name: p.value(texts[p.name] or path_template if p.kind == "template" else texts[p.name])
        for p in known.values()
    }


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > _LARGEST:
        raise OverflowError
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _timestamp(text: str) -> datetime:
    """The time in UTC without a zone, as in the tables."""
    moment = datetime.now(timezone.utc) if text == "now" else datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo is None else moment.astimezone(timezone.utc).replace(tzinfo=None)


def _list(text: str) -> list[str]:
    return [item for item in map(str.strip, text.split(",")) if item]


def path_value(patterns: Iterable[str]) -> dict[str, str]:
    """The value of a parameter of the kind path, for the files that one of the patterns selects."""
    return uri_condition(patterns)._asdict()


def _file(text: str) -> dict[str, str]:
    return {"given": text, "uri": normalize_path(text)}


_KINDS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "integer": _integer,
    "number": _number,
    "timestamp": _timestamp,
    "list": _list,
    "path": lambda text: path_value([text]),
    "file": _file,
    "template": field_patterns,
}
