"""The catalog: inspections in, SQL out. Backends implement one protocol and are imported when they are opened.

In: inspections, rows, errors. Out: tables of SQL results. Must not know: how files are discovered or read, and the
environment: settings are parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..defaults import CELL_LIMIT, QUERY_MEMORY_MB
from ..errors import SettingsError
from .protocol import (
    IS_NEWEST,
    MEASURED,
    OPEN_ERRORS,
    Catalog,
    CatalogStatus,
    FileStat,
    IngestError,
    PersistOutcome,
    PixelLevel,
    PolicyResult,
    PolicyRules,
    SeenFile,
    SeenStatistics,
    newest_rows,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ..settings import VastConnection
    from .migrations import Migrated

__all__ = [
    "IS_NEWEST",
    "MEASURED",
    "OPEN_ERRORS",
    "Catalog",
    "CatalogStatus",
    "FileStat",
    "IngestError",
    "PersistOutcome",
    "PixelLevel",
    "PolicyResult",
    "PolicyRules",
    "SeenFile",
    "SeenStatistics",
    "drop",
    "duckdb_path",
    "expect_catalog",
    "is_vast",
    "load",
    "migrate",
    "name_of",
    "newest_rows",
    "open_catalog",
    "repeat",
    "sort",
    "stored_version",
]

FORMS = ("duckdb:PATH", "PATH.duckdb", "vast://BUCKET/SCHEMA")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NAME = re.compile(r"[^:=@?]*")  # a text without these characters names a file or a folder
_OTHER_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # md:, postgres:, s3://; a letter alone is a drive


def open_catalog(
    uri: str,
    *,
    read_only: bool = False,
    wait_s: float = 0,
    connection: VastConnection | None = None,
    cell_limit: int = CELL_LIMIT,
    query_memory_mb: int = QUERY_MEMORY_MB,
) -> Catalog:
    """The catalog at `duckdb:PATH`, a path that ends in .duckdb, or `vast://BUCKET/SCHEMA`.

    `vast://BUCKET/SCHEMA?snapshot=NAME` is the catalog in a snapshot of the bucket, which is only opened `read_only`.
    A catalog opened for writing has its tables afterwards. `wait_s` are the seconds to wait while another process has
    a DuckDB file open for writing. `cell_limit` is the largest attribute in bytes that a cell
    holds whole. VAST needs a `connection`, and takes `query_memory_mb` for a query. `exr_inspector.open_catalog` takes
    these from the environment. Raises SettingsError for a URI of another form or without connection,
    MissingExtraError without the SDK, CatalogError if the catalog cannot be opened.
    """
    if is_vast(uri):
        from .vast import VastCatalog

        return VastCatalog(
            uri, connection=connection, read_only=read_only, cell_limit=cell_limit, query_memory_mb=query_memory_mb
        )
    path = duckdb_path(uri)
    from .duckdb.catalog import DuckDBCatalog
    from .duckdb.locks import while_locked

    open_file = partial(DuckDBCatalog, path, read_only=read_only, cell_limit=cell_limit)
    return while_locked(wait_s)(open_file) if wait_s else open_file()


def expect_catalog(catalog: object) -> None:
    """Raises TypeError for anything else, such as the URI of a catalog."""
    if not all(hasattr(catalog, method) for method in ("persist", "sql")):
        raise TypeError(f"{type(catalog).__name__} is not an open catalog; expected what open_catalog(URI) returns")


def migrate(
    uri: str, *, to: int | None = None, dry_run: bool = False, connection: VastConnection | None = None
) -> Migrated:
    """Migrate the tables of a catalog to version `to`, or else to that of this program.

    A DuckDB file is copied first. A dry run changes nothing, and returns the same result. Raises SettingsError if the
    catalog cannot be migrated to version `to`, and the errors of `open_catalog`.
    """
    if is_vast(uri):
        from .vast.migrate import migrate as migrate_tables

        return migrate_tables(uri, connection, to=to, dry_run=dry_run)
    path = duckdb_path(uri)
    from .duckdb.migrate import migrate as migrate_file

    return migrate_file(Path(path).expanduser(), f"duckdb:{path}", to=to, dry_run=dry_run)


def stored_version(uri: str, *, wait_s: float = 0, connection: VastConnection | None = None) -> int | None:
    """The version of the tables of a catalog, None without a catalog; nothing is created or migrated.

    Raises CatalogSchemaError if this program cannot read the tables, and the other errors of `open_catalog`.
    """
    if is_vast(uri):
        from .vast.migrate import version_at

        return version_at(uri, connection)
    path = duckdb_path(uri)
    from .duckdb.migrate import version_of_file

    return version_of_file(Path(path).expanduser(), f"duckdb:{path}", wait_s=wait_s)


def load(
    uri: str,
    pages: Iterable[tuple[str, pa.Table]],
    name: str,
    *,
    wait_s: float = 0,
    connection: VastConnection | None = None,
) -> None:
    """Insert the rows of all tables, those of `schema_version` last, into a catalog without files.

    A missing catalog is created. Until all rows are stored, no program opens the catalog. `name` is
    that of the pages and their order: a load into a VAST Database that was interrupted continues if it is repeated
    with the same name. Raises SettingsError if the catalog has files, and the errors of `open_catalog`.
    """
    if is_vast(uri):
        from .vast.whole_tables import load as load_tables

        return load_tables(uri, pages, name, connection)
    from .duckdb.catalog import DuckDBCatalog

    with open_catalog(uri, wait_s=wait_s) as catalog:
        assert isinstance(catalog, DuckDBCatalog)
        return catalog.load(pages)


def name_of(uri: str) -> str:
    """The name of a catalog, without folder or endpoint: its file, or BUCKET/SCHEMA.

    Raises SettingsError, also for a snapshot, which cannot be changed.
    """
    if not is_vast(uri):
        return Path(duckdb_path(uri)).name
    from .vast.tables import names_in

    return str(names_in(uri))


def drop(uri: str, *, wait_s: float = 0, connection: VastConnection | None = None) -> None:
    """Drop the tables of a catalog, and nothing else. Raises CatalogError if it is not a catalog.

    `wait_s` are the seconds to wait while another process has a DuckDB file open.
    """
    if is_vast(uri):
        from .vast.whole_tables import drop as drop_tables

        return drop_tables(uri, connection)
    path = duckdb_path(uri)
    from .duckdb.locks import while_locked
    from .duckdb.whole_tables import drop as drop_from_file

    return while_locked(wait_s)(partial(drop_from_file, Path(path).expanduser()))


def repeat(uri: str, *, dry_run: bool = False, connection: VastConnection | None = None) -> int:
    """Recompute again what migrations of a VAST catalog have computed; the number of changed rows.

    For the rows that programs of older versions wrote after a migration. A dry run only returns their number. Raises
    SettingsError for DuckDB, where one program at a time has the file open.
    """
    if not is_vast(uri):
        raise SettingsError(f"{uri} had no other writer while it was migrated; only a VAST Database needs --repeat")
    from .vast.migrate import repeat as repeat_steps

    return repeat_steps(uri, connection, dry_run=dry_run)


def sort(uri: str, *, dry_run: bool = False, connection: VastConnection | None = None) -> bool:
    """Sort the tables of a VAST catalog by path; False if they are sorted. A dry run only returns the result.

    No program may have the catalog open. Raises SettingsError for DuckDB, which has an index.
    """
    if not is_vast(uri):
        raise SettingsError(
            f"duckdb:{duckdb_path(uri)} has an index by path; only tables of a VAST Database are sorted"
        )
    from .vast.migrate import sort as sort_tables

    return sort_tables(uri, connection, dry_run=dry_run)


def duckdb_path(uri: str) -> str:
    """The path in a URI. Raises SettingsError for a URI of another form; the message has no password of it."""
    scheme = _SCHEME.match(uri)
    if scheme and scheme[0].lower() == "duckdb:":
        path = uri[scheme.end() :]
    else:
        path = uri if uri.endswith(".duckdb") and not scheme else ""
    if not path:
        shown = repr(uri) if _NAME.fullmatch(uri) else f"a URI {scheme[0]}…" if scheme else "the text"
        raise SettingsError(f"{shown} is not a catalog; give it as {', '.join(FORMS[:-1])} or {FORMS[-1]}")
    if path.startswith(":memory:"):
        raise SettingsError(f"duckdb::memory: is lost when the program ends; give the path of a file, as {FORMS[0]}")
    other = _OTHER_DATABASE.match(path)
    if other:
        raise SettingsError(
            f"duckdb:{other[0]}… is not the path of a DuckDB file, but names a server, a bucket or a database of "
            f"another kind; give {FORMS[0]}, and for a file of that name duckdb:./{other[0]}…"
        )
    return path


def is_vast(uri: str) -> bool:
    """Whether a URI is that of a catalog in a VAST Database."""
    return uri.lower().startswith("vast:")
