"""The rules about sequences: files in, findings out.

`evaluate_sequences` takes a `SequenceFile` of each file, from wherever it comes: `sequence_file()` makes it of an
inspection, and the tables `files`, `parts`, `channels` and `part_stats` of a catalog have all that it needs, with a
`Structure` for each structure hash.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ..exr.codes import SEVERITIES
from ..findings.model import Finding
from ..frames.patterns import names_tiles
from ..frames.ranges import Number, frame_value, parse_range
from ..sequence.channel_lists import changed_types
from ..sequence.fields import differences_in
from ..sequence.findings import findings_of
from ..sequence.frames import Frames
from ..sequence.siblings import older_versions, other_views
from ..sequence.summary import absent_pattern, summarized
from ..sources.patterns import uri_condition
from .conditions import template_expressions
from .evaluate import NotEvaluated
from .rule import Excess, PolicyRule, Undecided
from .rules_sequence import Range
from .rules_shots import Shot
from .sequence_files import JudgedSequence, SequenceFile, Structure, frames_of

if TYPE_CHECKING:
    from .compile import CompiledPolicy, RuleSet

__all__ = ["SequenceFile", "SequenceFiles", "SequenceVerdict", "evaluate_sequences", "missing_sequence"]

_RANGE = "EXR902"
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceVerdict:
    """What a policy says about sequences."""

    findings: tuple[Finding, ...]  # with frames and files; not those about single files
    patterns: Mapping[str, str]  # of all sequences: with one # for each digit of the frames, or <UDIM>
    not_evaluated: Mapping[NotEvaluated, int]  # with the number of files
    undecided: Mapping[str, set[str]]  # by sequence, the identifiers of rules that are not evaluated for some files


class SequenceFiles:
    """A list of files in which equal structures and texts are one object: with 100,000 files, 60 MB."""

    def __init__(self) -> None:
        self.files: list[SequenceFile] = []
        self._structures: dict[str, Structure] = {}
        self._known: dict[object, object] = {}

    def add(self, file: SequenceFile) -> SequenceFile:
        """Append a file, and return it as it is in the list."""
        structure = file.structure
        if structure is not None:
            known = self._structures.get(structure.structure_hash)
            if known is None:
                fields = {self._one(key): self._one(text) for key, text in structure.fields.items()}
                channels = tuple(tuple(map(self._one, part)) for part in structure.channels)
                known = replace(structure, fields=fields, channels=self._one(channels))
                self._structures[structure.structure_hash] = known
            structure = known
        sequence, overrides = self._one(file.sequence), self._one(file.overrides)
        if not (structure is file.structure and sequence is file.sequence and overrides is file.overrides):
            file = file._replace(structure=structure, sequence=sequence, overrides=overrides)
        self.files.append(file)
        return file

    def _one(self, value: _Value) -> _Value:
        return cast("_Value", self._known.setdefault(value, value))


def evaluate_sequences(
    policy: CompiledPolicy,
    files: Iterable[SequenceFile],
    patterns: Iterable[str] = (),
) -> SequenceVerdict:
    """The verdict on the sequences of all files, in any order; files without a frame number are left out.

    The rules of a sequence are those of most of its files. The numbers of sequences that a pattern with `<UDIM>`
    selects, of those given, are tiles.
    """
    groups: dict[str, list[SequenceFile]] = defaultdict(list)
    for file in files:
        if file.frame:
            groups[file.sequence].append(file)
    for group in groups.values():
        group.sort(key=lambda file: (frame_value(file.frame), file.frame, file.uri))
    frames = [frames_of(name, groups[name]) for name in sorted(groups)]
    rule_sets = {name: policy.rules_with(_usual_overrides(group)) for name, group in groups.items()}
    judged = _judged(groups, frames, rule_sets, _selects_tiles(patterns))
    findings: list[Finding] = []
    undecided: Counter[NotEvaluated] = Counter()
    of_sequence: dict[str, set[str]] = defaultdict(set)
    for name, sequence in judged.items():
        for use, check, parameters in rule_sets[name].sequence_checks:
            outcomes: Iterator[Any] = check(sequence, parameters)
            for outcome in outcomes:
                if isinstance(outcome, Undecided):
                    count = outcome.file_count or len(sequence.files)
                    undecided[NotEvaluated(use.rule.rule_id, use.rule.name, outcome.reason)] += count
                    of_sequence[name].add(use.rule.rule_id)
                elif not _is_of_pixel_type(outcome, rule_sets[name]):
                    severity = use.severity or outcome.severity
                    rule = {"rule_id": use.rule.rule_id, "rule_name": use.rule.name}
                    findings.append(_with_files(replace(outcome, severity=severity, **rule), sequence))
    _judge_shots(policy, groups, findings, undecided, of_sequence)
    patterns = {name: sequence.summary.pattern for name, sequence in judged.items()}
    return SequenceVerdict(findings=tuple(findings), patterns=patterns, not_evaluated=undecided, undecided=of_sequence)


def _judge_shots(
    policy: CompiledPolicy,
    groups: Mapping[str, Sequence[SequenceFile]],
    findings: list[Finding],
    undecided: Counter[NotEvaluated],
    of_sequence: Mapping[str, set[str]],
) -> None:
    """Add what the rules about shots find in all sequences, and those that cannot be decided; overrides have none."""
    for use, check, parameters in policy.rules_for().shot_checks:
        outcomes: Iterator[Any] = check(_shots_of(groups, policy.path_template), parameters)
        for outcome in outcomes:
            if isinstance(outcome, Undecided):
                rule = NotEvaluated(use.rule.rule_id, use.rule.name, outcome.reason)
                undecided[rule] += sum(map(len, groups.values()))
                for name in groups:
                    of_sequence[name].add(use.rule.rule_id)
            else:
                findings.append(replace(outcome, severity=use.severity or outcome.severity))


def _shots_of(sequences: Iterable[str], path_template: str) -> list[Shot]:
    """The shots that a path template finds in the URIs of sequences: those with equal shows, sequences and names."""
    expressions = [template_expressions(path_template)[field] for field in ("show", "sequence", "shot", "layer")]
    folders: dict[tuple[str, ...], str] = {}
    layers: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for uri in sorted(sequences):
        show, sequence, shot, layer = (expression.search(uri) for expression in expressions)
        if shot and shot[1]:
            key = tuple((match and match[1]) or "" for match in (show, sequence, shot))
            folders.setdefault(key, uri[: shot.end(1)])
            layers[key].update((layer[1],) if layer and layer[1] else ())
    return [Shot(folder=folder, name=key[2], layers=frozenset(layers[key])) for key, folder in folders.items()]


def _is_of_pixel_type(found: Finding, rules: RuleSet) -> bool:
    """Whether channel lists differ in pixel types only that the rule about them reports for the same frames.

    Without a majority, those of either half.
    """
    if (found.rule_id, found.attr_name) != ("EXR904", "channels") or not (found.actual and found.expected):
        return False
    reported = _reports_types(found.actual, found.expected, rules)
    return reported or (not found.frames and _reports_types(found.expected, found.actual, rules))


def _reports_types(value: str, other: str, rules: RuleSet) -> bool:
    """Whether the rule about pixel types reports all channels in which a list differs from another one."""
    changed = changed_types(value, other)
    if not changed:
        return False
    outcomes = [
        outcome
        for use, check, parameters in rules.channel_checks
        if use.rule.rule_id == "EXR204"
        for outcome in check(changed, parameters)
    ]
    reported = sum(outcome.violations if isinstance(outcome, Excess) else 1 for outcome in outcomes)
    return reported == len(changed)


def _usual_overrides(files: Sequence[SequenceFile]) -> tuple[bool, ...]:
    readable = [file.overrides for file in files if file.structure is not None]
    return Counter(readable).most_common(1)[0][0] if readable else ()


def _fields(files: Iterable[SequenceFile]) -> dict[tuple[int, str], dict[str, str]]:
    """The values of fields by part and name, then by structure hash; none if all files have the same."""
    structures = {file.structure.structure_hash: file.structure for file in files if file.structure is not None}
    fields: dict[tuple[int, str], dict[str, str]] = defaultdict(dict)
    if len(structures) > 1:
        for structure_hash, structure in structures.items():
            for key, text in structure.fields.items():
                fields[key][structure_hash] = text
    return fields


def _judged(
    groups: Mapping[str, Sequence[SequenceFile]],
    frames: Sequence[Frames],
    rule_sets: Mapping[str, RuleSet],
    are_tiles: Callable[[str], bool],
) -> dict[str, JudgedSequence]:
    versions = older_versions(frames)
    differences = {each.sequence: list(differences_in(each, _fields(groups[each.sequence]))) for each in frames}
    expected = {name: _expected(rules) for name, rules in rule_sets.items()}
    judged = {
        summary.sequence: JudgedSequence(
            summary=summary,
            files=tuple(groups[summary.sequence]),
            rule_ids=frozenset(use.rule.rule_id for use, _, _ in rule_sets[summary.sequence].sequence_checks),
            versions=versions.get(summary.sequence, ()),
        )
        for summary in summarized(frames, differences, expected.get, are_tiles=are_tiles)
    }
    for name, others in other_views(frames).items():
        judged[name].views.extend(judged[other] for other in others)
    return judged


def _selects_tiles(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of the patterns selects a sequence and says that its numbers are tiles."""
    of_tiles = [re.compile(uri_condition([pattern]).regex) for pattern in patterns if names_tiles(pattern)]
    return lambda sequence: any(expression.search(sequence) for expression in of_tiles)


def _expected(rules: RuleSet) -> frozenset[Number] | None:
    use = rules.use_of(_RANGE)
    given = None if use is None else use.parameters
    return given.numbers if isinstance(given, Range) and given.expected else None


def missing_sequence(policy: CompiledPolicy, pattern: str) -> list[Finding] | None:
    """The findings about the pattern of a sequence that matches no file; None if the policy expects no frames.

    No override applies to it.
    """
    rules = policy.rules_for()
    use, expected = rules.use_of(_RANGE), _expected(rules)
    summary = None if expected is None else absent_pattern(pattern, expected)
    if use is None or summary is None:
        return None
    return [replace(each, severity=use.severity or each.severity) for each in findings_of(summary)]


def without_repeated(findings: Sequence[Finding], rules: Mapping[str, PolicyRule]) -> list[Finding]:
    """The findings, but those about sequences with the cause of an open finding about files: one is enough.

    The cause is the same if both are about one attribute, in exactly the same files.
    """

    def is_of_sequence(found: Finding) -> bool:
        rule = rules.get(found.rule_id)
        return rule is not None and rule.scope == "sequence"

    attributes = {found.attr_name for found in findings if found.attr_name and is_of_sequence(found)}
    open_ones: dict[tuple[frozenset[str], str], list[Finding]] = defaultdict(list)
    for each in findings:
        rule = rules.get(each.rule_id)
        if each.waived_by is None and rule is not None and rule.scope != "sequence":
            name = _attribute_of(each, rule)
            if name in attributes:  # few; there may be many files
                open_ones[frozenset(each.files), name].append(each)

    def is_repeated(found: Finding) -> bool:
        if found.attr_name not in attributes or found.waived_by or not found.files or not is_of_sequence(found):
            return False
        return any(
            each.part_index in (None, found.part_index)
            and SEVERITIES.index(each.severity) >= SEVERITIES.index(found.severity)
            for each in open_ones.get((frozenset(found.files), found.attr_name), ())
        )

    return [found for found in findings if not is_repeated(found)]


def _attribute_of(found: Finding, rule: PolicyRule) -> str:
    """The attribute that a finding about files is about, if it is one: it names it, or its rule reads no other."""
    reads = rule.reads or ()
    return found.attr_name or (reads[0] if len(reads) == 1 else "")


def _with_files(found: Finding, sequence: JudgedSequence) -> Finding:
    """The finding with the URIs of the files that have its frames; none have missing frames."""
    if found.files or not found.frames:
        return found
    numbers = parse_range(found.frames)
    named = [file for file in sequence.files if frame_value(file.frame) in numbers]
    return replace(found, files=tuple(file.uri for file in named))
