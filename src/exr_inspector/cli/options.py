"""Arguments and options that several commands share, and the catalog that one of them names."""

from __future__ import annotations

import os
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from ..exr import ChunkOption, Limits
from .exit_codes import FailOn

if TYPE_CHECKING:
    from ..catalog import Catalog


class Format(str, Enum):
    """Output format of a table."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


Paths = Annotated[list[str], typer.Argument(help="Files, folders or s3:// URIs.", show_default=False)]
Pattern = Annotated[
    str | None,
    typer.Argument(
        help="Only sequences whose path contains this text or matches this shell pattern.", show_default=False
    ),
]
CatalogUri = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        help="duckdb:FILE or vast://BUCKET/SCHEMA. Default: $EXR_INSPECTOR_CATALOG, else duckdb:exr-inspector.duckdb.",
        show_default=False,
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="Output format.")]
Output = Annotated[str | None, typer.Option("--output", help="Write to this file instead of stdout.")]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        "--fail-on",
        help="Exit with 1 on: error (missing, incomplete or damaged files or frames), warning (also header problems "
        "and outliers), or never.",
    ),
]


class Chunks(str, Enum):
    """Chunk leaders that are checked."""

    AUTO = "auto"
    TABLE = "table"
    SAMPLE = "sample"
    ALL = "all"


ChunksOption = Annotated[
    Chunks | None,
    typer.Option(
        "--chunks",
        help="Chunk leaders to check: all; sample (the last, 16 others and some beside gaps); table (offset table and "
        "last leader); auto: all on local disks, sample on network file systems, table on object stores. Default: "
        "$EXR_INSPECTOR_CHUNKS, else auto.",
        show_default=False,
    ),
]


def chunk_option(given: Chunks | None) -> ChunkOption:
    """The value of --chunks, or else that of the settings."""
    if given is not None:
        return given.value
    if "EXR_INSPECTOR_CHUNKS" not in os.environ:
        return "auto"  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    return settings().chunks


def header_limits() -> Limits:
    """The limits of the header parser in the settings."""
    if not any(name.startswith("EXR_INSPECTOR_") for name in os.environ):
        return Limits()  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    return settings().limits


def catalog_uri(uri: str | None) -> str:
    """The catalog of --catalog, or else that of the settings."""
    from ..settings import settings

    return uri or settings().catalog


def open_catalog(uri: str | None, *, read_only: bool = False) -> Catalog:
    """Open the catalog of --catalog, or else that of the settings."""
    from ..environment import open_catalog

    return open_catalog(catalog_uri(uri), read_only=read_only)
