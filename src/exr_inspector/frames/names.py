"""The frame number and sequence in a file name.

The frame is the last number in the name, without the extension, that stands for a frame. Versions (`v002`, `ver01`),
dates, hashes, sizes (`200x150`), color spaces (`rec709`), numbers before a letter (`2k`) and numbers of more than ten
digits do not. A number at the end of a word yields to a clear frame number before it (`c.1001_cam2.exr`), and before
other text it counts only with four or more digits and without a later version: `sh010_L.exr` and `sh0010_comp_v002.exr`
have no frame. A minus sign counts only after a separator or at the start: `c.-001.exr` is frame -1, `shot-001.exr`
frame 1.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

_EXTENSION = re.compile(r"\.[A-Za-z][^\x00-/:-@\[-^`{-\x7f]*")  # as \w, which depends on the Python version
_HEX = "[0-9A-Fa-f]"
_NO_FRAMES = re.compile(
    rf"""%{_HEX}{{2}}  # a byte in a URI
    |(?P<version>(?:(?<![A-Za-z])(?i:v|(?:ver|vers|version|rev|revision)[_-]?)|(?<=[a-z])(?:V|Ver|Version))[0-9]+)
    |(?<![0-9])(?P<year>(?:19|20)[0-9]{{2}})(?P<separator>[-._]?)(?P<month>[01][0-9])(?P=separator)(?P<day>[0-3][0-9])
        (?:T[0-9]{{4,6}})?(?![0-9])
    |(?<![0-9])[0-9]+[xX×][0-9]+
    |(?i:aces2065(?:-1)?|(?:bt|rec)(?:601|709|1886|2020|2100)|gamma(?:18|22|24|26))(?![0-9A-Za-z])  # a color space
    |(?<![0-9A-Za-z]){_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}(?![0-9A-Za-z])  # a UUID
    |(?<![0-9A-Za-z])(?={_HEX}*[0-9][A-Fa-f]){_HEX}{{7,}}(?![0-9A-Za-z])  # a hash
    """,
    re.VERBOSE,
)
_NUMBER = re.compile(
    r"""(?:(?<![^._\s([{])-)?(?<![0-9])[0-9]{1,10}(?![0-9A-Za-z])
        (?:(?<=[-._\s][0-9]{4})\.[0-9]{1,3}(?![0-9A-Za-z])|(?<=[-._\s][0-9]{3})\.[0-9]{1,2}(?![0-9A-Za-z]))?""",
    re.VERBOSE,
)
_CLEAR_DIGITS = 4
_VERSION = "\1"  # stands for the characters of a version while numbers are searched


class FrameName(NamedTuple):
    """The parts of a name: `sequence` has # instead of the frame; `frame` is the text as written."""

    sequence: str
    frame: str
    frame_number: int


def parse_name(path: str) -> FrameName | None:
    """The sequence and frame of a path or URI; None if its name has no frame number."""
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    # File systems allow 255 bytes, object stores 1024.
    if len(name) > 1024 or not _EXTENSION.fullmatch(dot + extension):
        return None
    found = _frame_in(stem)
    if found is None:
        return None
    frame = found[0]
    sequence = f"{folder}{slash}{stem[: found.start()]}#{stem[found.end() :]}.{extension}"
    return FrameName(sequence, frame, int(frame.partition(".")[0]))


def name_of(sequence: str, frame: str) -> str:
    """The path or URI of a frame: the inverse of `parse_name`."""
    head, _, tail = sequence.rpartition("#")
    return f"{head}{frame}{tail}"


def versions_in(name: str) -> tuple[str, ...]:
    """The versions in a file name, as written."""
    return tuple(match[0] for match in _NO_FRAMES.finditer(name) if match["version"])


def without_versions(name: str) -> str:
    """A path or name with # for the number of each version: `v#` for `v002`."""
    return _NO_FRAMES.sub(lambda match: f"{match[0].rstrip('0123456789')}#" if match["version"] else match[0], name)


def _frame_in(stem: str) -> re.Match[str] | None:
    searched = _NO_FRAMES.sub(_masked, stem)
    first = stem.rfind("#") + 1  # a # after the frame would be taken for the frame
    numbers = [number for number in _NUMBER.finditer(searched, first) if not _names_something_else(number)]
    if numbers and _is_in_word(numbers[-1]):
        return next(filter(_is_clear, reversed(numbers)), numbers[-1])
    return numbers[-1] if numbers else None


def _masked(match: re.Match[str]) -> str:
    if match["year"] and not _is_date(match["year"], match["month"], match["day"]):
        return match[0]
    return (_VERSION if match["version"] else "\0") * len(match[0])


def _is_date(*numbers: str) -> bool:
    try:
        date(*map(int, numbers))
    except ValueError:
        return False
    return True


def _names_something_else(number: re.Match[str]) -> bool:
    """Whether a number at the end of a word, with text behind it, is that of a shot or camera."""
    if not _follows_letter(number) or number.end() == len(number.string):
        return False
    return len(number[0]) < _CLEAR_DIGITS or number.string.find(_VERSION, number.end()) >= 0


def _is_in_word(number: re.Match[str]) -> bool:
    """Whether a number is part of a word, such as a camera, and not behind a name as in plate1001."""
    return _follows_letter(number) and len(number[0]) <= 2


def _is_clear(number: re.Match[str]) -> bool:
    """Whether a number is between dots, or stands alone with four or more digits."""
    text, start, end = number.string, number.start(), number.end()
    if text[start - 1 : start] == "." and text[end : end + 1] in (".", ""):
        return True
    return len(number[0]) >= _CLEAR_DIGITS and not _follows_letter(number)


def _follows_letter(number: re.Match[str]) -> bool:
    before = number.string[number.start() - 1 : number.start()]
    return before.isascii() and before.isalpha()
