"""Compares the output of two checkouts for every corpus file, and for damaged variants of the small ones.

    python -m benchmarks.same_output OTHER_CHECKOUT [FOLDER]        (default: $EXR_CORPUS)

The output is the JSON with raw bytes, without `reads`, `bytes_read` and `inspector_version`, and both vectors; or the
error. Prints each input whose output differs; exit code 1 if any does. For changes that must not change results.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VARIANTS = 12  # of each file
MAX_VARIANT_BYTES = 200_000  # larger files have no variants


def variants(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """The file, and variants with the damage of writers, copies and disks; the same in every process."""
    yield name, data
    if len(data) > MAX_VARIANT_BYTES:
        return
    choose = random.Random(name)
    for number in range(VARIANTS):
        at = choose.randrange(len(data) or 1)
        length = min(choose.choice((1, 4, 64, 4096)), len(data) - at)
        middle = {
            0: b"",  # cut
            1: bytes(length) + data[at + length :],  # a hole
            2: choose.randbytes(length) + data[at + length :],
            3: data[at + length :],  # bytes lost
        }[number % 4]
        yield f"{name} variant {number}", data[:at] + middle


def output(data: bytes) -> str:
    """The inspection and vectors of these bytes, or the error, as text."""
    from exr_inspector import inspect
    from exr_inspector.errors import ExrInspectorError
    from exr_inspector.sources import MemorySource
    from exr_inspector.vectors import embed

    try:
        inspection = inspect(MemorySource(data))
    except ExrInspectorError as error:
        return f"{type(error).__name__} {error}"
    document = inspection.to_dict(raw=True)
    del document["inspector_version"]
    for cost in ("reads", "bytes_read"):
        del document["file"][cost]
    try:
        vectors = [vector.tobytes() for vector in embed(inspection)]
    except ExrInspectorError as error:
        vectors = [str(error).encode()]
    return repr((document, vectors))


def print_hashes(folder: Path) -> None:
    """Print a line for each input: hash, tab, name."""
    from hashlib import sha256

    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for name, data in variants(path.read_bytes(), path.relative_to(folder).as_posix()):
            print(sha256(output(data).encode("utf-8", "surrogatepass")).hexdigest(), name, sep="\t", flush=True)


def start(checkout: Path, folder: Path) -> subprocess.Popen[str]:
    """Start this program on the code of a checkout."""
    command = [sys.executable, __file__, "--hashes", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def main() -> int:
    """Compare two checkouts; in a child process, print the hashes of one."""
    if sys.argv[1:2] == ["--hashes"]:
        print_hashes(Path(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("folder", type=Path, nargs="?", default=os.environ.get("EXR_CORPUS"))
    given = parser.parse_args()
    if given.folder is None:
        parser.error("no folder: pass a folder of EXR files or set EXR_CORPUS")
    here, other = (start(checkout, given.folder) for checkout in (Path(__file__).parents[1], given.other))
    assert here.stdout is not None
    assert other.stdout is not None
    total = differ = 0
    for mine, theirs in zip(here.stdout, other.stdout, strict=True):
        total += 1
        if mine != theirs:
            differ += 1
            print(mine.rstrip("\n").partition("\t")[2])
    if here.wait() or other.wait():
        return 2
    print(f"{total} inputs, {differ} differ", file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
