"""The figures of the parts of one file, decoded band by band.

Run it through `worker.py`: native libraries that decode damaged files may print, take long or crash.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple

from ..exr import Channel, Header, Limits, Part
from ..exr.attributes import Box2i
from ..exr.channels import is_depth
from ..exr.leaders import NEVER_WRITTEN, PRESENT
from ..exr.locate import LocatedPart, locate_chunks
from ..exr.missing import describe_missing
from ..sources import ByteSource
from .cuts import NotDecodableError, Run
from .decode import Band, BandError, FlatDecoder
from .deep import DeepDecoder
from .digest import COUNTS, PixelDigest
from .fetch import ChunkFault
from .kernel import ACCUMULATORS, Accumulator, Locate
from .model import ChannelStats, DecodeError, LayerStats, PartStats, PixelReport, StatsOptions
from .regions import BandUse, Layer, UsedWindow, band_uses, color_without_alpha, layers_with_alpha
from .samples import SampleBlocks, SampleCounter, digest_rows

_UNKNOWN = ChunkFault(
    "not_decodable", "the file ends inside the offset table, or its number of chunks is undefined or above the limit"
)


def part_statistics(
    source: ByteSource,
    header: Header,
    options: StatsOptions = StatsOptions(),  # noqa: B008 (frozen)
    *,
    header_limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> PixelReport:
    """The figures of the parts of a file. Damaged and missing chunks are errors in the report; the others count.

    Raises SourceError, MissingExtraError.
    """
    located = locate_chunks(header, source.read, source.size_bytes, header_limits)
    parts = []
    for index, part in enumerate(header.parts):
        if options.parts is not None and index not in options.parts:
            continue
        if located is None:
            parts.append(PartStats.undecoded(part.part_index, *_UNKNOWN, chunk_count=1))
            continue
        try:
            parts.append((_deep_stats if part.is_deep else _flat_stats)(source, located[index], options))
        except NotDecodableError as error:
            count = len(located[index].leaders.states)
            parts.append(PartStats.undecoded(part.part_index, error.code, error.message, chunk_count=count))
    return PixelReport(
        size_bytes=source.size_bytes,
        mtime=source.mtime,
        etag=source.etag,
        parts=tuple(parts),
    )


def _with_effective_stride(options: StatsOptions, runs: Iterator[object]) -> StatsOptions:
    """The options without a stride that leaves out nothing, as of a part with a single run."""
    return options if any(islice(runs, 1, 2)) else replace(options, stride=1)


class _Ordered(NamedTuple):
    """What is left of a band, to be processed from top to bottom."""

    box: Box2i
    rows: dict[str, Iterable[Any]]  # by channel, for `PixelDigest.add`
    uses: list[BandUse]


class _Measured:
    """The figures of some bands of a flat part, in any order."""

    def __init__(self, part: Part, channels: Sequence[Channel], digest: PixelDigest | None) -> None:
        self._part, self.channels, self._digest = part, channels, digest
        self.accumulators = new_accumulators(channels, _names(part))
        self.transparent = dict.fromkeys(layers_with_alpha(channels), 0)

    def add(self, band: Band) -> _Ordered:
        """Add the pixels of a band; return the rest."""
        rows = {}
        for channel in self.channels:
            name = channel.channel_name
            self.accumulators[name].add(band.channels[name], _locate(band, channel))
            if self._digest:
                rows[name] = self._digest.hashed(band.box, band.channels[name])
        for layer in self.transparent:
            self.transparent[layer] += color_without_alpha(layer, band)
        return _Ordered(band.box, rows, band_uses(band, self._part.channels, self._part.tiles))


def _locate(band: Band, channel: Channel) -> Locate:
    """Line and column of a sample of a channel in a band."""
    box, x, y = band.box, channel.x_sampling, channel.y_sampling
    width = band.channels[channel.channel_name].shape[1]
    first_line, first_column = box.yMin + -box.yMin % y, box.xMin + -box.xMin % x

    def locate(index: int) -> tuple[int, int]:
        row, column = divmod(index, width) if width else (0, 0)
        return first_line + row * y, first_column + column * x

    return locate


def _flat_stats(source: ByteSource, located: LocatedPart, options: StatsOptions) -> PartStats:
    part = located.leaders.part
    decoder = FlatDecoder(source.read, located, options.limits)
    options = _with_effective_stride(options, decoder.runs())
    channels = selected(part, options)
    window = part.data_window
    assert window is not None  # or it is not decodable
    digest = PixelDigest(channels, window) if options.digest and options.stride == 1 else None
    used, errors = UsedWindow(window), ErrorList(located)
    measured = _Measured(part, channels, digest)
    for result in _measure(decoder, measured, options):
        if isinstance(result, BandError):
            errors.add(result)
            digest = None
            continue
        for use in result.uses:
            used.add(use)
        if digest:
            digest.add(result.box, result.rows)
    is_whole = options.stride == 1 and not errors.result()
    used_window, empty_regions = used.result() if is_whole else (None, ())
    stats = channel_stats(part, channels, measured.accumulators, options.stride, digest)
    return PartStats(
        part_index=part.part_index,
        channels=stats,
        layers=tuple(_layer_stats(layer, stats, count) for layer, count in measured.transparent.items()),
        used_window=used_window,
        is_empty=used_window is None if is_whole else None,
        empty_regions=empty_regions,
        pixel_digest=digest.part() if digest and len(channels) == len(part.channels) else None,
        stride=options.stride,
        errors=errors.result(),
    )


def _deep_stats(source: ByteSource, located: LocatedPart, options: StatsOptions) -> PartStats:
    part = located.leaders.part
    decoder = DeepDecoder(source.read, located, options.limits, counts_only=not options.deep)
    options = _with_effective_stride(options, decoder.runs())
    channels = selected(part, options) if options.deep else []
    window = part.data_window
    assert window is not None  # or it is not decodable
    digest = None
    if options.deep and options.digest and options.stride == 1:
        digest = PixelDigest([COUNTS, *channels], window)
    accumulators = new_accumulators(channels, _names(part))
    counter, blocks, errors = SampleCounter(), SampleBlocks(channels, accumulators), ErrorList(located)
    for number, slots in enumerate(decoder.runs()):
        for band in decoder.decode(slots) if number % options.stride == 0 else ():
            if isinstance(band, BandError):
                errors.add(band)
                digest = None
                continue
            counter.add(band)
            blocks.add(band)
            if digest:
                rows = digest_rows(band, channels)
                digest.add(band.box, {name: digest.hashed(band.box, rows[name]) for name in rows})
    blocks.flush()
    return PartStats(
        part_index=part.part_index,
        channels=channel_stats(part, channels, accumulators, options.stride, digest),
        deep=counter.result(),
        pixel_digest=digest.part() if digest and len(channels) == len(part.channels) else None,
        stride=options.stride,
        errors=errors.result(),
    )


def _names(part: Part) -> set[str]:
    return {channel.channel_name for channel in part.channels}


def new_accumulators(channels: Sequence[Channel], names: Container[str]) -> dict[str, Accumulator]:
    """An accumulator for each channel, by name; `names` are those of all channels of the part.

    Depth of backgrounds may be infinite.
    """
    return {
        channel.channel_name: ACCUMULATORS[channel.channel_type or ""](is_endless=is_depth(channel.channel_name, names))
        for channel in channels
    }


def selected(part: Part, options: StatsOptions) -> list[Channel]:
    """The channels to compute, in file order."""
    wanted = options.channels
    return [channel for channel in part.channels if wanted is None or channel.channel_name in wanted]


def channel_stats(
    part: Part,
    channels: Sequence[Channel],
    accumulators: dict[str, Accumulator],
    stride: int,
    digest: PixelDigest | None,
) -> tuple[ChannelStats, ...]:
    """The figures of the channels, with their digests."""
    digests = digest.channels() if digest else {}
    return tuple(
        ChannelStats(
            part_index=part.part_index,
            channel_name=channel.channel_name,
            channel_type=channel.channel_type or "",
            stride=stride,
            pixel_digest=digests.get(channel.channel_name),
            **accumulators[channel.channel_name].result()._asdict(),
        )
        for channel in channels
    )


def _layer_stats(layer: Layer, stats: Sequence[ChannelStats], count: int) -> LayerStats:
    (alpha,) = (channel for channel in stats if channel.channel_name == layer.alpha)
    return LayerStats(
        layer=layer.name,
        alpha_negative_count=alpha.negative_count,
        alpha_above_one_count=alpha.above_one_count + alpha.pos_inf_count,
        color_without_alpha_count=count,
    )


def _measure(decoder: FlatDecoder, measured: _Measured, options: StatsOptions) -> Iterator[_Ordered | BandError]:
    """Decode every run and add its bands to the figures.

    Returns what is left of the bands, and errors, from top to bottom.
    """
    # Decoding runs in parallel. Adding mostly does not: threads that add at the same time wait for the interpreter's
    # lock after every call of numpy, which takes longer than to add one after the other.
    adding = Lock()

    def measure(run: Run) -> list[_Ordered | BandError]:
        results: list[_Ordered | BandError] = []
        for band in decoder.decode(run):
            if isinstance(band, BandError):
                results.append(band)
                continue
            with adding:
                results.append(measured.add(band))
        return results

    runs = (run for number, run in enumerate(decoder.runs()) if number % options.stride == 0)
    if options.threads == 1:
        for run in runs:
            yield from measure(run)
        return
    with ThreadPoolExecutor(options.threads) as pool:
        waiting: deque[Future[list[_Ordered | BandError]]] = deque()
        try:
            for run in runs:
                waiting.append(pool.submit(copy_context().run, measure, run))
                if len(waiting) > options.threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class ErrorList:
    """The errors of a part, with the chunks of the same error joined."""

    def __init__(self, located: LocatedPart) -> None:
        self._leaders = located.leaders
        self._states: dict[ChunkFault, bytearray] = {}  # by slot, PRESENT for chunks without the error

    def add(self, error: BandError) -> None:
        """Add the error of some chunks."""
        states = self._states.setdefault(error.fault, bytearray([PRESENT]) * len(self._leaders.states))
        for slot in error.slots:
            states[slot] = NEVER_WRITTEN

    def result(self) -> tuple[DecodeError, ...]:
        """One error for each cause."""
        part, layout = self._leaders.part, self._leaders.layout
        return tuple(
            DecodeError(
                part_index=part.part_index,
                code=fault.code,
                where=describe_missing(states, part.data_window, layout.lines, layout.levels) or "",
                chunk_count=len(states) - states.count(PRESENT),
                message=fault.message,
            )
            for fault, states in self._states.items()
        )
