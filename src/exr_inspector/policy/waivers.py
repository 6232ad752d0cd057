"""Waivers: reviewed exceptions from the findings of a policy. They never change which rules are evaluated."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from ..errors import PolicyError, SettingsError
from ..findings.model import Finding, Waived, finding, in_order
from ..findings.rules import RULES, WAIVER_EXPIRED, WAIVER_UNUSED, Rule
from ..frames.names import parse_name
from ..frames.ranges import Number, frame_range, frame_value, parse_long_range, parse_range
from ..sources.uris import display_path, normalize_path
from .model import CUSTOM_ID, Name, Policy, Sentence
from .registry import suggestion
from .rule import Text, matches_any, path_expression
from .yaml_marks import Document, Errors, read_document
from .yaml_models import Shape, read_file, valid_parts

_LAST_FRAME = re.compile(r"#+(?=[^#/]*$)")  # in the pattern of a sequence
# What stands for invalid values, so that the others are checked too.
_ENTRY = {"id": "invalid-id", "rule": "gap", "path": "x", "reason": "x", "by": "x", "until": "9999-12-31"}
_PLACEHOLDERS: dict[Shape, Any] = {
    ("waivers",): [],
    ("waivers", int): _ENTRY,
    **{("waivers", int, key): value for key, value in _ENTRY.items()},
}
_NAMES = {rule.name: rule_id for rule_id, rule in RULES.items()}
_PathAndFrame = Callable[[str], tuple[str, Number | None]]  # of a URI


def _is_range(frames: str | int) -> str | int:
    parse_range(str(frames))  # raises ValueError
    return frames


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverEntry:
    """A waiver as it is written. It covers findings of a rule in the files and frames that it names."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: Name
    rule: Text  # identifier or name; of custom rules, the identifier
    path: Annotated[str, Field(max_length=1000, pattern=r"\S")]  # a pattern of files or a sequence
    reason: Sentence
    by: Sentence  # who is responsible for it
    until: date  # the last day, in UTC
    frames: Annotated[str | int, AfterValidator(_is_range)] | None = None  # as 1001-1010 or 1-9x2; default: all
    part: Annotated[int, Field(ge=0)] | None = None
    channel: Text | None = None  # a shell pattern
    ticket: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiversFile:
    """A file of waivers as it is written."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    waivers: tuple[WaiverEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A waiver, its file and its line there."""

    entry: WaiverEntry
    rule_id: str
    numbers: frozenset[Number] | None  # of frames; None: all
    uri: str
    line: int


def load_waivers(path: str | os.PathLike[str]) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises SettingsError if it cannot be read, PolicyError if it is invalid."""
    source = os.fspath(path)
    document = read_document(source, read_file("waivers", source))
    errors = Errors()
    entries = valid_parts(document, WaiversFile, {"waivers": WaiverEntry}, _PLACEHOLDERS, errors).waivers
    known: set[str] = set()
    found = []
    for number, (entry, given) in enumerate(zip(entries, document.items("waivers"), strict=True)):
        if isinstance(given, dict) and given.get("id") == entry.id:  # not a placeholder
            if entry.id in known:
                errors.add(document.error(("waivers", number, "id"), f"the identifier {entry.id} is repeated"))
            known.add(entry.id)
        with errors.caught():
            found.append(_resolved(document, number, entry))
    errors.check()
    return tuple(found)


def waivers_of(policy: Policy) -> tuple[Waiver, ...]:
    """The waivers that a policy names. Raises PolicyError, also at their name if they cannot be read."""
    found: list[Waiver] = []
    for named in policy.waiver_files:
        try:
            found += load_waivers(named.path)
        except PolicyError:
            raise
        except SettingsError as error:
            raise PolicyError(named.policy, named.line, named.column, str(error)) from error
    return tuple(found)


def _resolved(document: Document, number: int, entry: WaiverEntry) -> Waiver:
    rule = entry.rule
    rule_id = _NAMES.get(rule, rule)
    if rule_id not in RULES and (rule.startswith("EXR") or not CUSTOM_ID.fullmatch(rule)):
        message = f"unknown rule {rule!r}{suggestion(rule, [*_NAMES, *RULES])}"
        raise document.error(("waivers", number, "rule"), message)
    return Waiver(
        entry=entry,
        rule_id=rule_id,
        numbers=None if entry.frames is None else parse_range(str(entry.frames)),
        uri=normalize_path(document.source),
        line=document.values["waivers", number].line,
    )


def apply_waivers(
    findings: Iterable[Finding],
    waivers: Sequence[Waiver],
    today: date,
    judged: Iterable[str],
    undecided: Mapping[str, Iterable[str]] = {},
) -> list[Finding]:
    """The findings, with `waived_by` in those that a waiver covers; of a sequence also in some frames only.

    A waiver whose last day is before `today` (in UTC) covers nothing. Expired waivers are findings too; so are unused
    ones that are about files among those that were `judged`, as URIs, unless their rule was not evaluated for one of
    them: `undecided` are these files by rule.
    """
    judged, named = list(judged), cache(_path_and_frame)  # each file is parsed once, however many waivers there are
    by_rule: dict[str, list[Finding]] = {}
    for each in findings:
        by_rule.setdefault(each.rule_id, []).append(each)
    covered: list[Finding] = []
    of_waivers: list[Finding] = []
    for waiver in waivers:
        entry = waiver.entry
        if entry.until < today:
            of_waivers.append(_about(waiver, WAIVER_EXPIRED, f"expired on {entry.until.isoformat()}"))
            continue
        splits = [_split(each, waiver, named) for each in by_rule.get(waiver.rule_id, ())]
        by_rule[waiver.rule_id] = [rest for _, rest in splits if rest is not None]
        parts = [part for part, _ in splits if part is not None]
        is_undecided = any(_covers_file(waiver, named, undecided.get(waiver.rule_id, ())))
        if not parts and not is_undecided and any(_covers_file(waiver, named, judged)):
            of_waivers.append(_about(waiver, WAIVER_UNUSED, "covers no finding"))
        covered += parts
    return in_order([*(each for rest in by_rule.values() for each in rest), *covered, *of_waivers])


def _path_and_frame(uri: str) -> tuple[str, Number | None]:
    name = parse_name(uri)
    return display_path(uri), None if name is None else frame_value(name.frame)


def _covers_file(waiver: Waiver, named: _PathAndFrame, uris: Iterable[str]) -> Iterator[bool]:
    """Of each file, whether its path and frame are among those that a waiver names."""
    matches, numbers = path_expression(waiver.entry.path).fullmatch, waiver.numbers
    for path, number in map(named, uris):
        yield matches(path) is not None and (numbers is None or number in numbers)


def _about(waiver: Waiver, rule: Rule, what: str) -> Finding:
    entry = waiver.entry
    message = f"line {waiver.line}: the waiver {entry.id} of {waiver.rule_id} {what}; it is by {entry.by}"
    return finding(rule, "warning", waiver.uri, message)


def _split(about: Finding, waiver: Waiver, named: _PathAndFrame) -> tuple[Finding | None, Finding | None]:
    """The part of a finding that a waiver covers, with `waived_by`, and the rest."""
    entry = waiver.entry
    if entry.part is not None and about.part_index != entry.part:
        return None, about
    if entry.channel is not None and not matches_any((entry.channel,), about.channel_name):
        return None, about
    covered, rest = _of_files(about, waiver, named) if about.files else _of_frames(about, waiver)
    waived = Waived(waiver_id=entry.id, reason=entry.reason, owner=entry.by, ticket=entry.ticket)
    return None if covered is None else replace(covered, waived_by=waived), rest


def _of_files(about: Finding, waiver: Waiver, named: _PathAndFrame) -> tuple[Finding | None, Finding | None]:
    """As `_split`, for a finding about files: those whose path and frame the waiver names are covered."""
    parts: dict[bool, list[str]] = {True: [], False: []}
    for uri, is_covered in zip(about.files, _covers_file(waiver, named, about.files), strict=True):
        parts[is_covered].append(uri)
    return _with_files(about, parts[True], named), _with_files(about, parts[False], named)


def _with_files(about: Finding, uris: list[str], named: _PathAndFrame) -> Finding | None:
    if not uris or len(uris) == len(about.files):
        return about if uris else None
    numbers = {number for _, number in map(named, uris) if number is not None} if about.frames else set()
    return replace(about, files=tuple(uris), frames=frame_range(numbers), frame_count=len(numbers))


def _of_frames(about: Finding, waiver: Waiver) -> tuple[Finding | None, Finding | None]:
    """As `_split`, for a finding about frames without files, or about a sequence or a folder as a whole."""
    matches = path_expression(waiver.entry.path).fullmatch
    path = display_path(about.pattern)
    a_frame = _LAST_FRAME.sub(lambda digits: "0" * len(digits[0]), path)
    if not any(map(matches, (path, a_frame, f"{path}/"))):  # `shot/**` is about the folder `shot`, too
        return None, about
    if waiver.numbers is None:
        return about, None
    if not about.frames:
        return None, about
    numbers = parse_long_range(about.frames)
    return _with_numbers(about, numbers & waiver.numbers), _with_numbers(about, numbers - waiver.numbers)


def _with_numbers(about: Finding, numbers: frozenset[Number]) -> Finding | None:
    return replace(about, frames=frame_range(numbers), frame_count=len(numbers)) if numbers else None
