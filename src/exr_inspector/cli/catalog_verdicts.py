"""Files of a catalog for the command validate: judged from their rows."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..policy.compile import CompiledPolicy
    from ..policy.from_catalog import StoredVerdict, Unread


def catalog_verdicts(
    catalog: Catalog, policy: CompiledPolicy, patterns: Sequence[str], *, persist: bool
) -> Iterator[StoredVerdict | Unread]:
    """The verdicts on the files that the patterns select; stored in transactions of many files with `persist`."""
    from ..policy.from_catalog import StoredVerdict, store_verdicts, validate_catalog
    from ..sequence.derived import keep_up

    with _without_collections():
        pending: list[StoredVerdict] = []
        for item in validate_catalog(catalog, policy, patterns):
            if isinstance(item, StoredVerdict):
                pending += [item] if persist else []
            yield item
            if len(pending) >= catalog.files_per_transaction:
                store_verdicts(catalog, pending)
                pending.clear()
        if persist:
            store_verdicts(catalog, pending)
            keep_up(catalog)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Rows have no reference cycles, and to search those of many files for cycles takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
