"""Statistics of pixels in the catalog, for a policy to judge files whose pixels are not decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import pyarrow as pa

from ..catalog import Catalog
from ..policy.stored_pixels import stored_pixels
from .changes import Failure, FileToInspect

_FILES_PER_LOOKUP = 500  # whose statistics are held in memory


def with_stored_statistics(
    items: Iterable[FileToInspect | Failure], catalog: Catalog, *, decodes: bool
) -> Iterator[FileToInspect | Failure]:
    """The items, with the stored statistics of those whose pixels are not to be decoded.

    `decodes` is whether pixels are decoded of files without the statistics that are requested.
    """
    iterator = iter(items)
    while page := list(islice(iterator, _FILES_PER_LOOKUP)):
        known = [item for item in page if isinstance(item, FileToInspect) and item.file_id]
        wanted = [item.file_id for item in known if item.has_stats or not decodes]
        found = stored_pixels(catalog, pa.table({"file_id": pa.array(wanted, pa.string())})) if wanted else {}
        for item in page:
            yield item if isinstance(item, Failure) else replace(item, statistics=found.get(item.file_id))
