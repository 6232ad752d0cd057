"""The memory of a process that handles events for weeks."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from exr_inspector import function
from tests.support.exr_bytes import exr_bytes, text

EVENTS, BATCH = 400, 100
VALUE_BYTES = 15_000  # caches keep attributes up to 16 KiB


@pytest.mark.slow
@pytest.mark.parametrize("catalog", ["duckdb"], indirect=True)
def test_values_that_differ_in_each_file_take_bounded_memory(tmp_path, catalog, ctx):
    """What Python keeps after the events: caches of attributes, of which each has a limit of 8 MiB."""
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
    assert kept < 9 << 20
