"""The catalog: it is there, its tables have the version and the columns of this program, and its rows are consistent.

It is opened read-only, and only if its tables need no migration, which opening a DuckDB file would begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import pyarrow as pa

from ..catalog import Catalog, duckdb_path, open_catalog, stored_version
from ..catalog.columns import missing_columns
from ..catalog.migrations import needs_migration
from ..catalog.schema import TABLES, VECTOR_COLUMNS, VERSION, vector_dimensions
from ..settings import VastConnection
from .model import Check, Stage, Target, failed_by, failure, of_tables, ok, skipped, warning
from .rows import row_checks


def catalog_checks(target: Target, connection: VastConnection | None) -> Iterator[Check]:
    """Bucket, version, columns and rows; without a catalog, or with one of another version, no more than that."""
    if connection is not None:
        from ..catalog.vast.bucket import check_bucket

        version = check_bucket(target.uri, connection)
        yield ok("bucket", f"is a database bucket, of VAST {version}")
        remedy = f"exr-inspector db verify --catalog {quote(target.uri)}"
        yield skipped("rights", "the keys can list the bucket; writing is not tested here", remedy)
    stored = stored_version(target.uri, wait_s=target.wait_s, connection=connection)
    if connection is None and target.stage is not Stage.AFTER:
        yield _duckdb_rights(target, exists=stored is not None)
    if stored is None:
        yield _no_catalog(target, connection)
        return
    if stored < VERSION:
        yield failed_by("schema", needs_migration(target.uri, stored, ", so no rows were checked"))
        return
    with open_catalog(target.uri, read_only=True, wait_s=target.wait_s, connection=connection) as catalog:
        columns = catalog.stored_columns()
        yield from of_tables("schema", lambda: _tables(catalog, target.uri, stored, columns))
        yield from row_checks(catalog, target, missing=TABLES.keys() - columns.keys())


def _tables(catalog: Catalog, uri: str, version: int, columns: dict[str, pa.Schema]) -> Iterator[Check]:
    yield _schema(catalog, uri, version, columns)
    yield _dimensions(columns)


def _duckdb_rights(target: Target, *, exists: bool) -> Check:
    """A catalog that exists may be one that this user only reads."""
    from ..catalog.duckdb.errors import not_writable

    obstacle = not_writable(Path(duckdb_path(target.uri)).expanduser())
    if obstacle is None:
        return ok("rights", "this user can write to the file and its folder")
    is_only_read = exists and target.stage is not Stage.BEFORE
    what = f"{obstacle} is not writable by this user: every command that writes to the catalog fails"
    remedy = "change its permissions, or give a catalog in another folder"
    return warning("rights", what, remedy) if is_only_read else failure("rights", what, remedy)


def _no_catalog(target: Target, connection: VastConnection | None) -> Check:
    """A snapshot cannot be changed, so a deployment does not create its tables."""
    if connection is not None:
        from ..catalog.vast.tables import is_snapshot, no_tables

        if is_snapshot(target.uri):
            return failed_by("schema", no_tables(target.uri))
    what, remedy = (
        "there is no catalog",
        f"create it with: exr-inspector db create-schema --catalog {quote(target.uri)}",
    )
    return ok("schema", what, remedy) if target.stage is Stage.BEFORE else failure("schema", what, remedy)


def _schema(catalog: Catalog, uri: str, version: int, columns: dict[str, pa.Schema]) -> Check:
    faults = [f"{name} is missing" for name in missing_columns(columns)]
    for table, stored in columns.items():
        for column in TABLES[table]:
            index = stored.get_field_index(column.name)
            if index >= 0 and column.name not in VECTOR_COLUMNS and stored.field(index).type != column.type:
                faults.append(f"{table}.{column.name} is {stored.field(index).type}, not {column.type}")
    if faults:
        what = f"tables of version {version} with other columns than it has: {', '.join(faults)}"
        return failure(
            "schema",
            what,
            f"exr-inspector db migrate --catalog {quote(uri)}; if it finds nothing to do, restore a backup",
        )
    since = catalog.sql("SELECT max(readable_since) AS since FROM schema_version")["since"][0].as_py() or 1
    return ok("schema", f"tables of version {version}, for programs of version {since} and later")


def _dimensions(columns: dict[str, pa.Schema]) -> Check:
    faults = []
    for name, dimensions in vector_dimensions().items():
        index = columns["files"].get_field_index(name) if "files" in columns else -1
        stored = columns["files"].field(index).type if index >= 0 else None
        if stored is None or not pa.types.is_fixed_size_list(stored) or stored.list_size != dimensions:
            faults.append(f"{name} is {stored or 'missing'}, not of {dimensions} dimensions")
    if faults:
        return failure("dimensions", ", ".join(faults), "restore a backup, or ingest the files into a new catalog")
    return ok("dimensions", ", ".join(f"{name} {dimensions}" for name, dimensions in vector_dimensions().items()))
