"""The command db coverage."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .amounts import duration_s
from .exit_codes import ExitCode, FailOn, Severity, exit_code
from .options import (
    NO_FILES,
    CatalogUri,
    Exclude,
    FilesFrom,
    Format,
    Include,
    MinAge,
    NulSeparated,
    Output,
    OutputFormat,
    Paths,
    Wait,
    given_paths,
    open_catalog,
    selection,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.text import Text

    from ..ingestion.coverage import Coverage

_NAMED = 5  # paths that are repeated in messages

_COUNTS = {
    "listed": "files below the paths, without young ones",
    "stored": "in the catalog as they are now",
    "failed": "in the catalog as unreadable",
    "changed": "in the catalog in another version",
    "missing": "not in the catalog",
    "young": "changed less than --min-age ago",
}


def coverage(
    paths: Paths = None,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    min_age: MinAge = "10m",
    at_least: Annotated[
        float, typer.Option("--at-least", metavar="PERCENT", min=0, max=100, help="Exit with 1 below this rate.")
    ] = 99,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output_format: OutputFormat = Format.TABLE,
    output: Output = None,
) -> int:
    """Compare the files below paths with the catalog: how many of them it has as they are now.

    The persistence rate is the stored share of the listed files, in percent. No file is read.
    """
    from ..ingestion.coverage import coverage as compare
    from .output import data_stream, print_message, print_note, print_to, write_table
    from .text import clean

    given = given_paths(paths, files_from, nul_separated=nul_separated)
    min_age_s = duration_s(min_age, "--min-age")
    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        result = compare(given, opened, min_age_s=min_age_s, selection=selection(exclude, include))
    for error in result.first_errors:
        print_message(clean(str(error)))
    if not (result.listed or result.young or result.first_errors):
        print_message(
            f"{', '.join(given[:_NAMED])}: {NO_FILES}; if it should have some, check that the disk is mounted"
        )
        return ExitCode.USAGE
    if result.percent is None:
        print_note("nothing was compared, so there is no rate")
    if output_format is Format.TABLE:
        with data_stream(output) as stream:
            print_to(stream, *_lines(result, given, opened.uri))
    else:
        write_table(_as_arrow(result), output_format, output)
    worst = Severity.ERROR if result.percent is not None and result.percent < at_least else Severity.NONE
    return exit_code(worst, FailOn.ERROR, failed=bool(result.errors), misused=bool(result.unmatched))


def _lines(result: Coverage, paths: Sequence[str], catalog: str) -> Iterator[Text]:
    from rich.text import Text

    from ..catalog import is_vast
    from .text import clean, short_path

    for name, meaning in _COUNTS.items():
        yield Text(f"{name:<8} {getattr(result, name):>12,}  {meaning}")
    yield Text(f"rate     {_percent(result):>12}  stored of listed")
    for name, uris in (("missing", result.first_missing), ("changed", result.first_changed)):
        for uri in uris:
            yield Text(f"{name}: {clean(short_path(uri))}")
        if rest := getattr(result, name) - len(uris):
            yield Text(f"… and {rest:,} more {name}")
    if result.missing or result.changed:
        named = shlex.join(paths) if len(paths) <= _NAMED else "PATHS"
        catalog = catalog.partition("?")[0] if is_vast(catalog) else catalog  # a snapshot is not written to
        yield Text(clean(f"store them: exr-inspector ingest {named} --catalog {shlex.quote(catalog)}"))


def _percent(result: Coverage) -> str:
    """The rate; 100 % only if all files are stored."""
    if result.percent is None:
        return "–"
    return f"{result.percent if result.stored == result.listed else min(result.percent, 99.999):.3f}%"


def _as_arrow(result: Coverage) -> pa.Table:
    import pyarrow as pa

    row = {name: getattr(result, name) for name in _COUNTS}
    row |= {"not_listed": result.errors, "rate_percent": result.percent, "first_missing": result.first_missing}
    row["first_changed"] = result.first_changed
    types = {name: pa.int64() for name in row}
    types |= {
        "rate_percent": pa.float64(),
        "first_missing": pa.list_(pa.string()),
        "first_changed": pa.list_(pa.string()),
    }
    return pa.Table.from_pylist([row], pa.schema(list(types.items())))
