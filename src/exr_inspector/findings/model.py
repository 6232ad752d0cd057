"""The finding: one violation of a rule, by a file or by frames of a sequence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..exr.codes import SEVERITIES
from ..frames.ranges import frame_range, frame_value
from .rules import Rule

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """The waiver that covers a finding."""

    waiver_id: str
    reason: str
    owner: str
    ticket: str = ""

    @property
    def justification(self) -> str:
        """The reason, with the ticket if there is one."""
        return f"{self.reason}, ticket {self.ticket}" if self.ticket else self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation of a rule. Texts that are unknown or do not apply are empty."""

    rule_id: str
    rule_name: str
    severity: str  # error, warning or info
    pattern: str  # of the sequence, with one # for each digit of the frame; of a file without a frame, its URI or path
    frames: str = ""  # in fileseq notation
    frame_count: int = 0
    files: tuple[str, ...] = ()  # their URIs; none for missing frames
    part_index: int | None = None
    channel_name: str = ""
    attr_name: str = ""
    message: str
    expected: str = ""
    actual: str = ""
    remedy: str
    waived_by: Waived | None = None  # it does not count then


class FrameFile(Protocol):
    """A file of a sequence."""

    @property
    def uri(self) -> str:
        """Normalized."""

    @property
    def frame(self) -> str:
        """As it is written in the name; empty without a frame number."""


class FileFrame(NamedTuple):
    """A file and its frame, as a `FrameFile`."""

    uri: str
    frame: str


def finding(rule: Rule, severity: str, pattern: str, message: str, *, expected: str = "", actual: str = "") -> Finding:
    """A finding of a rule, without frames and files."""
    return Finding(
        rule_id=rule.rule_id,
        rule_name=rule.name,
        severity=severity,
        pattern=pattern,
        message=message,
        expected=expected,
        actual=actual,
        remedy=rule.remedy,
    )


def grouped(violations: Iterable[tuple[Finding, FrameFile]]) -> list[Finding]:
    """Equal findings of several files of a sequence as one, with the range of their frames, in order of appearance."""
    return grouped_files((violation, [file]) for violation, file in violations)


def grouped_files(violations: Iterable[tuple[Finding, Sequence[FrameFile]]]) -> list[Finding]:
    """As `grouped`, with the files of each violation; findings often have the same list."""
    lists: dict[Finding, list[Sequence[FrameFile]]] = defaultdict(list)
    for violation, files in violations:
        lists[violation].append(files)
    known: dict[tuple[int, ...], tuple[tuple[str, ...], str, int]] = {}
    findings = []
    for violation, of_violation in lists.items():
        key = tuple(map(id, of_violation))
        if key not in known:
            group = list(chain.from_iterable(of_violation))
            if len(of_violation) < len(group):
                group.sort(key=lambda file: file.uri)  # the lists of a catalog, whose files are in this order
            numbers = {frame_value(file.frame) for file in group if file.frame}
            uris = tuple(dict.fromkeys(file.uri for file in group))
            known[key] = uris, frame_range(numbers), len(numbers)
        uris, frames, count = known[key]
        findings.append(replace(violation, files=uris, frames=frames, frame_count=count))
    return findings


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by sequence or file, the worst first, those with a waiver last."""

    def order(one: Finding) -> tuple[object, ...]:
        return one.pattern, one.waived_by is not None, -SEVERITIES.index(one.severity), one.rule_id

    return sorted(findings, key=order)


def as_arrow(findings: Iterable[Finding]) -> pa.Table:
    """The findings as an Arrow table; empty texts are null."""
    import pyarrow as pa

    types = {
        "frame_count": pa.int64(),
        "part_index": pa.int32(),
        "files": pa.list_(pa.string()),
        "waived_by": pa.struct([(column.name, pa.string()) for column in fields(Waived)]),
    }
    schema = pa.schema([(column.name, types.get(column.name, pa.string())) for column in fields(Finding)])
    return pa.Table.from_pylist([asdict(row, dict_factory=_without_empty_texts) for row in findings], schema)


def _without_empty_texts(items: Iterable[tuple[str, object]]) -> dict[str, object]:
    return {name: None if value == "" else value for name, value in items}
