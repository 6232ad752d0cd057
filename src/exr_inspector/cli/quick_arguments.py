"""Takes arguments that need no conversion as they are: typer imports pydantic to convert any, which takes long."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any


def convert_quickly(command: Any) -> None:
    """Let a command of typer, and its subcommands, take such arguments as they are; typer converts the others."""
    get_params = command.get_params

    def get_quick_params(context: Any) -> Any:
        params = get_params(context)  # with --help, which is made here
        for param in params:
            if "process_value" not in vars(param):
                param.process_value = _quick(param, param.process_value)
        return params

    command.get_params = get_quick_params
    for each in getattr(command, "commands", {}).values():
        convert_quickly(each)


def _quick(param: Any, convert: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method `process_value` of a parameter; `convert` is that of typer."""
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)

    def process_value(context: Any, value: Any) -> Any:
        if value is None and not param.required:
            value = () if param.multiple or param.nargs == -1 else None
        elif isinstance(kind, type) and issubclass(kind, Enum) and value in {member.value for member in kind}:
            value = kind(value)
        elif not _is_of(kind, value):
            return convert(context, value)
        return param.callback(context, param, value) if param.callback else value

    return process_value


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value has the type of its parameter already."""
    if kind == list[str]:
        return isinstance(value, (list, tuple)) and {*map(type, value)} == {str}
    return type(value) is kind
