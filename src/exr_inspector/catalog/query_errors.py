"""QueryError from errors of DuckDB, which runs the queries of both backends."""

from __future__ import annotations

import duckdb

from ..errors import QueryError

_MESSAGE_LINES = 6


def as_query_error(error: duckdb.Error) -> QueryError:
    """The QueryError for an error of DuckDB with a query."""
    return QueryError(first_lines(error))


def first_lines(error: duckdb.Error) -> str:
    """The first lines of DuckDB's message that are not empty."""
    lines = [line for line in str(error).split("\n") if line.strip()]
    return "\n".join(lines[:_MESSAGE_LINES])
