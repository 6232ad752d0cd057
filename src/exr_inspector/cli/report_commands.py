"""The command that runs named queries: report."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import SettingsError
from .options import Catalog, Format, Output, OutputFormat


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(report)


def report(
    name: Annotated[
        str | None, typer.Argument(help="Which report; without one, what there is.", show_default=False)
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; can be given several times.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the query, with what its parameters mean.")] = False,
    catalog: Catalog = None,
    how: OutputFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Answer a question about the catalog, or list the questions and their parameters."""
    from ..catalog import open_catalog
    from ..catalog.queries.named import as_arrow, named_queries, named_query
    from ..settings import settings
    from .output import data_stream, print_to, say, write_table

    if name is None and how is Format.TABLE:
        from .tables import query_lines

        with data_stream(output) as stream:
            print_to(stream, *query_lines(named_queries().values()), wide=True)
        return
    if name is None:
        write_table(as_arrow(named_queries().values()), how, output)
        return
    query = named_query(name)
    if sql:
        with data_stream(output) as stream:
            stream.write(query.sql.encode())
        return
    given = _assignments(param or [])
    query.bind(given)  # what is wrong with the parameters is said before a catalog is looked for
    with open_catalog(catalog or settings().catalog, read_only=True) as opened:
        rows = query.run(opened, given)
    if how is not Format.TABLE:
        write_table(rows, how, output)
        return
    if not rows.num_rows:
        say(query.empty)
    from .tables import report_lines

    with data_stream(output) as stream:
        if rows.num_rows:
            lines, width = report_lines(rows)
            print_to(stream, *lines, wide=True, least=width)


def _assignments(words: list[str]) -> dict[str, str]:
    given = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise SettingsError(f"--param {word}: give it as NAME=VALUE")
        given[name] = value
    return given
