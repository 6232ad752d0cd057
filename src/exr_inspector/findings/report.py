"""Everything that a report for people says: what was judged by what, the verdicts, and what is not known."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..frames.ranges import frame_range, frame_value
from ..inspection.value_text import plural
from .model import Finding
from .rules import OF_WAIVERS

# By the severity of the worst finding that no waiver covers.
VERDICTS = {"error": "FAIL", "warning": "WARN", "info": "PASS", "none": "PASS"}

NOTHING_JUDGED = "NOTHING JUDGED"


class ReportedFile(NamedTuple):
    """A file that was judged. None: its header could not be read."""

    pattern: str  # of its sequence, or its URI
    uri: str
    frame: str  # as written in the name
    size_bytes: int | None
    header_hash: str | None


class NotEvaluatedRule(NamedTuple):
    """A rule that was not evaluated for some files."""

    rule_id: str  # empty for all other rules
    rule_name: str
    reason: str
    file_count: int
    remedy: str = ""

    @property
    def why(self) -> str:
        """The reason, and what to do if that is known."""
        return "; ".join(filter(None, (self.reason, self.remedy)))

    @property
    def text(self) -> str:
        """The rule, the number of files and the reason in one line."""
        of_files = f"{self.file_count:,} {plural(self.file_count, 'file')}"
        name = f"{self.rule_id} {self.rule_name}".strip()
        return f"not evaluated: {name} in {of_files}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Findings, and what they are about. Texts that do not apply are empty."""

    command: str
    version: str  # of exr-inspector
    evaluated_at: datetime  # UTC
    findings: Sequence[Finding]
    patterns: Sequence[str]  # all sequences and files that were judged
    title: str = ""  # of the policy, or of the command without one
    policy: str = ""
    policy_version: str = ""
    policy_hash: str = ""
    pixels: str = ""  # whether they were judged
    not_evaluated: Sequence[NotEvaluatedRule] = ()
    files: Sequence[ReportedFile] = field(default=())

    @property
    def counts(self) -> Mapping[str, int]:
        """The numbers of findings by severity, and of those that a waiver covers as `waived`."""
        return counts_of(self.findings)

    @property
    def verdict(self) -> str:
        """FAIL, WARN or PASS; NOTHING JUDGED without any file or finding."""
        return _verdict(self.counts) if self.patterns or self.findings else NOTHING_JUDGED

    @property
    def files_digest(self) -> str:
        """The SHA-256 of the list of files: a line with URI, size and header hash for each, sorted."""
        lines = sorted(f"{file.uri} {file.size_bytes} {file.header_hash}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()

    def sequences(self) -> list[JudgedPattern]:
        """What was judged, the worst first; a file of waivers was not."""
        findings: dict[str, list[Finding]] = {pattern: [] for pattern in self.patterns}
        for finding in self.findings:
            if not is_about_waiver(finding):
                findings.setdefault(finding.pattern, []).append(finding)
        files: dict[str, list[ReportedFile]] = defaultdict(list)
        for file in self.files:
            files[file.pattern].append(file)
        judged = [JudgedPattern(pattern, of_pattern, files[pattern]) for pattern, of_pattern in findings.items()]
        ranks = list(dict.fromkeys(VERDICTS.values()))
        return sorted(judged, key=lambda each: (ranks.index(each.verdict), each.pattern))


def is_about_waiver(finding: Finding) -> bool:
    """Whether a finding is about a waiver, and not about files."""
    return finding.rule_id in {rule.rule_id for rule in OF_WAIVERS}


class JudgedPattern(NamedTuple):
    """A sequence, or a file without a frame number, with its findings and files."""

    pattern: str
    findings: list[Finding]
    files: list[ReportedFile]

    @property
    def counts(self) -> Mapping[str, int]:
        """As those of the report."""
        return counts_of(self.findings)

    @property
    def verdict(self) -> str:
        """FAIL, WARN or PASS."""
        return _verdict(self.counts)

    @property
    def frames(self) -> str:
        """The frames of the files, in fileseq notation."""
        return frame_range({frame_value(file.frame) for file in self.files if file.frame})


def counts_of(findings: Iterable[Finding]) -> Counter[str]:
    """The numbers of findings by severity, and of those that a waiver covers as `waived`."""
    return Counter("waived" if finding.waived_by else finding.severity for finding in findings)


def _verdict(counts: Mapping[str, int]) -> str:
    return next((VERDICTS[severity] for severity in ("error", "warning") if counts[severity]), VERDICTS["none"])
