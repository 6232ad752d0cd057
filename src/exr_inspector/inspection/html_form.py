"""An inspection as HTML for notebooks. Text from files is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from .value_text import shortened

if TYPE_CHECKING:
    from .model import Inspection, PartFacts

_MAX_ROWS, _MAX_CHARACTERS = 20, 100


def html_table(inspection: Inspection) -> str:
    """The status of a file, a row for each part, and the problems; of many, the first ones."""
    file = inspection.file
    lines = [f"<b>{_text(file.file_path)}</b>: {file.status}, {file.size_bytes:,} bytes"]
    head = "".join(f"<th>{title}</th>" for title in ("part", "name", "type", "compression", "size", "channels"))
    lines.append(f"<table><tr>{head}</tr>")
    lines += _limited((_part_row(part) for part in inspection.parts), len(inspection.parts), "<tr><td>{}</td></tr>")
    lines.append("</table>")
    if inspection.problems:
        lines.append("<ul>")
        problems = (f"<li>{p.severity}: {_text(p.message)} ({p.code})</li>" for p in inspection.problems)
        lines += _limited(problems, len(inspection.problems), "<li>{}</li>")
        lines.append("</ul>")
    return "\n".join(lines)


def _part_row(part: PartFacts) -> str:
    size = "" if part.width is None else f"{part.width}×{part.height}"
    cells = (str(part.part_index), part.part_name, part.part_type, part.compression, size, str(len(part.channels)))
    return f"<tr>{''.join(f'<td>{_text(cell or str())}</td>' for cell in cells)}</tr>"


def _limited(lines: Iterable[str], count: int, more: str) -> list[str]:
    shown = [line for line, _ in zip(lines, range(_MAX_ROWS), strict=False)]
    return shown if count <= _MAX_ROWS else [*shown, more.format(f"… and {count - _MAX_ROWS:,} more")]


def _text(text: str) -> str:
    return escape(shortened(text, _MAX_CHARACTERS))
