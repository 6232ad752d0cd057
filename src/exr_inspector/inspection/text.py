"""Words and numbers in names and texts of attributes, the same for every version of Python.

Python's Unicode tables grow with its version, so none is used: only ASCII digits are digits, and characters outside
ASCII are letters, lower case included.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

# Negated classes, listing what does not match: they compile 20 times faster than the ranges outside ASCII.
_LOWER_CASE, _LETTER = r"[^\x00-`{-\x7f]", r"[^\x00-@\[-`{-\x7f]"
LETTER_OR_DIGIT = r"[^\x00-/:-@\[-`{-\x7f]"
DIGITS = frozenset("0123456789")
NUMBER_START = DIGITS | frozenset("+-.")
SPACES = " \t\n\r\v\f"
_WORD = re.compile(rf"[A-Z]+(?!{_LOWER_CASE})|[A-Z]?{_LOWER_CASE}+|[0-9]+")
_LETTERS = re.compile(rf"{_LETTER}+")

# Latin, Greek and Cyrillic up to U+052F: no Unicode version may change the case of a character that has one.
_LOWER = {code: chr(code).lower() for code in range(0x530)}


def lower(text: str) -> str:
    """The text in lower case, the same in every version of Python."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


@lru_cache(maxsize=1024)
def split_words(text: str) -> tuple[str, ...]:
    """The words in lower case, split at case, digits and punctuation: `AA_maxDepth2` gives aa, max, depth, 2."""
    return tuple(lower(word) for word in _WORD.findall(text))


@lru_cache(maxsize=1024)
def words_of_name(name: str) -> frozenset[str]:
    """The words of a name, and its runs of letters unsplit: `hostName` gives host, name and hostname."""
    return frozenset(split_words(name)) | {lower(run) for run in _LETTERS.findall(name)}


def parse_number(text: str) -> float | None:
    """The finite number that a text consists of, or None; V-Ray, Cycles and Unreal write numbers as text."""
    # int() and float() accept underscores and the digits of every script.
    if text[:1] not in NUMBER_START or "_" in text or not text.isascii():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
