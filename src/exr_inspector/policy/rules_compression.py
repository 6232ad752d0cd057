"""Rules 3xx: compression. Which channels a codec changes depends on their type and, for DWA, on their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..exr import Channel
from ..exr.attributes import Compression
from ..inspection.model import Inspection, PartFacts
from .channel_names import is_data, matte_names, matte_of, split
from .rule import (
    FILE,
    OF_FILE,
    Finite,
    Natural,
    Outcome,
    Parameters,
    Undecided,
    Violation,
    file_rule,
    one_of,
    part_rule,
)

_LOSSLESS: tuple[Compression, ...] = ("NONE", "RLE", "ZIPS", "ZIP", "PIZ")
_CHANGED_TYPES = {"B44": ("HALF",), "B44A": ("HALF",), "PXR24": ("FLOAT",)}
_DWA = ("DWAA", "DWAB")
_CHANGED_BY_DWA = frozenset({"R", "G", "B", "Y", "BY", "RY"})  # internal_dwa_classifier.h, exactly so
_UNKNOWN_LOSS = frozenset({"LJ2K"})
_BYTES = {"HALF": 2, "FLOAT": 4, "UINT": 4}
_NEW = frozenset({"HTJ2K256", "HTJ2K32", "LJ2K", "ZSTD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressions(Parameters):
    """Compressions that are allowed."""

    allowed: tuple[Compression, ...] = _LOSSLESS


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestFile(Parameters):
    """The size of files, in MB, above which they must be compressed."""

    mb: Natural = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(Parameters):
    """The highest level of DWA."""

    max: Finite = 45


@part_rule(301, "error", "Netflix VFX delivery, Fox A11", Compressions, needs=("allowed",), reads=("compression",))
def compression(part: PartFacts, given: Compressions) -> Iterator[Outcome]:
    """The compression is allowed."""
    if part.compression is None:
        yield Undecided("the compression is unknown")
    elif part.compression not in given.allowed:
        yield Violation(one_of(given.allowed), part.compression)


def _changed(part: PartFacts) -> Iterator[Channel]:
    """The channels whose values the compression changes."""
    if part.compression in _DWA:
        for channel in part.channels:
            if channel[1] in ("HALF", "FLOAT") and split(channel[0])[1] in _CHANGED_BY_DWA:
                yield channel
    elif types := _CHANGED_TYPES.get(part.compression or ""):
        yield from (channel for channel in part.channels if channel[1] in types)


def _undecided(part: PartFacts) -> Iterator[Outcome]:
    if part.compression is None:
        yield Undecided("the compression is unknown")
    elif part.compression in _UNKNOWN_LOSS:
        yield Undecided(f"whether {part.compression} changes values depends on the writer")


@part_rule(302, "error", "Netflix VFX delivery; OpenEXR: internal_dwa_classifier.h", reads=("compression",))
def lossy(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """No channel is changed."""
    if part.compression in _LOSSLESS:
        return
    yield from _undecided(part)
    yield from (Violation("a lossless compression", part.compression, channel[0]) for channel in _changed(part))


@part_rule(303, "error", "OpenEXR: internal_dwa_classifier.h", reads=("compression", "cryptomatte/*/name"))
def lossy_data(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """No channel that is not a color is changed."""
    if part.compression in _LOSSLESS:
        return
    yield from _undecided(part)
    mattes = {*matte_names(part.attributes)} - {""}
    for channel in _changed(part):
        if is_data(channel[0]) or matte_of(channel[0]) in mattes:
            yield Violation("a lossless compression", part.compression, channel[0])


@file_rule(
    304,
    "info",
    "common practice",
    LargestFile,
    reads=(
        FILE,
        "compression",
    ),
)
def uncompressed_large(inspection: Inspection, given: LargestFile) -> Iterator[Outcome]:
    """A large file is compressed."""
    if inspection.file.size_bytes > given.mb * 1_000_000:
        for part in inspection.parts:
            if part.compression == "NONE":
                yield Violation(f"a compression above {given.mb} MB", "NONE", part_index=part.part_index)


@part_rule(305, "warning", "reports about three.js and DJV", reads=("compression",))
def new_compression(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The compression is known to OpenEXR before 3.4."""
    if part.compression in _NEW:
        yield Violation("a compression of OpenEXR before 3.4", part.compression)


@file_rule(306, "info", "common practice", reads=("compression",))
def parts_compression(inspection: Inspection, _: Parameters) -> Iterator[Outcome]:
    """All parts have one compression."""
    first = inspection.parts[0].compression if inspection.parts else None
    for part in inspection.parts:
        if part.compression != first:
            yield Violation(first or "unknown", part.compression, part_index=part.part_index)


@part_rule(
    308,
    "warning",
    "OpenEXR: Standard Attributes",
    Level,
    reads=(
        "compression",
        "dwaCompressionLevel",
    ),
)
def dwa_level(part: PartFacts, given: Level) -> Iterator[Outcome]:
    """The level of DWA is not too high."""
    if part.compression in _DWA:
        level = part.get("dwaCompressionLevel")
        if isinstance(level, (int, float)) and not level <= given.max:
            yield Violation(f"at most {given.max:g}", f"{level:g}", attr_name="dwaCompressionLevel")


@part_rule(309, "warning", "OpenEXR: a chunk that compression would enlarge is stored as it is", reads=OF_FILE)
def expansion(part: PartFacts, _: Parameters) -> Iterator[Outcome]:
    """The compressed pixels are smaller than uncompressed ones. Parts that are not compressed need not be."""
    if part.compression in (None, "NONE") or part.chunks_present != part.chunk_count:
        return
    if part.is_deep or part.level_mode not in (None, "ONE_LEVEL"):
        yield Undecided("the uncompressed size of deep samples and of levels is unknown")
    elif part.packed_bytes is None or part.width is None or part.height is None:
        yield Undecided("the compressed size is unknown")
    else:
        size = sum(
            (part.width // channel.x_sampling) * (part.height // channel.y_sampling) * _BYTES[channel.channel_type]
            for channel in part.channels
            if channel.channel_type and channel.x_sampling > 0 and channel.y_sampling > 0
        )
        if part.packed_bytes >= size > 0:
            yield Violation(f"less than {size} bytes", f"{part.packed_bytes} bytes with {part.compression}")
