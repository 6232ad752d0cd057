"""Files of a catalog for the command validate: judged from their rows."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .options import open_catalog

if TYPE_CHECKING:
    from ..policy.compile import CompiledPolicy
    from ..policy.from_catalog import Judged, Unread


def catalog_verdicts(
    uri: str | None, policy: CompiledPolicy, patterns: Sequence[str], *, persist: bool, wait_s: float
) -> Iterator[Judged | Unread]:
    """The verdicts on the files that the patterns select; stored in transactions of many files with `persist`."""
    from ..policy.from_catalog import Judged, store_verdicts, validate_catalog
    from ..sequence.derived import keep_up

    with _without_collections(), open_catalog(uri, read_only=not persist, wait_s=wait_s) as catalog:
        pending: list[Judged] = []
        for item in validate_catalog(catalog, policy, patterns):
            if isinstance(item, Judged):
                pending += [item] if persist else []
            yield item
            if len(pending) >= catalog.files_per_transaction:
                store_verdicts(catalog, pending)
                pending.clear()
        if persist:
            store_verdicts(catalog, pending)
            keep_up(catalog)


def absent_sequences(uri: str | None, patterns: Sequence[str]) -> list[str]:
    """The patterns of one sequence of which the catalog has no file."""
    from ..frames.patterns import is_one_sequence
    from ..sequence.frames import has_files

    named = [pattern for pattern in patterns if is_one_sequence(pattern)]
    if not named:
        return []
    with open_catalog(uri, read_only=True) as catalog:
        return [pattern for pattern in named if not has_files(catalog, pattern)]


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
