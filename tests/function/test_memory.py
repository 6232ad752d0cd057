"""The memory of a process that handles events for weeks."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from exr_inspector import function, inspect
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.exr.cache import HEADERS_LIMIT
from exr_inspector.sources import MemorySource
from tests.support.exr_bytes import different_file, exr_bytes, text

EVENTS, BATCH = 400, 100
GENERATION_BYTES = 512 << 10  # that each cache of attributes has two of, unless files need more
VALUE_BYTES = 15_000  # caches keep attributes up to 16 KiB


@pytest.fixture(autouse=True)
def _new_process(monkeypatch):
    """Other tests read files with many attributes."""
    monkeypatch.setattr(HEADERS_LIMIT, "bytes", GENERATION_BYTES)


@pytest.mark.slow
@pytest.mark.parametrize("catalog", ["duckdb"], indirect=True)
def test_values_that_differ_in_each_file_take_bounded_memory(tmp_path, catalog, ctx):
    """What Python keeps after the events: caches of attributes, with limits that large headers raise."""
    paths = [tmp_path / f"{number}.exr" for number in range(EVENTS)]
    for number, path in enumerate(paths):
        path.write_bytes(exr_bytes(text("note", f"{number:0{VALUE_BYTES}}")))
    function.handle(ctx, [{"data": {"path": str(path)}} for path in paths[:1]])
    gc.collect()
    tracemalloc.start()
    try:
        for start in range(0, EVENTS, BATCH):
            events = [{"data": {"path": str(path)}} for path in paths[start : start + BATCH]]
            assert {result["persistence"]["status"] for result in function.handle(ctx, events)} == {"success"}
            del events
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 6 << 20


@pytest.mark.slow
def test_files_of_which_all_attributes_differ_take_bounded_memory():
    """Short values, names and texts fill every cache of their decoded forms, rows and tokens."""

    def rows(first: int) -> None:
        files = [MemorySource(different_file(n), f"/sh{n}/beauty.{n}.exr") for n in range(first, first + BATCH)]
        from_inspections(map(inspect, files))

    rows(0)
    gc.collect()
    tracemalloc.start()
    try:
        kept = []
        for first in range(BATCH, 11 * BATCH, BATCH):
            rows(first)
            gc.collect()
            kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(kept) < 12 << 20
