"""Verdicts on files with one structure, which share outcomes of rules.

Rules that read constant attributes are evaluated for one file of a structure. Others are evaluated for each combination
of the values that they read, and rules about names for each file. Files with equal outcomes share a tuple of findings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from ..findings.rules import NOT_WHOLE, UNREADABLE, WHOLENESS_UNKNOWN
from ..inspection.model import Inspection
from .compile import BoundRule, CompiledPolicy, RuleSet
from .evaluate import (
    NotEvaluated,
    Verdict,
    VerdictBuilder,
    findings_of_problems,
    name_outcomes,
    pattern_of_file,
    pixel_outcomes,
    verdict_of,
)
from .model import RuleUse
from .problems import OF_WINDOWS
from .rule import FILE, HEADER, STRINGS, FileName, Outcome, PolicyRule, Undecided, matcher
from .rules_pixels import FilePixels
from .sequence_files import Structure
from .stored_parts import AttributeRow, CutValueError, StoredInspection, StoredPart, attribute_of

_KEPT = 4096  # combinations of values, and of outcomes
_MAX_TEXT = 4000  # characters of values whose outcomes are kept
_OF_COMPLETENESS = {rule.rule_id for rule in (UNREADABLE, NOT_WHOLE, WHOLENESS_UNKNOWN)}
_OLDER = "an older version inspected the file; inspect it again: exr-inspector ingest --rescan"
_PATTERNS_KEPT = 256  # sequences whose findings are kept

Varying = tuple[str, str]  # name and type of an attribute
_Outcomes = list[tuple[BoundRule, Outcome, int | None]]


@dataclass(slots=True)
class _Group:
    """Rules that read the same varying attributes, and their outcomes by the values of these."""

    names: tuple[str, ...]
    checks: list[BoundRule]
    known: dict[Any, _Outcomes] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    """The rules that apply to files of a structure, by what decides them, and outcomes that are known."""

    of_each: tuple[list[BoundRule], list[BoundRule]]  # about files, and about parts; with all that the header decides
    of_files: list[_Group]
    of_parts: list[_Group]
    shared: _Outcomes
    alone: Mapping[str, list[BoundRule]]  # by attribute, the rules that read it and no other
    by_pattern: dict[str, VerdictBuilder] = field(default_factory=dict)
    numbers: dict[Any, int] = field(default_factory=dict)  # of outcomes
    next_number: Iterator[int] = field(default_factory=count)
    verdicts: dict[Any, Verdict] = field(default_factory=dict)

    def outcomes(self, inspection: StoredInspection) -> _Outcomes:
        """The outcomes of the rules that are not in `shared`."""
        found = _outcomes(inspection, *self.of_each)
        for group in self.of_files:
            found += _known(group, inspection.values(group.names), inspection)
        for group in self.of_parts:
            found += _known_of_parts(group, inspection)
        return found

    def judged(self, file: FileName, pattern: str) -> VerdictBuilder:
        """The outcomes in `shared`, as findings about a file."""
        known = self.by_pattern.get(pattern)
        if known is None:
            judged = VerdictBuilder()
            for check, outcome, part_index in self.shared:
                judged.add(file, check, outcome, part_index)
            known = judged
            _keep(self.by_pattern, pattern, known, _PATTERNS_KEPT)
        return VerdictBuilder(list(known.findings), dict(known.undecided), known.unlisted.copy())


def _known(group: _Group, values: Any, inspection: StoredInspection) -> _Outcomes:
    known = group.known.get(values)
    if known is None:
        known = _outcomes(inspection, group.checks, ())
        if len(str(values)) < _MAX_TEXT:
            _keep(group.known, values, known, _KEPT)
    return known


def _known_of_parts(group: _Group, inspection: StoredInspection) -> _Outcomes:
    found: _Outcomes = []
    for values in enumerate(inspection.values(group.names)):
        known = group.known.get(values)
        if known is None:
            known = _of_part(inspection, values[0], group.checks)
            if len(str(values)) < _MAX_TEXT:
                _keep(group.known, values, known, _KEPT)
        found += known
    return found


def _keep(known: dict[Any, Any], key: Any, value: Any, most: int) -> None:
    if len(known) >= most:
        known.clear()
    known[key] = value


@dataclass(slots=True)
class StoredStructure:
    """Files whose attributes have the same names, types and constant values, with one of them as the example."""

    example: Inspection
    varying: frozenset[Varying]  # the attributes whose values differ
    of_sequences: Structure
    _plans: dict[int, tuple[RuleSet, _Plan]] = field(default_factory=dict)

    def judged(
        self, policy: CompiledPolicy, inspection: StoredInspection, rules: RuleSet, figures: FilePixels | None
    ) -> Alike:
        """The outcomes of the rules that apply to a file, but for its name; `figures` are those of its pixels."""
        plan = self._plan(rules)
        outcomes = plan.outcomes(inspection)
        outcomes += ((check, outcome, None) for check, outcome in pixel_outcomes(rules.pixel_checks, figures))
        problems = inspection.problems
        key = (
            inspection.file.problem_severity is None,
            tuple((id(check), outcome, part) for check, outcome, part in outcomes),
            tuple([problem[:4] for problem in problems]),
            inspection.windows if any(problem.code in OF_WINDOWS for problem in problems) else (),
        )
        if len(plan.numbers) >= _KEPT:
            plan.numbers.clear()
            plan.verdicts.clear()
        number = plan.numbers.get(key)
        if number is None:
            number = plan.numbers[key] = next(plan.next_number)
        return Alike(policy, rules, plan, inspection, outcomes, number)

    def decided_by(self, rules: RuleSet, part_index: int, row: AttributeRow) -> Hashable | None:
        """What rules make of the value of an attribute, if no other attribute matters to those that read it."""
        checks = self._plan(rules).alone.get(row.attr_name)
        if checks is None:
            return None
        example = self.example.parts[part_index]
        assert isinstance(example, StoredPart)
        part = example.with_value(attribute_of(row))
        checks = [(use, use.rule.check, given) for use, _, given in checks if use.rule.check]  # all violations
        return tuple([(use.rule.rule_id, outcome) for (use, *_), outcome in _judge(checks, part)])

    def differ(self, rules: RuleSet, custom: Collection[str]) -> bool:
        """Whether more than header and name decides some rule, so that each file is judged, but for `custom` rules."""
        checks = chain.from_iterable(self._plan(rules).of_each)
        return any(FILE in (check[0].rule.reads or ()) and check[0].rule.rule_id not in custom for check in checks)

    def _plan(self, rules: RuleSet) -> _Plan:
        known = self._plans.get(id(rules))
        if known is not None:
            return known[1]
        of_files, own_files, files = self._split(rules.file_checks)
        of_parts, own_parts, parts = self._split(rules.part_checks)
        shared = _outcomes(self.example, files, parts)
        for part in self.example.parts:
            shared += ((check, outcome, part.part_index) for check, outcome in rules.channel_outcomes(part.channels))
        alone = self._alone((*rules.file_checks, *rules.part_checks), rules.problems.values())
        plan = _Plan((own_files, own_parts), of_files, of_parts, shared, alone)
        self._plans[id(rules)] = rules, plan
        return plan

    def _alone(self, checks: Iterable[BoundRule], of_problems: Iterable[RuleUse]) -> Mapping[str, list[BoundRule]]:
        found: dict[str, list[BoundRule]] = {name: [] for name, _ in self.varying}
        for use in of_problems:
            for name in names_of(use.rule, self.varying):
                found.pop(name, None)
        for check in checks:
            rule = check[0].rule
            names = names_of(rule, self.varying)
            for name in names:
                if rule.scope != "part" or (len(names) > 1 and not rule.by_attribute):
                    found.pop(name, None)
                elif name in found:
                    found[name].append(check)
        return found

    def _split(self, checks: Iterable[BoundRule]) -> tuple[list[_Group], list[BoundRule], list[BoundRule]]:
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


@dataclass(slots=True)
class Alike:
    """The outcomes for files that differ in their names only, as far as rules read them, with one as the example."""

    policy: CompiledPolicy
    rules: RuleSet
    plan: _Plan
    example: StoredInspection
    outcomes: _Outcomes
    number: int  # of the outcomes, in the plan

    def verdict(self, file: FileName, of_name: Sequence[tuple[BoundRule, Outcome]]) -> Verdict:
        """The verdict on the file with a name; one object for those of a sequence whose names have equal outcomes."""
        pattern = pattern_of_file(file)
        if self.example.file.completeness != "complete":  # each may lack other chunks
            return self._made(file, pattern, of_name)
        outcomes = tuple([(id(check), outcome) for check, outcome in of_name]) if of_name else ()
        key = self.number, pattern, file.sequence, outcomes
        known = self.plan.verdicts.get(key)
        if known is None:
            known = self._made(file, pattern, of_name)
            _keep(self.plan.verdicts, key, known, _KEPT)
        return known

    def _made(self, file: FileName, pattern: str, of_name: Sequence[tuple[BoundRule, Outcome]]) -> Verdict:
        judged = self.plan.judged(file, pattern)
        for check, outcome, part_index in (*((*named, None) for named in of_name), *self.outcomes):
            judged.add(file, check, outcome, part_index)
        if self.example.problems or self.example.file.completeness != "complete":
            judged.findings += findings_of_problems(self.rules, self.example, pattern)
        if self.example.file.problem_severity is None:  # its problems are not known, but its completeness
            rules = (use.rule for rule_id, use in self.rules.problems.items() if rule_id not in _OF_COMPLETENESS)
            judged.undecided |= {NotEvaluated(rule.rule_id, rule.name, _OLDER): None for rule in rules}
        return verdict_of(self.policy, self.rules, judged)


@dataclass(frozen=True, slots=True)
class NamesAlike:
    """Files that are alike, and whose names only differ in the digits of the frame."""

    alike: Alike
    first: Verdict  # on the first of them; on all, if nothing is to be evaluated for each
    of_all: Sequence[tuple[BoundRule, Outcome]]  # outcomes of rules about names
    of_each: Sequence[BoundRule]  # rules about names that are evaluated for each of the others

    def verdict(self, file: FileName) -> Verdict:
        """The verdict on another one of the files."""
        return self.alike.verdict(file, (*self.of_all, *name_outcomes(self.of_each, file)))


def names_alike(alike: Alike, first: FileName) -> NamesAlike:
    """What the first of the files says about all of them."""
    of_all, of_first = [], []
    of_each = []
    for check in alike.rules.name_checks:
        outcomes = name_outcomes((check,), first)
        digits = check[0].rule.digits
        decides = digits(check[2]) if callable(digits) else digits
        if decides == "anything" or (decides == "texts" and outcomes):
            of_each.append(check)
            of_first += outcomes
        else:
            of_all += outcomes
    return NamesAlike(alike, alike.verdict(first, (*of_all, *of_first)), of_all, of_each)


def attributes_read(rule: PolicyRule, varying: Iterable[Varying]) -> tuple[str, ...] | None:
    """Those of the attributes whose values decide a rule, sorted; None if more than attributes decides it."""
    if rule.reads is None or FILE in rule.reads or HEADER in rule.reads:
        return None
    return names_of(rule, varying)


def names_of(rule: PolicyRule, varying: Iterable[Varying]) -> tuple[str, ...]:
    """Those of the attributes whose values a rule reads, sorted."""
    if rule.reads is None:
        return tuple(sorted(name for name, _ in varying))
    return tuple(sorted(_matching(rule.reads, varying)))


def _matching(reads: tuple[str, ...], varying: Iterable[Varying]) -> Iterator[str]:
    matches, texts = matcher(reads), STRINGS in reads
    return (name for name, attr_type in varying if matches(name) or (texts and attr_type == "string"))


def names_read(policy: CompiledPolicy, varying: Iterable[Varying]) -> frozenset[str]:
    """Those of the attributes whose values some rule of the policy may read."""
    selected = {rule_id for layer in policy.policy.layers for rule_id in layer.select}
    rules = [policy.rules[rule_id] for rule_id in selected]
    reads = [rule.reads for rule in rules if rule.scope in ("problem", "file", "part")]
    if None in reads:
        return frozenset(name for name, _ in varying)
    return frozenset(_matching(tuple(chain.from_iterable(names for names in reads if names)), varying))


def _outcomes(inspection: Inspection, of_files: Iterable[BoundRule], of_parts: Iterable[BoundRule]) -> _Outcomes:
    """The outcomes of rules; one that reads a value that the catalog does not have is not decided."""
    found: _Outcomes = [(check, outcome, None) for check, outcome in _judge(of_files, inspection)]
    if of_parts:
        for index in range(len(inspection.parts)):
            found += _of_part(inspection, index, of_parts)
    return found


def _of_part(inspection: Inspection, index: int, checks: Iterable[BoundRule]) -> _Outcomes:
    return [(check, outcome, index) for check, outcome in _judge(checks, inspection.parts[index])]


def _judge(checks: Iterable[BoundRule], judged: Any) -> list[tuple[BoundRule, Outcome]]:
    try:
        return [(check, outcome) for check in checks for outcome in check[1](judged, check[2])]
    except CutValueError:  # rare, so that each rule is guarded only then
        return [(check, outcome) for check in checks for outcome in _guarded(check[1], judged, check[2])]


def _guarded(check: Callable[[Any, Any], Iterator[Outcome]], judged: Any, parameters: Any) -> Iterator[Outcome]:
    try:
        yield from check(judged, parameters)
    except CutValueError as cut:
        yield Undecided(f"the catalog has the first part only of the attribute {cut}")
