"""Completes the rows of named queries with what only Python decides; the head of such a query says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...cryptomatte import estimate_objects, read_manifest

if TYPE_CHECKING:
    import pyarrow as pa

_TOTALS = ("render", "cryptomatte", "manifests", "is_estimate", "largest_bytes", "bytes", "share", "sidecar")
_REPORT = (*_TOTALS[:3], "objects", *_TOTALS[3:-1], "broken", "sidecar")


def cryptomattes(rows: pa.Table) -> pa.Table:
    """One row for each render and Cryptomatte, from one for each of its distinct manifests."""
    import pyarrow as pa

    objects = _objects_of_manifests(rows)
    broken = [
        times if size is not None and count is None else 0
        for times, size, count in zip(
            rows["times"].to_pylist(), rows["manifest_bytes"].to_pylist(), objects, strict=True
        )
    ]
    counted = (
        rows.select(_TOTALS)
        .append_column("objects", pa.array(objects, pa.int64()))
        .append_column("broken", pa.array(broken, pa.int64()))
    )
    found = counted.group_by(_TOTALS).aggregate([("objects", "max"), ("broken", "sum")])
    found = found.rename_columns([name.removesuffix("_max").removesuffix("_sum") for name in found.column_names])
    order = [("largest_bytes", "descending"), ("objects", "descending")]
    return found.select(_REPORT).sort_by([*order, ("render", "ascending"), ("cryptomatte", "ascending")])


def _objects_of_manifests(rows: pa.Table) -> list[int | None]:
    """The number of objects in the manifest of each row; None without a manifest or for an invalid one."""
    keys = list(zip(*(rows[name].to_pylist() for name in ("manifest_hash", "manifest_bytes", "is_cut")), strict=True))
    objects: dict[tuple[str, int, bool], int | None] = {}
    for key, scalar in zip(keys, rows["text"], strict=True):  # one text in memory at a time besides the table
        text = scalar.as_py()
        if text is not None:
            _, size, is_cut = key
            objects[key] = estimate_objects(text, size) if is_cut else _count_objects(text)
    return [objects.get(key) for key in keys]


def _count_objects(text: str) -> int | None:
    manifest, _ = read_manifest(text)
    return None if manifest is None else len(manifest)


COMPLETIONS: dict[str, Callable[[pa.Table], pa.Table]] = {"cryptomattes": cryptomattes}
