"""Policies: microseconds for a file, and for each file of a catalog that is judged from its rows.

    python -m benchmarks.policy [--files 1000000] [--catalog PATH.duckdb]

The catalog is that of `benchmarks.catalog`: sequences of 100 frames, each with its time code. One that exists is used
as it is. Times for a file are the shortest of five; the catalog is judged once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.catalog import fill
from exr_inspector import compiled_policy, inspect, open_catalog
from exr_inspector.cli.catalog_verdicts import catalog_verdicts
from exr_inspector.policy.evaluate import evaluate
from exr_inspector.policy.from_catalog import StoredVerdict
from exr_inspector.policy.load import builtin_names
from exr_inspector.sources.memory import MemorySource
from tests.support.small_exr import small_file

_FRAMES = 1000


def of_files() -> None:
    """Print the time to judge a frame of a sequence, by policy."""
    frames = [
        inspect(MemorySource(small_file(frame, multipart=False, attribute_count=37), f"s3://s/a.{frame}.exr"))
        for frame in range(_FRAMES)
    ]
    for name in builtin_names():
        policy = compiled_policy(name)
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            for frame in frames:
                evaluate(policy, frame)
            seconds.append(time.perf_counter() - began)
        rules = len(policy.rules_for().uses())
        print(f"{name:20} {rules:4} rules {1e6 * min(seconds) / _FRAMES:8.1f} µs")


def of_catalog(path: Path, name: str) -> None:
    """Print the time to judge all files of a catalog."""
    policy = compiled_policy(name)
    statuses: Counter[str] = Counter()
    began, used = time.perf_counter(), time.process_time()
    with open_catalog(f"duckdb:{path}", read_only=True) as catalog:
        for item in catalog_verdicts(catalog, policy, (), persist=False):
            statuses[item.verdict.status if isinstance(item, StoredVerdict) else "unread"] += 1
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    files = statuses.total()
    each = f"{1e6 * seconds / files:.1f} µs each, {1e6 * cpu / files:.1f} of the processor"
    print(f"{name:20} {files:,} files {seconds:8.1f} s, {each}, {dict(statuses)}")


def main() -> None:
    """Judge frames, and a catalog."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--catalog", type=Path)
    options = parser.parse_args()
    of_files()
    with tempfile.TemporaryDirectory() as folder:
        path = options.catalog or Path(folder) / "catalog.duckdb"
        if not path.exists():
            fill(path, options.files)
        for name in ("plate", "render", "vfx-delivery"):
            of_catalog(path, name)


if __name__ == "__main__":
    main()
