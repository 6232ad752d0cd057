"""Summary of each sequence in a catalog: frame range, missing and damaged frames, fields that differ."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ..catalog import Catalog, expect_catalog
from ..frames.names import name_of
from ..frames.patterns import UDIM, is_one_sequence, names_tiles, sequence_pattern
from ..frames.ranges import Number, display_pattern, frame_range, padding, padding_changes, parse_range
from ..sources.uris import normalize_path
from .fields import Difference, FieldGroup, FieldOutlier, FieldSplit, differences_by_sequence
from .frames import DamagedFrame, Frames, alone, frames_by_sequence
from .siblings import folder_ranges, missing_in

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_TILE, _LAST_TILE = 1001, 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSummary:
    """One sequence: its frames, the missing and the damaged ones, and the fields that differ between frames.

    Also a damaged file without a frame number: `sequence` and `pattern` are its URI, and it has no frames. Nor has a
    sequence of a timeline of which no file is there: all its frames are missing.
    """

    sequence: str  # with # for the frame, as in the column `sequence`
    pattern: str  # with one # for each digit of the padding, or <UDIM>
    frames: str  # in fileseq notation
    frame_count: int
    expected: str  # the frames that are given as those that it must have; empty if none are
    missing: str  # also frames that only the other view of a stereo pair has
    missing_count: int
    gaps_judged: bool  # False: the numbers span more than a million frames
    is_udim: bool  # the numbers are tiles of a texture, of which none is missing
    padding: int
    padding_changes: bool
    repeated: str  # frames that several files have
    folder_range: str  # first and last frame in the folder and version if this sequence has others; else empty
    bad: tuple[DamagedFrame, ...]
    header_warnings: str  # frames of sound files whose headers have problems of severity `warning`
    outliers: tuple[FieldOutlier, ...]
    splits: tuple[FieldSplit, ...]

    @property
    def differing_range(self) -> str:
        """`folder_range`, unless frames were expected, which then are the range that counts."""
        return "" if self.expected else self.folder_range

    @property
    def severity(self) -> str:
        """That of the worst of its findings, as `check` reports them, without those about pixels.

        `error` or `warning`; `none` without findings.
        """
        if self.missing or self.bad:
            return "error"
        differs = bool(self.repeated or self.differing_range) or self.padding_changes or not self.gaps_judged
        return "warning" if differs or self.header_warnings or self.outliers or self.splits else "none"


def sequences(
    catalog: Catalog,
    pattern: str | os.PathLike[str] | None = None,
    expected: str | Callable[[str], frozenset[Number] | None] = lambda _: None,
) -> list[SequenceSummary]:
    """The sequences of the catalog, sorted by URI, and damaged files without a frame number.

    >>> from exr_inspector import open_catalog, sequences
    >>> with open_catalog("shows.duckdb", read_only=True) as catalog:
    ...     for sequence in sequences(catalog, "beauty", expected="1001-1006"):
    ...         print(sequence.pattern, sequence.frames, "missing", sequence.missing)
    file:///.../shows/beauty.####.exr 1001-1003,1005 missing 1004,1006

    `pattern` selects sequences whose URI or local path contains it or matches it as a shell pattern (`*`, `?`, `[…]`);
    with `<UDIM>` in place of the number, their numbers are tiles of a texture. Of the frames `expected` of a sequence,
    those that it does not have are missing; without them, those between its first and last. They are ranges such as
    1001-1100 or 1-99x2, or what a function returns for the URI of a sequence. Raises ValueError for other ranges.
    """
    expect_catalog(catalog)
    if isinstance(expected, str):
        required = parse_range(expected)
        return sequences(catalog, pattern, lambda _: required)
    pattern = None if pattern is None else os.fspath(pattern)
    return _summaries(catalog, pattern, expected)


def summaries_of(catalog: Catalog, named: pa.Table | None) -> list[SequenceSummary]:
    """The sequences that a table of the column `sequence` names, or all, as `sequences()` gives them."""
    return _summaries(catalog, None, lambda _: None, named)


def _summaries(
    catalog: Catalog,
    pattern: str | None,
    expected: Callable[[str], frozenset[Number] | None],
    named: pa.Table | None = None,
) -> list[SequenceSummary]:
    found = list(frames_by_sequence(catalog, pattern, named))
    differences = differences_by_sequence(catalog, pattern, found, named)
    are_tiles = pattern is not None and names_tiles(pattern)
    return summarized(found, differences, expected, are_tiles=lambda _: are_tiles)


def summarized(
    found: Sequence[Frames],
    differences: Mapping[str, Sequence[Difference]],
    expected: Callable[[str], frozenset[Number] | None],
    *,
    are_tiles: Callable[[str], bool],
) -> list[SequenceSummary]:
    """The summaries of sequences whose frames, and fields that differ, are known; `expected` as in `sequences()`.

    `are_tiles` returns whether the numbers of a sequence are tiles of a texture, although its headers do not say so.
    """
    udims = {frames.sequence for frames in found if _is_texture(frames) or are_tiles(frames.sequence)}
    judged = [frames for frames in found if frames.sequence not in udims]
    ranges = folder_ranges(judged)
    missing = missing_in(judged)
    given = {
        frames.sequence: numbers
        for frames in judged
        if frames.numbers and (numbers := expected(frames.sequence)) is not None
    }
    for frames in judged:
        if frames.sequence in given:
            missing[frames.sequence] = sorted(given[frames.sequence].difference(frames.numbers))
    return [
        _summary(
            frames,
            is_udim=frames.sequence in udims,
            expected=given.get(frames.sequence, frozenset()),
            missing=missing.get(frames.sequence, []),
            folder_range=ranges.get(frames.sequence, ""),
            differences=differences.get(frames.sequence, ()),
        )
        for frames in found
    ]


def without_missing(summary: SequenceSummary, present: Iterable[Number]) -> SequenceSummary:
    """The summary where these frames are not missing: their files exist, but could not be read."""
    missing = parse_range(summary.missing).difference(present) if summary.missing else frozenset()
    return replace(summary, missing=frame_range(missing), missing_count=len(missing))


def absent(sequence: str, expected: frozenset[Number]) -> SequenceSummary:
    """The summary of a sequence of which no file exists."""
    return _summary(alone(sequence), is_udim=False, expected=expected, missing=sorted(expected))


def absent_pattern(pattern: str, expected: frozenset[Number]) -> SequenceSummary | None:
    """The summary of a pattern that no file matches; None unless it names one sequence of frames."""
    if not is_one_sequence(pattern) or names_tiles(pattern):
        return None
    summary = absent(normalize_path(sequence_pattern(pattern)), expected)
    return replace(summary, pattern=normalize_path(pattern))


def _is_texture(frames: Frames) -> bool:
    return frames.are_textures and frames.numbers[0] >= _FIRST_TILE and frames.numbers[-1] <= _LAST_TILE


def _summary(
    frames: Frames,
    *,
    is_udim: bool,
    expected: frozenset[Number],
    missing: list[Number] | None,
    folder_range: str = "",
    differences: Iterable[Difference] = (),
) -> SequenceSummary:
    numbers = Counter(frames.numbers)
    pattern = name_of(frames.sequence, UDIM) if is_udim else display_pattern(frames.sequence, frames.texts)
    return SequenceSummary(
        sequence=frames.sequence,
        pattern=pattern if frames.texts else frames.sequence,
        frames=frame_range(numbers),
        frame_count=len(numbers),
        expected=frame_range(expected),
        missing=frame_range(missing or ()),
        missing_count=len(missing or ()),
        gaps_judged=missing is not None,
        is_udim=is_udim,
        padding=padding(frames.texts),
        padding_changes=padding_changes(frames.texts),
        repeated=frame_range(number for number, times in numbers.items() if times > 1),
        folder_range=folder_range,
        bad=frames.damaged,
        header_warnings=frame_range(frames.warned),
        outliers=tuple(one for one in differences if isinstance(one, FieldOutlier)),
        splits=tuple(one for one in differences if isinstance(one, FieldSplit)),
    )


def as_arrow(summaries: Iterable[SequenceSummary]) -> Any:
    """The summaries as an Arrow table; damaged frames and fields that differ are lists of structs."""
    import pyarrow as pa

    types = {
        "frame_count": pa.int64(),
        "missing_count": pa.int64(),
        "padding": pa.int32(),
        "part_index": pa.int32(),
        **dict.fromkeys(("gaps_judged", "is_udim", "padding_changes"), pa.bool_()),
    }

    def columns(of: type) -> list[tuple[str, Any]]:
        return [(column.name, types.get(column.name, pa.string())) for column in fields(of)]

    def structs(of: type) -> Any:
        return pa.list_(pa.struct(columns(of)))

    types["bad"], types["outliers"], types["groups"] = map(structs, (DamagedFrame, FieldOutlier, FieldGroup))
    types["splits"] = structs(FieldSplit)
    schema = pa.schema(columns(SequenceSummary))
    return pa.Table.from_pylist([asdict(summary) for summary in summaries], schema)
