"""Policies: what a policy file contains, and what it means after its rules and the policies it extends are resolved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field

from ..findings.rules import Rule
from .conditions import Condition
from .rule import Parameters, PolicyRule, Severity, Texts

CUSTOM_ID = re.compile(r"[A-Z][A-Z0-9_]{0,30}[0-9]")  # of rules of a policy's own; those of ours begin with EXR
_NAME, _CUSTOM_NAME, _CUSTOM_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", r"^[a-z][a-z0-9-]*$", rf"^{CUSTOM_ID.pattern}$"
PATTERNS = {  # in words
    r"\S": "a string that is not empty",
    _NAME: "letters, digits, _, . and -, beginning with a letter or a digit",
    _CUSTOM_NAME: "a-z, 0-9 and -, beginning with a letter",
    _CUSTOM_ID: "A-Z, 0-9 and _, beginning with a letter and ending with a digit, at most 32 characters",
}
Sentence = Annotated[str, Field(max_length=1000, pattern=r"\S")]
_Rules = Annotated[dict[str, dict[str, Any] | None], Field(max_length=1000)]
Name = Annotated[str, Field(pattern=_NAME, max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Changes to the rules, for some files."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    when: Any  # a condition
    select: Texts = ()
    ignore: Texts = ()
    rules: _Rules = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomEntry:
    """A rule of a policy's own, as it is written: what must hold for each part, or for the file."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=_CUSTOM_ID)]
    name: Annotated[str, Field(pattern=_CUSTOM_NAME, max_length=100)]
    require: Any  # a condition
    message: Sentence  # what files must be like
    remedy: Sentence
    scope: Literal["part", "file"] = "part"
    when: Any = None  # a condition; without one, always
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy as it is written. `rules` have the severity and the parameters of rules by name or identifier."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    policy: Name
    version: Annotated[str, Field(max_length=100)]
    title: Annotated[str, Field(max_length=1000)] = ""
    extends: Texts = ()  # names of built-in policies, or paths
    select: Texts = ()  # identifiers, beginnings of identifiers such as EXR4, or names
    ignore: Texts = ()
    rules: _Rules = field(default_factory=dict)
    overrides: Annotated[tuple[Override, ...], Field(max_length=1000)] = ()
    custom: Annotated[tuple[CustomEntry, ...], Field(max_length=1000)] = ()
    waivers: Annotated[str, Field(max_length=1000, pattern=r"\S")] | None = None  # a file, relative to this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A step of a policy: rules that are selected, then ignored, and parameters, by identifier of the rule."""

    when: Condition | None  # None: always
    select: frozenset[str]
    ignore: frozenset[str]
    settings: Mapping[str, Mapping[str, Any]]
    selected_at: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)  # path, line and column


def merged_settings(layers: Iterable[Layer]) -> dict[str, Mapping[str, Any]]:
    """The parameters that the layers give, by identifier of the rule."""
    settings: dict[str, Mapping[str, Any]] = {}
    for layer in layers:
        for rule_id, values in layer.settings.items():
            settings[rule_id] = {**settings.get(rule_id, {}), **values}
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRule:
    """A rule of a policy's own. `when` and `require` are about each part, or about the file."""

    rule: Rule
    scope: Literal["part", "file"]
    when: Condition | None
    require: Condition
    severity: Severity


class NamedWaivers(NamedTuple):
    """The path of a file of waivers, and where a policy names it."""

    path: str
    policy: str  # the path of the policy
    line: int
    column: int


class PolicyWarning(NamedTuple):
    """What is valid in a file of a policy but has no effect, and where."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: warning: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy after names are resolved. Later layers have precedence; those with a condition come last."""

    name: str
    version: str
    title: str
    layers: tuple[Layer, ...]
    custom: Mapping[str, CustomRule] = field(default_factory=dict)  # by identifier
    waiver_files: tuple[NamedWaivers, ...] = ()
    unused_ignores: tuple[PolicyWarning, ...] = ()  # items of `ignore` that no selected rule matches


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUse:
    """A rule of a policy, with its parameters."""

    rule: PolicyRule
    parameters: Parameters

    @property
    def severity(self) -> Severity | None:
        """The severity of findings; None: that of the problem."""
        return self.parameters.severity or self.rule.severity

    @property
    def missing(self) -> tuple[str, ...]:
        """The parameters without which the rule decides nothing, and that the policy does not give."""
        return tuple(name for name in self.rule.needs if not getattr(self.parameters, name))
