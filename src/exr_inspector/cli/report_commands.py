"""Questions to a catalog in SQL: report, query."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import SettingsError
from .assignments import assignments
from .options import (
    CatalogUri,
    Columns,
    Format,
    Output,
    OutputFormat,
    RawCsv,
    Wait,
    Wide,
    open_catalog,
    path_template,
)

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.queries.named import NamedQuery

# Of a file, by the parameter `path`.
_IS_SELECTED = "starts_with(file_path_normalized, $path.prefix) AND regexp_matches(file_path_normalized, $path.regex)"

Parameters = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
]


def report(
    name: Annotated[
        str | None, typer.Argument(help="Name of the report. Without it, list all reports.", show_default=False)
    ] = None,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only files of the catalog that one of these paths, URIs or patterns selects.", show_default=False
        ),
    ] = None,
    param: Parameters = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL of the report, for `query @FILE`, instead of running it.")
    ] = False,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    columns: Columns = None,
    wide: Wide = False,
    raw_csv: RawCsv = False,
) -> None:
    """Run a named report on the catalog, or list all reports with their parameters.

    Reports of your own are the .sql files in the folder $EXR_INSPECTOR_REPORTS.
    """
    from ..catalog.queries.named import as_arrow, named_queries, named_query
    from ..settings import settings
    from .output import data_stream, is_terminal, print_to, write_table
    from .tables import query_lines, report_table

    own = _own_reports(settings().reports, name)
    if name is None or sql:
        what = "the list of reports" if name is None else "--sql"
        _reject(what, paths=paths, param=param, columns=columns, wide=wide)
    if name is None:
        queries = [*named_queries().values(), *own.values()]
        if output_format is not Format.TABLE:
            write_table(as_arrow(queries), output_format, output, raw_csv=raw_csv)
            return
        with data_stream(output) as stream:
            print_to(stream, *query_lines(queries, for_programs=not is_terminal(stream)))
        return
    query = named_query(name, own)
    if sql:
        with data_stream(output, escape=True) as stream:
            stream.write(query.sql.encode())
        return
    given = assignments(param, "--param", "at_least=2")
    parameters = query.bind({**given, **_path_text(query, paths, given)}, path_template=path_template())
    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        if paths:
            parameters["path"] = _path_value(opened, paths)
        rows = query.run_bound(opened, parameters)
        empty = query.empty if rows.num_rows else f"{query.empty}{_unmeasured(opened, query, parameters)}"
    write_table(
        rows,
        output_format,
        output,
        columns=columns,
        wide=wide,
        raw_csv=raw_csv,
        listing=report_table,
        empty=empty,
    )


def _unmeasured(catalog: Catalog, query: NamedQuery, parameters: Mapping[str, Any]) -> str:
    """For a report about equal pixels: how many of the selected files have no statistics in the catalog."""
    from ..inspection.value_text import plural

    if "pixel_digest" not in query.sql:
        return ""
    has_paths = isinstance(parameters.get("path"), dict)  # in reports of users it may be text
    selected, values = (_IS_SELECTED, {"path": parameters["path"]}) if has_paths else ("true", {})
    (count,) = catalog.sql(
        f"SELECT count(*) AS n FROM files WHERE is_current AND deleted_at IS NULL AND {selected} "  # noqa: S608
        "AND file_id NOT IN (SELECT file_id FROM part_stats)",
        values,
    )["n"].to_pylist()
    if not count:
        return ""
    return f"; {count:,} {plural(count, 'file')} without statistics, which `exr-inspector ingest --stats` computes"


def _reject(what: str, **options: object) -> None:
    """Raise SettingsError for options that are given but have no meaning."""
    given = [option if option == "paths" else f"--{option}" for option, value in options.items() if value]
    if given:
        raise SettingsError(f"{what} does not take {', '.join(given)}")


def _own_reports(folder: str, name: str | None) -> dict[str, NamedQuery]:
    """The reports of the setting. Files that are not reports are named on stderr: all, or the one of a name."""
    from ..catalog.queries.named import own_queries
    from .output import print_message

    if not folder:
        return {}
    queries, errors = own_queries(folder)
    for broken, error in errors.items():
        if name in (None, broken):
            print_message(f"exr-inspector: {error}")
    return queries


def _path_text(query: NamedQuery, paths: list[str] | None, given: dict[str, str]) -> dict[str, str]:
    """A text for the parameter `path` if there are paths. Raises SettingsError if the report has no use for them."""
    if not paths:
        return {}
    if not any((parameter.name, parameter.kind) == ("path", "path") for parameter in query.parameters):
        raise SettingsError(f"{query.name} takes no paths: it has no parameter path of the kind path")
    if "path" in given:
        raise SettingsError("paths and --param path exclude each other; give one of them")
    return {"path": paths[0]}


def _path_value(catalog: Catalog, paths: list[str]) -> dict[str, str]:
    """The value of the parameter `path`. Raises SettingsError if no file of the catalog is selected."""
    from ..catalog.queries.parameters import path_value
    from ..sources.uris import display_path

    found = "SELECT 1 FROM (SELECT file_path_normalized FROM files UNION ALL SELECT file_path_normalized "
    found += f"FROM ingest_errors) WHERE {_IS_SELECTED} LIMIT 1"
    value = path_value(paths)
    if not catalog.sql(found, {"path": value}).num_rows:
        examples = catalog.sql("SELECT file_path_normalized AS uri FROM files WHERE is_current ORDER BY 1 LIMIT 1")
        hint = f", for example, {display_path(examples['uri'][0].as_py())}" if examples.num_rows else " no files"
        raise SettingsError(f"no file of the catalog matches {', '.join(paths)}; it has{hint}")
    return value


def query(
    sql: Annotated[
        str,
        typer.Argument(
            help="A SQL query on the tables of the catalog (after -- if it begins with a comment), @FILE, or - for "
            "stdin.",
            show_default=False,
        ),
    ],
    param: Parameters = None,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
    columns: Columns = None,
    wide: Wide = False,
    raw_csv: RawCsv = False,
) -> None:
    """Run a read-only SQL query on the catalog.

    $NAME in the SQL is the value of --param NAME=VALUE: text, or what a comment at the head declares, as in the SQL
    that `report NAME --sql` prints.
    """
    from ..catalog.protocol import StoresDerived
    from ..catalog.queries.parameters import query_values
    from ..sequence.derived import missing_tables
    from .output import print_note, write_table

    text = _sql_text(sql)
    values = query_values(text, assignments(param, "--param", "at_least=2"), path_template=path_template())
    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        computed = missing_tables(opened, text, path_template())
        if computed and isinstance(opened, StoresDerived):
            print_note(f"{', '.join(computed)}: computed for this query; store up-to-date tables with db refresh")
        rows = opened.sql(text, values or None, computed)
    write_table(rows, output_format, output, columns=columns, wide=wide, raw_csv=raw_csv)


def _sql_text(given: str) -> str:
    """The SQL of the argument, of a file, or of stdin. Raises SettingsError."""
    try:
        if given == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(given[1:]).read_text("utf-8-sig") if given.startswith("@") else given
    except OSError as error:
        raise SettingsError(f"{given}: {error.strerror}; expected a file with SQL after the @") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{given}: not UTF-8; expected a text file with SQL") from None
