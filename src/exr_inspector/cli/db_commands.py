"""Commands on the catalog itself: db create-schema, migrate, status, verify, metrics, refresh, reembed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SettingsError
from .backup_commands import backup, drop, restore
from .coverage_command import coverage
from .exit_codes import ExitCode
from .options import CatalogUri, Wait, catalog_uri, open_catalog, path_template
from .output import data_stream, print_done, print_result

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.migrations import Migrated

db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Create, check and maintain a catalog.")


@db.command("create-schema")
def create_schema(catalog: CatalogUri = None, wait: Wait = 0) -> None:
    """Create the tables of the catalog; existing tables are left as they are."""
    with open_catalog(catalog, wait_s=wait) as opened:
        opened.ensure_schema()
        print_done(f"{opened.uri}: schema version {opened.status().schema_version}")


@db.command("migrate")
def migrate(
    catalog: CatalogUri = None,
    to: Annotated[
        int | None, typer.Option(help="Version of the tables. Default: that of this release.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    repeat: Annotated[
        bool,
        typer.Option(
            "--repeat",
            help="Instead, recompute what migrations of a VAST Database computed, in rows that programs of older "
            "versions wrote afterwards; first end these programs.",
        ),
    ] = False,
    sort: Annotated[
        bool,
        typer.Option("--sort", help="Instead, sort a VAST table by path; first end all programs that use the catalog."),
    ] = False,
) -> None:
    """Migrate the tables of the catalog to a newer version.

    A DuckDB file is copied first, and also migrated by every command that opens it. A VAST Database is only migrated by
    this command; programs of the version before can go on writing meanwhile.
    """
    from ..environment import migrate_catalog, repeat_migrations, sort_catalog

    if (to is not None) + repeat + sort > 1:
        raise SettingsError("--to, --repeat and --sort are separate steps; give one of them")
    uri = catalog_uri(catalog)
    if repeat:
        changed = "rows would be recomputed" if dry_run else "rows recomputed"
        print_result(f"{uri}: {repeat_migrations(uri, dry_run=dry_run):,} {changed}")
        return
    if sort:
        changed = "would be sorted" if dry_run else "sorted"
        print_result(f"{uri}: {changed if sort_catalog(uri, dry_run=dry_run) else 'already sorted'} by path")
        return
    done = migrate_catalog(uri, to=to, dry_run=dry_run)
    for line in _migrated(done, dry_run=dry_run):
        print_result(line)


def _migrated(done: Migrated, *, dry_run: bool) -> Iterator[str]:
    if not done.applied:
        yield f"{done.uri}: nothing to migrate, it had table version {done.version}"
        return
    would = "would be migrated" if dry_run else "migrated"
    yield f"{done.uri}: {would} from table version {done.version} to {done.applied[-1].version}"
    for migration in done.applied:
        yield f"version {migration.version}: {migration.why}"
        yield from (f"  {step}" for step in migration.steps)
    if done.copy is not None:
        yield f"the file before the migration: {done.copy}"


# Programs before table version 2 stored no problems.
_NEVER_JUDGED = """
    SELECT count(*) AS files FROM files
    WHERE version_flags IS NULL AND is_current AND deleted_at IS NULL"""


@db.command("status")
def status(catalog: CatalogUri = None, wait: Wait = 0) -> None:
    """Show the version, row counts and size of the catalog."""
    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        facts = opened.status()
        derived = _derived_state(opened)
        unjudged = opened.sql(_NEVER_JUDGED)["files"][0].as_py()
    print_result(f"catalog              {facts.uri}")
    print_result(f"backend              {facts.server_version}")
    print_result(f"schema version       {facts.schema_version}")
    if facts.file_size_bytes is not None:
        print_result(f"size                 {facts.file_size_bytes:,} bytes")
    for table, rows in facts.row_counts.items():
        print_result(f"{table:<20} {rows:,} rows")
    for column, dimension in facts.vector_dimensions.items():
        print_result(f"{column:<20} {dimension} dimensions")
    print_result(f"derived tables       {derived}")
    if unjudged:
        print_result(
            f"never judged         {unjudged:,} files, stored by a version that did not check for problems; "
            "run ingest --rescan"
        )


def _derived_state(catalog: Catalog) -> str:
    from ..catalog.protocol import StoresDerived
    from ..sequence.derived import are_stored

    if not isinstance(catalog, StoresDerived):
        return "computed when a query names them"
    return "up to date" if are_stored(catalog, path_template()) else "not stored as of now; db refresh stores them"


@db.command("verify")
def verify(catalog: CatalogUri = None) -> int:
    """Test a VAST Database: run every operation in a temporary schema and report results, requests and times."""
    from datetime import datetime, timezone

    from .. import __version__
    from ..catalog import is_vast
    from ..settings import vast_connection

    uri = catalog_uri(catalog)
    if not is_vast(uri):
        raise SettingsError("db verify tests a VAST Database; give --catalog vast://BUCKET/SCHEMA")
    from ..vast_selftest import Check
    from ..vast_selftest import verify as run_checks

    connection = vast_connection()  # after the import, which raises MissingExtraError

    def print_check(check: Check) -> None:
        result = {True: "ok", False: "FAILED", None: "info"}[check.passed]
        cost = f"{check.requests:4} requests {1000 * check.seconds:8,.0f} ms"
        print_result(f"{result:<7} {check.name:<40} {cost}  {check.detail}".rstrip())

    now = datetime.now(timezone.utc)
    print_result(f"exr-inspector {__version__}, {uri} at {connection.endpoint}, {now:%Y-%m-%d %H:%M} UTC")
    checks = run_checks(uri, connection, print_check)
    failed = sum(check.passed is False for check in checks)
    print_result(f"{len(checks)} checks, {failed} failed")
    return ExitCode.FINDINGS if failed else ExitCode.OK


@db.command("metrics")
def metrics(
    catalog: CatalogUri = None,
    wait: Wait = 0,
    textfile: Annotated[
        str | None,
        typer.Option(help="File of node_exporter's textfile collector, replaced as a whole.", show_default=False),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Other gauges, duplicates and orphans, which read nearly all rows.")
    ] = False,
) -> None:
    """Print gauges of the catalog in the text format of Prometheus: age, files, errors; with --deep, inconsistent rows.

    The files of both are beside each other in the folder of node_exporter: they have no gauge in common.
    """
    from ..doctor.metrics import catalog_metrics, fault_metrics

    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        text = fault_metrics(opened) if deep else catalog_metrics(opened)
    with data_stream(textfile) as stream:
        stream.write(text.encode())


def _existing_catalog(catalog: str | None, wait: float) -> Catalog:
    """Open a catalog for writing. Raises CatalogError if it does not exist, instead of creating it."""
    open_catalog(catalog, read_only=True, wait_s=wait).close()
    return open_catalog(catalog, wait_s=wait)


@db.command("refresh")
def refresh(
    catalog: CatalogUri = None,
    wait: Wait = 0,
    rebuild: Annotated[
        bool, typer.Option("--all", help="Compute all rows again, not only those of files that changed.")
    ] = False,
) -> None:
    """Store the derived tables sequences, attribute_values and totals, or bring stored ones up to date.

    Once stored, every ingest keeps them up to date. For a VAST Database they are computed when a query names them.
    """
    from ..catalog.derived import DERIVED
    from ..sequence.derived import refresh as refresh_derived

    with _existing_catalog(catalog, wait) as opened:
        refresh_derived(opened, path_template(), rebuild=rebuild)
        for table in DERIVED:
            (rows,) = opened.sql(f"SELECT count(*) AS rows FROM {table}")["rows"].to_pylist()  # noqa: S608 (our names)
            print_done(f"{table:<20} {rows:,} rows")


@db.command("reembed")
def reembed(
    catalog: CatalogUri = None,
    wait: Wait = 0,
    everything: Annotated[bool, typer.Option("--all", help="Also vectors of the current version.")] = False,
) -> int:
    """Recompute vectors of older versions from the rows of the catalog, without reading files."""
    from ..search.reembed import reembed as recompute
    from .progress import progress_bar

    with _existing_catalog(catalog, wait) as opened, progress_bar() as update:
        progress = recompute(opened, everything=everything, report=lambda now: update(now.done + now.failed, now.files))
    print_done(f"{progress.done:,} of {progress.files:,} files have new vectors")
    if progress.failed:
        print_result(f"{progress.failed:,} files keep their vectors: new ones cannot be computed from their rows")
    return ExitCode.FAILED if progress.failed else ExitCode.OK


for _command in (coverage, backup, restore, drop):
    db.command()(_command)
