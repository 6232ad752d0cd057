"""The tokens of one attribute: what its name says, and what its value says where it is the same in all frames.

An attribute that changes with the frame counts by its name alone: that it is there belongs to the recipe, what it
says does not. Names tell first, then types, then the look of the value (see `words`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ..exr import Attribute
from ..inspection.json_form import json_value
from . import words
from .codes import UNIT, Token

# What every header has, or the groups `channels` and `structure` speak of.
STRUCTURAL = frozenset(
    "channels compression dataWindow displayWindow lineOrder pixelAspectRatio screenWindowCenter screenWindowWidth "
    "tiles name type view multiView version chunkCount maxSamplesPerPixel framesPerSecond".split()
)
_NAME_ONLY_TYPES = frozenset(
    "timecode keycode preview box2i box2f v3i v3f v3d m33f m33d m44f m44d floatvector idmanifest bytes chlist "
    "tiledesc".split()
)
LONGEST_VALUE = 600  # bytes; more is a manifest, statistics or a script, and may be cut in a catalog

# Names with a piece of their own for each AOV or matte would swamp all others.
_PATTERNS = (
    (re.compile(r"^cryptomatte/[0-9a-f]{1,8}/"), "cryptomatte/*/"),
    (re.compile(r"/aovs/[^/]+/"), "/aovs/*/"),
    (re.compile(r"^cycles\.[^.]+\."), "cycles.*."),
    (re.compile(r"^unreal/camera/[^/]+/(?=[^/]+$)"), "unreal/camera/*/"),
)
_PREFIX = re.compile(r"[^/:.]+(?=[/:.])")

_PATH_SEPARATORS = re.compile(r"[/\\]")
_FRAME_IN_PATH = re.compile(r"(?<=[._])-?[0-9]{3,8}(?=\.[A-Za-z][A-Za-z0-9]{1,4}(?:$|[\s\"']))", re.ASCII)
_FRAME_OPTION = re.compile(r"(?<!\S)(?:-f|-s|-e|--?frame\S*|--?start|--?end)[ =]+-?\d+(?:[-:,]\d+)*", re.ASCII)
_IDENTIFIER = re.compile(rf"{words.LETTER_OR_DIGIT}+(?:[_-]{words.LETTER_OR_DIGIT}+)+")
_RUN = re.compile(rf"{words.LETTER_OR_DIGIT}+")
_ASSET_VERSION = re.compile(r"[vV]?[0-9]{1,4}")  # of a scene or a publish; programs have dots in theirs
_LETTERS_AND_DIGITS = re.compile(r"(?=.*[0-9])(?=.*[^0-9])")
_MOST_WORDS = 48  # of one text
_SPACES = " \t\n\r\v\f"


# Weights of values under names that do not tell what they are: some of them are noise that changes with the frame.
_UNKNOWN_SETTING, _FAMILY_SETTING, _UNTRUSTED = 0.15, 0.8, 0.15


class AttributeTokens(NamedTuple):
    """Tokens that count once for a file, and those that count once for every attribute that has them."""

    once: tuple[Token, ...]
    counted: tuple[Token, ...]


def _token(group: str, text: str, weight: float) -> Token:
    return Token(group, text, round(weight * UNIT))


class Kind(NamedTuple):
    """What an attribute's name and type say of it."""

    by_name: AttributeTokens  # what it counts for, whatever its value
    value_counts: bool
    is_software: bool
    is_colour: bool
    is_origin: bool
    setting_weight: float
    name: str  # with its patterns, in lower case


@lru_cache(maxsize=8192)
def kind_of(attr_name: str, attr_type: str) -> Kind | None:
    """The kind of an attribute; None for those which say nothing here."""
    if attr_name in STRUCTURAL:
        return None
    name = attr_name
    for pattern, replacement in _PATTERNS:
        name = pattern.sub(replacement, name)
    name = words.lower(name)
    vocabulary = words.vocabulary_of(attr_name)
    tokens = [_token("names", f"n:{name}", 1.0)]
    prefix = _PREFIX.match(name)
    if prefix is not None:
        tokens.append(_token("names", f"p:{prefix.group()}", 2.5))
        tokens.append(_token("software", f"p:{prefix.group()}", 1.0))
    is_software = attr_type == "string" and not words.SOFTWARE.isdisjoint(vocabulary)
    is_colour = attr_type == "chromaticities" or not words.COLOUR.isdisjoint(vocabulary)
    volatile = words.name_is_volatile(attr_name) and attr_type != "chromaticities"
    return Kind(
        by_name=AttributeTokens(tuple(tokens), ()),
        value_counts=not volatile and attr_type not in _NAME_ONLY_TYPES,
        is_software=is_software,
        is_colour=is_colour,
        is_origin=not words.ORIGIN.isdisjoint(vocabulary),
        setting_weight=_setting_weight(vocabulary, prefix.group() if prefix else ""),
        name=name,
    )


def _setting_weight(vocabulary: frozenset[str], prefix: str) -> float:
    if not words.SETTINGS.isdisjoint(vocabulary):
        return 1.0
    return _FAMILY_SETTING if prefix in words.FAMILIES else _UNKNOWN_SETTING


def value_of(attribute: Attribute) -> Any:
    """The value of an attribute in its JSON form, as a catalog keeps it; None where it is too long to count."""
    if attribute.size_bytes > LONGEST_VALUE:
        return None
    return json_value(attribute.attr_type, attribute.value)


def tokens_of(kind: Kind, value: Any) -> AttributeTokens:
    """The tokens of an attribute with this value, in its JSON form; None where it has none that counts."""
    if value is None or not kind.value_counts:
        return kind.by_name
    counted: tuple[Token, ...] = ()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    if isinstance(value, str):
        once, counted = _text_tokens(kind, value.strip(_SPACES))
    elif kind.is_colour:
        once = _colour_numbers(kind, value)
    else:
        once = _number_tokens(kind, value)
    if not once and not counted:
        return kind.by_name
    return AttributeTokens((*kind.by_name.once, *once), counted)


def _text_tokens(kind: Kind, text: str) -> tuple[list[Token], tuple[Token, ...]]:
    if not text:
        return [], ()
    if kind.is_software and not _ASSET_VERSION.fullmatch(text):
        return _software_tokens(kind, text), ()
    if kind.is_colour:
        return _colour_text(text), ()
    is_path = _PATH_SEPARATORS.search(text) is not None
    if not is_path and words.text_is_volatile(text):
        return [], ()
    number = _as_number(text)
    if number is not None:
        return _number_tokens(kind, number), ()
    once = []
    if len(text) <= 60 and not is_path:
        weight = kind.setting_weight * (0.4 if kind.is_origin else 1.0)
        once.append(_token("settings", f"{kind.name}={words.lower(text)}", weight))
    return once, _origin_tokens(text, 1.0 if is_path or kind.is_origin else _UNTRUSTED)


def _as_number(text: str) -> float | None:
    """The number that a text is; V-Ray, Cycles and Unreal write all of theirs as text."""
    # Failing costs more than looking; int and float take the digits of every script that Python knows, and underscores.
    if not (text[0] in words.DIGITS or text[0] in "+-.") or "_" in text or not text.isascii():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None


def _software_tokens(kind: Kind, text: str) -> list[Token]:
    tokens = []
    for word in sorted(set(words.words_of(text[:200]))):
        if word[0] not in words.DIGITS and len(word) > 1:
            tokens.append(_token("software", f"w:{word}", 1.0))
    versions = words.versions_of(text)
    for at, (program, pieces) in enumerate(versions):
        trust = 1.0 if at == 0 else 0.5  # behind the first one stand libraries and hosts
        for piece, weight in zip(pieces, (0.8, 0.8, 0.9), strict=False):
            tokens.append(_token("software", f"v:{kind.name}:{program}:{piece}", weight * trust))
    if not versions:
        tokens.append(_token("software", f"t:{kind.name}:{words.lower(text)[:200]}", 1.0))
    return tokens


def _colour_text(text: str) -> list[Token]:
    if words.text_is_volatile(text):
        return []
    tokens = [_token("colour", f"t:{words.lower(text)}", 2.0)]
    return tokens + [_token("colour", f"w:{word}", 0.5) for word in sorted(set(words.words_of(text[:200])))]


def _colour_numbers(kind: Kind, value: Any) -> list[Token]:
    numbers = [number for number in _flat(value) if isinstance(number, (int, float))]
    whole = ",".join(f"{number:.3f}" for number in numbers)
    tokens = [_token("colour", f"c:{kind.name}:{whole}", 2.0)]
    return tokens + [_token("colour", f"{at}:{number:.2f}", 0.35) for at, number in enumerate(numbers)]


def _number_tokens(kind: Kind, value: Any) -> list[Token]:
    numbers = _flat(value)
    for number in numbers:
        if isinstance(number, (int, float)) and words.number_is_volatile(number):
            return []
    return [_token("settings", f"{kind.name}={','.join([_plain(number) for number in numbers])}", kind.setting_weight)]


def _plain(value: Any) -> str:
    """4 and 4.0 are one value: renderers write counts as either."""
    text = str(value)
    return text[:-2] if text.endswith(".0") else text


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return [value]
    return [item for each in value for item in _flat(each)]


def _origin_tokens(text: str, trust: float) -> tuple[Token, ...]:
    if "." in text:
        text = _FRAME_IN_PATH.sub("", text)
    if "-" in text:
        text = _FRAME_OPTION.sub(" ", text)
    return _tokens_of_words(words.lower(text), trust)


@lru_cache(maxsize=8192)
def _tokens_of_words(text: str, trust: float) -> tuple[Token, ...]:
    weights: dict[str, float] = {}
    for identifier in _IDENTIFIER.findall(text)[:_MOST_WORDS]:
        weights[f"i:{identifier}"] = 1.2
    for run in _RUN.findall(text)[:_MOST_WORDS]:
        if _LETTERS_AND_DIGITS.match(run):
            weights[run] = 1.6
        elif run[0] not in words.DIGITS:  # all of it is digits, or nothing
            if len(run) > 1:
                weights[run] = 1.0
        elif len(run) >= 3:
            weights[run] = 0.8
    return tuple(_token("origin", word, weight * trust) for word, weight in weights.items())
