"""The figures of decoded pixels: rows of the tables `channel_stats` and `part_stats`, and their JSON form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import PixelError
from ..pixels.model import PENDING, PENDING_DEEP, ChannelStats, DecodeError, PartStats, PixelReport

if TYPE_CHECKING:
    from ..sources import ByteSource
    from .model import FileFacts, PartFacts


class ChannelStatsRow(NamedTuple):
    """One row of the table `channel_stats`; every channel of a part has one, also if none of its samples was decoded.

    Without finite samples, minimum, maximum, mean, deviation and percentiles are None.
    """

    part_index: int
    channel_name: str
    sample_count: int = 0
    stride: int = 1
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    stddev: float | None = None
    nan_count: int = 0
    pos_inf_count: int = 0
    neg_inf_count: int = 0
    negative_count: int = 0
    finite_count: int = 0
    zero_count: int = 0
    max_finite_count: int = 0
    above_one_count: int = 0
    p01: float | None = None
    p50: float | None = None
    p99: float | None = None
    p999: float | None = None
    first_nonfinite_x: int | None = None
    first_nonfinite_y: int | None = None
    pixel_digest: str | None = None
    decode_errors: int = 0  # of the part
    samples_min: int | None = None  # of a deep part, as the following ones
    samples_max: int | None = None
    samples_mean: float | None = None
    samples_total: int | None = None
    empty_pixels: int | None = None
    samples_max_x: int | None = None
    samples_max_y: int | None = None


class PartStatsRow(NamedTuple):
    """One row of the table `part_stats`."""

    part_index: int
    used_window: str | None  # [xMin,yMin,xMax,yMax], or [] if all pixels are zero; None if not all were decoded
    pixel_digest: str | None
    empty_regions: str | None = None  # windows as [[xMin,yMin,xMax,yMax],...]; None if not all pixels were decoded
    errors: str | None = None  # of chunks that cannot be decoded, as in the JSON form; None without any


_FIGURES = [field.name for field in fields(ChannelStats) if field.name in ChannelStatsRow._fields]
# The columns of `channel_stats` that are fields of `SampleCounts`.
_SAMPLE_COUNTS = {
    "samples_min": "min",
    "samples_max": "max",
    "samples_mean": "mean",
    "samples_total": "total",
    "empty_pixels": "empty_pixels",
    "samples_max_x": "max_x",
    "samples_max_y": "max_y",
}


_MOST_ERRORS = 5  # of a file in one line


def is_evaluated(report: PixelReport) -> bool:
    """Whether all pixels were decoded that can be; if not, the figures are those of a part of them, or missing.

    The file is to be decoded again then.
    """
    return all(error.is_damage for error in report.errors)


def channel_stats_rows(parts: Sequence[PartFacts], report: PixelReport) -> Iterator[ChannelStatsRow]:
    """The rows of the channels of the parts in a report, in file order."""
    for part in report.parts:
        shared: dict[str, Any] = {"decode_errors": part.decode_errors}
        if any(error.code == PENDING_DEEP for error in part.errors):
            shared["samples_total"] = 0  # as in no other row that is not evaluated
        if part.deep is not None:
            shared |= {column: getattr(part.deep, field) for column, field in _SAMPLE_COUNTS.items()}
        for channel in part.channels:
            yield ChannelStatsRow(**{name: getattr(channel, name) for name in _FIGURES}, **shared)
        if not part.channels:  # only the numbers of samples of a deep part are known, or nothing
            for name in dict.fromkeys(channel.channel_name for channel in parts[part.part_index].channels):
                yield ChannelStatsRow(part.part_index, name, stride=part.stride, **shared)


def part_stats_rows(report: PixelReport) -> Iterator[PartStatsRow]:
    """The rows of the parts in a report."""
    for part in report.parts:
        is_known = part.is_empty is not None
        yield PartStatsRow(
            part.part_index,
            used_window=compact_json(part.used_window or ()) if is_known else None,
            pixel_digest=part.pixel_digest,
            empty_regions=compact_json(part.empty_regions) if is_known else None,
            errors=compact_json([asdict(error) for error in part.errors]) if part.errors else None,
        )


def stats_json(parts: Sequence[PartFacts], report: PixelReport) -> dict[str, list[dict[str, Any]]]:
    """The keys `stats`, `part_stats` and `stats_errors` of the JSON form: rows, and figures that tables do not have."""
    histograms = {
        (part.part_index, channel.channel_name): [*channel.histogram]
        for part in report.parts
        for channel in part.channels
    }
    return {
        "stats": [
            row._asdict() | {"histogram": histograms.get((row.part_index, row.channel_name))}
            for row in channel_stats_rows(parts, report)
        ],
        "part_stats": [
            {name: value for name, value in row._asdict().items() if name != "errors"}
            | {
                "layers": [asdict(layer) for layer in part.layers],
                "samples_histogram": None if part.deep is None else [*part.deep.histogram],
            }
            for row, part in zip(part_stats_rows(report), report.parts, strict=True)
        ],
        "stats_errors": [asdict(error) for error in report.errors],
    }


def error_texts(errors: Iterable[DecodeError]) -> str:
    """What is not decoded, and why, in one line for people."""
    return "; ".join(f"{error.where} ({error.code})" for error in errors)


def undecodable_text(errors: str | None) -> str:
    """The same for the value of the column `errors`, without lost chunks, which are damage of the file."""
    found = (DecodeError(**error) for error in json.loads(errors or "[]"))
    return error_texts(error for error in found if error.code != "chunk_missing")


def undecodable_texts(parts: Iterable[str | None]) -> str:
    """The same for the values of all parts of a file."""
    return "; ".join(filter(None, map(undecodable_text, parts)))


def undecoded_texts(report: PixelReport) -> tuple[str, str] | None:
    """Of a report that is not evaluated, what is damaged and what a limit left out, each in one line for people.

    None if it is evaluated: its errors are rows then, for `undecodable_texts`. Lost chunks are damage of the file.
    """
    if is_evaluated(report):
        return None
    damaged = [error for error in report.errors if error.is_damage and error.code != "chunk_missing"]
    return _first_texts(damaged), _first_texts([error for error in report.errors if not error.is_damage])


def _first_texts(errors: Sequence[DecodeError]) -> str:
    first = error_texts(errors[:_MOST_ERRORS])
    return f"{first}; {len(errors) - _MOST_ERRORS:,} more" if len(errors) > _MOST_ERRORS else first


def compact_json(value: Any) -> str:
    """The JSON text of a value without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def undecoded_report(source: ByteSource | FileFacts, parts: Sequence[PartFacts], error: PixelError) -> PixelReport:
    """The report of a file of which nothing was decoded because of an error."""
    counts = {part.part_index: part.chunk_count or 1 for part in parts}
    return _report(
        source,
        [PartStats.undecoded(part, error.code, error.reason, chunk_count=count) for part, count in counts.items()],
    )


def pending_report(facts: FileFacts, parts: Sequence[PartFacts], reason: str, *, deep: bool = False) -> PixelReport:
    """The report of a file whose pixels are to be decoded later; with `deep`, also the samples of its deep parts."""
    codes = {part.part_index: PENDING_DEEP if deep and part.is_deep else PENDING for part in parts}
    return _report(facts, [PartStats.undecoded(part, code, reason, chunk_count=0) for part, code in codes.items()])


def _report(source: ByteSource | FileFacts, parts: Sequence[PartStats]) -> PixelReport:
    return PixelReport(size_bytes=source.size_bytes, mtime=source.mtime, etag=source.etag, parts=tuple(parts))
