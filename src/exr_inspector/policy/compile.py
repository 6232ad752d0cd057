"""Policies ready to be evaluated: for each file, the rules that apply to it."""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import Any

from ..defaults import PATH_TEMPLATE
from ..errors import PolicyError
from ..exr import Channel
from ..inspection.model import Inspection
from .condition_fields import TEMPLATE_FIELDS, URI_FIELDS
from .conditions import Condition, Predicate, predicate, tests_of
from .custom import custom_rule
from .model import Layer, Policy, PolicyWarning, RuleUse, merged_settings
from .registry import RULES
from .rule import MULTI_FILE_SCOPES, Outcome, Parameters, PolicyRule, bounded

BoundRule = tuple[RuleUse, Callable[[Any, Any], Iterator[Outcome]], Any]
ChannelOutcomes = tuple[tuple[BoundRule, Outcome], ...]

NO_RULE = "the policy selects no rule; add select, or extends: [base]"
_LISTS_KEPT = 64  # channel lists whose results are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules that apply to some files, by what they are about."""

    problems: Mapping[str, RuleUse]  # by identifier
    name_checks: tuple[BoundRule, ...]
    file_checks: tuple[BoundRule, ...]
    part_checks: tuple[BoundRule, ...]
    channel_checks: tuple[BoundRule, ...]
    pixel_checks: tuple[BoundRule, ...]
    sequence_checks: tuple[BoundRule, ...]
    shot_checks: tuple[BoundRule, ...]
    inactive: tuple[tuple[RuleUse, str], ...]  # selected rules without the parameters that they need; and why
    layers: tuple[Layer, ...] = field(repr=False)  # those that apply
    _list_outcomes: dict[int, tuple[Any, ChannelOutcomes]] = field(default_factory=dict, repr=False, compare=False)

    def channel_outcomes(self, channels: Sequence[Channel]) -> ChannelOutcomes:
        """What the rules about channels yield for a channel list; kept for lists that are the same object."""
        known = self._list_outcomes.get(id(channels))
        if known is not None and known[0] is channels:
            return known[1]
        outcomes = tuple((check, outcome) for check in self.channel_checks for outcome in check[1](channels, check[2]))
        if len(self._list_outcomes) >= _LISTS_KEPT:
            self._list_outcomes.clear()
        self._list_outcomes[id(channels)] = channels, outcomes
        return outcomes

    def use_of(self, rule_id: str) -> RuleUse | None:
        """The rule about sequences with an identifier, if it applies."""
        return next((check[0] for check in self.sequence_checks if check[0].rule.rule_id == rule_id), None)

    def warnings(self) -> Iterator[PolicyWarning]:
        """The rules without the parameters that they need, where they are selected last."""
        for use, reason in self.inactive:
            rule_id = use.rule.rule_id
            *_, position = (layer.selected_at[rule_id] for layer in self.layers if rule_id in layer.selected_at)
            yield PolicyWarning(*position, f"not evaluated: {rule_id} {use.rule.name}: {reason}")

    def uses(self) -> list[RuleUse]:
        """All rules, in the order of their identifiers."""
        of_headers = (*self.name_checks, *self.file_checks, *self.part_checks, *self.channel_checks)
        checks = (*of_headers, *self.pixel_checks, *self.sequence_checks, *self.shot_checks)
        found = [*self.problems.values(), *(check[0] for check in checks)]
        return sorted((*found, *(use for use, _ in self.inactive)), key=lambda use: use.rule.rule_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPolicy:
    """A policy that is ready to be evaluated. `hash` changes with everything that can change a verdict."""

    policy: Policy
    hash: str
    conditions: tuple[Predicate, ...]
    rules: Mapping[str, PolicyRule] = field(repr=False)  # by identifier: the built-in ones and the policy's own
    path_template: str = field(repr=False, compare=False)
    _rule_sets: dict[tuple[bool, ...], RuleSet] = field(default_factory=dict, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Worker processes get the policy without the rule sets that are kept, whose checks cannot be pickled."""
        names = ("policy", "hash", "conditions", "rules", "path_template")
        return partial(CompiledPolicy, **{name: getattr(self, name) for name in names}), ()

    @property
    def rule_ids(self) -> frozenset[str]:
        """The identifiers of the rules that may apply to some files."""
        found: frozenset[str] = frozenset()
        for layer in self.policy.layers:
            found = (found if layer.when else found - layer.ignore) | (layer.select - layer.ignore)
        return found

    @property
    def is_about_pixels(self) -> bool:
        """Whether rules about pixels may apply to some files."""
        return any(self.rules[rule_id].scope == "pixels" for rule_id in self.rule_ids)

    def rules_for(self, inspection: Inspection | None = None) -> RuleSet:
        """The rules that apply to a file; without one, those of files to which no override applies."""
        return self.rules_with(() if inspection is None else self.overrides_of(inspection))

    def overrides_of(self, inspection: Inspection) -> tuple[bool, ...]:
        """Of the overrides, those that apply to a file."""
        return tuple(applies(inspection, None) for applies in self.conditions)

    def rules_by_name(self, inspection: Inspection) -> RuleSet:
        """The rules that apply to a file of which only the URI is known; overrides that test more do not apply."""
        when = [layer.when for layer in self.policy.layers if layer.when is not None]
        by_name = (all(test.field in URI_FIELDS for test in tests_of(each)) for each in when)
        holds = self.overrides_of(inspection)
        return self.rules_with(tuple(map(operator.and_, holds, by_name)))

    def rules_with(self, holds: tuple[bool, ...]) -> RuleSet:
        """The rules if these overrides apply; none applies without any."""
        holds = holds or (False,) * len(self.conditions)
        rule_set = self._rule_sets.get(holds)
        if rule_set is None:
            rule_set = self._rule_sets[holds] = _rule_set(self.policy, self.rules, holds)
        return rule_set


def expect_rules(given: str, policy: CompiledPolicy) -> CompiledPolicy:
    """The policy. Raises PolicyError if it selects nothing: all files would pass; `given` is its path or name."""
    if not policy.rule_ids:
        raise PolicyError(given, 1, 1, NO_RULE)
    return policy


def with_rule(policy: CompiledPolicy, rule_id: str, **parameters: Any) -> CompiledPolicy:
    """The policy with a rule that applies to all files, with these parameters, whatever the policy says of it.

    Others have their defaults.
    """
    values = policy.rules[rule_id].parameters(**parameters)
    settings = {rule_id: {each.name: getattr(values, each.name) for each in fields(values)}}
    layer = Layer(when=None, select=frozenset((rule_id,)), ignore=frozenset(), settings=settings)
    return compile_policy(replace(policy.policy, layers=(*policy.policy.layers, layer)), policy.path_template)


def compile_policy(policy: Policy, path_template: str = PATH_TEMPLATE) -> CompiledPolicy:
    """A policy with its rules resolved. Conditions about show, shot and task find them with the path template.

    Raises SettingsError for an invalid path template.
    """
    resolved = [
        [asdict(layer.when) if layer.when else None, sorted(layer.select), sorted(layer.ignore), _plain(layer)]
        for layer in policy.layers
    ]
    conditions = [layer.when for layer in policy.layers if layer.when is not None]
    custom = {rule_id: asdict(rule) for rule_id, rule in policy.custom.items()}
    of_shots = any(RULES[each].scope == "shots" for layer in policy.layers for each in layer.select & RULES.keys())
    of_paths = of_shots or any(map(_uses_template, _all_conditions(policy)))
    template = path_template if of_paths else None
    digest = hashlib.sha256(json.dumps([resolved, custom, template], sort_keys=True).encode()).hexdigest()
    return CompiledPolicy(
        policy=policy,
        hash=digest,
        path_template=path_template,
        conditions=tuple(predicate(when, path_template) for when in conditions),
        rules=RULES | {rule_id: custom_rule(rule, path_template) for rule_id, rule in policy.custom.items()},
    )


def _all_conditions(policy: Policy) -> Iterator[Condition]:
    of_rules = ((rule.when, rule.require) for rule in policy.custom.values())
    yield from filter(None, (*(layer.when for layer in policy.layers), *itertools.chain.from_iterable(of_rules)))


def _uses_template(condition: Condition) -> bool:
    return any(test.field in TEMPLATE_FIELDS for test in tests_of(condition))


def _plain(layer: Layer) -> dict[str, Any]:
    """The parameters as values that JSON has."""
    plain = {}
    for rule_id, settings in layer.settings.items():
        parameters = RULES[rule_id].parameters if rule_id in RULES else Parameters
        values = asdict(parameters(**settings))
        plain[rule_id] = {name: values[name] for name in settings}
    return plain


def _rule_set(policy: Policy, rules: Mapping[str, PolicyRule], holds: tuple[bool, ...]) -> RuleSet:
    applies = iter(holds)
    selected: set[str] = set()
    layers = [layer for layer in policy.layers if layer.when is None or next(applies)]
    for layer in layers:
        selected = (selected | layer.select) - layer.ignore
    settings = merged_settings(layers)
    uses = [_use(rules[rule_id], settings.get(rule_id, {})) for rule_id in sorted(selected)]
    active = [use for use in uses if not use.missing]
    return RuleSet(
        problems={use.rule.rule_id: use for use in active if use.rule.scope == "problem"},
        name_checks=_checks(active, "name"),
        file_checks=_checks(active, "file"),
        part_checks=_checks(active, "part"),
        channel_checks=_checks(active, "channels"),
        pixel_checks=_checks(active, "pixels"),
        sequence_checks=_checks(active, "sequence"),
        shot_checks=_checks(active, "shots"),
        inactive=tuple((use, f"the policy gives no value for {', '.join(use.missing)}") for use in uses if use.missing),
        layers=tuple(layers),
    )


def _use(rule: PolicyRule, settings: Mapping[str, Any]) -> RuleUse:
    return RuleUse(rule=rule, parameters=rule.parameters(**settings))


def _checks(uses: list[RuleUse], scope: str) -> tuple[BoundRule, ...]:
    bound = bounded if scope not in MULTI_FILE_SCOPES else lambda check: check
    return tuple(
        (use, bound(use.rule.check), use.parameters)
        for use in uses
        if use.rule.scope == scope and use.rule.check is not None
    )
