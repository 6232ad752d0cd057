"""Time to read a header, in microseconds per file, beside OpenEXR and OpenImageIO.

    python benchmarks/headers.py [FOLDER]        (default: $EXR_CORPUS/valid)

Every reader opens the path and reads every attribute of every part; only files that all readers accept are used.
Two workloads: repeated headers, as in a sequence; and headers whose attributes differ in every file and pass, so that
no cache of decoded attributes helps. The page cache is warm; the readers run in turn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import OpenEXR
import OpenImageIO

from exr_inspector import inspect
from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import Limits, read_header
from exr_inspector.exr.checks import REQUIRED
from exr_inspector.exr.header import _CACHE, fetch_header
from exr_inspector.sources.local import LocalSource
from exr_inspector.sources.reader import Reader

PASSES = 7
LIMITS = Limits()
# Types whose two lowest bytes may have any value.
NUMBERS = {"float", "double", "v2f", "v2d", "v3f", "v3d", "m33f", "m33d", "m44f", "m44d", "box2f", "floatvector"}
FIXED = {*REQUIRED, "tiles", "type", "chunkCount", "version", "view", "multiView"}


def header_only(path: str) -> None:
    source = LocalSource(path)
    header = fetch_header(Reader(source), LIMITS)
    for part in header.parts:
        for attribute in part.attributes:
            _ = attribute.value
    source.close()


def inspection_without_walk(path: str) -> None:
    """Header, hashes, identity, offset table and the leader of the last chunk."""
    inspect(path, chunks="table")


def whole_inspection(path: str) -> None:
    inspect(path)


def openexr(path: str) -> None:
    file = OpenEXR.File(path, header_only=True)
    for index in range(len(file.parts)):
        for _ in file.header(index).values():
            pass


def openimageio(path: str) -> None:
    image = OpenImageIO.ImageInput.open(path)
    if image is None:
        raise RuntimeError(OpenImageIO.geterror())
    part = 0
    while image.seek_subimage(part, 0):
        for attribute in image.spec().extra_attribs:
            _ = attribute.value
        part += 1
    image.close()


READERS: dict[str, Callable[[str], None]] = {
    "exr-inspector, header": header_only,
    "exr-inspector, no chunk walk": inspection_without_walk,
    "exr-inspector, inspect": whole_inspection,
    "OpenEXR.File": openexr,
    "OpenImageIO": openimageio,
}


@contextmanager
def no_output() -> Iterator[None]:
    """Discard the output of the libraries, which bypass sys.stdout and sys.stderr."""
    sys.stdout.flush()
    saved = [os.dup(1), os.dup(2)]
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    try:
        yield
    finally:
        for number, descriptor in enumerate(saved, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(null)


def readable_by_all(paths: list[Path]) -> list[Path]:
    found = []
    for path in paths:
        try:
            for read in READERS.values():
                read(str(path))
        except (RuntimeError, ExrFormatError):
            continue
        found.append(path)
    return found


def variant(data: bytes, number: int) -> bytes:
    """The file with other values in its texts, numbers, previews and channels."""
    header = read_header(data)
    changed = bytearray(data)
    at = 8
    for part in header.parts:
        for a in part.attributes:
            at += len(a.attr_name.encode()) + len(a.attr_type) + 6
            end = at + a.size_bytes
            if a.attr_type in NUMBERS and a.attr_name not in FIXED:
                changed[at : at + 2] = number.to_bytes(2, "little")
            elif a.attr_type in ("string", "preview") and a.size_bytes >= 5 and a.attr_name not in FIXED:
                changed[end - 5 : end] = b"%05d" % number
            elif a.attr_type == "chlist" and part.channels:
                reserved = at + len(part.channels[0].channel_name.encode()) + 1 + 5
                changed[reserved : reserved + 2] = number.to_bytes(2, "little")
            at = end
        at += 1
    return bytes(changed)


def measure(read: Callable[[str], None], paths: list[str]) -> float:
    """Microseconds per file of one pass."""
    begin = time.perf_counter()
    for path in paths:
        read(path)
    return (time.perf_counter() - begin) / len(paths) * 1e6


def repeated(paths: list[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in READERS}
    for read in READERS.values():
        measure(read, paths)
    for _ in range(PASSES):
        for name, read in READERS.items():
            found[name].append(measure(read, paths))
    return found


def all_different(paths: list[str]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in READERS}
    contents = [Path(path).read_bytes() for path in paths]
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        for turn in range(PASSES):
            copies = []
            for number, data in enumerate(contents):
                copy = Path(folder, f"{number:04}.exr")
                copy.write_bytes(variant(data, turn * len(contents) + number))
                copies.append(str(copy))
            for name, read in READERS.items():
                _CACHE.clear()
                found[name].append(measure(read, copies))
    return found


def table(title: str, found: dict[str, list[float]]) -> str:
    first = min(next(iter(found.values())))
    lines = [f"{title:<34}{'best':>9}{'median':>9}{'ratio':>8}"]
    for name, times in found.items():
        best = min(times)
        lines.append(f"  {name:<32}{best:9.1f}{statistics.median(times):9.1f}{best / first:7.2f}×")
    return "\n".join(lines)


def main() -> None:
    corpus = os.environ.get("EXR_CORPUS")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(corpus, "valid") if corpus else None)
    folder = parser.parse_args().folder
    if folder is None:
        parser.error("no folder: pass a folder of EXR files or set EXR_CORPUS")
    paths = sorted(folder.rglob("*.exr"))
    with no_output():
        chosen = [str(path) for path in readable_by_all(paths)]
    if not chosen:
        parser.error(f"{folder}: no EXR file that every reader accepts")
    print(f"{len(chosen)} of {len(paths)} files, {PASSES} passes, µs per file")
    print(table("repeated headers", repeated(chosen)))
    print(table("all headers different", all_different(chosen)))


if __name__ == "__main__":
    main()
