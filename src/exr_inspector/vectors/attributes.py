"""The tokens of one attribute: from its name, and from its value unless that changes from frame to frame."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ..inspection.text import DIGITS, LETTER_OR_DIGIT, SPACES, lower, parse_number, split_words, words_of_name
from ..inspection.volatility import (
    SOFTWARE_WORDS,
    Volatility,
    is_path,
    name_volatility,
    scalars,
    value_volatility,
    without_frames,
)
from . import words
from .codes import Token, token

# Attributes of every header, or covered by the groups `channels` and `structure`.
_STRUCTURAL = frozenset(
    "channels compression dataWindow displayWindow lineOrder pixelAspectRatio screenWindowCenter screenWindowWidth "
    "tiles name type view multiView version chunkCount maxSamplesPerPixel framesPerSecond".split()
)
_OPAQUE_TYPES = frozenset({"bytes", "chlist", "tiledesc"})

# Names that contain an AOV or matte; as different names, forty of them would outweigh all others.
_PATTERNS = (
    (re.compile(r"^cryptomatte/[0-9a-f]{1,8}/"), "cryptomatte/*/"),
    (re.compile(r"/aovs/[^/]+/"), "/aovs/*/"),
    (re.compile(r"^cycles\.[^.]+\."), "cycles.*."),
    (re.compile(r"^unreal/camera/[^/]+/(?=[^/]+$)"), "unreal/camera/*/"),
)
_PREFIX = re.compile(r"[^/:.]+(?=[/:.])")

_IDENTIFIER = re.compile(rf"{LETTER_OR_DIGIT}+(?:[_-]{LETTER_OR_DIGIT}+)+")
_RUN = re.compile(rf"{LETTER_OR_DIGIT}+")
_ASSET_VERSION = re.compile(r"[vV]?[0-9]{1,4}")  # of a scene or a publish; versions of programs have dots
_LETTERS_AND_DIGITS = re.compile(r"(?=.*[0-9])(?=.*[^0-9])")
_MAX_WORDS = 48  # per text
_MAX_SETTING_CHARACTERS = 60
_MAX_TEXT_CHARACTERS = 200

# Weights of settings whose name has no settings word, and of origin words under other names: some are per-frame noise.
_UNKNOWN_SETTING, _PROGRAM_SETTING, _UNKNOWN_ORIGIN = 0.15, 0.8, 0.15


class AttributeTokens(NamedTuple):
    """Tokens that count once per file, and tokens that count once per attribute."""

    once: tuple[Token, ...]
    counted: tuple[Token, ...]


class Kind(NamedTuple):
    """Properties of an attribute that follow from its name and type."""

    attr_type: str
    volatility: Volatility | None  # None: the value decides
    by_name: AttributeTokens  # for every value
    value_counts: bool
    is_software: bool
    is_colour: bool
    is_origin: bool
    setting_weight: float
    pattern: str  # the name in lower case, with AOVs and mattes replaced by *


@lru_cache(maxsize=2048)
def kind_of(attr_name: str, attr_type: str) -> Kind | None:
    """The kind of an attribute; None for attributes without tokens."""
    if attr_name in _STRUCTURAL:
        return None
    name = attr_name
    for pattern, replacement in _PATTERNS:
        name = pattern.sub(replacement, name)
    name = lower(name)
    name_words = words_of_name(attr_name)
    volatility = name_volatility(attr_name, attr_type)
    tokens = [token("names", f"n:{name}", 1.0)]
    prefix = _PREFIX.match(name)
    if prefix is not None:
        tokens.append(token("names", f"p:{prefix.group()}", 2.5))
        tokens.append(token("software", f"p:{prefix.group()}", 1.0))
    return Kind(
        attr_type=attr_type,
        volatility=volatility,
        by_name=AttributeTokens(tuple(tokens), ()),
        value_counts=attr_type not in _OPAQUE_TYPES and volatility is not Volatility.VOLATILE,
        is_software=attr_type == "string" and not SOFTWARE_WORDS.isdisjoint(name_words),
        is_colour=attr_type == "chromaticities" or not words.COLOUR.isdisjoint(name_words),
        is_origin=not words.ORIGIN.isdisjoint(name_words),
        setting_weight=_setting_weight(name_words, prefix.group() if prefix else ""),
        pattern=name,
    )


def _setting_weight(name_words: frozenset[str], prefix: str) -> float:
    if not words.SETTINGS.isdisjoint(name_words):
        return 1.0
    return _PROGRAM_SETTING if prefix in words.PROGRAM_PREFIXES else _UNKNOWN_SETTING


def tokens_of(kind: Kind, value: Any) -> AttributeTokens:
    """The tokens of an attribute with this value in its JSON form; None if the value is unknown or too long."""
    if value is None or not kind.value_counts:
        return kind.by_name
    if kind.volatility is None and value_volatility(kind.attr_type, value) is Volatility.VOLATILE:
        return kind.by_name
    counted: tuple[Token, ...] = ()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = " ".join(value)
    if isinstance(value, str):
        once, counted = _text_tokens(kind, value.strip(SPACES))
    elif kind.is_colour:
        once = _colour_numbers(kind, value)
    else:
        once = [_setting(kind, value)]
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
    number = parse_number(text)
    if number is not None:
        return [_setting(kind, number)], ()
    once = []
    has_path = is_path(text)
    if len(text) <= _MAX_SETTING_CHARACTERS and not has_path:
        weight = kind.setting_weight * (0.4 if kind.is_origin else 1.0)
        once.append(token("settings", f"{kind.pattern}={lower(text)}", weight))
    return once, _origin_tokens(text, 1.0 if has_path or kind.is_origin else _UNKNOWN_ORIGIN)


def _software_tokens(kind: Kind, text: str) -> list[Token]:
    tokens = []
    for word in sorted(set(split_words(text[:_MAX_TEXT_CHARACTERS]))):
        if word[0] not in DIGITS and len(word) > 1:
            tokens.append(token("software", f"w:{word}", 1.0))
    versions = words.versions_of(text)
    for index, (program, forms) in enumerate(versions):
        trust = 1.0 if index == 0 else 0.5  # after the first version come those of libraries and hosts
        for form, weight in zip(forms, (0.8, 0.8, 0.9), strict=False):
            tokens.append(token("software", f"v:{kind.pattern}:{program}:{form}", weight * trust))
    if not versions:
        tokens.append(token("software", f"t:{kind.pattern}:{lower(text)[:_MAX_TEXT_CHARACTERS]}", 1.0))
    return tokens


def _colour_text(text: str) -> list[Token]:
    tokens = [token("colour", f"t:{lower(text)}", 2.0)]
    names = sorted(set(split_words(text[:_MAX_TEXT_CHARACTERS])))
    return tokens + [token("colour", f"w:{word}", 0.5) for word in names]


def _colour_numbers(kind: Kind, value: Any) -> list[Token]:
    numbers = [number for number in scalars(value) if isinstance(number, (int, float))]
    whole = ",".join(f"{number:.3f}" for number in numbers)
    tokens = [token("colour", f"c:{kind.pattern}:{whole}", 2.0)]
    return tokens + [token("colour", f"{index}:{number:.2f}", 0.35) for index, number in enumerate(numbers)]


def _setting(kind: Kind, value: Any) -> Token:
    return token("settings", f"{kind.pattern}={','.join(map(_plain, scalars(value)))}", kind.setting_weight)


def _plain(value: Any) -> str:
    """4 and 4.0 are equal: renderers write counts as either."""
    return str(value).removesuffix(".0")


def _origin_tokens(text: str, trust: float) -> tuple[Token, ...]:
    return _word_tokens(lower(without_frames(text)), trust)


@lru_cache(maxsize=512)
def _word_tokens(text: str, trust: float) -> tuple[Token, ...]:
    weights: dict[str, float] = {}
    for identifier in _IDENTIFIER.findall(text)[:_MAX_WORDS]:
        weights[f"i:{identifier}"] = 1.2
    for run in _RUN.findall(text)[:_MAX_WORDS]:
        if _LETTERS_AND_DIGITS.match(run):
            weights[run] = 1.6
        elif run[0] not in DIGITS:
            if len(run) > 1:
                weights[run] = 1.0
        elif len(run) >= 3:
            weights[run] = 0.8
    return tuple(token("origin", word, weight * trust) for word, weight in weights.items())
