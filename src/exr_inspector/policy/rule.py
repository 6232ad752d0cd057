"""What a rule of a policy is: its parameters, its default severity and its check.

Checks are generators: they take an inspection, a part or its channels, and the parameters, and yield what violates the
rule, or why it cannot be decided. Results about channels are kept, as all frames of a sequence share one channel list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

from pydantic import ConfigDict, Field

from ..findings.rules import RULES, Rule
from ..frames.patterns import compiled
from ..inspection.model import Inspection, PartFacts
from ..sources.uris import has_scheme
from .globs import compiled as compiled_glob

# Not names of attributes: what each file decides, such as its size; what the header decides besides attributes; all
# attributes of type string.
FILE, HEADER, STRINGS = "/file", "/header", "/strings"
OF_FILE, OF_HEADER = (FILE,), (HEADER,)

Severity = Literal["error", "warning", "info"]
Text = Annotated[str, Field(max_length=200)]  # patterns among them have a bounded cost
Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]
Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
# What a check takes; name: a FileName; channels: the list of a part; pixels, sequence, shots: see rules_pixels.py,
# rules_sequence.py, rules_shots.py.
Scope = Literal["problem", "name", "file", "part", "channels", "pixels", "sequence", "shots"]
# Scopes of rules that one file cannot decide, and the reason.
MULTI_FILE_SCOPES = {"sequence": "one file is not a sequence", "shots": "needs all files of the shots"}
# What the digits of a frame number decide of the outcomes of a rule about names: `texts` of violations, but not whether
# the rule is violated.
Digits = Literal["nothing", "texts", "anything"]
_MAX_KEPT = 256  # characters of texts whose matches are kept: at most 64 MB in all
AnyCheck = TypeVar("AnyCheck", bound=Callable[..., Iterator[Any]])


class Violation(NamedTuple):
    """How a file violates a rule. No actual value: it is missing."""

    expected: str
    actual: str | None
    channel_name: str = ""
    attr_name: str = ""
    part_index: int | None = None  # set for rules about files; for those about parts, the part is known
    is_sentence: bool = False  # what is expected is a message of its own
    text: str = ""  # the message, if it is not "expected …, is …"


class FileName(Protocol):
    """What rules about names read of a file."""

    @property
    def file_path(self) -> str:
        """As given."""

    @property
    def file_path_normalized(self) -> str:
        """As a URI."""

    @property
    def sequence(self) -> str | None:
        """The name with # for the frame."""

    @property
    def frame(self) -> str | None:
        """As written in the name."""


class Undecided(NamedTuple):
    """Why a rule cannot be decided for a file or a part."""

    reason: str
    file_count: int = 0  # of a sequence, the files for which it cannot be decided; 0: all


class Excess(NamedTuple):
    """The number of violations of a rule beyond those that are listed."""

    violations: int


Outcome = Violation | Undecided | Excess
NO_STATISTICS = Undecided("no statistics of pixels")
PARTLY_DECODED = Undecided("not all pixels were decoded")
MAX_VIOLATIONS = 100  # of a rule about one part, or about the file, that are listed


def bounded(check: Callable[[Any, Any], Iterator[Any]]) -> Callable[[Any, Any], Iterator[Any]]:
    """The check with at most `MAX_VIOLATIONS` violations, and the number of the others."""

    def of_bounded(judged: Any, parameters: Any) -> Iterator[Any]:
        listed = excess = 0
        for outcome in check(judged, parameters):
            if isinstance(outcome, Undecided):
                yield outcome
            elif listed < MAX_VIOLATIONS:
                listed += 1
                yield outcome
            else:
                excess += 1
        if excess:
            yield Excess(excess)

    return of_bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters that every rule has. None: as the rule says."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    severity: Severity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Globs(Parameters):
    """Names that a rule is about, as shell patterns."""

    channels: Texts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed(Parameters):
    """Values that are allowed, some as shell patterns."""

    allowed: Texts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """A rule, and how it is evaluated. `needs` are the parameters without which it does not decide anything."""

    rule: Rule
    scope: Scope
    check: Callable[[Any, Any], Iterator[Any]] | None  # None for problems of the reader
    severity: Severity | None  # None: that of the problem
    source: str
    parameters: type[Parameters] = Parameters
    needs: tuple[str, ...] = ()
    by_name_only: bool = False  # not selected by the beginning of its identifier
    # Shell patterns of the attributes whose values decide it, besides names, types and channels; STRINGS: those of
    # type string; HEADER: also the size of the header and columns of its parts; FILE: also anything else. None: any.
    reads: tuple[str, ...] | None = None
    if_attribute: str = ""  # no file without this attribute violates it; empty: any may
    by_attribute: bool = False  # each attribute of a part violates it or not, whatever the others are
    digits: Digits | Callable[[Any], Digits] = "anything"  # of a rule about names; may depend on its parameters

    @property
    def rule_id(self) -> str:
        """The stable identifier."""
        return self.rule.rule_id

    @property
    def name(self) -> str:
        """The name, which policies use too."""
        return self.rule.name


REGISTRY: dict[str, PolicyRule] = {}  # by identifier; filled by the modules rules_*.py


@dataclass(frozen=True, slots=True)
class _Registering:
    """The decorator of checks with a scope."""

    scope: Scope

    def __call__(
        self,
        number: int,
        severity: Severity,
        source: str,
        parameters: type[Parameters] = Parameters,
        *,
        needs: tuple[str, ...] = (),
        by_name_only: bool = False,
        reads: tuple[str, ...] | None = None,
        if_attribute: str = "",
        by_attribute: bool = False,
        digits: Digits | Callable[[Any], Digits] = "anything",
    ) -> Callable[[AnyCheck], AnyCheck]:
        if reads is None and self.scope in ("name", "channels"):
            reads = ()

        def register(check: AnyCheck) -> AnyCheck:
            rule = RULES[f"EXR{number}"]
            REGISTRY[rule.rule_id] = PolicyRule(
                rule=rule,
                scope=self.scope,
                check=check,
                severity=severity,
                source=source,
                parameters=parameters,
                needs=needs,
                by_name_only=by_name_only,
                reads=reads,
                if_attribute=if_attribute,
                by_attribute=by_attribute,
                digits=digits,
            )
            return check

        return register


part_rule = _Registering("part")
file_rule = _Registering("file")
name_rule = _Registering("name")
channels_rule = _Registering("channels")
pixel_rule = _Registering("pixels")
sequence_rule = _Registering("sequence")
shots_rule = _Registering("shots")


@lru_cache(maxsize=128)
def matcher(globs: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a text matches one of the shell patterns, as a function for many texts; short ones are kept."""
    expressions = [compiled_glob(glob) for glob in globs]

    def matches(text: str) -> bool:
        return any(expression.fullmatch(text) for expression in expressions)

    of_short = lru_cache(maxsize=1024)(matches)
    return lambda text: of_short(text) if len(text) <= _MAX_KEPT else matches(text)


def matches_any(globs: tuple[str, ...], text: str) -> bool:
    """Whether a text matches one of the shell patterns, in upper and lower case as they are written."""
    return matcher(globs)(text)


@lru_cache(maxsize=256)
def path_expression(pattern: str) -> re.Pattern[str]:
    """What the paths of a pattern match in full; a relative pattern matches the ends of paths, from a folder on."""
    expression = compiled(pattern)
    if pattern.startswith("/") or has_scheme(pattern):
        return expression
    return re.compile(f"(?:.*/)?(?:{expression.pattern})", re.DOTALL)


def parts_without(inspection: Inspection, value: Callable[[PartFacts], Any]) -> Iterator[PartFacts]:
    """The parts that have no value, unless the first part has one, which then is that of the whole file."""
    if inspection.parts and value(inspection.parts[0]) is None:
        yield from (part for part in inspection.parts if value(part) is None)


def one_of(values: Iterable[object]) -> str:
    """The expectation that a value is one of several."""
    texts = list(map(str, values))
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}" if texts else "nothing"
