"""The catalog: inspections in, SQL out. Backends stand behind one protocol and are imported when asked for.

Knows inspections and identities; knows nothing of how files are found or read.
"""

from __future__ import annotations

import re

from ..errors import SettingsError
from .protocol import Catalog, CatalogStatus, FileStamp, IngestError, PersistOutcome, SeenFile

__all__ = [
    "Catalog",
    "CatalogStatus",
    "FileStamp",
    "IngestError",
    "PersistOutcome",
    "SeenFile",
    "open_catalog",
]

FORMS = ("duckdb:PATH", "PATH.duckdb")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def open_catalog(uri: str, *, read_only: bool = False) -> Catalog:
    """The catalog that a URI names: `duckdb:PATH`, or a path that ends in .duckdb.

    One that is opened for writing has its tables afterwards.
    Raises SettingsError for a URI of another form, CatalogError where it cannot be opened.
    """
    scheme = _SCHEME.match(uri)
    if scheme and scheme[1].lower() == "duckdb" and uri[scheme.end() :]:
        return _open_duckdb(uri[scheme.end() :], read_only=read_only)
    if scheme is None and uri.endswith(".duckdb"):
        return _open_duckdb(uri, read_only=read_only)
    raise SettingsError(f"{uri!r} names no catalog; give one as {' or '.join(FORMS)}")


def _open_duckdb(path: str, *, read_only: bool) -> Catalog:
    from .duckdb import DuckDBCatalog

    return DuckDBCatalog(path, read_only=read_only)
