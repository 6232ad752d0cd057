"""Inspect one file: read its header and chunks, and derive the facts."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from .. import __version__
from ..deadline import retrying, time_limit
from ..errors import PixelError, SourceChangedError
from ..exr import (
    ChunkCheck,
    ChunkOption,
    ChunkReport,
    Header,
    Limits,
    Part,
    PartChunks,
    read_chunks,
    worst_severity,
)
from ..exr.attributes import Box2i, Rational
from ..exr.header import fetch_header
from ..frames.names import parse_name
from ..sources import open_source
from ..sources.protocol import ByteSource, Storage
from ..sources.reader import Reader
from ..sources.uris import path_as_text
from .identity import file_id, header_hash, structure_hash
from .json_form import shortest_single
from .model import SCHEMA_VERSION, FileFacts, Inspection, PartFacts, version_flags
from .renderer import renderer

if TYPE_CHECKING:
    from ..pixels.model import PixelLimits, PixelReport, StatsOptions
    from ..pixels.worker import PixelWorker
    from ..settings import S3Access
    from ..sources import Source

_ATTEMPTS = 3  # to read an object that is replaced while it is read

_CHUNK_CHECKS: dict[Storage, ChunkCheck] = {"local": "all", "network": "sample", "object": "table"}

# In order of preference.
SOFTWARE_NAMES = (
    "software",
    "Software",
    "arnold/version",
    "vrayInfo/vrayversion",
    "rs/version",
    "nuke/version",
    "dcc",
    "husk:command",
)
COLOR_SPACES = ("colorInteropID", "oiio:ColorSpace", "colorSpace", "ColorSpace", "color_space", "colorspace")


def inspect(
    source: Source,
    *,
    name: str | os.PathLike[str] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    chunks: ChunkOption = "auto",
    s3: S3Access | None = None,
    stats: StatsOptions | None = None,
    decoder: PixelWorker | None = None,
) -> Inspection:
    """Return the complete header of one EXR file, and whether the file is complete.

    `source` is a path, a file:// or s3:// URI, the file's bytes as any bytes-like object, a binary file, or a
    ByteSource. `name` is the path or URI of bytes and of a binary file; frame number and sequence come from it. `s3` is
    the object store; by default it comes from the environment (S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY).

    >>> from exr_inspector import inspect
    >>> inspection = inspect("plate.1001.exr")
    >>> inspection.completeness, inspection.is_sound
    ('complete', True)
    >>> inspection.parts[0]["owner"]
    'someone'

    Windows are inclusive pixel bounds as stored: width = xMax - xMin + 1. Sizes are bytes.
    `chunks` is which chunk leaders are checked: `all`; `sample`, those of the last chunk, of 16 others, and some beside
    gaps between chunks; `table`, only the offset table and the last leader; or `auto`: `all` on local disks, `sample`
    on network file systems, `table` on object stores, and `all` for small files that the first read returns whole.
    `FileFacts.chunks_checked` is their number.
    Cost: usually one read of 8 KiB, the offset table, and the leaders; for an object, one request for its first 64 KiB
    and, if it is larger, one for the leader of its last chunk. An object that is replaced during the inspection is read
    again.
    Pixels are decoded only with `stats`; `Inspection.pixels` has their figures, and the errors of pixels that cannot be
    decoded. The process that decodes is `decoder`, or one for this file; bytes and binary files are sent to it whole.

    Raises SourceError if the file cannot be read, ExrFormatError if its header is invalid, TypeError for a source of
    any other type, ValueError for a file that is closed, not readable or not seekable, MissingExtraError for `stats`
    without the extra `pixels`.
    A half-written file is not an error: see `Inspection.completeness`.
    Source: "OpenEXR File Layout", sections Header and Offset Tables.
    """
    if stats is None:
        return inspect_with(lambda: open_source(source, s3, name=name), limits, chunks)
    from ..pixels.worker import PixelWorker  # only if pixels are decoded

    options, path = stats, os.fsdecode(source) if isinstance(source, (str, os.PathLike)) else None
    spent = 0.0  # seconds, by attempts that read a file while it was replaced
    with PixelWorker(s3=s3, header_limits=limits) if decoder is None else nullcontext(decoder) as worker:

        def measure(opened: ByteSource) -> PixelReport:
            nonlocal spent
            began = time.monotonic()
            try:
                with time_limit(options.limits.seconds - spent) if spent else nullcontext():
                    if path is not None:
                        return worker.statistics(path, options)
                    report = worker.statistics(opened.read(0, opened.size_bytes), options)
                    return replace(report, mtime=opened.mtime, etag=opened.etag)
            finally:
                spent += time.monotonic() - began

        return inspect_with(lambda: open_source(source, s3, name=name), limits, chunks, measure)


def statistics(
    source: Source,
    *,
    deep: bool = False,
    stride: int = 1,
    threads: int = 1,
    limits: PixelLimits | None = None,
    s3: S3Access | None = None,
    decoder: PixelWorker | None = None,
) -> PixelReport:
    """Decode the pixels of one EXR file, and return the figures of each channel. Needs the extra `pixels`.

    `source` and `s3` are as of `inspect`. `deep` also decodes the samples of deep parts, which are only counted
    otherwise. Of `stride` runs of chunks, each of about 4 MiB of pixels, one is decoded; a part of which some are left
    out has no digests and no used window.

    >>> from exr_inspector import statistics
    >>> report = statistics("plate.1001.exr")
    >>> [(channel.channel_name, channel.max, channel.nan_count) for channel in report.parts[0].channels]
    [('B', 1.0, 0), ('G', 1.0, 0), ('R', 1.0, 0)]
    >>> report.errors
    ()

    Pixels are decoded in a process of its own, in bands of a few MB whatever the size of the image, with limits of
    time and memory. For many files, start it once: `with PixelWorker() as decoder`. `threads` decode one file faster.
    Chunks that are damaged, missing or too large, and a decoder that fails, are in the `errors` of the report.

    Raises SourceError, ExrFormatError, TypeError and ValueError as `inspect`, MissingExtraError without the extra.
    """
    from ..pixels.model import PixelLimits, StatsOptions  # only if pixels are decoded

    options = StatsOptions(deep=deep, stride=stride, threads=threads, limits=limits or PixelLimits())
    report = inspect(source, chunks="table", s3=s3, stats=options, decoder=decoder).pixels
    assert report is not None
    return report


def inspect_with(
    open_: Callable[[], ByteSource],
    limits: Limits,
    chunks: ChunkOption,
    measure: Callable[[ByteSource], PixelReport] | None = None,
) -> Inspection:
    """Inspect the source that `open_` opens, and open it again if it changes meanwhile. Raises as `inspect`.

    `measure` returns the figures of the pixels of this source, or raises PixelError, which is recorded.
    """
    retry = retrying(lambda error: isinstance(error, SourceChangedError), attempts=_ATTEMPTS)
    return retry(lambda: _inspect(open_(), limits, chunks, measure))


def _inspect(
    opened: ByteSource, limits: Limits, option: ChunkOption, measure: Callable[[ByteSource], PixelReport] | None
) -> Inspection:
    try:
        reader = Reader(opened)
        header = fetch_header(reader, limits)
        check = _chunk_check(reader) if option == "auto" else option
        chunks = read_chunks(
            header, reader.read, opened.size_bytes, check=check, prefetch=reader.prefetch, limits=limits
        )
        inspection = _inspection(opened, reader, header, chunks)
        return inspection if measure is None else _with_pixels(inspection, opened, measure)
    finally:
        opened.close()


def _with_pixels(
    inspection: Inspection, opened: ByteSource, measure: Callable[[ByteSource], PixelReport]
) -> Inspection:
    """The inspection with the figures of the pixels of the same version of the file."""
    from .pixel_rows import undecoded_report

    try:
        report = measure(opened)
    except PixelError as error:
        report = undecoded_report(opened, inspection.parts, error)
    if (report.size_bytes, report.mtime, report.etag) != (opened.size_bytes, opened.mtime, opened.etag):
        raise SourceChangedError(opened.path, "the file was replaced or rewritten before its pixels were read")
    return replace(inspection, pixels=report)


def _chunk_check(reader: Reader) -> ChunkCheck:
    """Which leaders to read, by the storage and never by measured times: a file must not have two results."""
    return "all" if reader.has_whole_source else _CHUNK_CHECKS[reader.source.storage]


def _inspection(source: ByteSource, reader: Reader, header: Header, chunks: ChunkReport) -> Inspection:
    header_digest = header_hash(memoryview(reader.prefix)[: header.header_bytes])
    name = parse_name(source.uri)
    parts = tuple([_part_facts(part, c) for part, c in zip(header.parts, chunks.parts, strict=True)])
    problems = header.problems + chunks.problems
    damage = None if chunks.completeness == "complete" else chunks.chunk_hash or chunks.completeness
    facts = FileFacts(
        file_id=file_id(source.uri, source.size_bytes, source.mtime, source.etag, header_digest, damage),
        file_path=path_as_text(source.path),
        file_path_normalized=source.uri,
        size_bytes=source.size_bytes,
        mtime=source.mtime,
        etag=source.etag,
        header_hash=header_digest,
        structure_hash=structure_hash(header.parts),
        chunk_hash=chunks.chunk_hash,
        header_bytes=header.header_bytes,
        inode=source.inode,
        version_flags=header.version | header.flags,
        multipart_count=len(parts),
        is_deep=any(part.is_deep for part in parts),
        is_tiled=any(part.is_tiled for part in parts),
        channel_count=sum([len(part.channels) for part in parts]),
        sequence=name.sequence if name else None,
        frame_number=name.frame_number if name else None,
        frame=name.frame if name else None,
        completeness=chunks.completeness,
        chunk_count=chunks.chunk_count,
        chunks_present=chunks.chunks_present,
        chunks_checked=chunks.chunks_checked,
        problem_severity=worst_severity(problems),
    )
    return Inspection(
        schema_version=SCHEMA_VERSION,
        inspector_version=__version__,
        file=facts,
        flags=version_flags(facts.version_flags),
        bytes_read=reader.bytes_read,
        reads=reader.reads,
        parts=parts,
        problems=problems,
    )


def _part_facts(part: Part, chunks: PartChunks) -> PartFacts:
    data, display, tiles = part.data_window, part.value("displayWindow", "box2i"), part.tiles
    aspect = part.value("pixelAspectRatio", "float")
    chromaticities = part.value("chromaticities", "chromaticities")
    timecode = part.value("timeCode", "timecode")
    evidence = renderer(part.attributes)
    return PartFacts(
        part_index=part.part_index,
        part_name=part.value("name", "string"),
        part_type=part.part_type,
        view_name=part.value("view", "string"),
        width=data and data.xMax - data.xMin + 1,
        height=data and data.yMax - data.yMin + 1,
        display_width=display and display.xMax - display.xMin + 1,
        display_height=display and display.yMax - display.yMin + 1,
        data_x_offset=data and data.xMin,
        data_y_offset=data and data.yMin,
        data_window=data and _window_text(data),
        display_window=display and _window_text(display),
        pixel_aspect_ratio=None if aspect is None or not math.isfinite(aspect) else shortest_single(aspect),
        line_order=part.value("lineOrder", "lineOrder"),
        compression=part.value("compression", "compression"),
        is_tiled=part.is_tiled,
        tile_width=tiles and tiles.xSize,
        tile_height=tiles and tiles.ySize,
        level_mode=tiles and tiles.levelMode,
        rounding_mode=tiles and tiles.roundingMode,
        is_deep=part.is_deep,
        multi_view=bool(part.value("multiView", "stringvector")),
        color_space=_first_text(part, COLOR_SPACES),
        chromaticities=chromaticities
        and _list_text(shortest_single(v) if math.isfinite(v) else v for pair in chromaticities for v in pair),
        render_software=_first_text(part, SOFTWARE_NAMES),
        renderer=evidence and evidence.renderer,
        frames_per_second=_frames_per_second(part),
        timecode=None if timecode is None else str(timecode),
        chunk_count=chunks.chunk_count,
        chunks_present=chunks.chunks_present,
        missing=chunks.missing,
        packed_bytes=chunks.packed_bytes,
        channels=part.channels,
        attributes=part.attributes,
    )


@lru_cache(maxsize=1024)
def _window_text(window: Box2i) -> str:
    return _list_text(window)


def _list_text(numbers: Iterable[float]) -> str:
    return f"[{','.join(map(str, numbers))}]"


def _first_text(part: Part, names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in part.by_name and (text := part.value(name, "string")):
            return str(text)
    return None


def _frames_per_second(part: Part) -> float | None:
    attribute = part.by_name.get("framesPerSecond")
    value = None if attribute is None else attribute.value
    if isinstance(value, Rational):
        return value.numerator / value.denominator if value.denominator else None
    if isinstance(value, (int, float)) and math.isfinite(value):
        return shortest_single(value) if attribute is not None and attribute.attr_type == "float" else float(value)
    return None
