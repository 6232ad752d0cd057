"""The catalog: inspections in, SQL out. Backends stand behind one protocol and are imported when asked for.

Knows inspections and identities; knows nothing of how files are found or read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..deadline import time_limit
from ..errors import SettingsError
from .protocol import OPEN_ERRORS, Catalog, CatalogStatus, FileStamp, IngestError, PersistOutcome, SeenFile

__all__ = [
    "OPEN_ERRORS",
    "Catalog",
    "CatalogStatus",
    "FileStamp",
    "IngestError",
    "PersistOutcome",
    "SeenFile",
    "open_catalog",
    "time_limit",
]

if TYPE_CHECKING:
    from ..settings import VastConnection

FORMS = ("duckdb:PATH", "PATH.duckdb", "vast://BUCKET/SCHEMA")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def open_catalog(uri: str, *, read_only: bool = False, connection: VastConnection | None = None) -> Catalog:
    """The catalog that a URI names: `duckdb:PATH`, a path that ends in .duckdb, or `vast://BUCKET/SCHEMA`.

    One that is opened for writing has its tables afterwards. A VAST catalog is reached through `connection`, or
    what the settings VAST_DB_… say. Raises SettingsError for a URI of another form or settings that are missing,
    MissingExtraError without the SDK, CatalogError where it cannot be opened.
    """
    scheme = _SCHEME.match(uri)
    name = scheme[1].lower() if scheme else ""
    if scheme and name == "duckdb" and uri[scheme.end() :]:
        return _open_duckdb(uri[scheme.end() :], read_only=read_only)
    if scheme is None and uri.endswith(".duckdb"):
        return _open_duckdb(uri, read_only=read_only)
    if name == "vast":
        return _open_vast(uri, read_only=read_only, connection=connection)
    raise SettingsError(f"{uri!r} names no catalog; give one as {', '.join(FORMS[:-1])} or {FORMS[-1]}")


def _open_duckdb(path: str, *, read_only: bool) -> Catalog:
    from .duckdb.catalog import DuckDBCatalog

    return DuckDBCatalog(path, read_only=read_only)


def _open_vast(uri: str, *, read_only: bool, connection: VastConnection | None) -> Catalog:
    from .vast import VastCatalog

    return VastCatalog(uri, read_only=read_only, connection=connection)
