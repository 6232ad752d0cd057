"""Commands that use a catalog: ingest, query, sequences, db, demo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ExrInspectorError, SettingsError
from .options import Catalog, FailOn, FailOnOption, Format, Output, OutputFormat, Paths

if TYPE_CHECKING:
    from ..catalog import Catalog as OpenCatalog
    from ..ingestion.run import IngestSummary

db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Create and look at the catalog itself.")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(ingest)
    app.command()(query)
    app.command()(sequences)
    app.add_typer(db, name="db")
    app.command()(demo)


def _uri(catalog: str | None) -> str:
    from ..settings import settings

    return catalog or settings().catalog


def open_catalog(catalog: str | None, *, read_only: bool = False) -> OpenCatalog:
    """The catalog that was asked for, or that of the settings."""
    from ..catalog import open_catalog

    return open_catalog(_uri(catalog), read_only=read_only)


def ingest(
    paths: Paths,
    catalog: Catalog = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes; 0 is one for each core.")] = None,
    rescan: Annotated[bool, typer.Option("--rescan", help="Look at unchanged files too.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Mark files that vanished as deleted.")] = False,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Inspect files and folders and persist them in the catalog; skips what is unchanged."""
    from ..ingestion.run import IngestOptions
    from ..ingestion.run import ingest as ingest_files
    from ..settings import settings
    from .progress import shown_progress

    values = settings()
    options = IngestOptions(
        workers=values.workers if workers is None else workers,
        rescan=rescan,
        prune=prune,
        batch_files=values.batch_files,
        cell_limit=values.cell_limit,
        limits=values.limits,
    )
    with open_catalog(catalog) as opened, shown_progress(paths) as progress:
        summary = ingest_files(paths, opened, options, progress)
    _tell(summary, opened.uri, prune)
    fine = ("complete",) if fail_on is FailOn.WARNING else ("complete", "unknown")
    if summary.failures:
        return 3
    return 1 if fail_on is not FailOn.NEVER and any(status not in fine for status in summary.completeness) else 0


def _tell(summary: IngestSummary, uri: str, prune: bool) -> None:
    from .output import say

    for failure in summary.failures:
        say(f"{failure.path}: {failure.message}")
    for path in summary.vanished[:20]:
        say(f"{path.removeprefix('file://')}: vanished")
    if len(summary.vanished) > 20:
        say(f"… and {len(summary.vanished) - 20} more vanished")
    if summary.vanished and not prune:
        say("--prune marks vanished files deleted")
    elif len(summary.vanished) > summary.pruned:
        say("nothing was marked deleted below a path where no file is left: is its disk mounted?")
    words = [f"{summary.inserted:,} new", f"{summary.unchanged:,} unchanged"]
    if summary.known:
        words.append(f"{summary.known:,} seen again")
    words += [f"{n:,} {status}" for status, n in sorted(summary.completeness.items()) if status != "complete"]
    if summary.failures:
        words.append(f"{len(summary.failures):,} unreadable")
    if summary.vanished:
        words.append(f"{len(summary.vanished):,} vanished")
    if summary.pruned:
        words.append(f"{summary.pruned:,} marked deleted")
    typer.echo(f"{summary.found:,} files: {', '.join(words)} → {uri}")


def query(
    sql: Annotated[str, typer.Argument(help="A SQL query over the tables of the catalog.", show_default=False)],
    catalog: Catalog = None,
    how: OutputFormat = Format.TABLE,
    output: Output = None,
) -> None:
    """Run SQL on the catalog, read-only."""
    from .output import write_table

    with open_catalog(catalog, read_only=True) as opened:
        write_table(opened.sql(sql), how, output)


def sequences(
    pattern: Annotated[
        str | None, typer.Argument(help="Part of a path, or a shell pattern.", show_default=False)
    ] = None,
    catalog: Catalog = None,
    how: OutputFormat = Format.TABLE,
    output: Output = None,
    fail_on: FailOnOption = FailOn.NEVER,
) -> int:
    """Show sequences: frame ranges, missing frames, damaged frames, and frames that differ from the rest."""
    from ..sequence.summary import sequence_reports
    from .output import data_stream, print_to, write_table

    with open_catalog(catalog, read_only=True) as opened:
        reports = sequence_reports(opened, pattern)
    if how is Format.TABLE:
        from .tables import sequence_lines

        with data_stream(output) as stream:
            for report in reports:
                print_to(stream, *sequence_lines(report))
    else:
        from ..sequence.summary import as_arrow

        write_table(as_arrow(reports), how, output)
    bad = any(report.missing or report.bad for report in reports)
    odd = any(report.odd for report in reports)
    return 1 if (bad and fail_on is not FailOn.NEVER) or (odd and fail_on is FailOn.WARNING) else 0


@db.command("create-schema")
def create_schema(catalog: Catalog = None) -> None:
    """Create the tables of the catalog; changes nothing where they are there."""
    with open_catalog(catalog) as opened:
        opened.ensure_schema()
        typer.echo(f"{opened.uri}: schema version {opened.status().schema_version}")


@db.command("status")
def status(catalog: Catalog = None) -> None:
    """Show the catalog's version, its row counts and its size."""
    with open_catalog(catalog, read_only=True) as opened:
        facts = opened.status()
    typer.echo(f"catalog              {facts.uri}")
    typer.echo(f"backend              {facts.server_version}")
    typer.echo(f"schema version       {facts.schema_version}")
    if facts.file_size_bytes is not None:
        typer.echo(f"size                 {facts.file_size_bytes:,} bytes")
    for table, rows in facts.row_counts.items():
        typer.echo(f"{table:<20} {rows:,} rows")
    for column, dimension in facts.vector_dimensions.items():
        typer.echo(f"{column:<20} {dimension} dimensions")


@db.command("verify")
def verify(catalog: Catalog = None) -> int:
    """Try out a VAST Database in a scratch schema that is removed again: a report of what holds and what it costs."""
    from datetime import datetime, timezone

    from .. import __version__
    from ..settings import vast_connection

    uri = _uri(catalog)
    if not uri.lower().startswith("vast://"):
        raise SettingsError(f"{uri} is no VAST catalog; db verify takes --catalog vast://BUCKET/SCHEMA")
    from ..vast_selftest import Check
    from ..vast_selftest import verify as try_out

    connection = vast_connection()  # after the import, which raises MissingExtraError

    def line(check: Check) -> None:
        word = {True: "ok", False: "FAILED", None: "found"}[check.passed]
        cost = f"{check.requests:4} requests {1000 * check.seconds:8,.0f} ms"
        typer.echo(f"{word:<7} {check.name:<40} {cost}  {check.detail}".rstrip())

    now = datetime.now(timezone.utc)
    typer.echo(f"exr-inspector {__version__}, {uri} at {connection.endpoint}, {now:%Y-%m-%d %H:%M} UTC")
    checks = try_out(uri, connection, line)
    failed = sum(check.passed is False for check in checks)
    typer.echo(f"{len(checks)} checks, {failed} failed")
    return 1 if failed else 0


def demo(
    folder: Annotated[str, typer.Argument(help="Where the show and its catalog go.")] = "demo",
) -> None:
    """Make a small show with real damage in it, ingest it, and ask what is wrong, what is alike and what it takes."""
    import os
    import shutil
    import sys
    from pathlib import Path

    from ..catalog.queries.named import named_query
    from ..demo import make_show
    from ..ingestion.run import ingest as ingest_files
    from ..search.similar import similar, subject
    from ..sequence.summary import sequence_reports
    from .output import data_stream, print_to
    from .tables import report_lines, sequence_lines, similar_lines

    root = Path(folder)
    catalog_path = root / "catalog.duckdb"
    try:
        paths = make_show(root / "show")
    except OSError as problem:
        raise ExrInspectorError(f"cannot write the show: {problem}") from None
    typer.echo(f"wrote {len(paths)} files below {root / 'show'}")
    with open_catalog(f"duckdb:{catalog_path}") as opened:
        summary = ingest_files([str(root / "show")], opened)
        _tell(summary, opened.uri, False)
        reports = sequence_reports(opened)
    typer.echo("")
    with data_stream(None) as stream:
        for report in reports:
            print_to(stream, *sequence_lines(report))
    beauty, storage = os.fspath(next(path for path in paths if "_beauty_" in path.name)), named_query("storage")
    with open_catalog(f"duckdb:{catalog_path}", read_only=True) as opened:
        alike = similar(opened, subject(opened, beauty), k=3, per_sequence=True)
        lines, width = report_lines(storage.run(opened, {}))
    typer.echo(f"\nWhat else is like {beauty}?  (similar --per-sequence)")
    with data_stream(None) as stream:
        print_to(stream, *similar_lines(alike))
    typer.echo(f"\n{storage.question}  (report storage)")
    with data_stream(None) as stream:
        print_to(stream, *lines, wide=True, least=width)
    program = "exr-inspector" if shutil.which("exr-inspector") else sys.argv[0]
    typer.echo(f"""
Next, try:
  {program} inspect {paths[0]}
  {program} sequences --catalog duckdb:{catalog_path}
  {program} odd --catalog duckdb:{catalog_path}
  {program} report shots --catalog duckdb:{catalog_path}
  {program} query "SELECT compression, count(*) FROM parts GROUP BY 1" --catalog duckdb:{catalog_path}""")  # noqa: S608
