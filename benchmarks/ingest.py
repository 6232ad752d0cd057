"""Files a second into a DuckDB catalog: the first run, and a rescan in which nothing has changed.

    python benchmarks/ingest.py [--files 20000] [--workers 2] [--repeat 1]

Makes small files (one in three multipart, 10 to 40 attributes) in a temporary folder and runs the command line on them
as a user does, so the time of starting Python and its workers is in the numbers. A quarter of the files is measured
too: memory that is the same for both does not grow with their number. Memory is the resident size of the whole process
tree, sampled; pages that processes share are counted for each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.small_exr import FRAMES_PER_SEQUENCE, small_file  # noqa: E402

SAMPLE_EVERY_S = 0.05
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the command."""

    seconds: float
    peak_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the best one counts")
    options = parser.parse_args()
    print(f"{'files':>8} {'run':<8} {'seconds':>8} {'files/s':>9} {'peak MB':>8}")
    for count in sorted({options.files // 4, options.files}):
        with tempfile.TemporaryDirectory(prefix="exr-ingest-") as folder:
            make_files(Path(folder, "show"), count)
            runs = [measure_both(Path(folder), options.workers) for _ in range(options.repeat)]
        for name, measured in zip(("first", "rescan"), zip(*runs, strict=True), strict=True):
            best = min(measured, key=lambda run: run.seconds)
            peak = max(run.peak_bytes for run in measured)
            print(f"{count:>8,} {name:<8} {best.seconds:>8.2f} {count / best.seconds:>9,.0f} {peak / 1e6:>8.0f}")


def make_files(root: Path, count: int) -> None:
    """Sequences of a hundred frames, each in a folder of its own."""
    for index in range(count):
        sequence, frame = divmod(index, FRAMES_PER_SEQUENCE)
        folder = root / f"sh{sequence:04}"
        if not frame:
            folder.mkdir(parents=True)
        multipart = sequence % 3 == 0
        (folder / f"beauty.{1001 + frame}.exr").write_bytes(small_file(index, multipart, 10 + sequence % 31))


def measure_both(folder: Path, workers: int) -> tuple[Measured, Measured]:
    """A first run into a new catalog, and a second one that finds everything unchanged."""
    catalog = folder / "catalog.duckdb"
    catalog.unlink(missing_ok=True)
    command = [sys.executable, "-m", "exr_inspector", "ingest", str(folder / "show")]
    command += ["--catalog", f"duckdb:{catalog}", "--workers", str(workers)]
    return measure(command), measure(command)


def measure(command: list[str]) -> Measured:
    """Run a command to its end."""
    paths = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": paths})
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(resident_bytes, process_tree(process.pid))))
        time.sleep(SAMPLE_EVERY_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, peak)


def process_tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        children = [child for task in tasks for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:  # it has ended
        return
    for child in children:
        yield from process_tree(int(child))


def resident_bytes(pid: int) -> int:
    """The resident size of a process, 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


if __name__ == "__main__":
    main()
