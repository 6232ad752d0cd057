"""Arguments that are not converted by typer have the values that typer would give them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import pytest
import typer

from exr_inspector.cli.quick_arguments import convert_quickly


class Color(str, Enum):
    RED = "red"
    DEEP_BLUE = "deep-blue"


def command(results: list):
    def run(
        name: str,
        others: Annotated[list[str] | None, typer.Argument()] = None,
        color: Color = Color.RED,
        maybe: Color | None = None,
        text: str | None = None,
        number: Annotated[int, typer.Option(min=1)] = 3,
        seconds: float = 0,
        flag: bool = False,
        many: Annotated[list[str] | None, typer.Option()] = None,
        upper: Annotated[str, typer.Option(callback=lambda value: value.upper())] = "a",
        verbose: Annotated[int, typer.Option("-v", count=True)] = 0,
    ) -> None:
        results.append((name, others, color, maybe, text, number, seconds, flag, many, upper, verbose))

    app = typer.Typer(add_completion=False)
    app.command()(run)
    return typer.main.get_command(app)


def outcome(words: list[str], *, quick: bool):
    results: list = []
    program = command(results)
    if quick:
        convert_quickly(program)
    try:
        program.main(words, standalone_mode=False)
    except typer.TyperException as error:
        return type(error), error.format_message()
    return [(value, type(value)) for value in results[0]]


@pytest.mark.parametrize(
    "words",
    [
        "x",
        "x y z --color deep-blue --maybe red --text 7 --number 5 --seconds 1.5 --flag --many a --many b --upper q -vv",
        "x --color RED",
        "x --number 0",
        "x --number five",
        "x --seconds 2",
        "",
    ],
)
def test_values_and_errors_are_those_of_typer(words):
    assert outcome(words.split(), quick=True) == outcome(words.split(), quick=False)
