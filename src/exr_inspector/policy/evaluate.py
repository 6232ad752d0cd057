"""The verdict on a file: a compiled policy and an inspection in, findings and rules that were not evaluated out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from ..exr.codes import SEVERITIES
from ..findings import files
from ..findings.model import Finding, finding
from ..findings.rules import UNREADABLE
from ..frames.names import parse_name
from ..frames.ranges import display_pattern, frame_digits
from ..inspection.model import SCHEMA_VERSION, FileFacts, Flags, Inspection
from ..inspection.value_text import shortened
from .compile import BoundRule, CompiledPolicy, RuleSet
from .model import RuleUse
from .problems import problem_findings
from .rule import MAX_VIOLATIONS, MULTI_FILE_SCOPES, NO_STATISTICS, Excess, FileName, Outcome, Undecided, Violation

if TYPE_CHECKING:
    from .rules_pixels import FilePixels

_SHOWN = 300  # characters of a value
NO_HEADER = "the header cannot be read"  # why no other rule is evaluated
_STATUSES = {"error": "failed", "warning": "warned"}  # by the severity of the worst finding


class NotEvaluated(NamedTuple):
    """A rule that could not be decided for a file, and why. It has not passed."""

    rule_id: str
    rule_name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a policy says about a file, or about files that are alike."""

    policy: str
    version: str
    policy_hash: str
    findings: tuple[Finding, ...]  # the worst first
    counts: Mapping[str, int]  # of all findings by severity, also of those that only a number stands for
    not_evaluated: tuple[NotEvaluated, ...]

    @property
    def severity(self) -> str:
        """The severity of the worst finding; `none` without findings."""
        return self.findings[0].severity if self.findings else "none"

    @property
    def status(self) -> str:
        """`failed` with an error, `warned` with a warning, else `passed`."""
        return _STATUSES.get(self.severity, "passed")


def evaluate(policy: CompiledPolicy, inspection: Inspection, stored: FilePixels | None = None) -> Verdict:
    """The verdict on an inspected file; `stored` are its statistics, for an inspection without any."""
    rules = policy.rules_for(inspection)
    judged = VerdictBuilder()
    for check, outcome in name_outcomes(rules.name_checks, inspection.file):
        judged.add(inspection.file, check, outcome, None)
    for check in rules.file_checks:
        for outcome in check[1](inspection, check[2]):
            judged.add(inspection.file, check, outcome, None)
    for part in inspection.parts:
        for check in rules.part_checks:
            for outcome in check[1](part, check[2]):
                judged.add(inspection.file, check, outcome, part.part_index)
        for check, outcome in rules.channel_outcomes(part.channels):
            judged.add(inspection.file, check, outcome, part.part_index)
    pixels = _pixels_of(inspection) or stored if rules.pixel_checks else None
    for check, outcome in pixel_outcomes(rules.pixel_checks, pixels):
        judged.add(inspection.file, check, outcome, None)
    if inspection.problems or inspection.file.completeness != "complete":
        pattern = pattern_of(inspection.file.file_path_normalized)
        judged.findings += findings_of_problems(rules, inspection, pattern)
    return verdict_of(policy, rules, judged)


def name_outcomes(checks: Sequence[BoundRule], file: FileName) -> list[tuple[BoundRule, Outcome]]:
    """The outcomes of rules about names."""
    return [(check, outcome) for check in checks for outcome in check[1](file, check[2])]


def findings_of_problems(rules: RuleSet, inspection: Inspection, pattern: str) -> list[Finding]:
    """The findings about problems of the reader, and about a file that is not complete."""
    return [
        replace(found, severity=selected.severity or found.severity)
        for found in problem_findings(inspection, pattern)
        if (selected := rules.problems.get(found.rule_id))
    ]


def verdict_of(policy: CompiledPolicy, rules: RuleSet, judged: VerdictBuilder) -> Verdict:
    """The verdict from the outcomes of all rules; adds those without parameters, and those about sequences."""
    for use, reason in rules.inactive:
        judged.undecided[_not_evaluated(use, reason)] = None
    for use, _, _ in (*rules.sequence_checks, *rules.shot_checks):
        judged.undecided[_not_evaluated(use, MULTI_FILE_SCOPES[use.rule.scope])] = None
    return _verdict(policy, judged)


def _pixels_of(inspection: Inspection) -> FilePixels | None:
    from .rules_pixels import pixels_of

    return None if inspection.pixels is None else pixels_of(inspection.parts, inspection.pixels)


def pixel_outcomes(checks: Sequence[BoundRule], pixels: FilePixels | None) -> Iterator[tuple[BoundRule, Outcome]]:
    """The outcomes of rules about pixels, which are not decided without statistics, nor wholly by a part of them."""
    if not checks:
        return
    for check in checks:
        for outcome in (NO_STATISTICS,) if pixels is None else (*check[1](pixels, check[2]), *pixels.undecided):
            yield check, outcome


def unreadable(policy: CompiledPolicy, uri: str, reason: str) -> Verdict:
    """The verdict on a file whose header cannot be read: an error, and no other rule is evaluated."""
    rules = policy.rules_by_name(_without_header(uri))
    undecided = {
        _not_evaluated(use, MULTI_FILE_SCOPES.get(use.rule.scope, NO_HEADER)): None
        for use in rules.uses()
        if use.rule.rule_id != UNREADABLE.rule_id
    }
    found, use = files.unreadable(pattern_of(uri), reason), rules.problems.get(UNREADABLE.rule_id)
    found = replace(found, severity=(use and use.severity) or found.severity)
    return _verdict(policy, VerdictBuilder([found], undecided))


def _without_header(uri: str) -> Inspection:
    """What is known of a file whose header cannot be read: what its URI says."""
    name, unknown = parse_name(uri), dict.fromkeys(column.name for column in fields(FileFacts))
    named = {} if name is None else {"sequence": name.sequence, "frame": name.frame, "frame_number": name.frame_number}
    return Inspection(
        schema_version=SCHEMA_VERSION,
        inspector_version=__version__,
        file=FileFacts(**{**unknown, "file_path": uri, "file_path_normalized": uri, **named}),  # type: ignore[arg-type]
        flags=Flags(version=0, tiled=False, long_names=False, deep=False, multipart=False),
        bytes_read=0,
        reads=0,
        parts=(),
        problems=(),
    )


def pattern_of(uri: str) -> str:
    """The pattern that findings about a file have: its sequence, with one # for each digit, or its URI."""
    name = parse_name(uri)
    return uri if name is None else display_pattern(name.sequence, [name.frame])


def pattern_of_file(file: FileName) -> str:
    """As `pattern_of`, for a file whose name is parsed already."""
    if file.sequence is None or file.frame is None:
        return file.file_path_normalized
    return _shown_pattern(file.sequence, len(frame_digits(file.frame)))


@lru_cache(maxsize=1024)
def _shown_pattern(sequence: str, digits: int) -> str:
    return display_pattern(sequence, ["0" * digits])


def _verdict(policy: CompiledPolicy, judged: VerdictBuilder) -> Verdict:
    counts = judged.unlisted + Counter(found.severity for found in judged.findings)
    findings = sorted(_bounded(sorted(judged.findings, key=_order)), key=_order)
    return Verdict(
        policy=policy.policy.name,
        version=policy.policy.version,
        policy_hash=policy.hash,
        findings=tuple(findings),
        counts=counts,
        not_evaluated=tuple(judged.undecided),
    )


def _not_evaluated(use: RuleUse, reason: str) -> NotEvaluated:
    return NotEvaluated(use.rule.rule_id, use.rule.name, reason)


@dataclass(slots=True)
class VerdictBuilder:
    """The findings of rules, and the rules that could not be decided."""

    findings: list[Finding] = field(default_factory=list)
    undecided: dict[NotEvaluated, None] = field(default_factory=dict)
    unlisted: Counter[str] = field(default_factory=Counter)  # by severity, findings that the last one of a rule counts

    def add(self, file: FileName, check: BoundRule, outcome: Any, part_index: int | None) -> None:
        """Add an outcome of a rule; `part_index` is that of the part that it judged."""
        if isinstance(outcome, Undecided):
            self.undecided[_not_evaluated(check[0], outcome.reason)] = None
        elif isinstance(outcome, Excess):
            last = _finding(file, check[0], Violation("", None), part_index)
            self.findings.append(_more(last, outcome.violations))
            self.unlisted[last.severity] += outcome.violations - 1
        else:
            self.findings.append(_finding(file, check[0], outcome, part_index))


def _finding(file: FileName, use: RuleUse, outcome: Violation, part_index: int | None) -> Finding:
    index = outcome.part_index if part_index is None else part_index
    channel, attribute = shortened(outcome.channel_name, _SHOWN), shortened(outcome.attr_name, _SHOWN)
    actual = None if outcome.actual is None else shortened(outcome.actual, _SHOWN)
    expected = outcome.expected if outcome.is_sentence else shortened(outcome.expected, _SHOWN)
    where = [f"part {index}"] if index else []
    where += [f"channel {channel}"] if channel and channel not in (actual, outcome.expected) else []
    is_text = "is missing" if actual is None else f"is {actual}"
    message = f"{use.rule.name}: expected {expected}, {is_text}"
    if outcome.is_sentence:
        message = f"{use.rule.name}: {expected}; {actual}"
    elif outcome.text:
        message = f"{use.rule.name}: {shortened(outcome.text, _SHOWN)}"
    found = finding(
        use.rule.rule,
        use.severity or "error",
        pattern_of_file(file),
        f"{', '.join(where)}: {message}" if where else message,
        expected=expected,
        actual=actual or "",
    )
    return replace(found, part_index=index, channel_name=channel, attr_name=attribute)


def _order(found: Finding) -> tuple[int, str, int]:
    return -SEVERITIES.index(found.severity), found.rule_id, found.part_index or 0


def _bounded(findings: list[Finding]) -> list[Finding]:
    """The worst findings of each rule about one part; the number of the others is the message of a last one."""
    if len(findings) <= MAX_VIOLATIONS:
        return findings
    groups: dict[tuple[str, int | None], list[Finding]] = {}
    for found in findings:
        groups.setdefault((found.rule_id, found.part_index), []).append(found)
    return [found for group in groups.values() for found in _first(group)]


def _first(group: list[Finding]) -> Iterator[Finding]:
    if len(group) <= MAX_VIOLATIONS + 1:  # the last one may be a number already
        yield from group
    else:
        yield from group[:MAX_VIOLATIONS]
        yield _more(group[MAX_VIOLATIONS], len(group) - MAX_VIOLATIONS)


def _more(found: Finding, count: int) -> Finding:
    """The finding that stands for others of its rule."""
    message = f"{count} more findings of this rule"
    return replace(found, message=message, channel_name="", attr_name="", expected="", actual="")
