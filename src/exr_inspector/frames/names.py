"""The frame number and sequence in a file name.

The frame is the last number before the extension. A number after a `v` is a version, not a frame. A minus sign counts
only after a separator or at the start: `c.-001.exr` is frame -1, `shot-001.exr` frame 1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_NAME = re.compile(
    r"""(?P<base>.*?)
        (?P<frame>(?:(?<![^._\s/])-)?(?<![0-9])[0-9]{1,9}
            (?:(?<=[-._\s][0-9]{4})\.[0-9]{1,3}|(?<=[-._\s][0-9]{3})\.[0-9]{1,2})?)
        (?P<ext>(?:\.[A-Za-z][^\x00-/:-@\[-^`{-\x7f]*)+)""",  # as \w, which depends on the Python version outside ASCII
    re.VERBOSE | re.DOTALL,
)
_VERSION = re.compile(r"(?:^|[^A-Za-z])[vV]$")


class FrameName(NamedTuple):
    """The parts of a name: `sequence` has # instead of the frame; `frame` is the text as written."""

    sequence: str
    frame: str
    frame_number: int


@lru_cache(maxsize=1024)
def _prefix_is_version(base: str) -> bool:
    return _VERSION.search(base) is not None


def parse_name(path: str) -> FrameName | None:
    """The sequence and frame of a path or URI; None if its name has no frame number."""
    folder, slash, name = path.rpartition("/")
    # File systems allow 255 bytes, object stores 1024; matching can take time quadratic in the length.
    match = _NAME.fullmatch(name) if len(name) <= 1024 else None
    if match is None:
        return None
    base, frame, extension = match["base"], match["frame"], match["ext"]
    if _prefix_is_version(base):
        return None
    number = int(frame.split(".")[0])
    return FrameName(f"{folder}{slash}{base}#{extension}", frame, number)
