"""Patterns of file names: the frame notations of studio software, and shell patterns.

`####`, `@@@@`, `%04d` and `$F4` stand for a frame of at least four digits, `#`, `@`, `%d` and `$F` for any frame,
`<UDIM>` for a tile, `*`, `?` and `[…]` for characters of one name, `**` for any number of folders.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache

_TOKEN = re.compile(
    r"""(?P<hashes>\#+|@+) | %(?:0(?P<printf>[0-9]))?d | \$F(?P<houdini>[0-9]?) | (?P<udim><UDIM>|%\(UDIM\)d)
        | (?P<glob>(?<![^/])(?:\*\*/)+|\*\*|\*|\?|\[!?\]?[^\]/]*\])""",
    re.VERBOSE,
)
UDIM = "<UDIM>"
UNSUPPORTED = {  # what other programs have, an expression that finds it, and what to write instead
    "%V": ("%[Vv](?![A-Za-z])", "`*` for the view"),
    "1001-1004#": (
        r"(?<![0-9-])-?[0-9]+-[0-9]+(?:[xy:][0-9]+)?(?:#|@|%0?[0-9]?d)",
        "`#`, and the frames with `--range` where the command has it",
    ),
    "%4d": ("%[1-9][0-9]?d", "`%04d`"),
    "<F4>": ("<[Ff][0-9]?>", "`$F4` or `####`"),
    "<udim>": ("<udim>", "`<UDIM>`"),
    "<uvtile>": ("<(?:uvtile|UVTILE)>", "`*`"),
    "{a,b}": (r"\{[^{}/]*,[^{}/]*\}", "`*` or several paths"),
}
_SPECIAL = re.compile(r"[\\\[\]^&~|]|-(?=-)")  # in a set of characters
_MAX_FRAMES = 2  # in a pattern; further notations stand for themselves
_MAX_DIGITS = 1000  # that RE2 counts; no frame has that many
_SUB_FRAME = r"(?:\.[0-9]{1,3}?)??"


def is_pattern(text: str) -> bool:
    """Whether a path contains a frame notation or a wildcard, other than a single file may have in its name too."""
    return _TOKEN.search(text) is not None


def is_one_sequence(pattern: str) -> bool:
    """Whether a pattern names a single sequence: it has one notation of a frame, and no wildcard."""
    tokens = [match["glob"] is None for match in _TOKEN.finditer(pattern)]
    return tokens == [True]


def names_tiles(pattern: str) -> bool:
    """Whether the numbers of a pattern are tiles of a texture."""
    return any(match["udim"] for match in _TOKEN.finditer(pattern))


def with_hashes(pattern: str) -> str:
    """A pattern with `####` for `%04d` and `<UDIM>`, whose characters are encoded in URIs otherwise."""

    def hashes(match: re.Match[str]) -> str:
        if match["udim"]:
            return "####"
        return "#" * _digits(match) if match[0].startswith("%") else match[0]

    return _TOKEN.sub(hashes, pattern)


def sequence_pattern(pattern: str) -> str:
    """A pattern with `#` for any notation of a frame, as in the names of sequences; wildcards stay."""
    return _TOKEN.sub(lambda match: match[0] if match["glob"] else "#", pattern)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression that the names or paths of a pattern match in full.

    Brackets, `*` and `?` also stand for themselves, as they may be part of a name that was printed; so does, for the
    same reason, all but the last run of `#`.
    """
    literally = _literally(pattern)
    try:
        return re.compile(f"{_regex(pattern, wildcards=True)}|{literally}", re.DOTALL)
    except re.error:  # [z-a]
        return re.compile(literally, re.DOTALL)


def _literally(pattern: str) -> str:
    """The expression of a pattern whose wildcards stand for themselves, or all but the last run of `#`."""
    readings = (_regex(pattern, wildcards=False), _as_printed(pattern, _token_regex))
    return "|".join(filter(None, dict.fromkeys(readings)))


def _as_printed(pattern: str, frame: Callable[[re.Match[str]], str]) -> str:
    """The expression of a pattern of which only the last run of `#` is a notation; empty without one."""
    start = len(pattern.rpartition("#")[0].rstrip("#"))
    if (hashes := _TOKEN.match(pattern, start)) is None or not hashes["hashes"]:
        return ""
    return f"{re.escape(pattern[:start])}{frame(hashes)}{re.escape(pattern[hashes.end() :])}"


def re2_expression(pattern: str) -> str:
    """The expression of RE2 that the names or paths of a pattern match in full, as `compiled`."""
    literally = _literally(pattern)
    wildly = "".join(before + "[^/]*".join(segments) for before, segments in _blocks(pattern, wildcards=True))
    try:
        re.compile(wildly)
    except re.error:  # [z-a]
        return f"(?s:{literally})"
    return f"(?s:{wildly}|{literally})"


def uri_expression(pattern: str) -> str:
    """The RE2 expression that the URIs of a pattern match in full, and the names of its sequences, with # as the frame.

    `*` matches slashes too. Wildcards and notations of frames also stand for themselves.
    """
    readings = [_uri_regex(pattern, wildcards=False), _as_printed(pattern, _uri_frame)]
    wildly = _uri_regex(pattern, wildcards=True)
    with suppress(re.error):  # [z-a]
        re.compile(wildly)
        readings.insert(0, wildly)
    return f"(?:{'|'.join(filter(None, dict.fromkeys(readings)))})"


def _uri_frame(match: re.Match[str]) -> str:
    return f"(?:#|{_token_regex(match)}|{re.escape(match[0])})"


def _uri_regex(pattern: str, *, wildcards: bool) -> str:
    def token(match: re.Match[str]) -> str:
        if match["glob"] and not wildcards:
            return re.escape(match[0])
        if match["glob"] in ("*", "**"):
            return ".*"
        return _token_regex(match) if match["glob"] else _uri_frame(match)

    pieces, end = [], 0
    for match in _TOKEN.finditer(pattern):
        pieces += [re.escape(pattern[end : match.start()]), token(match)]
        end = match.end()
    return "".join([*pieces, re.escape(pattern[end:])])


def escaped_set(characters: str) -> str:
    """The characters of a set in brackets of a regular expression, with ranges such as `a-z`."""
    return _SPECIAL.sub(r"\\\g<0>", characters)


def notation_hint(path: str) -> str:
    """What to write for a notation of other programs that has no meaning here, after a semicolon; empty without one."""
    for notation, (expression, instead) in UNSUPPORTED.items():
        if re.search(expression, path):
            return f"; {notation} is not supported: give {instead}"
    return ""


def literal_start(pattern: str) -> str:
    """The text before the first frame notation or wildcard."""
    match = _TOKEN.search(pattern)
    return pattern if match is None else pattern[: match.start()]


def _regex(pattern: str, *, wildcards: bool) -> str:
    """The expression of a pattern. Its cost is bounded: no two wildcards of it try each other's positions.

    The shortest text up to the next `*` or `**` is kept, as in fnmatch: what follows takes the rest.
    """
    *blocks, (folders, last) = _blocks(pattern, wildcards=wildcards)
    names = (f"kept{number}" for number in itertools.count())
    expression = "".join(_kept(before + _steps(segments, names), names) for before, segments in blocks)
    if len(last) == 1:
        return f"{expression}{folders}{last[0]}"
    return f"{expression}{folders}{_steps(last[:-1], names)}[^/]*{last[-1]}"


def _steps(segments: list[str], names: Iterator[str]) -> str:
    first, *others = segments
    return first + "".join(_kept(f"[^/]*?{segment}", names) for segment in others)


def _kept(expression: str, names: Iterator[str]) -> str:
    """The expression, of which the first text that matches is kept."""
    name = next(names)
    return f"(?=(?P<{name}>{expression}))(?P={name})"


def _blocks(pattern: str, *, wildcards: bool) -> list[tuple[str, list[str]]]:
    """The expressions between the `*` of names, after each `**`; with the expression of that `**`."""
    blocks: list[tuple[str, list[str]]] = [("", [""])]
    frames, end = 0, 0
    for match in _TOKEN.finditer(pattern):
        segments = blocks[-1][1]
        segments[-1] += re.escape(pattern[end : match.start()])
        end = match.end()
        frames += match["glob"] is None
        is_wild = wildcards if match["glob"] else frames <= _MAX_FRAMES
        if not is_wild:
            segments[-1] += re.escape(match[0])
        elif match["glob"] == "*":
            segments.append("")
        elif match[0].startswith("**"):
            blocks.append((_token_regex(match), [""]))
        else:
            segments[-1] += _token_regex(match)
    blocks[-1][1][-1] += re.escape(pattern[end:])
    return blocks


def _token_regex(match: re.Match[str]) -> str:
    if glob := match["glob"]:
        if glob.startswith("**"):
            return "(?:.*?/)??" if glob.endswith("/") else ".*?"
        if glob.startswith("["):
            negated = glob.startswith("[!")
            characters = escaped_set(glob[1 + negated : -1])
            return f"[{'^/' if negated else ''}{characters}]"
        return "[^/]"
    if match["udim"]:
        return "[0-9]{4}"
    return f"-?[0-9]{{{_digits(match)},}}?{_SUB_FRAME}"


def _digits(match: re.Match[str]) -> int:
    digits = len(match["hashes"]) if match["hashes"] else int(match["printf"] or match["houdini"] or 1)
    return min(max(digits, 1), _MAX_DIGITS)
