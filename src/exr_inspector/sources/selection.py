"""Which files of a folder are listed: EXR files, apart from hidden, temporary and excluded ones."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import SourceError
from ..frames.patterns import compiled

EXTENSIONS = (".exr", ".sxr", ".mxr")  # sxr: stereo, mxr: multi-view
IGNORE_FILE = ".exrignore"

# Names that begin with a dot (.snapshot, ._ of macOS, .nfs), and what writers and copies rename in the end.
_DEFAULT_EXCLUDES = re.compile(r"\.(?!\.?\Z).*|~.*|.*~|.*\.(?:tmp|temp|part|partial)(?:\.[A-Za-z]+)?", re.DOTALL)
_IGNORE_FILE_BYTES = 1 << 16
_IGNORE_RULES = 256  # of all ignore files above a folder


@dataclass(frozen=True, slots=True)
class SelectionRule:
    """A pattern for names, or for paths below the folder `base` of a listing."""

    base: str  # relative to the given path, with a slash at the end, or empty
    regex: re.Pattern[str]
    is_path: bool
    excludes: bool

    def matches(self, path: str) -> bool:
        """Whether the rule is about a path, relative to the given one."""
        if not path.startswith(self.base):
            return False
        return self.regex.fullmatch(path, len(self.base) if self.is_path else path.rfind("/") + 1) is not None


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules of a listing, of which the last that matches decides."""

    rules: tuple[SelectionRule, ...] = ()  # of the caller
    ignore_rules: tuple[SelectionRule, ...] = ()  # of ignore files; those of the caller come after them

    def skips(self, path: str) -> bool:
        """Whether a file or folder, by its path relative to the given one, is left out."""
        for rules in (self.rules, self.ignore_rules):
            for rule in reversed(rules):
                if rule.matches(path):
                    return rule.excludes
        return _DEFAULT_EXCLUDES.fullmatch(path, path.rfind("/") + 1) is not None

    def skips_below(self, path: str) -> bool:
        """Whether a file is left out itself, or is in a folder that is."""
        end = path.find("/")
        while end >= 0:
            if self.skips(path[:end]):
                return True
            end = path.find("/", end + 1)
        return self.skips(path)

    def with_ignore_file(self, path: str, base: str) -> Selection:
        """The selection with the rules of an ignore file in the folder `base`. Raises SourceError.

        One pattern a line; `!` before a pattern lists what an earlier one leaves out; `#` begins a comment.
        """
        lines = [line.strip().rstrip("/") for line in _text(path).split("\n")]
        lines = [line for line in lines if line and not line.startswith("#")]
        if len(self.ignore_rules) + len(lines) > _IGNORE_RULES:
            raise SourceError(
                path, f"more than {_IGNORE_RULES} rules here and in folders above; its rules are not used"
            )
        rules = [_rule(base, line.removeprefix("!"), excludes=not line.startswith("!")) for line in lines]
        return replace(self, ignore_rules=(*self.ignore_rules, *rules))


def select(exclude: Iterable[str] = (), include: Iterable[str] = ()) -> Selection:
    """A selection without what matches `exclude`, and with what matches `include`, although it is left out else.

    Patterns match names, those with a slash paths below the given ones.
    """
    excludes = [_rule("", pattern, excludes=True) for pattern in exclude]
    return Selection((*excludes, *(_rule("", pattern, excludes=False) for pattern in include)))


def has_exr_extension(name: str) -> bool:
    """Whether a name ends as those of EXR files do, in upper or lower case."""
    return name.lower().endswith(EXTENSIONS)


def _rule(base: str, pattern: str, *, excludes: bool) -> SelectionRule:
    return SelectionRule(base, compiled(pattern.lstrip("/")), "/" in pattern, excludes)


def _text(path: str) -> str:
    """The text of an ignore file."""
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SourceError(path, "is not a file; its rules are not used")
            data = file.read(_IGNORE_FILE_BYTES + 1)
    except OSError as error:
        raise SourceError(path, f"{error.strerror or error}; its rules are not used") from error
    if len(data) > _IGNORE_FILE_BYTES:
        raise SourceError(path, f"more than {_IGNORE_FILE_BYTES} bytes; its rules are not used")
    return os.fsdecode(data)
