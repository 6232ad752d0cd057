"""The catalog that answers a question: one that is kept, or one of files that are read now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..frames.patterns import UDIM
from .options import chunk_option, open_catalog

if TYPE_CHECKING:
    from ..catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A catalog, the patterns of the sequences that are asked for, and whether paths could not be read."""

    catalog: Catalog
    patterns: list[str | None]  # None: all sequences
    failed: bool = False
    misused: bool = False  # a pattern matches no file


@contextmanager
def answering_catalog(paths: list[str] | None, uri: str | None, *, vectors: bool) -> Iterator[Answering]:
    """The catalog of --catalog, of which the paths are patterns; else one of the files below the paths.

    Without both, the catalog of the settings. Paths that cannot be read are printed on stderr.
    """
    if uri is not None or not paths:
        with open_catalog(uri, read_only=True) as opened:
            yield Answering(catalog=opened, patterns=[*paths] if paths else [None])
        return
    from ..ingestion.run import IngestOptions
    from ..ingestion.temporary import temporary_catalog
    from ..settings import settings
    from ..sources import store_of
    from .output import print_message

    values = settings()
    options = IngestOptions(
        workers=values.workers,
        limits=values.limits,
        chunks=chunk_option(None),
        vectors=vectors,
        s3=store_of(paths),
    )
    with temporary_catalog(paths, options) as (opened, summary):
        unread = [failure for failure in summary.failures if failure.error is None]
        for failure in unread:
            print_message(f"{failure.path}: {failure.message}")
        yield Answering(
            catalog=opened,
            patterns=list(paths) if any(UDIM in path for path in paths) else [None],
            failed=any(not failure.is_usage for failure in unread),
            misused=any(failure.is_usage for failure in unread),
        )
