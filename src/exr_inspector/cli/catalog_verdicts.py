"""Files of a catalog for the command validate: judged from their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .options import open_catalog

if TYPE_CHECKING:
    from ..policy.compile import CompiledPolicy
    from ..policy.evaluate import Verdict
    from ..policy.from_catalog import Judged, Unread


def catalog_verdicts(
    uri: str | None, policy: CompiledPolicy, patterns: Sequence[str], *, persist: bool, wait_s: float
) -> Iterator[Verdict | Unread]:
    """The verdicts on the files that the patterns select; stored in transactions of many files with `persist`."""
    from ..policy.from_catalog import Judged, store_verdicts, validate_catalog
    from ..sequence.derived import keep_up

    with open_catalog(uri, read_only=not persist, wait_s=wait_s) as catalog:
        pending: list[Judged] = []
        for item in validate_catalog(catalog, policy, patterns):
            if isinstance(item, Judged):
                yield item.verdict
                pending += [item] if persist else []
            else:
                yield item
            if len(pending) >= catalog.files_per_transaction:
                store_verdicts(catalog, pending)
                pending.clear()
        if persist:
            store_verdicts(catalog, pending)
            keep_up(catalog)
