"""Answers from a catalog as rich renderables. Text from files is escaped."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from rich.text import Text

from ..frames.ranges import frame_range, frame_value
from ..inspection.value_text import plural
from ..sources.uris import display_path
from .listing import Column, Listing
from .text import clean, short_path, text_cell

if TYPE_CHECKING:
    import pyarrow as pa

    from ..catalog.queries.named import NamedQuery
    from ..sequence.frames import DamagedFrame
    from ..sequence.outliers import Outlier
    from ..sequence.summary import SequenceSummary

_ABSOLUTE = re.compile(r"/|[A-Za-z][A-Za-z0-9+.-]*://")
_BAR_CELLS = 10
_PATH_COLUMNS = ("path", "render")
# Columns of reports that a narrow terminal does not show, from the last one.
_LESS_IMPORTANT = frozenset(
    "first_frame first_written header_only is_estimate iteration last_frame manifests mean_bytes most_samples "
    "other_version renders rewritten unreadable without_vectors".split()
)
_MOST_GROUPS = 5  # of frames with the same value
_VALUE_WIDTH = 60

# The first words of the rows below a sequence.
SEQUENCE_ROWS = {
    "missing": "Missing frames of `--range`; without it, those between the first and the last, and of the other view.",
    "gaps": "It is not known which frames are missing.",
    "ranges": "The other sequences of this folder and version have another first or last frame.",
    "repeated": "Frames that several files have.",
    "padding": "The numbers of frames have different numbers of digits.",
    **dict.fromkeys(
        ("truncated", "incomplete", "corrupt", "unknown", "invalid", "unreadable"),
        "Frames with this status, and why; no frames for a file that does not belong to a sequence.",
    ),
    "warnings": "Frames with problems of headers that `check` lists as warnings.",
    "outlier": "Frames with a value that differs from most frames.",
    "differs": "A field in which no value has a majority: the frames and their value.",
}


class MakeListing(Protocol):
    """A function that lists the rows of an Arrow table; `are_chosen`: a terminal, too, shows all columns."""

    def __call__(self, rows: pa.Table, *, are_chosen: bool) -> Listing:
        """The listing."""


def arrow_table(rows: pa.Table, *, are_chosen: bool) -> Listing:
    """An Arrow table; unless its columns `are_chosen`, a terminal does not show vectors."""
    import pyarrow as pa

    columns = []
    for field, values in zip(rows.schema, rows.columns, strict=True):
        is_vector = pa.types.is_fixed_size_list(field.type)
        cells = _LazyCells(values) if is_vector else [*_LazyCells(values)]
        columns.append(
            Column(
                name=clean(field.name),
                cells=cells,
                is_number=_is_number(field.type),
                is_path=pa.types.is_string(field.type) and (field.name == "file_path" or _are_absolute_paths(cells)),
                is_hidden=not are_chosen and is_vector,
            )
        )
    return Listing(columns=columns)


@dataclass(frozen=True, slots=True)
class _LazyCells:
    """The cells of a column that become text when they are read, as a terminal does not show vectors."""

    values: pa.ChunkedArray

    def __iter__(self) -> Iterator[str | None]:
        for chunk in self.values.chunks:
            for scalar in chunk:
                value = scalar.as_py()
                yield None if value is None else _plain_cell(value)


def _is_number(type_: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def _are_absolute_paths(cells: Iterable[str | None]) -> bool:
    values = [cell for cell in cells if cell is not None]
    return bool(values) and all(map(_ABSOLUTE.match, values))


def report_table(rows: pa.Table, *, are_chosen: bool = False) -> Listing:
    """The rows of a report: shares are bars, bytes have thousands separators.

    Unless the columns `are_chosen`, a terminal does not show those without values, and less important ones if it is
    narrow.
    """
    import pyarrow as pa

    columns = []
    for name, values in zip(rows.column_names, rows.columns, strict=True):
        as_text = _report_cells(name, values.type)
        columns.append(
            Column(
                name=clean(name),
                cells=[None if value is None or value != value else as_text(value) for value in values.to_pylist()],
                is_number=_is_number(values.type) or pa.types.is_timestamp(values.type),
                is_path=as_text is _path_cell,
                is_optional=not are_chosen and name in _LESS_IMPORTANT,
                is_hidden=not are_chosen and values.null_count == len(values),
            )
        )
    return Listing(columns=columns)


def _report_cells(name: str, type_: pa.DataType) -> Callable[[Any], str]:
    """How the values of a column of a report are shown; own reports may give its name to values of any type."""
    import pyarrow as pa

    if name == "share" and pa.types.is_floating(type_):
        return _share_cell
    if name in _PATH_COLUMNS and pa.types.is_string(type_):
        return _path_cell
    if name.endswith("bytes") and pa.types.is_integer(type_):
        return "{:,}".format
    if pa.types.is_timestamp(type_):
        return "{:%Y-%m-%d %H:%M}".format
    return _plain_cell


def _share_cell(share: float) -> str:
    return f"{bar(share)} {share:6.1%}"


def _path_cell(path: str) -> str:
    return clean(display_path(path))


def _plain_cell(value: Any) -> str:
    return clean(text_cell(value))


def bar(share: float) -> str:
    """A share between 0 and 1 as a bar of ten cells, in steps of an eighth; a share above 0 is never empty."""
    eighths = round(min(max(share, 0), 1) * _BAR_CELLS * 8) or int(share > 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest] * (rest > 0)).ljust(_BAR_CELLS)


def query_lines(queries: Iterable[NamedQuery], *, for_programs: bool) -> list[Text]:
    """Name, question and parameters with their defaults of each named query."""
    longest = 0 if for_programs else 40
    lines: list[Text] = []
    for query in queries:
        parameters = (f"{p.name}={'…' if p.default is None else clean(p.default, longest)}" for p in query.parameters)
        lines += [
            Text(clean(query.name), style="bold"),
            Text(f"  {clean(query.question)}"),
            Text(f"  {'  '.join(parameters)}", style="dim"),
        ]
    return lines


def sequence_lines(sequence: SequenceSummary, *, for_programs: bool) -> list[Text]:
    """One sequence: a line with its frame range, then lines for gaps, damaged frames and differences.

    Frames with the same damage are one line. `for_programs`: lines begin with their word, and values are not cut.
    """
    pattern = clean(short_path(sequence.pattern))
    if for_programs and pattern.partition(" ")[0] in SEQUENCE_ROWS:
        pattern = f"./{pattern}"
    head = Text.assemble((pattern, "bold"))
    if sequence.frame_count:
        kind = "UDIM tile" if sequence.is_udim else "frame"
        count = f"{sequence.frame_count} {plural(sequence.frame_count, kind)}"
        head.append(f"  {sequence.frames}").append(f"  ({count})", style="dim")
    indent = "" if for_programs else "  "
    lines = [head]
    if sequence.expected and not sequence.missing:
        lines.append(Text(f"{indent}all frames of {sequence.expected} are present"))
    for word, text, style in _sequence_rows(sequence, for_programs):
        lines.append(Text(f"{indent}{word:<11} {text}", style=style))
    return lines


def _sequence_rows(sequence: SequenceSummary, for_programs: bool) -> Iterator[tuple[str, str, str]]:
    """Word, text and style of each row: the words are those of SEQUENCE_ROWS."""
    longest, most = (0, None) if for_programs else (_VALUE_WIDTH, _MOST_GROUPS)
    if sequence.missing:
        none = "" if sequence.frame_count else "  no file of this sequence exists"
        yield "missing", f"{sequence.missing} ({sequence.missing_count}){none}", "red"
    if not sequence.gaps_judged:
        yield "gaps", "not checked: the frame numbers span more than a million", "yellow"
    if folder_range := sequence.differing_range:
        yield "ranges", f"differ: the sequences of this folder and version have {folder_range}", "yellow"
    if sequence.repeated:
        yield "repeated", f"{sequence.repeated}  several files have this frame", "yellow"
    if sequence.padding_changes:
        yield "padding", "not the same in all frames", "yellow"
    for (status, reason), frames in _alike(sequence.bad).items():
        yield status, f"{frames}{clean(reason)}", "red"
    if sequence.header_warnings:
        yield "warnings", f"{sequence.header_warnings}  problems of headers; `exr-inspector check` lists them", "yellow"
    for outlier in sequence.outliers:
        short = replace(outlier, value=_cut(outlier.value, longest), usual=_cut(outlier.usual, longest))
        yield "outlier", f"{outlier.frames}  {clean(str(short))}", "yellow"
    for split in sequence.splits:
        groups = tuple(replace(group, value=_cut(group.value, longest)) for group in split.groups[:most])
        more = len(split.groups) - len(groups)
        text = f"{clean(str(replace(split, groups=groups)))}{f' and {more} more' if more else ''}"
        yield "differs", text, "yellow"


def _alike(damaged: Iterable[DamagedFrame]) -> dict[tuple[str, str], str]:
    """The frames with each status and reason; one frame as it is written, several as a range with their number."""
    frames: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in damaged:
        frames[each.status, each.reason].append(each.frame)
    return {state: _frames_text(texts) for state, texts in frames.items()}


def _frames_text(frames: list[str]) -> str:
    if len(frames) == 1:
        return f"{frames[0]}  " if frames[0] else ""
    return f"{frame_range(map(frame_value, frames))} ({len(frames)})  "


def _cut(value: str | None, max_length: int) -> str | None:
    return None if value is None else clean(value, max_length)


def similar_lines(files: pa.Table, *, for_programs: bool) -> list[Text]:
    """One line per file, with the vector groups in which it differs, then the search method."""
    lines = []
    for row in files.to_pylist():
        line = Text.assemble(
            (f"{row['similarity']:.3f}", "bold"), f"  {clean(short_path(row['file_path_normalized']))}"
        )
        if row.get("files", 1) > 1:
            line.append(f"  (one of {row['files']:,} frames)", style="dim")
        indent = "differs     " if for_programs else "       "
        lines += [line, *(Text(f"{indent}{clean(text)}", style="dim") for text in row.get("differs") or ())]
    if not lines:
        hint = "no other file to compare: none matches, or their vectors have another version (see: db reembed)"
        return [Text(hint, style="dim")]
    method = (files.schema.metadata or {}).get(b"method", b"").decode()
    count = "1 file" if files.num_rows == 1 else f"{files.num_rows} files"
    return [*lines, Text(f"{count}; {method}", style="dim")]


def outlier_lines(frames: Sequence[Outlier], *, for_programs: bool) -> list[Text]:
    """One line per frame, then a line for each field, vector group and channel in which it differs from others."""
    lines = []
    for frame in frames:
        head = Text(clean(short_path(frame.file_path_normalized)), style="bold")
        head.append(f"  similarity {frame.similarity:.3f}, usual {frame.usual:.3f}", style="not bold dim")
        rows = (
            f"differs     {clean(text)}" if for_programs else f"  {clean(text, 160)}"
            for text in (*frame.differs, *frame.pixels)
        )
        lines += [head, *(Text(row, style="yellow") for row in rows)]
    return lines
