"""The command inspect on many files: seconds and processor time, with one process and with worker processes.

    python -m benchmarks.inspect_files [OTHER_CHECKOUT] [--files 10000] [--passes 3]

Makes small files (a third multipart, 11 to 40 attributes) in a temporary folder. The programs take turns; the best pass
of each counts. With another checkout, its program is measured in the same run.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ingest import make_files

HERE = Path(__file__).parent.parent
FORMATS = ("--jsonl", "--table")


def run(checkout: Path, root: Path, output: str, workers: int) -> tuple[float, float]:
    """Seconds, and processor seconds of all processes, of one command."""
    env = os.environ | {"PYTHONPATH": str(checkout / "src"), "EXR_INSPECTOR_WORKERS": str(workers)}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "exr_inspector", "inspect", str(root), "-r", output]
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Run the commands and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", nargs="?", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    programs = {f"{workers} workers" if workers > 1 else "one process": (HERE, workers) for workers in (1, 2)}
    if options.other:
        programs["other checkout"] = (options.other.resolve(), 2)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_files(root, options.files)
        print(f"{'format':<8} {'program':<15} {'seconds':>8} {'CPU s':>8} {'files/s':>9}")
        for output in FORMATS:
            best: dict[str, tuple[float, float]] = {}
            for _ in range(options.passes):
                for name, (checkout, workers) in programs.items():
                    best[name] = min(best.get(name, (1e9, 1e9)), run(checkout, root, output, workers))
            for name, (seconds, cpu) in best.items():
                print(
                    f"{output:<8} {name:<15} {seconds:>8.2f} {cpu:>8.2f} {options.files / seconds:>9,.0f}", flush=True
                )


if __name__ == "__main__":
    main()
