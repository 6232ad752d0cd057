"""Words of names and texts, and the lists that say what a word means."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache

from ..inspection.volatility import STABLE_PAIRS, VOLATILE_WORDS

# Python's Unicode tables grow with its version, so none of them is used here: patterns are ASCII, and whatever is not
# ASCII is a letter, also a small one. The classes say what does not belong to them, which compiles 20 times faster.
_SMALL, _LETTER = r"[^\x00-`{-\x7f]", r"[^\x00-@\[-`{-\x7f]"
LETTER_OR_DIGIT = r"[^\x00-/:-@\[-`{-\x7f]"
_PIECES = re.compile(rf"[A-Z]+(?!{_SMALL})|[A-Z]?{_SMALL}+|[0-9]+")
_RUNS = re.compile(rf"{_LETTER}+")
DIGITS = frozenset("0123456789")

# Latin, Greek and Cyrillic up to U+052F: no Unicode version may change the case of a character that has one.
_LOWER = {code: chr(code).lower() for code in range(0x530)}

# Names that change with the frame although the rest of the header's structure may hold them.
_VOLATILE = VOLATILE_WORDS | frozenset(
    "edgecode gpu gpus manifest matrix preview slave thumbnail transform translate sha timestamps".split()
)
SOFTWARE = frozenset(
    "application build core creator dcc engine generator producer program release renderer software version "
    "vraycore vrayversion vrayrevision".split()
)
COLOUR = frozenset(
    "aces chromaticities color colorspace colour colourspace gamut illuminant interop lut ocio primaries "
    "primary transform".split()
)
# Attributes whose text tells where a render comes from.
ORIGIN = frozenset(
    "artist author cam camera clip comp entity file filename folder hip job level name owner path project reel scene "
    "scenename script seq sequence shot show task usd user".split()
)
SETTINGS = frozenset(
    "aa aperture bounce bounces clamp clip denoise denoiser depth error exposure far filter focal fstop gi iso kernel "
    "length lens level levels limit max min mode near quality radius rate resolution sample sampler samples shutter "
    "solver spp threshold total type variance width".split()
)

# Prefixes of programs: what they write of their own is no noise of a studio's pipeline.
FAMILIES = frozenset(
    "arnold vrayinfo rs cycles husk karma unreal corona octane nuke input ri rman prman com moonray clarisse redshift "
    "renderman mantra exif oiio cryptomatte openexr".split()
)


def lower(text: str) -> str:
    """The text in lower case, the same in every version of Python."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


@lru_cache(maxsize=8192)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, split at case, digits and punctuation: `AA_maxDepth2` is aa max depth 2."""
    return tuple(lower(piece) for piece in _PIECES.findall(name))


@lru_cache(maxsize=8192)
def vocabulary_of(name: str) -> frozenset[str]:
    """The words of a name, and its runs of letters unsplit, so that `hostName` is host, name and hostname."""
    return frozenset(words_of(name)) | {lower(run) for run in _RUNS.findall(name)}


@lru_cache(maxsize=8192)
def name_is_volatile(name: str) -> bool:
    """Whether an attribute of this name changes from frame to frame, whatever it holds."""
    words = words_of(name)
    if any(pair in STABLE_PAIRS for pair in itertools.pairwise(words)):
        return False
    return not _VOLATILE.isdisjoint(vocabulary_of(name))


_LOOKS_VOLATILE = re.compile(
    r"\d{1,2}:\d\d(?::\d\d)?"  # a clock
    r"|\d{4}[-/.:]\d\d[-/.:]\d\d"  # a date
    r"|\d{4}/[A-Z][a-z]{2}/\d\d"
    # A duration, a size, a clock rate, a share.
    r"|\b\d+(?:\.\d+)?\s?(?:ms|s|sec|seconds|m|min|h|hours|[KMG]i?B|[MG]Hz|%)(?![A-Za-z0-9])"
    r"|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b",  # a hash
    re.ASCII,
)
_COUNTER, _ASCII_LETTER = re.compile(r"[0-9]{7}"), re.compile(r"[A-Za-z]")


def text_is_volatile(text: str) -> bool:
    """Whether a text looks like something that changes from frame to frame: dates, durations, sizes, hashes, JSON."""
    if text[:1] in ("{", "[") or _LOOKS_VOLATILE.search(text) is not None:
        return True
    return _COUNTER.search(text) is not None and _ASCII_LETTER.search(text) is None


_MEASURED_DIGITS = 4  # no more are significant: a person types 0.015, a measurement says 0.0151873
_LARGEST_SETTING = 99_999


def number_is_volatile(number: float) -> bool:
    """Whether a number looks measured or counted rather than typed."""
    if isinstance(number, int):
        return abs(number) > _LARGEST_SETTING and number % 1000 != 0
    return float(f"{number:.{_MEASURED_DIGITS}g}") != number


_VERSION = re.compile(
    r"([A-Za-z]*)[\s:=,-]*(?<![A-Za-z0-9.])v?(\d+(?:\.\d+)+(?:v\d+)?|\d{2,4}(?![A-Za-z0-9]))", re.ASCII
)
_MOST_VERSIONS = 3


def versions_of(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """The version numbers in a text: the word before each, and its major, its major.minor and all of it.

    Those with dots come first, as others may be years and widths of words.
    """
    found = []
    for program, version in _VERSION.findall(text):
        pieces = version.split("v")[0].split(".")
        found.append((lower(program), tuple(dict.fromkeys((pieces[0], ".".join(pieces[:2]), version)))))
    return sorted(found, key=lambda each: len(each[1]) == 1)[:_MOST_VERSIONS]
