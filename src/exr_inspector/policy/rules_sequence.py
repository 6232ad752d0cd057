"""Rules 9xx: sequences. Their checks take a sequence, and yield findings, or why they cannot be decided.

What `check` reports too is decided by the package `sequence`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from ..findings import rules as known
from ..findings.model import Finding
from ..frames.ranges import Number, frame_digits, frame_range, frame_value, parse_range
from ..inspection.inspector import SOFTWARE_NAMES
from ..inspection.value_text import plural
from ..sequence.channel_lists import listed_names
from ..sequence.pixel_repeats import Repeat, repeats
from .rule import NO_STATISTICS, Finite, Parameters, Texts, Undecided, matches_any, sequence_rule
from .sequence_files import JudgedSequence, SequenceFile

_Outcomes = Iterator[Finding | Undecided]
_Value = TypeVar("_Value")

_RATE = "framesPerSecond"
_NOT_OF_WHOLENESS = ("complete", "invalid", "unknown")  # statuses of files that are not damaged
_MIN_FILES = 3  # that have a usual size or time
_MAX_HANDLES = 10_000
_NUMBER = re.compile(r"[0-9.]+")
_PAIRS_ABOVE = 30  # frames per second: time codes of SMPTE count pairs then
_TIME_CODE = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})([:;])([0-9]{2})")


def _frame_range(text: str) -> str:
    """The text, if it is a frame range. Raises ValueError."""
    if text:
        parse_range(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Range(Parameters):
    """The frames that each sequence must have, more of them at both ends, and whether a slate may come before."""

    expected: Annotated[str, Field(max_length=1000), AfterValidator(_frame_range)] = ""
    handles: Annotated[int, Field(ge=0, le=_MAX_HANDLES)] = 0
    slate: Literal["allowed", "forbidden"] = "forbidden"

    @property
    def numbers(self) -> frozenset[Number]:
        """The frames, with the handles."""
        return _with_handles(self.expected, self.handles)


@lru_cache(maxsize=16)
def _with_handles(expected: str, handles: int) -> frozenset[Number]:
    frames = parse_range(expected)
    first, last = int(min(frames)), int(max(frames))
    return frames.union(range(first - handles, first), range(last + 1, last + handles + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields(Parameters):
    """Attributes that are compared, as shell patterns; without any, all that should not change."""

    fields: Texts = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor(Parameters):
    """How many times larger or smaller than the median a file may be."""

    factor: Annotated[Finite, Field(gt=1)] = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours(Parameters):
    """How much older than the median a file may be."""

    hours: Annotated[Finite, Field(gt=0)] = 24.0


@sequence_rule(810, "warning", "common practice")
def empty_region(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """The pixels that are not zero fill as much of the data window as those of the frames around."""
    import numpy as np  # takes 100 ms, and few policies need it

    from ..sequence.pixel_outliers import smaller_areas

    known_areas = [(file, file.used_areas) for file in sequence.files if file.used_areas is not None]
    if lacking := len(sequence.structures) - len(known_areas):
        yield NO_STATISTICS._replace(file_count=lacking)
    for part in range(0 if sequence.summary.is_udim else max((len(areas) for _, areas in known_areas), default=0)):
        shares = [(file, areas[part]) for file, areas in known_areas if part < len(areas) and areas[part] is not None]
        values = np.array([share for _, share in shares], np.float64)
        for row, text in smaller_areas(values, np.zeros(len(values), np.uint64)):
            found = sequence.found("EXR810", f"part {part}: {text}" if part else text, [shares[row][0]])
            yield replace(found, part_index=part)


@sequence_rule(901, "error", "AYON: expected frames")
def gap(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """No frame is missing between the first and the last."""
    if not sequence.summary.gaps_judged:
        yield Undecided("the frame numbers span more than a million frames")
    else:
        yield from sequence.as_check(known.GAP)


@sequence_rule(902, "error", "AYON: expected frames", Range, needs=("expected",))
def expected_range(sequence: JudgedSequence, given: Range) -> _Outcomes:
    """The sequence has exactly the expected frames."""
    yield from (replace(missing, actual=sequence.summary.frames) for missing in sequence.as_check(known.RANGE))
    if sequence.summary.is_udim:
        return
    allowed = set(given.numbers)
    if given.slate == "allowed":
        allowed.add(min(allowed) - 1)
    extra = [file for file in sequence.files if frame_value(file.frame) not in allowed]
    if extra:
        frames = frame_range(given.numbers)
        found = sequence.found("EXR902", f"not of {frames}", extra, expected=frames, actual=sequence.summary.frames)
        yield replace(found, remedy="remove these frames, or correct the expected range")


@sequence_rule(903, "error", "frames that cannot be delivered")
def bad_frame(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """No frame is unreadable, incomplete, truncated or corrupt."""
    damaged = [(file, file.status) for file in sequence.files if file.status not in _NOT_OF_WHOLENESS]
    for status, files in _grouped(damaged):
        yield sequence.found("EXR903", status, files, expected="complete", actual=status)


@sequence_rule(904, "error", "OpenEXR: headers of one sequence", Fields)
def drift(sequence: JudgedSequence, given: Fields) -> _Outcomes:
    """No field that should be the same in all frames differs.

    What another rule of the policy is about is left to it. Not decided for names that no header has.
    """
    if given.fields:
        structures = {structure.structure_hash: structure for _, structure in sequence.structures}
        names = {name for structure in structures.values() for _, name in structure.fields}
        for field in given.fields:
            if not any(matches_any((field,), name) for name in names):
                yield Undecided(f"no header has the field {field}, or its value may differ in each frame")
    others = {_RATE} if "EXR911" in sequence.rule_ids else set()
    if "EXR917" in sequence.rule_ids:
        others.update(SOFTWARE_NAMES)
    if "EXR908" in sequence.rule_ids and _usual_channels(sequence) is not None:
        others.add("channels")
    for found in sequence.as_check(known.DRIFT):
        if found.attr_name not in others and (not given.fields or matches_any(given.fields, found.attr_name)):
            yield found


@sequence_rule(905, "warning", "ARRI DI conventions")
def padding_changes(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """The frame numbers have one padding."""
    widths = sorted({len(frame_digits(file.frame)) for file in sequence.files})
    for found in sequence.as_check(known.PADDING):
        yield replace(found, expected="one padding", actual=", ".join(map(str, widths)))


@sequence_rule(906, "warning", "common practice")
def frozen_frame(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """No frame has the content of the frame before, unless many frames of the sequence repeat."""
    outcomes = list(_repeats(sequence))
    yield from (outcome for outcome in outcomes if isinstance(outcome, Undecided))
    frozen = [outcome for outcome in outcomes if not isinstance(outcome, Undecided) and outcome[0].is_frozen]
    for before, files in _grouped((file, of) for _, file, of in frozen):
        message = f"the content is that of frame {before}, the frame before"
        yield sequence.found("EXR906", message, files, actual=before)


def _repeats(sequence: JudgedSequence) -> Iterator[tuple[Repeat, SequenceFile, str] | Undecided]:
    """The frames with the content of an earlier one, and that frame."""
    if sequence.summary.is_udim:
        return
    compared = [file for file in sequence.files if file.status == "complete"]
    yield from _not_compared(compared)
    contents = [file.content if file.status == "complete" else None for file in sequence.files]
    for each in repeats(contents, sequence.numbers):
        yield each, sequence.files[each.position], sequence.files[each.same_as].frame


def _not_compared(files: Sequence[SequenceFile]) -> Iterator[Undecided]:
    """Why the content of some files is compared with that of no other file, and how many these are."""
    unknown = [file for file in files if file.content is None]
    if unknown:
        reason = "files without compression have equal sizes; their pixels are compared with --stats"
        yield Undecided(reason, len(unknown))
    by_bytes = [file for file in files if file.content is not None and not file.has_pixels]
    if by_bytes and any(file.has_pixels for file in files):
        yield Undecided("some files have no statistics of pixels; the pixels are compared with --stats", len(by_bytes))
    elif _headers_vary(by_bytes):
        reason = "headers differ in each frame, as by a time code; the pixels are compared with --stats"
        yield Undecided(reason, len(by_bytes))


def _headers_vary(files: Iterable[SequenceFile]) -> bool:
    """Whether files with one structure have different headers: their bytes differ, and their pixels may be equal."""
    headers: dict[str, str | None] = {}
    return any(
        headers.setdefault(file.structure.structure_hash, file.header_hash) != file.header_hash
        for file in files
        if file.structure is not None
    )


@sequence_rule(907, "error", "ARRI DI conventions")
def mixed_versions(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """The folder has one version of the name."""
    if sequence.versions:
        versions = ", ".join(sequence.versions)
        message = f"the folder has several versions of this name: {versions}"
        yield sequence.found("EXR907", message, sequence.files, expected=sequence.versions[-1], actual=versions)


@sequence_rule(908, "error", "common practice")
def aov_missing(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """All frames have the channels of most frames; without a majority, `drift` compares them."""
    usual = _usual_channels(sequence)
    if usual is None:
        return
    names = {structure.channels: frozenset(structure.channel_names) for _, structure in sequence.structures}
    by_channels = [(file, names[structure.channels]) for file, structure in sequence.structures]
    for found, files in _grouped(by_channels):
        lacking, others = listed_names(names[usual] - found), listed_names(found - names[usual])
        if lacking:
            yield sequence.found("EXR908", f"channels are missing: {lacking}", files, actual=lacking)
        if others:
            yield sequence.found("EXR908", f"channels that most frames do not have: {others}", files, actual=others)


def _usual_channels(sequence: JudgedSequence) -> tuple[tuple[str, ...], ...] | None:
    """The channels of more than half of the files; None without a majority, or if all have the same."""
    counts = Counter(structure.channels for _, structure in sequence.structures)
    usual, count = counts.most_common(1)[0] if counts else ((), 0)
    return usual if len(counts) > 1 and 2 * count > counts.total() else None


@sequence_rule(909, "warning", "Netflix: frame numbers follow the time code")
def timecode_follows(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """Time code and frame number have the same distance in all frames."""
    coded = [file for file in sequence.files if file.timecode]
    rates = Counter(s.frames_per_second for _, s in sequence.structures if s.frames_per_second)
    if not coded or sequence.summary.is_udim:
        return
    rate = rates.most_common(1)[0][0] if rates else 0.0
    if not 1 <= rate <= 1000:
        yield Undecided("the frame rate is unknown")
        return
    if rate > _PAIRS_ABOVE and all(int((file.timecode or "0")[-2:]) < _PAIRS_ABOVE for file in coded):
        yield Undecided(f"time codes at {rate:g} frames per second may count pairs of frames")
        return
    day = _position("24:00:00;00" if ";" in (coded[0].timecode or "") else "24:00:00:00", rate)
    offsets = [(file, (_position(file.timecode or "", rate) - int(frame_value(file.frame))) % day) for file in coded]
    usual, count = Counter(offset for _, offset in offsets).most_common(1)[0]
    if 2 * count <= len(offsets):
        if len(offsets) > 1:
            message = f"the time codes do not follow the frames: {coded[0].timecode} to {coded[-1].timecode}"
            yield sequence.found("EXR909", message, coded, actual=f"{coded[0].timecode} to {coded[-1].timecode}")
        return
    differing = [(file, (offset - usual + day // 2) % day - day // 2) for file, offset in offsets if offset != usual]
    for distance, files in _grouped(differing):
        actual = f"{distance:+} {plural(abs(distance), 'frame')}"
        message = f"the time code is {actual} from that of the others"
        yield sequence.found("EXR909", message, files, expected="+0 frames", actual=actual)


def _position(timecode: str, rate: float) -> int:
    """The number of frames since midnight."""
    match = _TIME_CODE.fullmatch(timecode)
    if match is None:
        return 0
    hours, minutes, seconds, frames = (int(match[number]) for number in (1, 2, 3, 5))
    base, minute = round(rate), 60 * hours + minutes
    dropped = (base // 15) * (minute - minute // 10) if match[4] == ";" else 0
    return (60 * minute + seconds) * base + frames - dropped


@sequence_rule(910, "warning", "EXR-Tools", Factor)
def size_outlier(sequence: JudgedSequence, given: Factor) -> _Outcomes:
    """No file is much larger or smaller than the others."""
    sized = [(file, file.size_bytes) for file in sequence.files if file.status == "complete" and file.size_bytes]
    if len(sized) < _MIN_FILES or sequence.summary.is_udim:
        return
    usual = median(size for _, size in sized)
    expected = f"{usual / given.factor:,.0f} to {usual * given.factor:,.0f} bytes"
    for file, size in sized:
        if not usual / given.factor <= size <= usual * given.factor:
            message = f"{size:,} bytes, usually {usual:,.0f}"
            yield sequence.found("EXR910", message, [file], expected=expected, actual=f"{size} bytes")


@sequence_rule(911, "error", "OpenEXR: Standard Attributes")
def fps_same(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """All frames have the same frame rate."""
    for found in sequence.as_check(known.DRIFT):
        if found.attr_name == _RATE and found.actual:
            actual, expected = _rate_text(found.actual), _rate_text(found.expected)
            yield replace(found, message=f"{actual}, usually {expected}", expected=expected, actual=actual)
        elif found.attr_name == _RATE:
            yield found


def _rate_text(value: str) -> str:
    """A frame rate as a fraction, of the JSON of an attribute."""
    numbers = _NUMBER.findall(value)
    return "/".join(numbers[:2]) if numbers else value or "missing"


@sequence_rule(912, "warning", "common practice")
def layers_same_range(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """The sequences of a folder and version have the same first and last frame."""
    yield from sequence.as_check(known.LAYERS_RANGE)


@sequence_rule(914, "warning", "common practice")
def repeated_frame(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """No two files have the same frame."""
    yield from sequence.as_check(known.REPEATED)


@sequence_rule(916, "warning", "common practice", Hours)
def stale_frame(sequence: JudgedSequence, given: Hours) -> _Outcomes:
    """No file is much older than the others."""
    dated = [(file, file.modified) for file in sequence.files if file.modified is not None]
    if len(dated) < _MIN_FILES:
        return
    usual = median(time for _, time in dated)
    stale = [file for file, time in dated if usual - time > given.hours * 3600]
    if stale:
        yield sequence.found("EXR916", f"more than {given.hours:g} hours older than most frames", stale)


@sequence_rule(917, "warning", "common practice")
def mixed_software(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """All frames are of the same software."""
    software = [(file, structure.render_software or "unknown") for file, structure in sequence.structures]
    counts = Counter(text for _, text in software)
    if len(counts) < 2:
        return
    usual = max(counts, key=lambda text: (counts[text], text))
    for text, files in _grouped([(file, text) for file, text in software if text != usual]):
        yield sequence.found("EXR917", f"software: {text}, usually {usual}", files, expected=usual, actual=text)


@sequence_rule(919, "warning", "common practice")
def duplicate_frame(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """No frame has the content of another one that is not the frame before; else as `frozen-frame`."""
    for outcome in _repeats(sequence):
        if isinstance(outcome, Undecided):
            yield outcome
        elif not outcome[0].is_frozen:
            first = outcome[2]
            yield sequence.found("EXR919", f"the content is that of frame {first}", [outcome[1]], actual=first)


@sequence_rule(921, "error", "OpenEXR: Multi-View")
def stereo_pair(sequence: JudgedSequence, _: Parameters) -> _Outcomes:
    """The views of a stereo pair have the same frames and channels."""
    names = _all_channels(sequence)
    for view in sequence.views:
        if lacking := listed_names(_all_channels(view) - names):
            message = f"channels that only the other view has: {lacking}"
            yield sequence.found("EXR921", message, expected=view.summary.pattern, actual=lacking)
        frames = set(view.numbers).difference(sequence.numbers)
        if frames and ("EXR901" not in sequence.rule_ids or sequence.summary.expected):
            found = sequence.found("EXR921", "only the other view has these frames", expected=view.summary.frames)
            yield replace(found, actual=sequence.summary.frames, frames=frame_range(frames), frame_count=len(frames))


def _all_channels(sequence: JudgedSequence) -> frozenset[str]:
    lists = {structure.channels for _, structure in sequence.structures}
    return frozenset(name for channels in lists for part in channels for name in part)


def _grouped(files: Iterable[tuple[SequenceFile, _Value]]) -> Iterable[tuple[_Value, list[SequenceFile]]]:
    """The files by value, in order of appearance."""
    groups: dict[_Value, list[SequenceFile]] = defaultdict(list)
    for file, value in files:
        groups[value].append(file)
    return groups.items()
