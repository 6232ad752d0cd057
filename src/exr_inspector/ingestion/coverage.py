"""Compares the files below paths with a catalog: how many of them it has as they are now.

Events that were lost leave no trace in metrics or in the catalog; the files that they were about are missing here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..catalog import Catalog, expect_catalog
from ..errors import NoMatchError, SourceError
from ..settings import S3Access
from ..sources import store_of
from ..sources.listing import list_files
from ..sources.selection import Selection
from .changes import listed_pages

_FIRST_PATHS = 20


@dataclass(slots=True)
class Coverage:
    """The numbers of files, and the first ones that the catalog lacks."""

    listed: int = 0  # all but the young ones and those that could not be listed
    stored: int = 0  # the catalog has this version
    failed: int = 0  # the catalog has an error of this version
    changed: int = 0  # the catalog has another version, or an error of one
    missing: int = 0
    young: int = 0  # changed a moment ago
    first_missing: list[str] = field(default_factory=list)  # URIs
    first_changed: list[str] = field(default_factory=list)
    errors: int = 0  # files and folders that could not be listed
    unmatched: int = 0  # patterns that match nothing
    first_errors: list[SourceError] = field(default_factory=list)  # of both

    @property
    def percent(self) -> float | None:
        """The persistence rate: the stored share of the listed files; None without any."""
        return 100 * self.stored / self.listed if self.listed else None


def coverage(
    paths: Iterable[str | os.PathLike[str]],
    catalog: Catalog,
    *,
    min_age_s: float = 0,
    selection: Selection = Selection(),  # noqa: B008 (frozen)
    s3: S3Access | None = None,
) -> Coverage:
    """Compare the files that `ingest` would list with the catalog. Memory use does not grow with their number."""
    expect_catalog(catalog)
    given: Sequence[str] = [os.fsdecode(path) for path in paths]
    listing = list_files(given, s3=s3 or store_of(given), selection=selection)
    result = Coverage()
    for page in listed_pages(listing, catalog, min_age_s=min_age_s):
        result.young += len(page.young)
        for item in page.items:
            if isinstance(item, SourceError):
                result.unmatched += isinstance(item, NoMatchError)
                result.errors += not isinstance(item, NoMatchError)
                if len(result.first_errors) < _FIRST_PATHS:
                    result.first_errors.append(item)
                continue
            result.listed += 1
            seen = page.seen.get(item.uri)
            if seen is not None and seen.is_unchanged:
                result.stored += seen.error is None
                result.failed += seen.error is not None
                continue
            result.changed += seen is not None
            result.missing += seen is None
            first = result.first_missing if seen is None else result.first_changed
            if len(first) < _FIRST_PATHS:
                first.append(item.uri)
    return result
