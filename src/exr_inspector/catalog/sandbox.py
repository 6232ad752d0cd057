"""Opens DuckDB so that its SQL reaches no file, network, extension or Python variable, and cannot change that."""

from __future__ import annotations

import threading

import duckdb

_CLOSED = {
    "enable_external_access": False,
    "python_enable_replacements": False,  # names in a query are tables, not Python variables of the calling frames
}

# DuckDB accepts these only once the database is open; the lock comes last.
_AFTER_OPENING = (
    "SET enable_progress_bar = false",
    "SET GLOBAL TimeZone = 'UTC'",  # times in the tables are UTC without a zone
    "SET GLOBAL lock_configuration = true",
)

_SETTING = threading.Lock()


def connect(
    database: str = ":memory:", *, read_only: bool = False, settings: dict[str, str | bool | int] | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection to a database with locked settings. Raises duckdb.Error.

    Connections of a process to one file share its settings, and must give the same ones.
    """
    connection = duckdb.connect(database, read_only=read_only, config=_CLOSED | (settings or {}))
    try:
        with _SETTING:  # another thread may lock the settings of the same file
            if not connection.execute("SELECT current_setting('lock_configuration')").fetchall()[0][0]:
                for statement in _AFTER_OPENING:
                    connection.execute(statement).fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
