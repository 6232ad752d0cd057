"""Policies ready to be evaluated: for each file, the rules that apply to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..exr import Channel
from ..inspection.model import Inspection
from ..sources.uris import display_path
from .model import Layer, Policy, RuleUse, When
from .registry import RULES
from .rule import Outcome, PolicyRule, matches_any, path_expression

Check = tuple[RuleUse, Callable[[Any, Any], Iterator[Outcome]], Any]
ChannelOutcomes = tuple[tuple[Check, Outcome], ...]

_LISTS_KEPT = 64  # channel lists whose results are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules that apply to some files, by what they are about."""

    problems: Mapping[str, RuleUse]  # by identifier
    of_files: tuple[Check, ...]
    of_parts: tuple[Check, ...]
    of_channels: tuple[Check, ...]
    inactive: tuple[tuple[RuleUse, str], ...]  # selected rules without the parameters that they need; and why
    _of_lists: dict[int, tuple[Any, ChannelOutcomes]] = field(default_factory=dict, repr=False, compare=False)

    def channel_outcomes(self, channels: Sequence[Channel]) -> ChannelOutcomes:
        """What the rules about channels yield for a channel list; kept for lists that are the same object."""
        known = self._of_lists.get(id(channels))
        if known is not None and known[0] is channels:
            return known[1]
        outcomes = tuple((check, outcome) for check in self.of_channels for outcome in check[1](channels, check[2]))
        if len(self._of_lists) >= _LISTS_KEPT:
            self._of_lists.clear()
        self._of_lists[id(channels)] = channels, outcomes
        return outcomes

    def uses(self) -> list[RuleUse]:
        """All rules, in the order of their identifiers."""
        found = [*self.problems.values(), *(check[0] for check in (*self.of_files, *self.of_parts, *self.of_channels))]
        return sorted((*found, *(use for use, _ in self.inactive)), key=lambda use: use.rule.rule_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """A policy that is ready to be evaluated. `hash` changes with everything that can change a verdict."""

    policy: Policy
    hash: str
    conditions: tuple[When, ...]
    _rule_sets: dict[tuple[bool, ...], RuleSet] = field(default_factory=dict, repr=False, compare=False)

    def rules_for(self, inspection: Inspection | None = None) -> RuleSet:
        """The rules that apply to a file; without one, those of files to which no override applies."""
        holds = tuple(inspection is not None and _holds(when, inspection) for when in self.conditions)
        rule_set = self._rule_sets.get(holds)
        if rule_set is None:
            rule_set = self._rule_sets[holds] = _rule_set(self.policy, holds)
        return rule_set


def compile_policy(policy: Policy) -> CompiledPolicy:
    """A policy with its rules resolved."""
    resolved = [
        [asdict(layer.when) if layer.when else None, sorted(layer.select), sorted(layer.ignore), _plain(layer)]
        for layer in policy.layers
    ]
    digest = hashlib.sha256(json.dumps(resolved, sort_keys=True).encode()).hexdigest()
    conditions = tuple(layer.when for layer in policy.layers if layer.when is not None)
    return CompiledPolicy(policy=policy, hash=digest, conditions=conditions)


def _plain(layer: Layer) -> dict[str, Any]:
    """The parameters as values that JSON has."""
    plain = {}
    for rule_id, settings in layer.settings.items():
        values = asdict(RULES[rule_id].parameters(**settings))
        plain[rule_id] = {name: values[name] for name in settings}
    return plain


def _holds(when: When, inspection: Inspection) -> bool:
    file, parts = inspection.file, inspection.parts
    if when.is_deep is not None and when.is_deep != file.is_deep:
        return False
    if when.part_type is not None and all(part.part_type != when.part_type for part in parts):
        return False
    if when.renderer is not None and not any(
        part.renderer and matches_any((when.renderer,), part.renderer) for part in parts
    ):
        return False
    return when.path is None or bool(path_expression(when.path).fullmatch(display_path(file.file_path_normalized)))


def _rule_set(policy: Policy, holds: tuple[bool, ...]) -> RuleSet:
    applies = iter(holds)
    selected: set[str] = set()
    settings: dict[str, dict[str, Any]] = {}
    for layer in policy.layers:
        if layer.when is not None and not next(applies):
            continue
        selected = (selected | layer.select) - layer.ignore
        for rule_id, values in layer.settings.items():
            settings[rule_id] = {**settings.get(rule_id, {}), **values}
    uses = [_use(RULES[rule_id], settings.get(rule_id, {})) for rule_id in sorted(selected)]
    active = [use for use in uses if not use.missing]
    return RuleSet(
        problems={use.rule.rule_id: use for use in active if use.rule.scope == "problem"},
        of_files=_checks(active, "file"),
        of_parts=_checks(active, "part"),
        of_channels=_checks(active, "channels"),
        inactive=tuple((use, f"the policy gives no value for {', '.join(use.missing)}") for use in uses if use.missing),
    )


def _use(rule: PolicyRule, settings: dict[str, Any]) -> RuleUse:
    return RuleUse(rule=rule, parameters=rule.parameters(**settings))


def _checks(uses: list[RuleUse], scope: str) -> tuple[Check, ...]:
    return tuple(
        (use, use.rule.check, use.parameters) for use in uses if use.rule.scope == scope and use.rule.check is not None
    )
