"""A catalog of files for one question: inspected now, and forgotten afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..catalog import Catalog, open_catalog
from .run import IngestOptions, ingest
from .summary import IngestSummary


@contextmanager
def temporary_catalog(
    paths: Sequence[str],
    options: IngestOptions,
) -> Iterator[tuple[Catalog, IngestSummary]]:
    """A catalog with the files below `paths`, which is removed at the end of the block, and the summary of its ingest.

    It needs disk space in the folder for temporary files, about 2 KB for each file. Raises CatalogError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="exr-inspector-") as folder,
        open_catalog(f"duckdb:{folder}/files.duckdb") as catalog,
    ):
        yield catalog, ingest(paths, catalog, options)
