"""Findings about pixels: of single files, and of frames compared with those around them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from ..catalog import Catalog
from ..findings.model import FileFrame, Finding, finding, grouped
from ..findings.rules import (
    BLACK,
    CONSTANT,
    DUPLICATE_FRAME,
    EMPTY_REGION,
    FROZEN,
    INFINITY,
    NAN,
    PIXEL_OUTLIER,
    UNDECODABLE,
    UNRENDERED,
)
from ..inspection.pixel_rows import undecodable_text
from ..inspection.value_text import plural, region_text
from .pixel_faults import PixelFault, pixel_faults
from .pixel_outliers import PixelOutlier, pixel_outliers
from .pixel_repeats import RepeatedPixels, repeated_pixels

_RULES = {
    "nan": (NAN, "error"),
    "infinity": (INFINITY, "error"),
    "undecodable": (UNDECODABLE, "error"),
    "black": (BLACK, "warning"),
    "constant": (CONSTANT, "warning"),
    "empty": (UNRENDERED, "warning"),
}

_MOST_REGIONS = 3  # that a message names


def pixel_findings(
    catalog: Catalog,
    selected: str,
    parameters: Mapping[str, Any],
    row_count: int,
    shown: Mapping[str, str],
    unordered: Collection[str],
) -> Iterator[Finding]:
    """The findings about the pixels of the files that a condition selects, where the catalog has their statistics.

    `row_count` is that of `statistics_extent`. `shown` has the patterns of sequences; the numbers of sequences in
    `unordered` are not frames.
    """
    if not row_count:
        return
    outliers = pixel_outliers(catalog, selected, parameters, row_count)
    repeats = repeated_pixels(catalog, selected, parameters)
    violations = [*_of_files(catalog, selected, parameters), *_of_frames(outliers, repeats, unordered)]
    yield from grouped(
        (replace(violation, pattern=shown.get(violation.pattern, violation.pattern)), file)
        for violation, file in violations
    )


_Violations = Iterator[tuple[Finding, FileFrame]]  # the pattern of the findings is the sequence


def _of_files(catalog: Catalog, selected: str, parameters: Mapping[str, Any]) -> _Violations:
    faults = pixel_faults(catalog, selected, parameters)
    names = ("sequence", "kind", "part_index", "channel_name", "detail")
    for _, group in groupby(faults, attrgetter(*names)):
        alike = list(group)
        first = alike[0]
        rule, severity = _RULES[first.kind]
        about = finding(rule, severity, first.sequence, _in_part(first.part_index, _message(alike)))
        about = replace(about, part_index=first.part_index, channel_name=first.channel_name or "")
        for fault in alike:
            yield about, FileFrame(uri=fault.file_path_normalized, frame=fault.frame or "")


def _message(faults: Sequence[PixelFault]) -> str:
    """The text for the same kind of fault in a channel of one or several files."""
    first = faults[0]
    numbers = sorted({fault.number for fault in faults if fault.number is not None})
    count = "–".join(f"{number:,}" for number in dict.fromkeys((*numbers[:1], *numbers[-1:])))
    if first.kind == "black":
        return "the color channels are zero"
    if first.kind == "constant":
        return "all pixels have the same color"
    if first.kind == "undecodable":
        lines = undecodable_text(first.detail)
        return f"{count} {plural(numbers[-1], 'chunk')} cannot be decoded{f': {lines}' if lines else ''}"
    if first.kind == "empty":
        return _regions(first.detail or "[]")
    values = "NaN" if first.kind == "nan" else f"infinite {plural(numbers[-1], 'value')}"
    where = f" of frame {first.frame}" if len(faults) > 1 else ""
    return f"{first.channel_name}: {count} {values}; first NaN or infinity at {first.x}, {first.y}{where}"


def _regions(windows: str) -> str:
    """The text for the JSON text of empty regions."""
    texts = [region_text(window) for window in json.loads(windows)]
    more = f", and {len(texts) - _MOST_REGIONS} more regions" if len(texts) > _MOST_REGIONS else ""
    return f"all channels are zero between filled pixels: {'; '.join(texts[:_MOST_REGIONS])}{more}"


def _of_frames(
    outliers: Iterable[PixelOutlier], repeats: Iterable[RepeatedPixels], unordered: Collection[str]
) -> _Violations:
    for outlier in outliers:
        file = FileFrame(uri=outlier.file_path_normalized, frame=outlier.frame)
        for rule, text in ((PIXEL_OUTLIER, outlier.channels_text()), (EMPTY_REGION, outlier.used_area)):
            if text and outlier.sequence not in unordered:
                about = finding(rule, "warning", outlier.sequence, _in_part(outlier.part_index, text))
                yield replace(about, part_index=outlier.part_index), file
    for repeat in repeats:
        if repeat.sequence not in unordered:
            rule = FROZEN if repeat.is_frozen else DUPLICATE_FRAME
            before = ", the frame before" if repeat.is_frozen else ""
            text = f"the pixels are those of frame {repeat.same_as_frame}{before}"
            about = finding(rule, "warning", repeat.sequence, text)
            yield about, FileFrame(uri=repeat.file_path_normalized, frame=repeat.frame)


def _in_part(part_index: int, text: str) -> str:
    return f"part {part_index}: {text}" if part_index else text
