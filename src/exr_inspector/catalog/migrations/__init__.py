"""Migrations of the tables: numbered, forward-only, and data, which each backend applies in its way.

In: the version of the tables of a catalog. Out: the migrations that it lacks. Must not know: backends.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from ...errors import CatalogSchemaError, SettingsError
from ..schema import READABLE_SINCE, TABLES, VERSION
from .steps import AddColumns, AddIndex, AddTable, Fill, Recompute, Step
from .v2 import STEPS as V2
from .v3 import STEPS as V3
from .v4 import STEPS as V4
from .v5 import STEPS as V5

__all__ = [
    "CREATION",
    "MIGRATIONS",
    "AddColumns",
    "AddIndex",
    "AddTable",
    "Fill",
    "Migrated",
    "Migration",
    "Recompute",
    "Step",
    "needs_migration",
    "pending",
    "reject_foreign_tables",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The steps from the previous version to this one. Its row of `schema_version` makes it valid.

    Steps that only add leave `readable_since`, so that older programs can still read and write the tables.
    """

    version: int
    why: str
    steps: tuple[Step, ...]
    readable_since: int = READABLE_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """The result of migrating a catalog: its version before, and the migrations that were applied, or would be."""

    uri: str
    version: int
    applied: tuple[Migration, ...]
    copy: str | None = None  # the file as it was before; DuckDB only


# The steps that create a new catalog.
CREATION: tuple[Step, ...] = (
    *(AddTable(table, columns) for table, columns in TABLES.items()),
    AddIndex("files_by_path", "files", ("file_path_normalized",)),
)

MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        version=2,
        why="rows carry the batch that stored them; problems, results about pixels and policies",
        steps=V2,
    ),
    Migration(
        version=3,
        why="text may stand after a frame, dates and hashes are not frames; unreadable files have sequence and frame",
        steps=V3,
    ),
    Migration(version=4, why="empty regions of images, and chunks that cannot be decoded", steps=V4),
    Migration(version=5, why="the statistics of pixels that results of policies are without", steps=V5),
)


def pending(uri: str, version: int, to: int | None = None) -> tuple[Migration, ...]:
    """The migrations that lead tables of a version to version `to`, or else to that of this program, in order.

    None for tables of a newer version. Raises SettingsError if `to` is an older version, or newer than this program's.
    """
    if to is not None and not version <= to <= VERSION:
        raise SettingsError(
            f"{uri} has table version {version}, and this release supports {VERSION}: it cannot be migrated to {to}"
        )
    return tuple(migration for migration in MIGRATIONS if version < migration.version <= (to or VERSION))


def needs_migration(uri: str, version: int, reason: str = "") -> CatalogSchemaError:
    """The error for a catalog of an older version that cannot be used before it is migrated."""
    return CatalogSchemaError(
        f"{uri} has table version {version}, and this release needs {VERSION}{reason}; "
        f"run: exr-inspector db migrate --catalog {shlex.quote(uri)}"
    )


def reject_foreign_tables(uri: str, migration: Migration, present: Collection[str]) -> None:
    """Raises CatalogSchemaError if another program created a table that the migration creates."""
    foreign = sorted({step.table for step in migration.steps if isinstance(step, AddTable)}.intersection(present))
    if foreign:
        raise CatalogSchemaError(
            f"{uri} has tables or views that exr-inspector did not create, with names of table version "
            f"{migration.version}: {', '.join(foreign)}; rename them, and migrate again"
        )
