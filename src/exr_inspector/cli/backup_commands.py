"""Commands that save a catalog, restore it and drop it: db backup, restore, drop."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import BackupError, ExrInspectorError, SettingsError
from ..inspection.value_text import plural
from .exit_codes import ExitCode
from .options import CatalogUri, Wait, catalog_uri, open_catalog, waiting
from .output import print_done, print_message, print_note, print_result

if TYPE_CHECKING:
    from ..catalog.backup import Manifest

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="Folder, or s3://BUCKET/PREFIX.", show_default=False)]


def backup(
    folder: Folder,
    catalog: CatalogUri = None,
    wait: Wait = 0,
    no_vectors: Annotated[
        bool, typer.Option("--no-vectors", help="Leave vectors out; db reembed computes them after a restore.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="BACKUP",
            help="Only save what this backup lacks: an increment, which is restored together with it.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Instead, check the backup in FOLDER, and those that it completes.")
    ] = False,
) -> int:
    """Save the catalog to a new or empty folder: Parquet files and manifest.json.

    Programs may write to a VAST Database meanwhile. A DuckDB file is saved when no other process has it open.
    """
    if check:
        if catalog or wait or no_vectors or since:
            raise SettingsError("--check reads only the backup; leave out --catalog, --wait, --no-vectors and --since")
        return _check(folder)
    with open_catalog(catalog, read_only=True, wait_s=wait) as opened:
        from ..catalog.backup import backup as write
        from ..sources import store_of

        try:
            manifest = write(opened, folder, vectors=not no_vectors, since=since, s3=store_of([folder]))
        except KeyboardInterrupt:
            print_message(f"{folder}: what it has of this backup is incomplete; delete it")
            raise
    print_done(f"{folder}: {_summary(manifest)}")
    return ExitCode.OK


def _summary(manifest: Manifest) -> str:
    files = manifest.tables["files"].rows
    size = sum(entry.bytes for entry in manifest.tables.values())
    saved = f"saved {_versions(files)} of {manifest.catalog}, {size:,} bytes"
    return f"{saved}, as an increment" if manifest.base else saved


def _versions(count: int) -> str:
    """Rows of `files`, which has one for each version of a file."""
    return f"{count:,} {plural(count, 'file version')}"


def _check(folder: str) -> int:
    from ..catalog.backup import check
    from ..sources import store_of

    try:
        problems = check(folder, store_of([folder]))
    except BackupError as error:
        problems = [str(error)]
    for problem in problems:
        print_result(problem)
    if not problems:
        print_done(f"{folder}: complete and unchanged")
    return ExitCode.FINDINGS if problems else ExitCode.OK


def restore(folder: Folder, catalog: CatalogUri = None, wait: Wait = 0) -> None:
    """Restore a backup into a catalog that is missing or has no files. Every value is that of the backup."""
    from ..catalog import is_vast
    from ..environment import restore_catalog

    uri = catalog_uri(catalog)
    had_rows = _has_rows(uri)  # else they are those of the backup
    try:
        done = waiting(wait, lambda seconds: restore_catalog(folder, uri, wait_s=seconds))
    except KeyboardInterrupt:
        if not had_rows and _has_rows(uri):  # the interruption came after the transaction
            print_done(f"{uri}: restored")
            return
        stored = "rows that are stored already are used by no program" if is_vast(uri) else "no row was stored"
        print_message(f"{uri}: not restored, {stored}; repeat the command")
        raise
    files, rows = done.rows["files"], sum(done.rows.values())
    print_done(f"{uri}: {_versions(files)} restored, {rows:,} {plural(rows, 'row')} in all")
    if lacking := done.without_vectors:
        print_note(
            f"{_versions(lacking)} without vectors; compute them: exr-inspector db reembed --catalog {shlex.quote(uri)}"
        )


def _has_rows(uri: str) -> bool:
    """Whether no backup can be restored into the catalog."""
    try:
        with open_catalog(uri, read_only=True) as opened:
            query = "SELECT EXISTS (FROM files) OR EXISTS (FROM ingest_errors) AS has_rows"
            return bool(opened.sql(query)["has_rows"][0].as_py())
    except ExrInspectorError:
        return False


def drop(
    catalog: CatalogUri = None,
    wait: Wait = 0,
    to: Annotated[
        str | None,
        typer.Option(
            "--backup",
            metavar="FOLDER",
            help="Where to save the catalog before. Default: a new folder beside the DuckDB file; for a VAST Database "
            "in the current folder.",
            show_default=False,
        ),
    ] = None,
    no_backup: Annotated[bool, typer.Option("--no-backup", help="Do not save the catalog before.")] = False,
    yes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The name of the catalog, which is asked for otherwise: its file, or BUCKET/SCHEMA."
        ),
    ] = None,
) -> None:
    """Save the catalog, and drop its tables, after asking for its name. Other tables stay."""
    from .. import catalog as catalogs
    from ..environment import drop_catalog, stored_version

    if to is not None and no_backup:
        raise SettingsError("--backup and --no-backup exclude each other; give one of them")
    uri = catalog_uri(catalog)
    name = catalogs.name_of(uri)
    if yes is None and not sys.stdin.isatty():
        raise SettingsError(f"the name of the catalog is needed to drop it: --yes {shlex.quote(name)}")
    given = typer.prompt(f"drop the tables of {uri}? Enter its name, {name}", err=True) if yes is None else yes
    if given != name:
        raise SettingsError(f"{given!r} is not the name of the catalog, {name!r}; nothing was dropped")
    if not no_backup:
        folder = to or _backup_folder(uri, name)
        backup(folder, uri, wait)
        if _check(folder):
            raise BackupError(folder, "incomplete; nothing was dropped")
        _expect_unchanged(uri, folder, wait)
    try:
        waiting(wait, lambda seconds: drop_catalog(uri, wait_s=seconds))
    except KeyboardInterrupt:
        if stored_version(uri) is not None:
            print_message(f"{uri}: not dropped; repeat the command")
            raise
    print_done(f"{uri}: dropped")


def _expect_unchanged(uri: str, folder: str, wait: float) -> None:
    """Raises BackupError if the catalog has other rows than the backup."""
    from ..catalog.backup import changed_since
    from ..sources import store_of

    with open_catalog(uri, read_only=True, wait_s=wait) as opened:
        changed = changed_since(opened, folder, store_of([folder]))
    if changed:
        raise BackupError(
            folder,
            f"{uri} was changed after it was saved ({', '.join(changed)}), and nothing was dropped; end the programs "
            "that write to it, and repeat",
        )


def _backup_folder(uri: str, name: str) -> str:
    """A folder named after the catalog and the time in UTC."""
    from datetime import datetime, timezone
    from pathlib import Path

    from ..catalog import duckdb_path, is_vast

    folder = Path() if is_vast(uri) else Path(duckdb_path(uri)).expanduser().parent
    return str(folder / f"{name.replace('/', '-')}.backup-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}")
