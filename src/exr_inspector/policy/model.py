"""Policies: what a policy file contains, and what it means after its rules and the policies it extends are resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from .rule import Parameters, PolicyRule, Severity, Text, Texts

CUSTOM_ID = re.compile(r"[A-Z][A-Z0-9_]{0,30}[0-9]")  # of rules of a policy's own; those of ours begin with EXR
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What a file must be like for an override to apply. All conditions that are given must hold."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: Annotated[str, Field(max_length=1000)] | None = None  # a pattern, as **/mattes/**
    renderer: Text | None = None  # a shell pattern; of some part
    part_type: Text | None = None  # of some part
    is_deep: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Changes to the rules, for some files."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    when: When
    select: Texts = ()
    ignore: Texts = ()
    rules: dict[str, dict[str, Any] | None] = field(default_factory=dict)


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
    rules: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    waivers: Annotated[str, Field(max_length=1000, pattern=r"\S")] | None = None  # a file, relative to this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A step of a policy: rules that are selected, then ignored, and parameters, by identifier of the rule."""

    when: When | None  # None: always
    select: frozenset[str]
    ignore: frozenset[str]
    settings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy after names are resolved. Later layers have precedence; those with a condition come last."""

    name: str
    version: str
    title: str
    layers: tuple[Layer, ...]
    waiver_files: tuple[str, ...] = ()


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
