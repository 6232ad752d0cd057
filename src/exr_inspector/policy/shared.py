"""Verdicts on files with one structure: what the structure decides is evaluated once for all of them.

Rules that read attributes which differ are evaluated once for each combination of their values, and findings are made
once for each combination of outcomes: files with equal findings share one tuple of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..findings.model import FileFrame
from ..inspection.model import FileFacts, Inspection
from .compile import Check, CompiledPolicy, RuleSet
from .evaluate import Judged, Verdict, findings_of_problems, pattern_of_file, pixel_outcomes, verdict_of
from .problems import OF_WINDOWS
from .rule import FILE, Outcome, PolicyRule, Undecided, matcher
from .rules_pixels import FilePixels
from .sequence_files import Structure as OfSequences
from .stored_parts import CutValueError, StoredInspection

_KEPT = 4096  # combinations of values, and of outcomes
_PATTERNS_KEPT = 256  # sequences whose findings are kept

_Outcomes = list[tuple[Check, Outcome, int | None]]


@dataclass(slots=True)
class _Group:
    """The rules that read the same of the attributes that differ, and their outcomes by values."""

    names: tuple[str, ...]
    checks: list[Check]
    known: dict[Any, _Outcomes] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    """The rules that apply to files of a structure: those that each file decides, and the outcomes of the others."""

    of_each: tuple[list[Check], list[Check]]  # about files, and about parts
    of_files: list[_Group]
    of_parts: list[_Group]
    shared: _Outcomes
    by_pattern: dict[str, Judged] = field(default_factory=dict)
    verdicts: dict[Any, Verdict] = field(default_factory=dict)

    def outcomes(self, inspection: StoredInspection) -> _Outcomes:
        """The outcomes of all rules that do not have the same for all files."""
        found = _outcomes(inspection, *self.of_each)
        for group in self.of_files:
            found += _known(group, inspection.values(group.names), inspection)
        for group in self.of_parts:
            found += _known_of_parts(group, inspection)
        return found

    def judged(self, file: FileFacts, pattern: str) -> Judged:
        """The outcomes that are the same for all files, as findings about this one."""
        known = self.by_pattern.get(pattern)
        if known is None:
            judged = Judged()
            for check, outcome, part_index in self.shared:
                judged.add(file, check, outcome, part_index)
            known = judged
            _keep(self.by_pattern, pattern, known, _PATTERNS_KEPT)
        return Judged(list(known.findings), dict(known.undecided), known.unlisted.copy())


def _known(group: _Group, values: Any, inspection: StoredInspection) -> _Outcomes:
    known = group.known.get(values)
    if known is None:
        known = _outcomes(inspection, group.checks, ())
        _keep(group.known, values, known, _KEPT)
    return known


def _known_of_parts(group: _Group, inspection: StoredInspection) -> _Outcomes:
    found: _Outcomes = []
    for values in enumerate(inspection.values(group.names)):
        known = group.known.get(values)
        if known is None:
            known = _of_part(inspection, values[0], group.checks)
            _keep(group.known, values, known, _KEPT)
        found += known
    return found


def _keep(known: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    if len(known) >= most:
        known.clear()
    known[key] = value


@dataclass(slots=True)
class Structure:
    """Files whose attributes have the same names, types and constant values, with one of them as the example."""

    example: Inspection
    varying: frozenset[str]  # names of the attributes whose values differ
    of_sequences: OfSequences
    _plans: dict[int, tuple[RuleSet, _Plan]] = field(default_factory=dict)

    def verdict(
        self, policy: CompiledPolicy, inspection: StoredInspection, rules: RuleSet, figures: FilePixels | None
    ) -> Verdict:
        """The verdict on one of the files, by the rules that apply to it; `figures` are those of its pixels."""
        known = self._plans.get(id(rules))
        plan = self._plan(rules) if known is None else known[1]
        file, problems = inspection.file, inspection.problems
        pattern = pattern_of_file(file)
        outcomes = plan.outcomes(inspection)
        outcomes += ((check, outcome, None) for check, outcome in pixel_outcomes(rules.of_pixels, figures))
        if file.completeness != "complete":  # each may lack other chunks
            return _made(policy, rules, plan, inspection, pattern, outcomes)
        key = (
            pattern,
            file.sequence,
            tuple((id(check), outcome, part) for check, outcome, part in outcomes) if outcomes else (),
            tuple([problem[:4] for problem in problems]),
            inspection.windows if any(problem.code in OF_WINDOWS for problem in problems) else (),
        )
        like = plan.verdicts.get(key)
        if like is None:
            like = _made(policy, rules, plan, inspection, pattern, outcomes)
            _keep(plan.verdicts, key, like, _KEPT)
        return Verdict(
            policy=like.policy,
            version=like.version,
            policy_hash=like.policy_hash,
            file=FileFrame(file.file_path_normalized, file.frame or ""),
            findings=like.findings,
            counts=like.counts,
            not_evaluated=like.not_evaluated,
        )

    def _plan(self, rules: RuleSet) -> _Plan:
        of_files, own_files, files = self._split(rules.of_files)
        of_parts, own_parts, parts = self._split(rules.of_parts)
        shared = _outcomes(self.example, files, parts)
        for part in self.example.parts:
            shared += ((check, outcome, part.part_index) for check, outcome in rules.channel_outcomes(part.channels))
        plan = _Plan((own_files, own_parts), of_files, of_parts, shared)
        self._plans[id(rules)] = rules, plan
        return plan

    def _split(self, checks: Iterable[Check]) -> tuple[list[_Group], list[Check], list[Check]]:
        """The rules that some attributes decide, those that each file decides, and those that the structure decides."""
        groups: dict[tuple[str, ...], _Group] = {}
        of_each, of_structure = [], []
        for check in checks:
            needed = check[0].rule.if_attribute
            if needed and not any(needed in part for part in self.example.parts):
                continue
            names = attributes_read(check[0].rule, self.varying)
            if names is None:
                of_each.append(check)
            elif names:
                groups.setdefault(names, _Group(names, [])).checks.append(check)
            else:
                of_structure.append(check)
        return list(groups.values()), of_each, of_structure


def _made(
    policy: CompiledPolicy,
    rules: RuleSet,
    plan: _Plan,
    inspection: StoredInspection,
    pattern: str,
    outcomes: _Outcomes,
) -> Verdict:
    judged = plan.judged(inspection.file, pattern)
    for check, outcome, part_index in outcomes:
        judged.add(inspection.file, check, outcome, part_index)
    if inspection.problems or inspection.file.completeness != "complete":
        judged.findings += findings_of_problems(rules, inspection, pattern)
    return verdict_of(policy, rules, inspection.file, judged)


def attributes_read(rule: PolicyRule, varying: Iterable[str]) -> tuple[str, ...] | None:
    """Those of the attributes whose values decide a rule, sorted; None if more than attributes decides it."""
    if rule.reads is None or FILE in rule.reads:
        return None
    return tuple(sorted(filter(matcher(rule.reads), varying)))


def names_read(policy: CompiledPolicy, varying: Iterable[str]) -> frozenset[str]:
    """Those of the attributes whose values some rule of the policy may read."""
    selected = {rule_id for layer in policy.policy.layers for rule_id in layer.select}
    rules = [policy.rules[rule_id] for rule_id in selected]
    reads = [rule.reads for rule in rules if rule.scope in ("problem", "file", "part")]
    if None in reads:
        return frozenset(varying)
    matches = matcher(tuple(chain.from_iterable(names for names in reads if names)))
    return frozenset(filter(matches, varying))


def _outcomes(inspection: Inspection, of_files: Iterable[Check], of_parts: Iterable[Check]) -> _Outcomes:
    """The outcomes of rules; one that reads a value that the catalog does not have is not decided."""
    found: _Outcomes = [(check, outcome, None) for check, outcome in _judge(of_files, inspection)]
    if of_parts:
        for index in range(len(inspection.parts)):
            found += _of_part(inspection, index, of_parts)
    return found


def _of_part(inspection: Inspection, index: int, checks: Iterable[Check]) -> _Outcomes:
    return [(check, outcome, index) for check, outcome in _judge(checks, inspection.parts[index])]


def _judge(checks: Iterable[Check], judged: Any) -> list[tuple[Check, Outcome]]:
    try:
        return [(check, outcome) for check in checks for outcome in check[1](judged, check[2])]
    except CutValueError:  # rare, so that each rule is guarded only then
        return [(check, outcome) for check in checks for outcome in _guarded(check[1], judged, check[2])]


def _guarded(check: Callable[[Any, Any], Iterator[Outcome]], judged: Any, parameters: Any) -> Iterator[Outcome]:
    try:
        yield from check(judged, parameters)
    except CutValueError as cut:
        yield Undecided(f"the catalog has the first part only of the attribute {cut}")
