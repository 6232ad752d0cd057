"""What rules about sequences know of files: a small projection of each, and the sequence that they form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from ..catalog.cells import cells_of
from ..exr.cache import Cache
from ..findings.model import Finding, finding
from ..findings.rules import RULES, Rule
from ..frames.names import parse_name
from ..frames.ranges import Number, frame_range, frame_value
from ..inspection.model import FileFacts, Inspection, PartFacts
from ..inspection.pixel_rows import ChannelStatsRow, PartStatsRow, channel_stats_rows, part_stats_rows
from ..inspection.volatility import Volatility, value_of, volatility
from ..sequence.findings import findings_of
from ..sequence.frames import MIP_MODES, TEXTURE_ATTRIBUTES, Frames
from ..sequence.summary import SequenceSummary

_MAX_FIELDS = 1000  # of a file that are compared
_MAX_TEXT = 2000  # characters of a field
_LOCAL_ETAG = "mtime:"

Field = tuple[int, str, str]  # part, name and text of an attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What files with the same structure hash have in common; one object for all of them saves memory."""

    structure_hash: str
    channels: tuple[tuple[str, ...], ...]  # the names of each part, sorted
    frames_per_second: float | None  # of the first part that has a rate
    render_software: str | None  # of the first part that has one
    is_texture: bool  # as `Frames.are_textures` means it
    is_compressed: bool  # all parts
    fields: Mapping[tuple[int, str], str]  # by part and attribute, the values that should be the same in all frames

    @property
    def channel_names(self) -> dict[str, int]:
        """The names of channels, with `part N:` before those of later parts, and the parts."""
        return {
            f"part {index}: {name}" if index else name: index
            for index, part in enumerate(self.channels)
            for name in part
        }


class SequenceFile(NamedTuple):
    """A file as the rules about sequences see it, about 600 bytes: from an inspection or from rows of a catalog."""

    uri: str  # normalized
    sequence: str  # with # for the frame; empty without a frame number
    frame: str  # as written in the name
    status: str  # a completeness, `invalid`, or `unreadable`
    structure: Structure | None = None  # None: the file is unreadable, as for all that follow
    header_hash: str | None = None
    size_bytes: int | None = None
    modified: float | None = None  # seconds since 1970
    timecode: str | None = None  # of the first part that has one, as `PartFacts.timecode`
    content: str | None = None  # equal for files with the same content, see `content_of`; None if it is not known
    has_pixels: bool = False  # the content is that of the pixels, not also of the header
    # By part, the share of the data window that is not zero; None: no statistics of pixels.
    used_areas: tuple[float | None, ...] | None = None
    overrides: tuple[bool, ...] = ()  # of the policy, those that apply: see `CompiledPolicy.overrides_of`


def sequence_file(inspection: Inspection, overrides: tuple[bool, ...] = ()) -> SequenceFile:
    """The projection of an inspected file."""
    file, parts, report = inspection.file, inspection.parts, inspection.pixels
    windows = [part.data_window for part in parts]
    packed_bytes = sum(part.packed_bytes or 0 for part in parts)
    structure = _structure(inspection)
    made = SequenceFile(
        uri=file.file_path_normalized,
        sequence=file.sequence or "",
        frame=file.frame or "",
        status=file.status,
        structure=structure,
        header_hash=file.header_hash,
        size_bytes=file.size_bytes,
        modified=None if file.mtime is None else file.mtime.timestamp(),
        timecode=next((part.timecode for part in parts if part.timecode), None),
        content=content_of(structure, file.etag, file.header_hash, file.chunk_hash, file.size_bytes, packed_bytes),
        overrides=overrides,
    )
    if report is None:
        return made
    return with_pixels(made, file, windows, channel_stats_rows(parts, report), list(part_stats_rows(report)))


def with_pixels(
    made: SequenceFile,
    file: FileFacts,
    windows: Sequence[str | None],
    channels: Iterable[ChannelStatsRow],
    parts: Sequence[PartStatsRow],
) -> SequenceFile:
    """The file with what its statistics of pixels tell; `windows` are the data windows of its parts."""
    areas, content = used_areas(windows, parts), pixel_content(file, windows, channels, parts)
    if content is None:
        return made._replace(used_areas=areas)
    return made._replace(used_areas=areas, content=content, has_pixels=True)


def unreadable_file(uri: str, status: str = "unreadable") -> SequenceFile:
    """The projection of a file whose header cannot be read; its status is `unknown` if its bytes cannot be read."""
    name = parse_name(uri)
    sequence, frame = ("", "") if name is None else (name.sequence, name.frame)
    return SequenceFile(uri=uri, sequence=sequence, frame=frame, status=status)


def content_of(
    structure: Structure,
    etag: str | None,
    header_hash: str,
    chunk_hash: str | None,
    size_bytes: int,
    packed_bytes: int,
) -> str | None:
    """A text that files with the same bytes share, and others do not, as far as is known without reading pixels.

    An object store has a hash of the bytes. Else header and sizes decide, and the offsets of chunks; those of files
    without compression are always equal.
    """
    if etag is not None and not etag.startswith(_LOCAL_ETAG):
        return f"{size_bytes} {etag}"
    return f"{size_bytes} {packed_bytes} {header_hash} {chunk_hash}" if structure.is_compressed else None


def pixel_content(
    file: FileFacts,
    windows: Sequence[str | None],
    channels: Iterable[ChannelStatsRow],
    parts: Sequence[PartStatsRow],
) -> str | None:
    """The digests of all pixels; None if they are not known. Of single-colored images, a text that is like no other.

    `windows` are the data windows of the parts of the file.
    """
    if not parts or any(part.pixel_digest is None for part in parts):
        return None
    if all(row.min is not None and row.min == row.max and row.finite_count == row.sample_count for row in channels):
        return file.file_id
    return " ".join(f"{part.pixel_digest} {windows[part.part_index]}" for part in parts)


def used_areas(windows: Sequence[str | None], parts: Iterable[PartStatsRow]) -> tuple[float | None, ...]:
    """By part, the share of the data window that is not zero; None where it is not known, or all is zero."""
    areas: list[float | None] = [None] * len(windows)
    for part in parts:
        window, used = windows[part.part_index], json.loads(part.used_window or "[]")
        if window and used and part.pixel_digest is not None and (area := _area(json.loads(window))) > 0:
            areas[part.part_index] = _area(used) / area
    return tuple(areas)


def _area(window: Sequence[int]) -> int:
    x_min, y_min, x_max, y_max = window
    return (x_max - x_min + 1) * (y_max - y_min + 1)


def _memory_of(_: str, structure: Structure) -> int:
    return 1000 + sum(200 + len(text) for text in structure.fields.values())


_STRUCTURES: Cache[str, Structure] = Cache(16 << 20, _memory_of)


def _structure(inspection: Inspection) -> Structure:
    structure_hash, parts = inspection.file.structure_hash, inspection.parts
    known = _STRUCTURES.get(structure_hash)
    if known is None:
        known = structure_of(structure_hash, parts, _fields(parts))
        _STRUCTURES.put(structure_hash, known)
    return known


def structure_of(structure_hash: str, parts: Sequence[PartFacts], fields: Iterable[Field]) -> Structure:
    """What files with the structure of these parts have in common; `fields` are those that should be the same."""
    return Structure(
        structure_hash=structure_hash,
        channels=tuple(tuple(sorted(channel.channel_name for channel in part.channels)) for part in parts),
        frames_per_second=next((part.frames_per_second for part in parts if part.frames_per_second), None),
        render_software=next((part.render_software for part in parts if part.render_software), None),
        is_texture=any(
            part.level_mode in MIP_MODES or any(name in part for name in TEXTURE_ATTRIBUTES) for part in parts
        ),
        is_compressed=all(part.compression not in (None, "NONE") for part in parts),
        fields={(part_index, name): _short(text) for part_index, name, text in islice(fields, _MAX_FIELDS)},
    )


def _fields(parts: Sequence[PartFacts]) -> Iterator[Field]:
    for part in parts:
        for attribute in part.attributes:
            name, attr_type, size = attribute.attr_name, attribute.attr_type, attribute.size_bytes
            if volatility(name, attr_type, partial(value_of, attribute)) is Volatility.CONSTANT:
                cells = cells_of(attribute)
                yield part.part_index, name, cells.value_json or cells.value_text or f"{size} bytes"


def _short(text: str) -> str:
    """A text that is not long; different ones stay different."""
    if len(text) <= _MAX_TEXT:
        return text
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[:_MAX_TEXT]}… ({len(text)} characters, SHA-256 {digest[:16]})"


def frames_of(sequence: str, files: Sequence[SequenceFile]) -> Frames:
    """The frames of files in order."""
    readable = [file.structure for file in files if file.structure is not None]
    return Frames(
        sequence=sequence,
        texts=[file.frame for file in files],
        numbers=[frame_value(file.frame) for file in files],
        file_ids=[None] * len(files),
        hashes=[None if file.structure is None else file.structure.structure_hash for file in files],
        are_textures=bool(readable) and all(structure.is_texture for structure in readable),
        damaged=(),  # files have their own findings
        warned=[],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSequence:
    """A sequence that rules are evaluated on: its files in order of frames, and what they are compared with."""

    summary: SequenceSummary
    files: tuple[SequenceFile, ...]
    rule_ids: frozenset[str]  # of the rules that apply to it
    versions: tuple[str, ...] = ()  # all of its name in the folder, if this is not the newest; else empty
    views: list[JudgedSequence] = field(default_factory=list)  # the other ones of a stereo pair

    @property
    def numbers(self) -> list[Number]:
        """The frame of each file."""
        return [frame_value(file.frame) for file in self.files]

    @property
    def structures(self) -> list[tuple[SequenceFile, Structure]]:
        """The files whose headers can be read."""
        return [(file, file.structure) for file in self.files if file.structure is not None]

    def as_check(self, rule: Rule) -> list[Finding]:
        """The findings of a rule that `check` reports too."""
        return [each for each in findings_of(self.summary) if each.rule_id == rule.rule_id]

    def found(
        self,
        rule_id: str,
        message: str,
        files: Iterable[SequenceFile] = (),
        *,
        expected: str = "",
        actual: str = "",
    ) -> Finding:
        """A finding about some files of the sequence, or about all of it."""
        about = finding(RULES[rule_id], "error", self.summary.pattern, message, expected=expected, actual=actual)
        return with_files(about, files)


def with_files(about: Finding, files: Iterable[SequenceFile]) -> Finding:
    """The finding with the frames and URIs of files."""
    named = list(files)
    numbers = {frame_value(file.frame) for file in named}
    uris = tuple(file.uri for file in named)
    return replace(about, files=uris, frames=frame_range(numbers), frame_count=len(numbers))
