"""Whether OpenEXR and OpenImageIO open files and read their pixels, each library in a process that may crash.

Run as a program it reads the paths of files from stdin, one a line, and prints one JSON object for each.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = ("openexr", "openimageio")
ROOT = Path(__file__).parents[2]


def verdicts(paths: Sequence[Path], library: str) -> list[dict[str, str]]:
    """For each file `header` and `pixels`: "" if the library reads them, else its message, or `crash`."""
    found: list[dict[str, str]] = []
    while len(found) < len(paths):
        command = [sys.executable, "-m", "tests.support.oracle_process", library]
        rest = "".join(f"{path}\n" for path in paths[len(found) :])
        done = subprocess.run(command, input=rest, capture_output=True, text=True, cwd=ROOT, check=False)
        found += [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("=")]
        if len(found) < len(paths):
            assert done.returncode, done.stderr
            found.append({"header": "crash", "pixels": "crash"})
    return found


def _openexr(path: str) -> dict[str, str]:
    import OpenEXR

    answers = {}
    for what, arguments in (("header", {"header_only": True}), ("pixels", {"separate_channels": True})):
        try:
            file = OpenEXR.File(path, **arguments)
            for index in range(len(file.parts)):
                file.header(index)
            answers[what] = "" if file.parts else "no parts"
        except Exception as error:
            answers[what] = f"{type(error).__name__}: {error}"
    return answers


def _openimageio(path: str) -> dict[str, str]:
    import OpenImageIO

    image = OpenImageIO.ImageInput.open(path)
    if image is None:
        message = OpenImageIO.geterror() or "?"
        return {"header": message, "pixels": message}
    subimage = level = 0
    while image.seek_subimage(subimage, level):
        while image.seek_subimage(subimage, level):
            spec = image.spec()
            if spec.width * spec.height > 1 << 24:
                return {"header": "", "pixels": "image too large to read"}
            if spec.deep:
                pixels = image.read_native_deep_image(subimage, level)
            else:
                pixels = image.read_image(subimage, level, 0, spec.nchannels, "half")
            if pixels is None:
                return {"header": "", "pixels": image.geterror() or "?"}
            level += 1
        subimage, level = subimage + 1, 0
    return {"header": "", "pixels": "" if subimage else "no subimages"}


def _main(library: str) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    ask = {"openexr": _openexr, "openimageio": _openimageio}[library]
    for line in sys.stdin:
        print("=" + json.dumps(ask(line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
