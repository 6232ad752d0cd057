"""Frames that have the pixels of another frame of their sequence, by the digests in a catalog."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from ..catalog import OPEN_ERRORS, Catalog, newest_rows
from ..frames.ranges import Number, frame_value, missing_numbers
from .frames import CURRENT

# Sequences with fewer frames for each one that repeats are static, held (as animation on twos) or loops.
_MIN_FRAMES_PER_REPEAT = 3

# Files whose channels are all constant, such as black frames, are equal without being the same picture.
# Digests do not tell where the pixels are.
_FRAMES = f"""
    WITH digests AS (
        SELECT file_id, string_agg(pixel_digest || ' ' || data_window, ' ' ORDER BY part_index) AS pixels
        FROM {newest_rows("part_stats")}
        JOIN (SELECT file_id, part_index, data_window FROM parts) USING (file_id, part_index)
        GROUP BY file_id HAVING count(*) = count(pixel_digest)
    ), frames AS MATERIALIZED (
        SELECT sequence, frame, frame_number, file_path_normalized, file_id, pixels
        FROM files LEFT JOIN digests USING (file_id)
        WHERE {CURRENT} AND sequence IS NOT NULL AND {{selected}}
        UNION ALL
        SELECT sequence, frame, frame_number, file_path_normalized, NULL, NULL
        FROM ingest_errors WHERE {OPEN_ERRORS} AND sequence IS NOT NULL AND {{selected}}
    ), repeating AS (
        SELECT sequence FROM frames GROUP BY sequence HAVING count(DISTINCT pixels) < count(pixels)
    )
    SELECT sequence, frame, file_path_normalized, pixels,
           file_id IN (
               SELECT file_id FROM {newest_rows("channel_stats")} WHERE min < max
           ) AS is_varied
    FROM frames SEMI JOIN repeating USING (sequence)
    ORDER BY sequence, frame_number, frame, file_path_normalized
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedPixels:
    """A frame with the pixels of an earlier frame."""

    sequence: str
    frame: str
    file_path_normalized: str
    is_frozen: bool  # the pixels are those of the frame before
    same_as_frame: str  # with these pixels: if it is frozen, the one before the frozen frames, else the first one


class Repeat(NamedTuple):
    """A frame with the content of an earlier frame, by their positions in the sequence."""

    position: int
    same_as: int  # with this content: if it is frozen, the one before the frozen frames, else the first one
    is_frozen: bool  # the content is that of the frame before


def repeats(contents: Sequence[str | None], numbers: Sequence[Number]) -> list[Repeat]:
    """The frames that repeat, of the contents and numbers of all frames in order; none if more than a third of them do.

    None: the content is not known. Such a frame repeats no other, and does not count. Nor do files of one frame. No
    frame is frozen if frames are missing before it, or it is not known whether they are.
    """
    known = [content for content in contents if content is not None]
    if len(set(known)) == len(known):
        return []
    missing = missing_numbers(numbers)
    first: dict[str, int] = {}
    repeated = []
    run_start = 0  # the first of consecutive frames with this content
    for index, content in enumerate(contents):
        is_frozen = (
            index > 0 and contents[index - 1] == content and _are_adjacent(missing, numbers[index - 1], numbers[index])
        )
        run_start = run_start if is_frozen else index
        if content is not None and first.setdefault(content, index) != index:
            same_as = run_start if is_frozen else first[content]
            if numbers[same_as] != numbers[index]:
                repeated.append(Repeat(index, same_as, is_frozen))
    return repeated if _MIN_FRAMES_PER_REPEAT * len(repeated) <= len(known) else []


def _are_adjacent(missing: Sequence[Number] | None, before: Number, number: Number) -> bool:
    """Whether no frame is missing between two frames that follow each other; `missing` as from `missing_numbers()`."""
    return missing is not None and bisect(missing, before) == bisect(missing, number)


def repeated_pixels(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> list[RepeatedPixels]:
    """The frames among the files that a condition selects that repeat, in sequences of which few frames do."""
    rows = catalog.sql(_FRAMES.format(selected=selected), parameters).to_pylist()
    repeated = []
    for sequence, group in groupby(rows, key=lambda row: row["sequence"]):
        frames = list(group)
        numbers = [frame_value(row["frame"]) for row in frames]
        for repeat in repeats([_content(row) for row in frames], numbers):
            frame = frames[repeat.position]
            repeated.append(
                RepeatedPixels(
                    sequence=sequence,
                    frame=frame["frame"],
                    file_path_normalized=frame["file_path_normalized"],
                    is_frozen=repeat.is_frozen,
                    same_as_frame=frames[repeat.same_as]["frame"],
                )
            )
    return repeated


def _content(row: Mapping[str, Any]) -> str | None:
    """The pixels of a frame; of a constant image, a text that no other frame has; None if they are not known."""
    pixels: str | None = row["pixels"]
    return pixels if pixels is None or row["is_varied"] else row["file_path_normalized"]
