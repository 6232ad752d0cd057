"""Options that several commands share."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class Format(str, Enum):
    """How a table is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class FailOn(str, Enum):
    """What makes a command exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


Paths = Annotated[list[str], typer.Argument(help="Files, folders or s3:// URIs.", show_default=False)]
Catalog = Annotated[
    str | None,
    typer.Option(
        "--catalog", help="duckdb:FILE or vast://BUCKET/SCHEMA; else $EXR_INSPECTOR_CATALOG.", show_default=False
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to print it.")]
Output = Annotated[str | None, typer.Option("--output", help="Write to this file instead of stdout.")]
FailOnOption = Annotated[
    FailOn,
    typer.Option("--fail-on", help="Exit with 1 on: error (a file is not whole), warning (or its header is odd)."),
]
