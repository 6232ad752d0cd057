"""Verdicts on files with one structure: rules that the structure decides are evaluated once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..findings.model import Finding
from ..frames.ranges import display_pattern
from ..inspection.model import FileFacts, Inspection
from .compile import Check, CompiledPolicy, RuleSet
from .evaluate import Judged, NotEvaluated, Verdict, findings_of_problems, pixel_outcomes, verdict_of
from .rule import FILE, Outcome, PolicyRule, Undecided, matcher
from .stored_parts import CutValueError

_PATTERNS_KEPT = 256  # sequences whose findings are kept


@dataclass(slots=True)
class _Plan:
    """The rules that apply to files of a structure: those that each file decides, and the outcomes of the others."""

    of_files: list[Check]
    of_parts: list[Check]
    shared: list[tuple[Check, Outcome, int | None]]
    by_pattern: dict[str, tuple[list[Finding], dict[NotEvaluated, None]]] = field(default_factory=dict)
    of_problems: dict[tuple[Any, ...], list[Finding]] = field(default_factory=dict)

    def problems(self, rules: RuleSet, inspection: Inspection, pattern: str) -> list[Finding]:
        """The findings about problems, which are kept for whole files: those of a sequence often have the same."""
        if not inspection.problems:
            return []
        windows = tuple(part.data_window for part in inspection.parts)
        key = pattern, windows, tuple(problem[:4] for problem in inspection.problems)
        known = self.of_problems.get(key)
        if known is None:
            if len(self.of_problems) >= _PATTERNS_KEPT:
                self.of_problems.clear()
            known = self.of_problems[key] = findings_of_problems(rules, inspection, pattern)
        return known

    def judged(self, file: FileFacts, pattern: str) -> Judged:
        """The outcomes that are the same for all files, as findings about this one."""
        known = self.by_pattern.get(pattern)
        if known is None:
            judged = Judged()
            for check, outcome, part_index in self.shared:
                judged.add(file, check, outcome, part_index)
            if len(self.by_pattern) >= _PATTERNS_KEPT:
                self.by_pattern.clear()
            known = self.by_pattern[pattern] = judged.findings, judged.undecided
        return Judged(list(known[0]), dict(known[1]))


@dataclass(slots=True)
class Structure:
    """Files whose attributes have the same names, types and constant values, with one of them as the example."""

    example: Inspection
    varying: frozenset[str]  # names of the attributes whose values differ
    _plans: dict[int, tuple[RuleSet, _Plan]] = field(default_factory=dict)

    def verdict(self, policy: CompiledPolicy, inspection: Inspection) -> Verdict:
        """The verdict on one of the files."""
        rules = policy.rules_for(inspection)
        known = self._plans.get(id(rules))
        plan = self._plan(rules) if known is None else known[1]
        file = inspection.file
        pattern = (
            file.file_path_normalized if file.sequence is None else display_pattern(file.sequence, [file.frame or ""])
        )
        judged = plan.judged(file, pattern)
        for check, outcome, part_index in _outcomes(inspection, plan.of_files, plan.of_parts):
            judged.add(file, check, outcome, part_index)
        for check, outcome in pixel_outcomes(rules.of_pixels, inspection):
            judged.add(file, check, outcome, None)
        if file.completeness == "complete":
            judged.findings += plan.problems(rules, inspection, pattern)
        else:
            judged.findings += findings_of_problems(rules, inspection, pattern)
        return verdict_of(policy, rules, file, judged)

    def _plan(self, rules: RuleSet) -> _Plan:
        def split(checks: Iterable[Check]) -> tuple[list[Check], list[Check]]:
            own = [check for check in checks if depends_on(check[0].rule, self.varying)]
            return own, [check for check in checks if check not in own]

        (own_files, files), (own_parts, parts) = split(rules.of_files), split(rules.of_parts)
        shared = _outcomes(self.example, files, parts)
        for part in self.example.parts:
            shared += ((check, outcome, part.part_index) for check, outcome in rules.channel_outcomes(part.channels))
        plan = _Plan(own_files, own_parts, shared)
        self._plans[id(rules)] = rules, plan
        return plan


def depends_on(rule: PolicyRule, varying: Iterable[str]) -> bool:
    """Whether a rule decides by the file, or by the values of one of these attributes."""
    return rule.reads is None or FILE in rule.reads or any(map(matcher(rule.reads), varying))


def names_read(policy: CompiledPolicy, varying: Iterable[str]) -> frozenset[str]:
    """Those of the attributes whose values some rule of the policy may read."""
    selected = {rule_id for layer in policy.policy.layers for rule_id in layer.select}
    rules = [policy.rules[rule_id] for rule_id in selected]
    reads = [rule.reads for rule in rules if rule.scope in ("problem", "file", "part")]
    if None in reads:
        return frozenset(varying)
    matches = matcher(tuple(chain.from_iterable(names for names in reads if names)))
    return frozenset(filter(matches, varying))


_Outcomes = list[tuple[Check, Outcome, int | None]]


def _outcomes(inspection: Inspection, of_files: Iterable[Check], of_parts: Iterable[Check]) -> _Outcomes:
    """The outcomes of rules; one that reads a value that the catalog does not have is not decided."""
    try:
        return _judge(inspection, of_files, of_parts, _all)
    except CutValueError:  # rare, so that each rule is guarded only then
        return _judge(inspection, of_files, of_parts, _known)


def _judge(
    inspection: Inspection,
    of_files: Iterable[Check],
    of_parts: Iterable[Check],
    judge: Callable[[Check, Any], Iterable[Outcome]],
) -> _Outcomes:
    found: _Outcomes = [(check, outcome, None) for check in of_files for outcome in judge(check, inspection)]
    for part in inspection.parts:
        found += [(check, outcome, part.part_index) for check in of_parts for outcome in judge(check, part)]
    return found


def _all(check: Check, judged: Any) -> Iterable[Outcome]:
    return check[1](judged, check[2])


def _known(check: Check, judged: Any) -> Iterator[Outcome]:
    try:
        yield from check[1](judged, check[2])
    except CutValueError as cut:
        yield Undecided(f"the catalog has the first part only of the attribute {cut}")
