"""Faults in the pixels of single files, by the statistics of their channels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from ..catalog import IS_NEWEST, Catalog, newest_rows
from ..exr.channels import is_depth
from .frames import CURRENT, MIP_MODES

# The color channels of a file are R, G and B, or Y, without a layer or in one with a usual name, of the first part with
# such channels; other parts and layers may be empty.
_COLOR = r"(?i)((.*\.)?(beauty|combined|rgba?)\.)?[RGBY]"
_AXIS = r"(?i)(.*\.)?X"  # beside it, Z is the Z of a vector


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelFault:
    """A fault in the pixels of a file."""

    sequence: str  # or the URI of a file without a frame number
    frame: str | None
    file_path_normalized: str
    kind: str  # nan, infinity, black, constant, undecodable or empty
    part_index: int
    channel_name: str | None  # None: all color channels, or all channels
    number: int | None  # of values, or of chunks
    x: int | None  # of the first NaN or infinity
    y: int | None
    detail: str | None  # of `part_stats`, as JSON: the errors, or the empty regions


class Fault(NamedTuple):
    """A fault; the fields are those of `PixelFault`."""

    kind: str
    part_index: int
    channel_name: str | None = None
    number: int | None = None
    x: int | None = None
    y: int | None = None
    detail: str | None = None


class ChannelFigures(NamedTuple):
    """The statistics of a channel that decide, with the names that they have in the table `channel_stats`."""

    part_index: int
    channel_name: str
    sample_count: int
    stride: int
    min: float | None
    max: float | None
    nan_count: int
    pos_inf_count: int
    neg_inf_count: int
    finite_count: int
    zero_count: int
    first_nonfinite_x: int | None
    first_nonfinite_y: int | None
    decode_errors: int
    samples_total: int | None


class PartFigures(NamedTuple):
    """What else decides of a part: missing chunks cannot be decoded, and MIP maps may be of one color.

    The names are those of the tables `parts` and `part_stats`.
    """

    level_mode: str | None
    chunk_count: int | None
    chunks_present: int | None
    empty_regions: str | None
    errors: str | None


# All that `faults_of` needs of the files that may have faults.
_SUSPECTS = f"""
    WITH suspects AS (
        SELECT DISTINCT file_id FROM channel_stats
        WHERE nan_count > 0 OR pos_inf_count > 0 OR neg_inf_count > 0 OR decode_errors > 0
              OR (min = max AND regexp_full_match(channel_name, '{_COLOR}'))
        UNION
        SELECT DISTINCT file_id FROM part_stats WHERE empty_regions <> '[]'
    ), part_results AS (
        SELECT file_id, part_index, empty_regions, errors FROM {newest_rows("part_stats")}
        WHERE errors IS NOT NULL OR empty_regions <> '[]'
    ), newest AS (
        SELECT * FROM channel_stats SEMI JOIN suspects USING (file_id) QUALIFY {IS_NEWEST}
    )
    SELECT coalesce(sequence, file_path_normalized) AS sequence, frame, frame_number, file_path_normalized,
           {", ".join(ChannelFigures._fields)}, evaluated_at IS NOT NULL AS is_evaluated, level_mode,
           parts.chunk_count AS chunk_count, parts.chunks_present AS chunks_present, empty_regions, errors
    FROM newest JOIN files USING (file_id)
    LEFT JOIN (SELECT file_id, part_index, level_mode, chunk_count, chunks_present FROM parts) AS parts
    USING (file_id, part_index)
    LEFT JOIN part_results USING (file_id, part_index)
    WHERE {CURRENT} AND {{selected}}
          AND (nan_count > 0 OR pos_inf_count > 0 OR neg_inf_count > 0 OR decode_errors > 0
               OR empty_regions <> '[]' OR regexp_full_match(channel_name, '{_COLOR}|{_AXIS}'))
    ORDER BY file_path_normalized, part_index, channel_name
"""  # noqa: S608 (constants)


@lru_cache(maxsize=4096)
def is_color(channel_name: str) -> bool:
    """Whether a channel is one that is seen, by its name."""
    return re.fullmatch(_COLOR, channel_name) is not None


def colors_of(channels: Iterable[ChannelFigures]) -> list[ChannelFigures]:
    """The color channels: flat ones of the first part that has any."""
    colors = [each for each in channels if each.samples_total is None and is_color(each.channel_name)]
    first = min((each.part_index for each in colors), default=0)
    return [each for each in colors if each.part_index == first]


def faults_of(
    channels: Iterable[ChannelFigures], parts: Mapping[int, PartFigures], *, is_evaluated: bool
) -> Iterator[Fault]:
    """The faults of one file; `is_evaluated`: all pixels were decoded that can be."""
    channels = list(channels)
    depths = _depths(channels)
    undecoded: dict[int, int] = defaultdict(int)
    for each in channels:
        about = (each.part_index, each.channel_name)
        where = (each.first_nonfinite_x, each.first_nonfinite_y)
        infinite = each.neg_inf_count + (0 if about in depths else each.pos_inf_count)
        if each.nan_count:
            yield Fault("nan", *about, each.nan_count, *where)
        if infinite:
            yield Fault("infinity", *about, infinite, *where)
        undecoded[each.part_index] = max(undecoded[each.part_index], each.decode_errors)
    for part_index, count in undecoded.items():
        damaged = count - _missing_chunks(parts.get(part_index))
        if damaged > 0:
            detail = parts[part_index].errors if part_index in parts else None
            yield Fault("undecodable", part_index, None, damaged, detail=detail)
    for part_index, of_part in parts.items():
        if of_part.empty_regions not in (None, "[]") and of_part.level_mode not in MIP_MODES:
            yield Fault("empty", part_index, detail=of_part.empty_regions)
    colors = colors_of(channels)
    if is_evaluated and _is_one_color(colors):
        part = parts.get(colors[0].part_index)
        if part is None or part.level_mode not in MIP_MODES:
            is_black = all(each.zero_count == each.sample_count for each in colors)
            yield Fault("black" if is_black else "constant", colors[0].part_index)


def _depths(channels: Sequence[ChannelFigures]) -> set[tuple[int, str]]:
    """Part and name of the depth channels with infinite values: backgrounds may be infinitely far away."""
    infinite = [each for each in channels if each.pos_inf_count]
    names: dict[int, set[str]] = defaultdict(set)
    for each in channels if infinite else ():
        names[each.part_index].add(each.channel_name)
    return {
        (each.part_index, each.channel_name) for each in infinite if is_depth(each.channel_name, names[each.part_index])
    }


def _missing_chunks(part: PartFigures | None) -> int:
    """The chunks that are not in the file, which is damage of the file."""
    if part is None or part.chunk_count is None or part.chunks_present is None:
        return 0
    return part.chunk_count - part.chunks_present


def _is_one_color(colors: list[ChannelFigures]) -> bool:
    if len(colors) < 3 and not any(each.channel_name.upper().endswith("Y") for each in colors):
        return False
    return all(
        each.min == each.max
        and each.finite_count == each.sample_count > 1
        and each.stride == 1
        and each.decode_errors == 0
        for each in colors
    )


def pixel_faults(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> list[PixelFault]:
    """The faults of the files that a condition selects, by sequence, kind, part, channel, detail and frame."""
    rows = catalog.sql(_SUSPECTS.format(selected=selected), parameters).to_pylist()
    found = []
    for path, of_file in groupby(rows, key=lambda row: row["file_path_normalized"]):
        channels = list(of_file)
        parts = {row["part_index"]: PartFigures(*(row[name] for name in PartFigures._fields)) for row in channels}
        figures = [ChannelFigures(**{name: row[name] for name in ChannelFigures._fields}) for row in channels]
        first = channels[0]
        order = (first["frame_number"] or 0, first["frame"] or "", path)
        named = {"sequence": first["sequence"], "frame": first["frame"], "file_path_normalized": path}
        for fault in faults_of(figures, parts, is_evaluated=first["is_evaluated"]):
            found.append((order, PixelFault(**named, **fault._asdict())))
    found.sort(key=lambda each: (*_kind_of(each[1]), each[0]))
    return [fault for _, fault in found]


def _kind_of(fault: PixelFault) -> tuple[str, str, int, str, str]:
    return fault.sequence, fault.kind, fault.part_index, fault.channel_name or "", fault.detail or ""
