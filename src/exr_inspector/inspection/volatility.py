"""What of a header should be equal in all frames of a sequence, and what may change from frame to frame.

Names tell: an attribute called `renderTime` or `frame` changes, whatever it holds. Then types: matrices, time codes and
plain floats follow the camera. Then the look of a text: dates, clocks, long hex words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ..exr import Attribute, decode

# Values of these types change with the frame; that the attribute is there still counts.
VOLATILE_TYPES = frozenset(
    {"timecode", "keycode", "preview", "double", "float", "v2f", "v2d", "v3f", "v3d", "box2f", "m33f", "m33d",
     "m44f", "m44d", "floatvector", "idmanifest"}
)  # fmt: skip
STABLE_NAMES = frozenset(
    {"pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "displayWindow", "framesPerSecond", "channels",
     "compression", "dwaCompressionLevel", "zipCompressionLevel", "xDensity", "whiteLuminance"}
)  # fmt: skip
VOLATILE_NAMES = frozenset({"dataWindow", "chunkCount", "maxSamplesPerPixel"})
VOLATILE_WORDS = frozenset(
    "altitude capdate checksum clock computername ctime cur date datetime duration edgecode elapsed finished frame "
    "framenumber frames guid hash host hostcomputer hostname hw iteration iterations keycode latitude longitude "
    "machine manifest md5 mem memory meshes mtime node objects passes peak pid pitch points polygons pos position "
    "primitives progress ram ray rays rendertime roll rot rotation rss seconds seed segments sha started stat "
    "statistics stats submitted tc temperature tilt time timecode timestamp triangles uptime usage utilization uuid "
    "vmem worker yaw".split()
)
# Words that make a name stable although one above is in it: frames per second, exposure time, …
STABLE_PAIRS = (
    ("frame", "rate"),
    ("frames", "per"),
    ("exp", "time"),
    ("exposure", "time"),
    ("shutter", "time"),
)

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LOOKS_VOLATILE = re.compile(
    r"\d{1,2}:\d\d(:\d\d)?"  # a clock
    r"|\d{4}[-/.:]\d\d[-/.:]\d\d"  # a date
    r"|\b\d+(\.\d+)?\s?(ms|s|sec|seconds|min|h|hours|KB|MB|GB|KiB|MiB|GiB)\b"  # a duration or an amount of memory
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}\b",  # a hash
    re.ASCII,  # what else is a digit changes with the version of Python
)
_LONG_TEXT = 2000


@lru_cache(maxsize=4096)
def _name_is_volatile(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    whole = [word.lower() for word in re.findall(r"[A-Za-z]+", name)]
    pairs = set(itertools.pairwise(words))
    if any(pair in pairs for pair in STABLE_PAIRS):
        return False
    return not VOLATILE_WORDS.isdisjoint(words) or not VOLATILE_WORDS.isdisjoint(whole)


def is_volatile(attr_name: str, attr_type: str, value: Any) -> bool:
    """Whether an attribute may differ between the frames of one sequence."""
    if attr_name in STABLE_NAMES:
        return False
    if attr_name in VOLATILE_NAMES or attr_type in VOLATILE_TYPES or _name_is_volatile(attr_name):
        return True
    if isinstance(value, str):
        return len(value) > _LONG_TEXT or _LOOKS_VOLATILE.search(value) is not None
    return False


def _item(attr_name: str, attr_type: str, raw: bytes) -> tuple[bytes, bytes]:
    name = f"{attr_name}\0{attr_type}\0".encode()
    value = b"" if _is_volatile(attr_name, attr_type, raw) else raw
    return b"%d:%b" % (len(name) + len(value), name), value  # the length, so that no value looks like two attributes


def _is_volatile(attr_name: str, attr_type: str, raw: bytes) -> bool:
    """is_volatile() of stored bytes: of all values, only texts are looked at, and no long ones."""
    if attr_type != "string":
        return is_volatile(attr_name, attr_type, None)
    if len(raw) > 4 * _LONG_TEXT:  # four bytes make a character at most
        return attr_name not in STABLE_NAMES
    return is_volatile(attr_name, attr_type, decode(attr_type, raw)[0])


_CACHED_BYTES = 1024  # a cache must not keep manifests of megabytes
_cached_item = lru_cache(maxsize=8192)(_item)


def structure_of(attributes: Iterable[Attribute]) -> list[tuple[bytes, bytes]]:
    """Two pieces for each attribute: its name and type, and its bytes unless they may change with the frame."""
    return [
        (_cached_item if len(a.raw) <= _CACHED_BYTES else _item)(a.attr_name, a.attr_type, a.raw) for a in attributes
    ]
