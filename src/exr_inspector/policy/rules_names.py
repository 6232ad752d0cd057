"""Rules 5xx: file names and paths."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from ..frames.names import versions_in
from ..frames.ranges import frame_digits
from ..sources.memory import UNNAMED
from .name_template import NameTemplate, name_expression
from .rule import Digits, FileName, Outcome, Parameters, Positive, Texts, Undecided, Violation, name_rule

_DECIMALS = "0123456789"
_CHARACTERS = f"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz{_DECIMALS}._-"
_MAX_NAME_BYTES = 255
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Characters(Parameters):
    """All characters that are allowed."""

    allowed: str = _CHARACTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Width(Parameters):
    """The number of digits."""

    width: Positive = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PathBytes(Parameters):
    """The largest size of a path in bytes."""

    max: Positive = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Template(Parameters):
    """The form of names: {field}, {field:4} for digits, {field:sh*} for a pattern, and other text."""

    template: NameTemplate = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(Parameters):
    """The letters before the numbers of shots and sequences."""

    prefixes: Texts = ("sh", "shot", "sq", "seq")


def _name(file: FileName) -> str:
    """The file name; empty for bytes without one."""
    path = file.file_path
    return "" if path == UNNAMED else path[path.rfind("/") + 1 :]


_NO_NAME = Undecided("the bytes have no file name")
_NO_FRAME = Undecided("the name has no frame number")


@name_rule(501, "warning", "common practice", digits="nothing")
def extension(file: FileName, _: Parameters) -> Iterator[Outcome]:
    """The name ends in .exr."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif not name.endswith(".exr"):
        stem, dot, ending = name.rpartition(".")
        yield Violation(".exr", f"{dot}{ending}" if stem else None)


@lru_cache(maxsize=64)
def _allowed(characters: str) -> frozenset[str]:
    return frozenset(characters)


def _digits_of_characters(given: Characters) -> Digits:
    return "nothing" if _allowed(given.allowed).issuperset(_DECIMALS) else "anything"


@name_rule(
    502, "error", "Netflix archival, ARRI DI conventions", Characters, needs=("allowed",), digits=_digits_of_characters
)
def name_characters(file: FileName, given: Characters) -> Iterator[Outcome]:
    """The name has allowed characters only."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif foreign := sorted(set(name) - _allowed(given.allowed)):
        expected = "letters, digits, ., _ and -" if given.allowed == _CHARACTERS else given.allowed
        yield Violation(expected, ", ".join(map(repr, foreign)))


@name_rule(503, "error", "Netflix archival", Template, needs=("template",))
def name_template(file: FileName, given: Template) -> Iterator[Outcome]:
    """The name has the form of the template."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif not name_expression(given.template).fullmatch(name):
        yield Violation(given.template, name)


@name_rule(504, "error", "ARRI DI conventions", Width, digits="texts")
def frame_padding(file: FileName, given: Width) -> Iterator[Outcome]:
    """The frame number has the expected number of digits."""
    frame = file.frame
    if frame is None:
        yield _NO_FRAME
    elif (digits := len(frame_digits(frame))) != given.width:
        yield Violation(f"{given.width} digits", f"{digits} in {frame}")


@name_rule(505, "warning", "ARRI DI conventions", digits="texts")
def frame_separator(file: FileName, _: Parameters) -> Iterator[Outcome]:
    """The frame number is between dots."""
    if file.sequence is None or file.frame is None:
        yield _NO_FRAME
    elif ".#." not in file.sequence[file.sequence.rfind("/") :]:
        yield Violation("NAME.FRAME.exr", _name(file))


@name_rule(506, "error", "ARRI DI conventions", digits="nothing")
def version_token(file: FileName, _: Parameters) -> Iterator[Outcome]:
    """The name has a version, as v003."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif not versions_in(name):
        yield Violation("a version, such as v003", None)


@name_rule(507, "warning", "limits of file systems", PathBytes, digits="nothing")
def path_length(file: FileName, given: PathBytes) -> Iterator[Outcome]:
    """Name and path are not too long."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif len(name.encode()) > _MAX_NAME_BYTES:
        yield Violation(f"a name of at most {_MAX_NAME_BYTES} bytes", str(len(name.encode())))
    elif (size := len(file.file_path.encode())) > given.max:
        yield Violation(f"a path of at most {given.max} bytes", str(size))


@name_rule(508, "error", "ARRI DI conventions", Tokens)
def folder_agrees(file: FileName, given: Tokens) -> Iterator[Outcome]:
    """The version in the name is that of the nearest folder with one; so are tokens with the same prefix."""
    name = _name(file)
    if not name:
        yield _NO_NAME
        return
    folders = file.file_path_normalized.split("/")[-2::-1]
    tokens_in: list[Callable[[str], dict[str, str]]] = [_versions]
    tokens_in += [partial(_tokens, prefix) for prefix in given.prefixes]
    for of_name in tokens_in:
        own = of_name(name)
        of_folder = next((found for folder in folders if (found := of_name(folder))), None) if own else None
        if of_folder and not set(own.values()) & set(of_folder.values()):
            yield Violation(f"{next(iter(of_folder))}, as in the folder", next(iter(own)))


def _versions(text: str) -> dict[str, str]:
    """The versions in a name, and their numbers without leading zeros."""
    return {version: _DIGITS.findall(version)[-1].lstrip("0") for version in versions_in(text)}


def _tokens(prefix: str, text: str) -> dict[str, str]:
    """The tokens such as sh0420 in a name, and their numbers without leading zeros."""
    return {match[0]: match[1].lstrip("0") for match in _token(prefix).finditer(text)}


@lru_cache(maxsize=64)
def _token(prefix: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(prefix)}[_-]?([0-9]{{1,10}})(?![A-Za-z0-9])", re.IGNORECASE)


@name_rule(509, "warning", "ARRI DI conventions", by_name_only=True, digits="texts")
def lower_case(file: FileName, _: Parameters) -> Iterator[Outcome]:
    """The name has no capitals."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif name != name.lower():
        yield Violation(name.lower(), name)


@name_rule(510, "warning", "names that differ between macOS and Linux", digits="texts")
def unicode_form(file: FileName, _: Parameters) -> Iterator[Outcome]:
    """The name is in the normalization form C."""
    name = _name(file)
    if not name:
        yield _NO_NAME
    elif not unicodedata.is_normalized("NFC", name):
        yield Violation("a name in the form NFC", name)
