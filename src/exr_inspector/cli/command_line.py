"""The command line of a run, as reports name it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

from ..inspection.value_text import shortened

if TYPE_CHECKING:
    import typer

_MOST_PATHS = 20
_MOST_CHARACTERS = 4_000


def command_line(context: typer.Context) -> str:
    """The command with the options and paths that were given, quoted for a shell; of many paths, the first ones."""
    options: list[str] = []
    paths: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name not in context.params:  # as -q and -v are not
            continue
        texts = list(_texts(context.params[name]))
        if parameter.param_type_name == "argument":
            paths += texts
        else:
            options += [word for text in texts for word in (parameter.opts[-1], *([text] if text else []))]
    words = [*context.command_path.split(), *options, *(["--"] if any(path.startswith("-") for path in paths) else [])]
    line = shlex.join([*words, *paths[:_MOST_PATHS]])
    if (more := len(paths) - _MOST_PATHS) > 0:
        line += f" # and {more:,} more"
    return shortened(line, _MOST_CHARACTERS)


def _texts(value: object) -> Iterator[str]:
    """The words of a value; of a flag, an empty one."""
    if isinstance(value, (list, tuple)):
        yield from (str(each) for each in value)
    elif isinstance(value, bool):
        yield from [""] if value else []
    elif value is not None:
        yield str(value.value if isinstance(value, Enum) else value)
