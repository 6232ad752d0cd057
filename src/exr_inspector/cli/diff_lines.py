"""Differences between files and sequences as lines of text. Text from files is escaped."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rich.text import Text

from ..frames.ranges import frame_range
from ..inspection.diff import Difference
from ..inspection.value_text import plural
from ..sequence.pairs import Frame, Pair
from ..sources.uris import normalize_path
from .text import clean, short_path

_MOST_VALUES = 5  # of an attribute in a sequence; more are counted
_MOST_NAMES = 5
_WIDEST_NAME = 24


def comparison_lines(
    pair: Pair, differences: Mapping[Difference, Sequence[Frame]], width: int | None, *, is_multipart: bool
) -> list[Text]:
    """The two paths, their common folder once, then a line for each difference.

    Equal differences of several frames are one. Values that do not fit in the width have their own lines, and many
    values of an attribute are counted; without a width, each line is whole.
    """
    lines = _heading(pair)
    if pair.a is None or pair.b is None:
        return lines
    for side, frames in (("a", pair.only_in_a), ("b", pair.only_in_b)):
        if frames:
            lines.append(Text(f"  only in {side}  {frames}", style="yellow"))
    by_part: dict[str, list[Difference]] = defaultdict(list)
    for difference in differences:
        by_part[_part_label(difference)].append(difference)
    for label, of_part in by_part.items():
        if label and is_multipart:
            lines.append(Text(f"  {clean(label)}", style="bold"))
        indent = "    " if label and is_multipart else "  "
        rows = list(_rows(of_part, differences, is_whole=width is None))
        name_width = min(max(len(name) for name, *_ in rows), _WIDEST_NAME)
        for name, a, b, frames in rows:
            lines += _row(indent, f"{name:<{name_width}}", a, b, frames, width)
    return lines


def hidden_lines(names: Collection[str], *, is_whole: bool) -> list[Text]:
    """A line about the attributes that differ and are not shown."""
    if not names:
        return []
    first = sorted(names)[: None if is_whole else _MOST_NAMES]
    listed = ", ".join(clean(name, 0 if is_whole else 60) for name in first) + (
        ", …" if len(names) > len(first) else ""
    )
    count = "1 attribute that changes" if len(names) == 1 else f"{len(names)} attributes that change"
    return [Text(f"not shown: {count} per frame: {listed} (--all)", style="dim")]


def frames_text(frames: Sequence[Frame]) -> str:
    """The frames as a range; empty for files without a frame number."""
    return frame_range(frame for frame in frames if frame is not None)


def _heading(pair: Pair) -> list[Text]:
    sides = {side: group for side, group in (("a", pair.a), ("b", pair.b)) if group is not None}
    paths = {side: clean(short_path(normalize_path(group.pattern))) for side, group in sides.items()}
    shared = os.path.commonprefix(list(paths.values()))  # noqa: RUF071 (ends at a slash below)
    folder = shared[: shared.rfind("/") + 1] if len(paths) > 1 else ""
    lines = [Text(f"below {folder}", style="dim")] if folder else []
    if len(paths) > 1:
        return [*lines, *(Text(f"{side}  {path[len(folder) :]}", style="bold") for side, path in paths.items())]
    ((side, path),) = paths.items()
    frames = pair.only_in_a or pair.only_in_b
    return [Text(f"only in {side}  {path}{f'  {frames}' if frames else ''}", style="yellow")]


def _part_label(difference: Difference) -> str:
    if difference.part_index is None or difference.kind == "part":
        return ""
    return f"part {difference.part_index}{f'  {difference.part_name}' if difference.part_name else ''}"


def _rows(
    differences: Sequence[Difference], frames: Mapping[Difference, Sequence[Frame]], *, is_whole: bool
) -> Iterator[tuple[str, str | None, str | None, str]]:
    """Name, both values and frames of each difference; of an attribute with many values their number, unless whole."""
    by_name: dict[str, list[Difference]] = defaultdict(list)
    for each in differences:
        name = each.name if each.kind in ("file", "attribute", "pixels") else f"{each.kind} {each.name}"
        by_name[clean(name, 0 if is_whole else 100)].append(each)
    for name, of_name in by_name.items():
        if len(of_name) > _MOST_VALUES and not is_whole:
            all_frames = frames_text([frame for each in of_name for frame in frames[each]])
            yield name, _count(each.a for each in of_name), _count(each.b for each in of_name), all_frames
        else:
            for each in of_name:
                a, b = (None if text is None else clean(text) for text in (each.a, each.b))
                yield name, a, b, frames_text(frames[each])


def _count(values: Iterable[str | None]) -> str:
    number = len(set(values))
    return f"{number} {plural(number, 'value')}"


def _row(indent: str, name: str, a: str | None, b: str | None, frames: str, width: int | None) -> list[Text]:
    if b is None:
        values = f"only in a: {a}"
    elif a is None:
        values = f"only in b: {b}"
    else:
        values = f"{a} → {b}"
    end = f"  {frames}" if frames else ""
    if width is None or len(indent) + len(name) + 2 + len(values) + len(end) <= width:
        return [Text(f"{indent}{name}  {values}").append(end, style="dim")]
    lines = [Text(f"{indent}{name.rstrip()}").append(end, style="dim")]
    return lines + [Text(f"{indent}  {side}  {text}") for side, text in (("a", a), ("b", b)) if text is not None]
