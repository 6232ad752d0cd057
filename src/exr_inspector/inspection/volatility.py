"""Which attributes change from frame to frame in a sequence: the one decision for hashes, outliers and vectors.

The name decides first (`renderTime` and `gpu` change, `frameRate` does not), then the type (matrices and time codes
change), then the value: dates, durations, hashes, JSON, and numbers with more digits than a person types.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from ..exr import Attribute, decode
from .json_form import json_value
from .text import NUMBER_START, SPACES, parse_number, split_words, words_of_name


class Volatility(Enum):
    """How the value of an attribute behaves within a sequence."""

    CONSTANT = "constant"  # equal in all frames; a different value is worth a report
    UNCERTAIN = "uncertain"  # a setting or an animated value: vectors use it, hashes and outliers do not
    VOLATILE = "volatile"  # changes with the frame: only the name counts


LONGEST_VALUE = 600  # bytes; longer texts are manifests, statistics or scripts, and a catalog may truncate them

STABLE_NAMES = frozenset(
    "adoptedNeutral channels compression displayWindow dwaCompressionLevel framesPerSecond pixelAspectRatio "
    "screenWindowCenter screenWindowWidth whiteLuminance xDensity zipCompressionLevel".split()
)
_VOLATILE_NAMES = frozenset({"chunkCount", "dataWindow", "maxSamplesPerPixel"})
_VOLATILE_WORDS = frozenset(
    "altitude capdate checksum clock computername cpu cpus ctime cur date datetime duration edgecode elapsed finished "
    "frame framenumber frames gpu gpus guid hash host hostcomputer hostname hw iteration iterations keycode latitude "
    "longitude machine manifest matrix md5 mem memory meshes mtime node objects passes peak pid pitch points polygons "
    "pos position preview primitives progress ram ray rays rendertime roll rot rotation rss seconds seed segments sha "
    "slave started stat statistics stats submitted tc temperature thumbnail tilt time timecode timestamp timestamps "
    "translate triangles uptime usage utilization uuid vmem worker yaw".split()
)
# Word pairs that make a name stable although one of the words is volatile.
_STABLE_PAIRS = frozenset(
    {("exp", "time"), ("exposure", "time"), ("frame", "rate"), ("frames", "per"), ("shutter", "time")}
)
# Names of attributes whose text names a program: build dates and commit hashes in it are the same in all frames.
SOFTWARE_WORDS = frozenset(
    "application build core creator dcc engine generator producer program release renderer software version vraycore "
    "vrayrevision vrayversion".split()
)

_STABLE_TYPES = frozenset({"chlist", "chromaticities", "tiledesc"})
_VOLATILE_TYPES = frozenset(
    "box2f box2i floatvector idmanifest keycode m33d m33f m44d m44f preview timecode v3d v3f v3i".split()
)
_ANIMATED_TYPES = frozenset({"double", "float", "v2d", "v2f"})  # settings, or the camera's focus and exposure

_VOLATILE_TEXT = re.compile(
    r"\d{1,2}:\d\d(?::\d\d)?"  # time of day
    r"|\d{4}[-/.:]\d\d[-/.:]\d\d"  # date
    r"|\d{4}/[A-Z][a-z]{2}/\d\d"
    # duration, size, clock rate, percentage
    r"|\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|m|min|h|hours|[KMG]i?B|[MG]Hz|%)(?![A-Za-z0-9])"
    r"|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b|\b\d{12,}\b",  # hash
    re.ASCII,
)
_COUNTER, _ASCII_LETTER = re.compile(r"[0-9]{7}"), re.compile(r"[A-Za-z]")
_NUMBER_SEPARATOR = re.compile(r"[\s,;]+", re.ASCII)
_PATH_SEPARATOR = re.compile(r"[/\\]")
# A number before the extension of an image, as in plate.1001.exr; in a scene (shot_012.hip) it counts saved versions.
_FRAME_IN_PATH = re.compile(
    r"(?<=[._])-?[0-9]{3,8}(?=\.(?!(?:blend|c4d|hip|hiplc|hipnc|katana|ma|max|mb|nk|nknc)\b)"
    r"[A-Za-z][A-Za-z0-9]{1,4}(?:$|[\s\"']))",
    re.ASCII,
)
_FRAME_OPTION = re.compile(r"(?<!\S)(?:-f|-s|-e|--?frame\S*|--?start|--?end)[ =]+-?\d+(?:[-:,]\d+)*", re.ASCII)

_TYPED_DIGITS = 4  # significant digits: a person types 0.015, a measurement gives 0.0151873
_LARGEST_SETTING = 99_999


def volatility(attr_name: str, attr_type: str, value: Callable[[], Any]) -> Volatility:
    """Whether the value of an attribute changes from frame to frame.

    `value` returns the JSON form of the value, None if it is unknown or longer than LONGEST_VALUE. It is called only if
    the name does not decide: a short manifest can take as much memory as the budget of a file.
    """
    return name_volatility(attr_name, attr_type) or value_volatility(attr_type, value())


@lru_cache(maxsize=2048)
def name_volatility(attr_name: str, attr_type: str) -> Volatility | None:
    """The volatility that follows from name and type; None if it depends on the value."""
    if attr_name in STABLE_NAMES or attr_type in _STABLE_TYPES:
        return Volatility.CONSTANT
    if attr_name in _VOLATILE_NAMES or attr_type in _VOLATILE_TYPES:
        return Volatility.VOLATILE
    if not _STABLE_PAIRS.isdisjoint(itertools.pairwise(split_words(attr_name))):
        return Volatility.CONSTANT
    words = words_of_name(attr_name)
    if not _VOLATILE_WORDS.isdisjoint(words):
        return Volatility.VOLATILE
    return Volatility.CONSTANT if attr_type == "string" and not SOFTWARE_WORDS.isdisjoint(words) else None


def value_volatility(attr_type: str, value: Any) -> Volatility:
    """The volatility of a value whose name does not decide; `value` is what that of `volatility` returns."""
    if isinstance(value, str):
        by_value = _text_volatility(value.strip(SPACES))
    elif isinstance(value, (int, float)):
        by_value = Volatility.VOLATILE if _number_is_volatile(value) else Volatility.CONSTANT
    elif value is None:
        by_value = Volatility.VOLATILE if attr_type == "string" else Volatility.CONSTANT
    else:
        by_value = _items_volatility(list(scalars(value)))
    return Volatility.UNCERTAIN if by_value is Volatility.CONSTANT and attr_type in _ANIMATED_TYPES else by_value


def _items_volatility(items: list[Any]) -> Volatility:
    if items and all(isinstance(item, str) for item in items):
        return _text_volatility(" ".join(items).strip(SPACES))
    if any(isinstance(item, (int, float)) and _number_is_volatile(item) for item in items):
        return Volatility.VOLATILE
    return Volatility.CONSTANT


def _text_volatility(text: str) -> Volatility:
    if _is_long(text) or text[:1] in ("{", "["):  # JSON
        return Volatility.VOLATILE
    changes = _VOLATILE_TEXT.search(text) is not None or (
        _COUNTER.search(text) is not None and _ASCII_LETTER.search(text) is None
    )
    if changes and not is_path(text):
        return Volatility.VOLATILE
    if text[:1] in NUMBER_START and any(map(_number_is_volatile, _numbers(text))):
        return Volatility.VOLATILE
    return Volatility.UNCERTAIN if changes or without_frames(text) != text else Volatility.CONSTANT


def _numbers(text: str) -> list[float]:
    """The numbers that a text consists of; none if there is anything else in it."""
    numbers = [parse_number(word) for word in _NUMBER_SEPARATOR.split(text)]
    return [] if None in numbers else cast("list[float]", numbers)


def _is_long(text: str) -> bool:
    return len(text) > LONGEST_VALUE or (
        not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > LONGEST_VALUE
    )


def _number_is_volatile(number: float) -> bool:
    """Whether a number looks measured or counted, not typed."""
    if isinstance(number, int):
        return abs(number) > _LARGEST_SETTING and number % 1000 != 0
    return float(f"{number:.{_TYPED_DIGITS}g}") != number


def is_path(text: str) -> bool:
    """Whether a text has a path separator; those of dates do not count."""
    return _PATH_SEPARATOR.search(text) is not None and _PATH_SEPARATOR.search(_VOLATILE_TEXT.sub("", text)) is not None


def without_frames(text: str) -> str:
    """The text without the frame numbers in image paths and command line options."""
    if "." in text:
        text = _FRAME_IN_PATH.sub("", text)
    return _FRAME_OPTION.sub(" ", text) if "-" in text else text


def scalars(value: Any) -> Iterator[Any]:
    """The single values of a JSON value, in order."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        yield value
        return
    for item in value:
        yield from scalars(item)


def value_of(attribute: Attribute) -> Any:
    """The value in its JSON form, as in a catalog; None if it is longer than LONGEST_VALUE."""
    if attribute.size_bytes > LONGEST_VALUE:
        return None
    return json_value(attribute.attr_type, attribute.value)


def stored_value(value_json: str | None, size_bytes: int) -> Any:
    """The value in a row of the table `attributes`; None if it is unknown or longer than LONGEST_VALUE."""
    return None if value_json is None or size_bytes > LONGEST_VALUE else json.loads(value_json)


def structure_of(attributes: Iterable[Attribute]) -> list[tuple[bytes, bytes]]:
    """Two byte strings per attribute: name and type, and its bytes, which are empty unless they are constant."""
    return [
        (_cached_item if len(a.raw) <= _CACHED_BYTES else _item)(a.attr_name, a.attr_type, a.raw) for a in attributes
    ]


def _item(attr_name: str, attr_type: str, raw: bytes) -> tuple[bytes, bytes]:
    name = f"{attr_name}\0{attr_type}\0".encode()

    def value() -> Any:
        return json_value(attr_type, decode(attr_type, raw)[0]) if len(raw) <= LONGEST_VALUE else None

    kept = raw if volatility(attr_name, attr_type, value) is Volatility.CONSTANT else b""
    return b"%d:%b" % (len(name) + len(kept), name), kept  # the length, so that no value looks like two attributes


_CACHED_BYTES = 512  # manifests can have megabytes
_cached_item = lru_cache(maxsize=8192)(_item)
