"""Time to inspect large files on local disks, network file systems and object stores, in milliseconds per file.

    python -m benchmarks.chunks [OTHER_CHECKOUT]

With another checkout, both run in turn and the ratio of the medians is printed. Local files are read from a warm page
cache, and their times are processor time. The other storage is simulated: a request waits 0.3, 1 or 5 ms, and returns
up to 1 MiB in pages, which are kept as in a page cache; announced reads wait at the same time. Objects wait for each
read.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exr_inspector.sources.local import LocalSource

PASSES = 5
SLOW_MS = 500  # slower cases run once
PAGE_BYTES, REQUEST_BYTES, PREFIX_BYTES, LARGE_PREFIX_BYTES = 4096, 1 << 20, 8 << 10, 64 << 10
STORAGE = {"local": 0.0, "network 0.3 ms": 0.3, "network 1 ms": 1.0, "object 5 ms": 5.0}


def make_files(folder: Path) -> dict[str, Path]:
    """4K images of noise, and ten HD parts."""
    import numpy
    import OpenEXR

    def write(name: str, *parts: OpenEXR.Part) -> None:
        OpenEXR.File(list(parts)).write(str(folder / name))

    def part(name: str, compression: str, width: int, height: int, tile: int = 0) -> OpenEXR.Part:
        noise = numpy.random.default_rng(1).normal(1, 0.3, (height, width)).astype("float16")
        header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
        if tile:
            header |= {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription()}
            header["tiles"].xSize = header["tiles"].ySize = tile
        return OpenEXR.Part(header, dict.fromkeys("BGR", noise), name)

    write("4K ZIPS", part("a", "ZIPS", 4096, 2160))
    write("4K tiles of 64, ZIP", part("a", "ZIP", 4096, 2160, 64))
    write("4K ZIP", part("a", "ZIP", 4096, 2160))
    write("4K PIZ", part("a", "PIZ", 4096, 2160))
    write("10 HD parts, ZIP", *(part(f"part{n}", "ZIP", 1920, 1080) for n in range(10)))
    return {path.name: path for path in sorted(folder.iterdir())}


class SlowSource:
    """A byte source of this checkout or an older one, whose requests wait."""

    mtime = etag = inode = None

    def __init__(self, path: str, kind: str, latency_ms: float) -> None:
        self.path, self.uri, self.storage = path, f"file://{path}", kind
        self.small_reads_are_cheap = kind != "object"  # of older checkouts
        self._fd, self._latency = os.open(path, os.O_RDONLY), latency_ms / 1000
        self.size_bytes = os.fstat(self._fd).st_size
        is_sampled = "prefetch" in LocalSource.__dict__
        self.prefix_bytes = LARGE_PREFIX_BYTES if kind == "object" or is_sampled else PREFIX_BYTES
        self._ready: dict[int, float] = {}  # time by page

    def read(self, offset: int, length: int) -> bytes:
        now = time.perf_counter()
        if self.storage == "object":
            time.sleep(self._latency)
            return os.pread(self._fd, length, offset)
        pages = self._pages(offset, length)
        missing = sum(page not in self._ready for page in pages)
        if missing:
            time.sleep(self._latency * -(-missing * PAGE_BYTES // REQUEST_BYTES))
        else:
            time.sleep(max(max(self._ready[page] for page in pages) - now, 0))
        self._ready.update(dict.fromkeys(pages, now))
        return os.pread(self._fd, length, offset)

    def prefetch(self, offset: int, length: int) -> None:
        ready_at = time.perf_counter() + self._latency
        for page in self._pages(offset, length):
            self._ready.setdefault(page, ready_at)

    def close(self) -> None:
        os.close(self._fd)

    @staticmethod
    def _pages(offset: int, length: int) -> range:
        return range(offset // PAGE_BYTES, (offset + length - 1) // PAGE_BYTES + 1)


def serve() -> None:
    """In a child process: inspect the files named on stdin, and print milliseconds, reads and completeness."""
    from exr_inspector import inspect

    for line in sys.stdin:
        storage, path = line.rstrip("\n").split("\t")
        kind, latency = storage.split(" ")[0], STORAGE[storage]
        clock = time.thread_time if kind == "local" else time.perf_counter
        begin = clock()
        inspection = inspect(path if kind == "local" else SlowSource(path, kind, latency))
        elapsed = (clock() - begin) * 1000
        print(elapsed, inspection.reads, inspection.completeness, sep="\t", flush=True)


class Checkout:
    """A process that runs the code of a checkout."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def inspect(self, storage: str, path: Path) -> tuple[float, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{storage}\t{path}\n")
        self._process.stdin.flush()
        elapsed, reads, completeness = self._process.stdout.readline().split("\t")
        assert completeness == "complete\n", completeness
        return float(elapsed), int(reads)

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    """Print the table; in a child process, serve."""
    if sys.argv[1:] == ["--serve"]:
        serve()
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, nargs="?", help="another checkout, to compare with")
    given = parser.parse_args()
    checkouts = [Checkout(Path(__file__).parents[1])]
    if given.other:
        checkouts.append(Checkout(given.other.absolute()))
    print(
        f"{'':<22}{'storage':<16}{'ms':>9}{'reads':>7}" + f"{'other':>10}{'reads':>7}{'ratio':>8}" * bool(given.other)
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, path in make_files(Path(folder)).items():
            for storage in STORAGE:
                results: list[list[tuple[float, int]]] = [[checkout.inspect(storage, path)] for checkout in checkouts]
                for _ in range(PASSES if max(result[0][0] for result in results) < SLOW_MS else 0):
                    for checkout, result in zip(checkouts, results, strict=True):
                        result.append(checkout.inspect(storage, path))
                medians = [statistics.median(elapsed for elapsed, _ in result[1:] or result) for result in results]
                row = f"{name:<22}{storage:<16}{medians[0]:9.2f}{results[0][0][1]:7}"
                if given.other:
                    row += f"{medians[1]:10.2f}{results[1][0][1]:7}{medians[0] / medians[1]:7.3f}×"
                print(row, flush=True)
    for checkout in checkouts:
        checkout.close()


if __name__ == "__main__":
    main()
