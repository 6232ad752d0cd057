"""Which files of a folder are listed: EXR files, apart from hidden, temporary and excluded ones."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace

from ..frames.patterns import compiled

EXTENSIONS = (".exr", ".sxr", ".mxr")  # sxr: stereo, mxr: multi-view
IGNORE_FILE = ".exrignore"

# Names that begin with a dot (.snapshot, ._ of macOS, .nfs), and what writers and copies rename in the end.
_DEFAULT_EXCLUDES = re.compile(r"\.(?!\.?\Z).*|~.*|.*~|.*\.(?:tmp|temp|part|partial)(?:\.[A-Za-z]+)?", re.DOTALL)
_IGNORE_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for names, or with a slash for paths, below the folder `base` of a listing."""

    base: str  # relative to the given path, with a slash at the end, or empty
    pattern: str
    excludes: bool

    def matches(self, path: str) -> bool:
        """Whether the rule is about a path, relative to the given one."""
        if not path.startswith(self.base):
            return False
        below = path[len(self.base) :]
        subject = below if "/" in self.pattern else below.rpartition("/")[2]
        return compiled(self.pattern.lstrip("/")).fullmatch(subject) is not None


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules of a listing: patterns of the caller, and those of ignore files found on the way."""

    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()  # listed although excluded
    ignore_rules: tuple[Rule, ...] = ()

    def skips(self, path: str) -> bool:
        """Whether a file or folder, by its path relative to the given one, is left out; the last rule decides."""
        if any(Rule("", pattern, False).matches(path) for pattern in self.include):
            return False
        if any(Rule("", pattern, True).matches(path) for pattern in self.exclude):
            return True
        for rule in reversed(self.ignore_rules):
            if rule.matches(path):
                return rule.excludes
        return _DEFAULT_EXCLUDES.fullmatch(path, path.rfind("/") + 1) is not None

    def skips_below(self, path: str) -> bool:
        """Whether a file is left out itself, or is in a folder that is."""
        ends = [index for index, character in enumerate(path) if character == "/"]
        return any(self.skips(path[:end]) for end in (*ends, len(path)))

    def with_ignore_file(self, path: str, base: str) -> Selection:
        """The selection with the rules of an ignore file in the folder `base`. Raises OSError.

        One pattern a line; `!` before a pattern lists what an earlier one leaves out; `#` begins a comment.
        """
        with open(path, "rb") as file:
            text = os.fsdecode(file.read(_IGNORE_FILE_BYTES))
        lines = [line.strip().rstrip("/") for line in text.splitlines()]
        rules = [
            Rule(base, line.removeprefix("!"), not line.startswith("!"))
            for line in lines
            if line and not line.startswith("#")
        ]
        return replace(self, ignore_rules=(*self.ignore_rules, *rules))


def has_exr_extension(name: str) -> bool:
    """Whether a name ends as those of EXR files do, in upper or lower case."""
    return name.lower().endswith(EXTENSIONS)
