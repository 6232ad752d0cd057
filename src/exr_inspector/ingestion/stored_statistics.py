"""Statistics of pixels in the catalog, for a policy to judge files whose pixels are not decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..catalog import Catalog, SeenStatistics
from ..policy.stored_pixels import pixels_of_batches
from .changes import FileToInspect

_FILES_PER_LOOKUP = 500
_ROWS_PER_LOOKUP = 10_000  # of channels: about 12 MB in memory


def with_stored_statistics(
    items: Iterable[FileToInspect], catalog: Catalog, *, decodes: bool
) -> Iterator[FileToInspect]:
    """The items, with the stored statistics of those whose pixels are not decoded; `decodes`: those of others are."""
    page: list[FileToInspect] = []
    rows = 0
    for item in items:
        page.append(item)
        stored = _wanted(item, decodes)
        rows += stored.rows if stored else 0
        if len(page) >= _FILES_PER_LOOKUP or rows >= _ROWS_PER_LOOKUP:
            yield from _looked_up(page, catalog, decodes)
            page, rows = [], 0
    yield from _looked_up(page, catalog, decodes)


def _looked_up(page: Sequence[FileToInspect], catalog: Catalog, decodes: bool) -> Iterator[FileToInspect]:
    stored = {item.file_id: _wanted(item, decodes) for item in page}
    batches = {file_id: one.batch_id for file_id, one in stored.items() if one is not None}
    found = pixels_of_batches(catalog, batches) if batches else {}
    for item in page:
        yield item._replace(statistics=found.get(item.file_id))


def _wanted(item: FileToInspect, decodes: bool) -> SeenStatistics | None:
    """The statistics that a policy reads; none if the file has none, or its pixels are decoded."""
    if item.stored is None or (decodes and item.decodes):
        return None
    return item.stored.statistics
