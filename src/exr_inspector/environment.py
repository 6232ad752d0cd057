"""Catalogs opened with the settings of the environment: for commands, the function and callers of the public API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import catalog
from .settings import VastConnection, settings, vast_connection
from .sources import store_of

if TYPE_CHECKING:
    from .catalog.backup import Restored
    from .catalog.migrations import Migrated


def open_catalog(
    uri: str | os.PathLike[str],
    *,
    read_only: bool = False,
    wait_s: float = 0,
    connection: VastConnection | None = None,
) -> catalog.Catalog:
    """The catalog at `duckdb:PATH`, a path that ends in .duckdb, or `vast://BUCKET/SCHEMA`.

    A Path is that of a DuckDB file, whatever its name.

    >>> from pathlib import Path
    >>> from exr_inspector import inspect, open_catalog
    >>> with open_catalog(Path("shows.duckdb")) as catalog:
    ...     catalog.persist([inspect("plate.1001.exr")])[0].inserted
    True

    A catalog opened for writing has its tables afterwards. `wait_s` are the seconds to wait while another process has
    a DuckDB file open, before CatalogLockedError is raised. A VAST catalog is reached through `connection`, or as the
    settings VAST_DB_… say. Raises TypeError for another type, SettingsError for a URI of another form or missing
    settings, MissingExtraError without the SDK, CatalogError if the catalog cannot be opened.
    """
    if isinstance(uri, os.PathLike):
        uri = f"duckdb:{os.fsdecode(uri)}"
    if not isinstance(uri, str):
        forms = ", ".join(catalog.FORMS)
        raise TypeError(f"{type(uri).__name__} is not the URI of a catalog; expected a Path, or text: {forms}")
    connection = connection or _connection(uri)
    values = settings()
    return catalog.open_catalog(
        uri,
        read_only=read_only,
        wait_s=wait_s,
        connection=connection,
        cell_limit=values.cell_limit,
        query_memory_mb=values.query_memory_mb,
    )


def migrate_catalog(uri: str, *, to: int | None = None, dry_run: bool = False) -> Migrated:
    """Migrate the tables of a catalog, as `catalog.migrate`, with the connection of the settings."""
    return catalog.migrate(uri, to=to, dry_run=dry_run, connection=_connection(uri))


def repeat_migrations(uri: str, *, dry_run: bool = False) -> int:
    """Recompute again what migrations have computed, as `catalog.repeat`, with the connection of the settings."""
    return catalog.repeat(uri, dry_run=dry_run, connection=_connection(uri))


def sort_catalog(uri: str, *, dry_run: bool = False) -> bool:
    """Sort the tables of a catalog, as `catalog.sort`, with the connection of the settings."""
    return catalog.sort(uri, dry_run=dry_run, connection=_connection(uri))


def drop_catalog(uri: str, *, wait_s: float = 0) -> None:
    """Drop the tables of a catalog, as `catalog.drop`, with the connection of the settings."""
    catalog.drop(uri, wait_s=wait_s, connection=_connection(uri))


def restore_catalog(folder: str, uri: str, *, wait_s: float = 0) -> Restored:
    """Restore a backup into a catalog, as `catalog.backup.restore`, with the connection and store of the settings.

    Derived tables are not restored; `sequence.derived.refresh` stores them again.
    """
    connection = _connection(uri)
    from .catalog.backup import restore

    return restore(folder, uri, wait_s=wait_s, s3=store_of([folder]), connection=connection)


def stored_version(uri: str) -> int | None:
    """The version of the tables of a catalog, as `catalog.stored_version`, with the connection of the settings."""
    return catalog.stored_version(uri, connection=_connection(uri))


def _connection(uri: str) -> VastConnection | None:
    if not catalog.is_vast(uri):
        return None
    from .catalog import vast  # noqa: F401 (a missing package is reported before missing settings)

    return vast_connection()
