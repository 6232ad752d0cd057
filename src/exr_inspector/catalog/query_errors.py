"""QueryError from errors of DuckDB, which runs the queries of both backends."""

from __future__ import annotations

import re

import duckdb

from ..errors import QueryError
from .derived import DERIVED

_ABSENT_TABLE = re.compile(r"Table with name (\w+) does not exist")
_MESSAGE_LINES = 6


def as_query_error(error: duckdb.Error) -> QueryError:
    """The QueryError for an error of DuckDB with a query."""
    message = first_lines(error)
    absent = _ABSENT_TABLE.search(message)
    if absent and absent[1].lower() in DERIVED:
        message = f"the derived table {absent[1]} is not stored here; exr-inspector db refresh stores it on DuckDB"
    return QueryError(message)


def first_lines(error: duckdb.Error) -> str:
    """The first lines of DuckDB's message that are not empty."""
    lines = [line for line in str(error).split("\n") if line.strip()]
    return "\n".join(lines[:_MESSAGE_LINES])
