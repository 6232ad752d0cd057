"""Inspections and tables for people: pure functions that give rich renderables. Hostile text is made harmless."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from ..exr import Attribute, split_name
from ..inspection.diff import Difference
from ..inspection.json_form import json_value
from ..inspection.model import Inspection, PartFacts
from .text import clean, plain_text

if TYPE_CHECKING:
    import pyarrow as pa

    from ..catalog.queries.named import NamedQuery
    from ..sequence.outliers import OddFrame
    from ..sequence.summary import SequenceReport

STATUS_STYLES = {"complete": "green", "unknown": "yellow"}
_SHOWN_IN_HEAD = frozenset(
    {"channels", "compression", "dataWindow", "displayWindow", "lineOrder", "tiles", "type", "name", "view"}
)
# Kinds of the standard attributes, after the OpenEXR documentation; what is not here goes by its prefix.
KINDS = {
    "image": "pixelAspectRatio screenWindowCenter screenWindowWidth chunkCount version preview envmap wrapmodes "
    "multiView xDensity dwaCompressionLevel deepImageState maxSamplesPerPixel",
    "colour": "chromaticities whiteLuminance adoptedNeutral colorInteropID renderingTransform lookModTransform",
    "camera": "worldToCamera worldToNDC cameraModel cameraMake cameraSerialNumber lensModel focus focalLength "
    "nominalFocalLength aperture expTime isoSpeed shutterAngle tStop pinholeFocalLength effectiveFocalLength",
    "time": "framesPerSecond timeCode keyCode capDate utcOffset frame imageCounter",
    "origin": "owner comments software longitude latitude altitude reelName",
}
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names.split()}


def inspection_page(inspection: Inspection, width: int) -> list[Text]:
    """One file in full: what it is, its parts with channels by layer and attributes by kind, what is wrong."""
    file = inspection.file
    lines = [_headline(inspection), Text(f"  {_file_line(inspection)}")]
    if file.sequence:
        lines.append(Text(f"  frame {file.frame} of {clean(file.sequence.rpartition('/')[2])}"))
    for part in inspection.parts:
        lines += _part_lines(part, len(inspection.parts) > 1, width)
    if inspection.errors:
        lines += [Text(""), Text("problems", style="bold yellow")]
        lines += [Text(f"  {clean(_problem_text(e, len(inspection.parts)))}") for e in inspection.errors]
    return lines


def _headline(inspection: Inspection) -> Text:
    status = inspection.completeness
    line = Text(clean(inspection.file.file_path), style="bold")
    line.append(f"  {status}", style=STATUS_STYLES.get(status, "bold red"))
    return line


def _file_line(inspection: Inspection) -> str:
    file, words = inspection.file, []
    words.append(f"{file.size_bytes:,} bytes, header {file.header_bytes:,}")
    if file.chunk_count is not None and file.chunks_present is not None:
        words.append(f"{file.chunks_present:,} of {file.chunk_count:,} chunks")
    words.append(f"{file.multipart_count} part{'s' * (file.multipart_count != 1)}")
    words.append(f"{file.channel_count} channels")
    return ", ".join(words)


def _problem_text(problem: Any, parts: int) -> str:
    where = f"part {problem.part_index}: " if problem.part_index is not None and parts > 1 else ""
    return f"{where}{problem.message} ({problem.code})"


def _part_lines(part: PartFacts, many: bool, width: int) -> list[Text]:
    title = f"part {part.part_index}" if many else "image"
    names = "  ".join(clean(name) for name in (part.part_name, part.view_name and f"view {part.view_name}") if name)
    lines = [Text(""), Text.assemble((title, "bold"), f"  {names}" if names else "")]
    lines.append(
        Text(
            f"  {clean(part.part_type or 'unknown type', 60)}, {part.compression or 'unknown compression'}, "
            f"{part.line_order or 'unknown line order'}{_tiles(part)}"
        )
    )
    lines.append(Text(f"  {_windows(part)}"))
    if part.missing:
        lines.append(Text(f"  missing: {part.missing}", style="bold red"))
    lines += _channel_lines(part, width)
    lines += _attribute_lines(part, width)
    return lines


def _tiles(part: PartFacts) -> str:
    if not part.is_tiled:
        return ""
    levels = "" if part.level_mode == "ONE_LEVEL" else f", {part.level_mode} {part.rounding_mode}"
    return f", tiles {part.tile_width}×{part.tile_height}{levels}"


def _windows(part: PartFacts) -> str:
    if part.data_window == part.display_window:
        return f"{part.width}×{part.height}, data and display window {part.data_window}"
    return (
        f"data {part.width}×{part.height} {part.data_window}, "
        f"display {part.display_width}×{part.display_height} {part.display_window}"
    )


def _channel_lines(part: PartFacts, width: int) -> list[Text]:
    """Channels by layer: the components, their pixel type, and sampling where it is not 1."""
    layers: dict[tuple[str, str], list[str]] = {}
    for channel in part.channels:
        layer, component = split_name(channel.channel_name)
        kind = channel.channel_type or "unknown type"
        if (channel.x_sampling, channel.y_sampling) != (1, 1):
            kind += f" 1/{channel.x_sampling}×1/{channel.y_sampling}"
        layers.setdefault((layer, kind), []).append(component)
    across = min(max((len(layer) for layer, _ in layers), default=0), width // 2)
    lines = [Text(f"  channels ({len(part.channels)})", style="bold")]
    for (layer, kind), components in layers.items():
        names = " ".join(_component_order(components))
        lines.append(Text(clean(f"    {layer or '-':<{max(across, 1)}}  {kind:<5}  {names}", width)))
    return lines


def _component_order(components: list[str]) -> list[str]:
    """R G B A as people say them; the rest as in the file."""
    rank = {name: at for at, name in enumerate("RGBArgbaXYZxyz")}
    return sorted(components, key=lambda name: rank.get(name, 99))


def _attribute_lines(part: PartFacts, width: int) -> list[Text]:
    groups: dict[str, list[Attribute]] = {}
    for attribute in part.attributes:
        if attribute.attr_name not in _SHOWN_IN_HEAD:
            groups.setdefault(_kind(attribute.attr_name), []).append(attribute)
    order = {kind: at for at, kind in enumerate(KINDS)}
    lines = [Text(f"  attributes ({len(part.attributes)})", style="bold")]
    for kind in sorted(groups, key=lambda k: (order.get(k, len(order)), k)):
        lines.append(Text(f"    {kind}", style="dim"))
        names = [_short_name(a.attr_name, kind) for a in groups[kind]]
        across = min(max(map(len, names)), width // 3)
        for name, attribute in zip(names, groups[kind], strict=True):
            value = clean(attribute_text(attribute), max(width - across - 10, 20))
            lines.append(Text(f"      {clean(name):<{across}}  {value}"))
    return lines


def _kind(name: str) -> str:
    if name in _KIND_OF:
        return _KIND_OF[name]
    prefix = re.match(r"[^/:]+[/:]", name)
    return clean(prefix[0]) if prefix else "other"


def _short_name(name: str, kind: str) -> str:
    return name.removeprefix(kind) or name if kind[-1:] in "/:" else name


def attribute_text(attribute: Attribute) -> str:
    """The value in one line."""
    value = attribute.value
    if value is None:
        return f"{attribute.attr_type}, {attribute.size_bytes} bytes"
    if attribute.attr_type in ("preview", "bytes", "idmanifest"):
        size = f"{value.width}×{value.height}, " if attribute.attr_type == "preview" else ""
        return f"{attribute.attr_type}, {size}{attribute.size_bytes} bytes"
    if attribute.attr_type == "string":
        long = attribute.size_bytes > 200
        return f"{value[:60]}… ({attribute.size_bytes:,} bytes)" if long else str(value)
    if attribute.attr_type == "timecode":
        return str(value)
    if attribute.attr_type == "rational":
        return f"{value.numerator}/{value.denominator}"
    shown = json_value(attribute.attr_type, value)
    if isinstance(shown, dict):
        return "  ".join(f"{key} {item}" for key, item in shown.items())
    if isinstance(shown, list):
        return " ".join(map(str, shown)).replace("[", "(").replace("]", ")")
    return str(shown)


def inspection_table(inspections: Iterable[Inspection]) -> Table:
    """One line for each file."""
    table = _table("file", "status", "size", "type", "compression", "channels", "missing")
    for inspection in inspections:
        file, parts = inspection.file, inspection.parts
        status = inspection.completeness
        first = parts[0] if parts else None
        table.add_row(
            Text(clean(file.file_path)),
            Text(status, style=STATUS_STYLES.get(status, "bold red")),
            f"{first.width}×{first.height}" if first and first.data_window else "?",
            Text(clean(_several([p.part_type or "?" for p in parts]), 60)),
            Text(_several([p.compression or "?" for p in parts])),
            str(file.channel_count),
            Text("; ".join(p.missing for p in parts if p.missing)),
        )
    return table


def _several(words: Sequence[str]) -> str:
    unique = list(dict.fromkeys(words))
    return (f"{len(words)} × " if len(words) > 1 else "") + "/".join(unique)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(clean(column)), overflow="fold")
    return table


def arrow_table(rows: pa.Table) -> Table:
    """An Arrow table, one line a row; long cells are cut."""
    table = _table(*rows.column_names)
    for batch in rows.to_batches():
        for row in batch.to_pylist():
            cells = ("" if v is None else clean(plain_text(v), 120) for v in row.values())
            table.add_row(*(Text(cell) for cell in cells))
    return table


_BAR_CELLS = 10
_PATH_COLUMNS = ("path", "render")
_NARROWEST = 16


def report_lines(rows: pa.Table) -> tuple[list[Text | Table], int]:
    """The rows of a report: shares as bars, bytes with commas, and the folder that all paths share said once.

    Columns without any value are left out. Also the width that is needed: texts can be folded, numbers not.
    """
    columns = {name: rows[name].to_pylist() for name in rows.column_names if rows[name].null_count < rows.num_rows}
    paths = [value for name in _PATH_COLUMNS for value in columns.get(name, ())]
    shared = os.path.commonprefix(paths) if len(paths) > 1 else ""  # noqa: RUF071 (of URIs; ends at a slash below)
    folder = shared[: shared.rfind("/") + 1]
    cells = {name: [_report_cell(name, value, folder) for value in values] for name, values in columns.items()}
    longest = {name: max(map(len, texts)) for name, texts in cells.items()}
    table = _table(*(name if len(name) <= longest[name] else name.replace("_", " ") for name in columns))
    for column, (name, values) in zip(table.columns, columns.items(), strict=True):
        is_number = any(isinstance(value, (int, float)) for value in values)
        column.justify = "right" if is_number and name != "share" else "left"
        column.min_width = max(longest[name] if is_number else min(longest[name], _NARROWEST), _longest_word(name))
        column.max_width = column.min_width if is_number else None
    # Two between two cells, and one for each cell, as rich rounds when it makes them narrower.
    width = sum(column.min_width or 0 for column in table.columns) + 3 * len(columns)
    for line in zip(*cells.values(), strict=True):
        table.add_row(*map(Text, line))
    below = clean(short_path(folder))
    return [Text(f"below {below}", style="dim"), table] if below else [table], width


def _longest_word(name: str) -> int:
    return max(map(len, name.split("_")))


def _report_cell(name: str, value: Any, folder: str) -> str:
    if value is None:
        return ""
    if name == "share":
        return f"{bar(value)} {value:6.1%}"
    if name in _PATH_COLUMNS:
        return clean(value[len(folder) :] if folder else short_path(value), 160)
    if isinstance(value, int) and name.endswith("bytes"):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return clean(plain_text(value), 120)


def bar(share: float) -> str:
    """A share of 1 as ten cells, in eighths; what is more than nothing shows."""
    eighths = round(min(max(share, 0), 1) * _BAR_CELLS * 8) or int(share > 0)
    full, rest = divmod(eighths, 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest] * (rest > 0)).ljust(_BAR_CELLS)


def query_lines(queries: Iterable[NamedQuery]) -> list[Text]:
    """What each named query answers, and its parameters with their defaults."""
    lines: list[Text] = []
    for query in queries:
        words = (f"{p.name}={'…' if p.default is None else clean(p.default, 40)}" for p in query.parameters)
        lines += [
            Text(query.name, style="bold"),
            Text(f"  {query.question}"),
            Text(f"  {'  '.join(words)}", style="dim"),
        ]
    return lines


def difference_table(differences: Sequence[Difference], a: str, b: str) -> Table:
    """One line for each thing that differs."""
    table = _table("part", "what", a, b)
    for d in differences:
        table.add_row(
            "" if d.part_index is None else str(d.part_index),
            Text(clean(f"{d.kind} {d.name}")),
            Text("not there" if d.a is None else clean(str(d.a), 160)),
            Text("not there" if d.b is None else clean(str(d.b), 160)),
        )
    return table


def short_path(uri: str) -> str:
    """A place as one would type it: local paths without file://, and from the working folder on where it has them."""
    path = uri.removeprefix("file://")
    return path.removeprefix(f"{Path.cwd()}/")


def sequence_lines(report: SequenceReport) -> list[Text]:
    """One sequence: its range in one line, then one line for each thing that is wrong."""
    head = Text.assemble((clean(short_path(report.pattern)), "bold"), f"  {report.frames}")
    head.append(f"  ({report.frame_count} frames)", style="dim")
    lines = [head]
    if report.missing:
        lines.append(Text(f"  missing     {report.missing} ({report.missing_count})", style="red"))
    if report.padding_changes:
        lines.append(Text("  padding     changes within the sequence", style="yellow"))
    for bad in report.bad:
        lines.append(Text(f"  {bad.status:<11} {bad.frame}  {clean(bad.reason)}", style="red"))
    for odd in report.odd:
        was = "not there" if odd.value is None else clean(odd.value, 60)
        usual = "not there" if odd.usual is None else clean(odd.usual, 60)
        where = f" (part {odd.part_index})" if odd.part_index else ""
        lines.append(
            Text(f"  differs     {odd.frames}  {clean(odd.field)}{where}: {was}, the others {usual}", style="yellow")
        )
    return lines


_NOTHING_ALIKE = (
    "no other file that was asked for has vectors to compare with; db reembed renews those of another version"
)


def similar_lines(found: pa.Table) -> list[Text]:
    """One line for each file, then one for each group in which it differs; the last one says how it was searched."""
    lines = []
    for row in found.to_pylist():
        line = Text.assemble(
            (f"{row['similarity']:.3f}", "bold"), f"  {clean(short_path(row['file_path_normalized']))}"
        )
        if row.get("files", 1) > 1:
            line.append(f"  (one of {row['files']:,} frames)", style="dim")
        lines += [line, *(Text(f"       {clean(text)}", style="dim") for text in row.get("differs") or ())]
    method = (found.schema.metadata or {}).get(b"method", b"").decode()
    count = "1 file" if found.num_rows == 1 else f"{found.num_rows} files"
    return [*lines, Text(f"{count}; {method}" if lines else _NOTHING_ALIKE, style="dim")]


def odd_lines(found: Sequence[OddFrame]) -> list[Text]:
    """One line for each frame, then one for each thing in which it differs from its sequence."""
    lines = []
    for frame in found:
        head = Text(clean(short_path(frame.file_path_normalized)), style="bold")
        head.append(f"  {frame.similarity:.3f} like the others, usual {frame.usual:.3f}", style="not bold dim")
        lines += [head, *(Text(f"  {clean(text, 160)}", style="yellow") for text in frame.differs)]
    return lines
