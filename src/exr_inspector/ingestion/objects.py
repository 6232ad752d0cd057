"""The objects of a listing, however many: in a temporary file of SQLite, of which 2 MB at most are in memory.

A merge with the catalog in the order of keys would need neither, but not all stores list objects in this order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..errors import CatalogError


class ListedObjects:
    """The URIs of listed objects. Raises CatalogError if the temporary file cannot be written."""

    def __init__(self) -> None:
        with _catalog_errors():
            self._database = sqlite3.connect("")  # a file without a name, which the system removes
            self._database.execute("PRAGMA journal_mode = OFF")  # nothing is taken back
            self._database.execute("CREATE TABLE objects (uri BLOB PRIMARY KEY) WITHOUT ROWID")

    def add(self, uris: Iterable[str]) -> None:
        """Add URIs, some of which may be there already."""
        with _catalog_errors():
            self._database.executemany("INSERT OR IGNORE INTO objects VALUES (?)", ((_bytes(uri),) for uri in uris))

    def __contains__(self, uri: object) -> bool:
        if not isinstance(uri, str):
            return False
        with _catalog_errors():
            found = self._database.execute("SELECT 1 FROM objects WHERE uri = ?", (_bytes(uri),))
            return found.fetchone() is not None

    def close(self) -> None:
        """Remove the file."""
        self._database.close()


def _bytes(uri: str) -> bytes:
    return uri.encode(errors="surrogatepass")  # a given path may contain any characters


@contextmanager
def _catalog_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CatalogError(
            f"the temporary file for the list of objects cannot be written or read ({error}); make space in the folder "
            "for temporary files, or set SQLITE_TMPDIR to another folder"
        ) from None
