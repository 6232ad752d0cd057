"""Ingest into DuckDB: files per second in the first run and in a rescan, and peak memory of all processes.

    python -m benchmarks.ingest [--files 20000] [--workers 2]

Makes small files (a third multipart, 11 to 40 attributes) in a temporary folder and runs the command like a user.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.support.small_exr import small_file


def make_files(root: Path, count: int) -> None:
    """Write `count` files, 100 per folder."""
    for index in range(count):
        folder = root / f"sh{index // 100:04}"
        folder.mkdir(exist_ok=True)
        data = small_file(index, index % 3 == 0, 11 + index % 30)
        (folder / f"beauty.{1001 + index % 100}.exr").write_bytes(data)


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants, without shared pages."""
    total, pids = 0, [pid]
    while pids:
        current = pids.pop()
        try:
            for line in Path(f"/proc/{current}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    total += int(line.split()[1]) * 1024
            pids += map(int, Path(f"/proc/{current}/task/{current}/children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def run(root: Path, catalog: Path, workers: int) -> tuple[float, int]:
    """Seconds and peak memory in bytes of one ingest."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "exr_inspector", "ingest", str(root)]
    process = subprocess.Popen(
        [*command, "--catalog", f"duckdb:{catalog}", "--workers", str(workers)], stdout=subprocess.DEVNULL
    )
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    watcher.join()
    assert code == 0, code
    return time.perf_counter() - begin, peak


def main() -> None:
    """Run the ingests and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(f"{'files':>8} {'run':<8} {'seconds':>8} {'files/s':>9} {'peak MB':>8}")
    for count in (options.files // 4, options.files):
        with tempfile.TemporaryDirectory() as folder:
            root, catalog = Path(folder, "show"), Path(folder, "catalog.duckdb")
            root.mkdir()
            make_files(root, count)
            for name in ("first", "rescan"):
                seconds, peak = run(root, catalog, options.workers)
                print(f"{count:>8} {name:<8} {seconds:>8.2f} {count / seconds:>9,.0f} {peak / 1e6:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
