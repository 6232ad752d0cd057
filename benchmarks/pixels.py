"""Pixel statistics against `oiiotool --stats`: CPU and memory of five UHD files, and of one picture from 2K to 16K.

    python -m benchmarks.pixels [--folder DIR] [--runs 3] [--only ZIP …] [--sizes] [--object]

Files are made in the folder, with --sizes and --object of several GB, unless they are there; without a folder, in a
temporary one that is deleted. CPU is that of all processes with their start, the shortest of the runs; PSS is the
largest sum over the processes of the command. `worker` is the decoder process alone, `decoding` what it needs to
decode, without its start and the statistics. Ratios are to oiiotool in the same round. Two threads are compared with
one by the time of requests to a process that runs already, which says something where two cores are idle.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import OpenEXR

from exr_inspector.exr import Limits
from exr_inspector.exr.header import fetch_header
from exr_inspector.exr.locate import locate_chunks
from exr_inspector.pixels.decode import FlatDecoder
from exr_inspector.pixels.model import PixelLimits, StatsOptions
from exr_inspector.pixels.worker import PixelWorker, decoder_environment
from exr_inspector.sources import open_source
from exr_inspector.sources.reader import Reader

UHD = (3840, 2160)
TILE = 64
FLOATS = 31
OIIOTOOL = Path(sys.executable).with_name("oiiotool")
COMMAND = [sys.executable, "-m", "exr_inspector", "stats", "--format", "jsonl", "--output", os.devnull]


class Cost(NamedTuple):
    """What a run took: seconds of CPU and of time, and megabytes."""

    cpu: float
    wall: float
    pss: float


def picture(width: int, height: int, number: int) -> Any:
    """A smooth picture with noise, as float32."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    noise = np.random.default_rng(number).normal(0, 0.004, (height, width)).astype(np.float32)
    smooth = np.sin(x / (211 + number * 13)) * np.cos(y / (173 + number * 7)) * 0.5 + 0.6 + noise
    return np.round(smooth * (1 << 19)) / np.float32(1 << 19)


def write(path: Path, compression: str, channels: dict[str, Any], *, tiled: bool = False) -> None:
    """Write a file if it is missing."""
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    if tiled:
        tiles = OpenEXR.TileDescription()
        tiles.xSize = tiles.ySize = TILE
        header |= {"type": OpenEXR.tiledimage, "tiles": tiles}
    OpenEXR.File(header, channels).write(str(path))


def rgba(width: int, height: int) -> dict[str, Any]:
    """Four HALF channels."""
    channels = {name: picture(width, height, number).astype(np.float16) for number, name in enumerate("RGBA")}
    return channels | {"A": np.clip(channels["A"], 0, 1)}


def make_files(folder: Path) -> dict[str, Path]:
    """The five files by name."""
    paths = {name: folder / f"{name}.exr" for name in ("ZIP", "PIZ", "DWAA", "tiles", "32 channels")}
    if not all(path.exists() for path in paths.values()):
        channels = rgba(*UHD)
        for name in ("ZIP", "PIZ", "DWAA"):
            write(paths[name], name, dict(channels))
        write(paths["tiles"], "ZIP", channels, tiled=True)
        many = {f"aov{number:02}.{'XYZ'[number % 3]}": picture(*UHD, number) for number in range(FLOATS)}
        y, x = np.mgrid[0 : UHD[1], 0 : UHD[0]]
        write(paths["32 channels"], "ZIP", many | {"id": (x // 60 + y // 60).astype(np.uint32)})
    return paths


def pss_of(pid: int) -> float:
    """Proportional set size of a process and its descendants in megabytes."""
    total, pids = 0.0, [pid]
    while pids:
        current = pids.pop()
        try:
            rollup = Path(f"/proc/{current}/smaps_rollup").read_text()
            total += int(rollup.partition("Pss:")[2].split()[0]) * 1024 / 1e6
            for children in Path(f"/proc/{current}/task").glob("*/children"):  # of each thread
                pids += map(int, children.read_text().split())
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue
    return total


def run(command: list[str], environment: Mapping[str, str] = MappingProxyType({})) -> Cost:
    """The cost of a command with its children."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    peak, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.02):
            peak = max(peak, pss_of(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    ended.set()
    watcher.join()
    assert status == 0, (command, status)
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, peak)


def decode(path: Path) -> Cost:
    """The cost of the decoder process for one file, with its start."""
    began = time.perf_counter()
    with PixelWorker() as worker:
        report = worker.statistics(str(path), StatsOptions())
        seconds = time.perf_counter() - began
        assert worker.pid is not None
        fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
        pss = pss_of(worker.pid)
    assert not report.errors, report.errors
    return Cost((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), seconds, pss)


def seconds_by_threads(path: Path, runs: int) -> dict[int, float]:
    """The time of a request by number of threads, the shortest of the runs, in a process that runs already."""
    seconds = {1: float("inf"), 2: float("inf")}
    with PixelWorker() as worker:
        worker.statistics(str(path), StatsOptions(threads=2))
        for _ in range(runs):
            for threads in seconds:
                began = time.perf_counter()
                worker.statistics(str(path), StatsOptions(threads=threads))
                seconds[threads] = min(seconds[threads], time.perf_counter() - began)
    return seconds


def least(costs: list[Cost]) -> Cost:
    """The least CPU and time, and the largest memory."""
    return Cost(min(c.cpu for c in costs), min(c.wall for c in costs), max(c.pss for c in costs))


def decoding_cost(path: Path) -> float:
    """CPU of reading and decoding a file in a process with the environment of the decoder, without its start."""
    program = "import sys; from benchmarks.pixels import decode_bands; print(decode_bands(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(path)]
    return float(subprocess.run(command, env=decoder_environment(), capture_output=True, check=True).stdout)


def decode_bands(path: str) -> float:
    """CPU of reading and decoding a file in this process, without statistics."""
    source = open_source(path)
    header = fetch_header(Reader(source), Limits())
    located = locate_chunks(header, source.read, source.size_bytes)
    assert located is not None
    began = time.process_time()
    decoder = FlatDecoder(source.read, located[0], PixelLimits())
    for band_run in decoder.runs():
        for _ in decoder.decode(band_run):
            pass
    return time.process_time() - began


def report(name: str, path: Path, runs: int) -> None:
    """Print a line about a file."""
    rounds = [
        (run([str(OIIOTOOL), "--stats", str(path)]), decode(path), run([*COMMAND, str(path)])) for _ in range(runs)
    ]
    decoding = min(decoding_cost(path) for _ in range(runs))
    oiio, worker, command = (least(list(costs)) for costs in zip(*rounds, strict=True))
    seconds = seconds_by_threads(path, runs)
    print(
        f"{name:12} oiiotool {oiio.cpu:5.2f} s {oiio.pss:5.0f} MB"
        f"   worker {worker.cpu:5.2f} s, ×{worker.cpu / oiio.cpu:.2f}, decoding {decoding:5.2f} s"
        f"   command {command.cpu:5.2f} s, ×{command.cpu / oiio.cpu:.2f}, {command.pss:4.0f} MB"
        f"   two threads ×{seconds[1] / seconds[2]:.2f}",
        flush=True,
    )


def report_sizes(folder: Path) -> None:
    """Print the memory of the command for one picture in several sizes."""
    smallest = rgba(2 * 1024, 2 * 576)
    for thousands in (2, 4, 8, 16):
        path = folder / f"{thousands}K.exr"
        if not path.exists():
            write(path, "ZIP", {name: np.tile(plane, (thousands // 2,) * 2) for name, plane in smallest.items()})
        cost = run([*COMMAND, str(path)])
        print(f"{thousands:2}K ZIP      command {cost.cpu:6.2f} s  {cost.pss:4.0f} MB", flush=True)


def report_object(folder: Path) -> None:
    """Print the cost of the command for an object of 2 GB, which this process serves."""
    path = folder / "object.exr"
    if not path.exists():
        width, height, repeats = 8192, 1024, 16
        planes = {name: np.tile(picture(width, height, number), (repeats, 1)) for number, name in enumerate("RGBA")}
        write(path, "NO", planes)
    data = np.memmap(path, np.uint8, "r")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(ObjectHandler, data)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        keys = {"S3_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"}
        cost = run([*COMMAND, "s3://renders/object.exr"], keys)
        server.shutdown()
    print(
        f"object of {len(data) / 1e6:,.0f} MB   command {cost.cpu:6.2f} s  {cost.wall:6.1f} s  {cost.pss:4.0f} MB",
        flush=True,
    )


class ObjectHandler(BaseHTTPRequestHandler):
    """HEAD and GET of one object as in S3; moto copies the whole object for each range."""

    protocol_version = "HTTP/1.1"

    def __init__(self, data: Any, *arguments: Any) -> None:
        self._data = data
        super().__init__(*arguments)

    def do_HEAD(self) -> None:
        self._answer(200, 0, len(self._data))

    def do_GET(self) -> None:
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last) + 1, len(self._data))
        self._answer(206, begin, end)
        self.wfile.write(self._data[begin:end])

    def _answer(self, status: int, begin: int, end: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(self._data)}")
        self.send_header("Last-Modified", "Sat, 28 Nov 2026 12:00:00 GMT")
        self.send_header("ETag", '"object"')
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", action="store_true", help="also one picture from 2K to 16K")
    parser.add_argument("--object", action="store_true", help="also an object of 2 GB of a store")
    parser.add_argument("--only", nargs="*", help="names of the files to measure; without names, none")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        for name, path in make_files(folder).items() if options.only != [] else ():
            if options.only is None or name in options.only:
                report(name, path, options.runs if name != "32 channels" else 1)
        if options.sizes:
            report_sizes(folder)
        if options.object:
            report_object(folder)


if __name__ == "__main__":
    main()
