"""Rows in columns: in the width of a terminal with less important text cut, or whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.text import Text

from ..sources.uris import display_path
from .text import short_path

_GAP = "  "
_LEAST_TEXT, _LEAST_PATH = 10, 24  # of a longer cell, at least so much is shown
_MOST_PADDING = 200  # of a column that is printed whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """The cells of a column as text without unsafe characters; None: no value."""

    name: str
    cells: Iterable[str | None]  # read several times
    styles: Sequence[str] = ()  # of the cells; empty: none
    is_number: bool = False  # or a time: never cut, and to the right
    is_path: bool = False  # cut at its beginning; the common folder is printed once
    is_optional: bool = False  # not shown if the width is not enough
    is_hidden: bool = False  # only shown in the whole, or if no other column is there

    @cached_property
    def width(self) -> int:
        """The width of the longest cell."""
        return max((cell_len(cell) for cell in self.cells if cell), default=0)

    @property
    def whole_width(self) -> int:
        """The width of the longest cell but for very long ones, to which the other rows are not padded."""
        widths = (cell_len(cell) for cell in self.cells if cell)
        return max((width for width in widths if width <= _MOST_PADDING), default=0)

    @cached_property
    def least_width(self) -> int:
        """The least width that shows enough of the cells and each word of the heading."""
        enough = self.width if self.is_number else min(self.width, _LEAST_PATH if self.is_path else _LEAST_TEXT)
        return max(enough, *map(cell_len, self.name.split("_")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Columns to print with rich: whole with soft_wrap, else in the width, as a table or as one block for each row."""

    columns: Sequence[Column]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Called by rich."""
        yield from self.whole() if options.no_wrap else self._fitting(options.max_width)

    def whole(self) -> Iterator[Text]:
        """The lines of the table with every column, and nothing cut."""
        widths = [max(column.whole_width, cell_len(column.name)) for column in self.columns]
        return _table(self.columns, widths, cut=False)

    def _fitting(self, width: int) -> Iterator[Text]:
        shown = [column for column in self.columns if not column.is_hidden] or self.columns
        hidden = [column.name for column in self.columns if column not in shown and any(column.cells)]
        columns, folders = _without_folders(shown)
        for folder, names in folders.items():
            only = f"  ({', '.join(names)})" if sum(column.is_path for column in columns) > len(names) else ""
            if folder:  # not the working folder
                yield Text(f"below {folder}{only}", style="dim", overflow="fold")
        while (widths := _widths(columns, width)) is None and any(column.is_optional for column in columns):
            last = max(index for index, column in enumerate(columns) if column.is_optional)
            hidden.append(columns[last].name)
            columns = [*columns[:last], *columns[last + 1 :]]
        if widths is None:
            names_width = max(cell_len(column.name) for column in columns)
            widths = [max(width - names_width - len(_GAP), _LEAST_TEXT)] * len(columns)
            yield from _records(columns, names_width, widths[0])
        else:
            yield from _table(columns, widths)
        is_cut = any(column.width > most for column, most in zip(columns, widths, strict=True) if not column.is_number)
        remarks = [f"not shown: {', '.join(hidden)}"] * bool(hidden) + ["long values are cut"] * is_cut
        if remarks:
            yield Text(f"{'; '.join(remarks)}; see --wide and --columns", style="dim", overflow="fold")


def _without_folders(columns: Sequence[Column]) -> tuple[list[Column], dict[str, list[str]]]:
    """The columns without the folder that the paths of a column have in common; the columns of each such folder."""
    shortened = []
    folders: dict[str, list[str]] = {}
    for column in columns:
        cells = [cell and display_path(cell) for cell in column.cells] if column.is_path else column.cells
        folder = _common_folder([cell for cell in cells if cell]) if column.is_path else ""
        if folder:
            folders.setdefault(short_path(folder), []).append(column.name)
        shortened.append(replace(column, cells=[cell and cell[len(folder) :] for cell in cells]))
    return shortened, folders


def _common_folder(paths: list[str]) -> str:
    """The folder of several paths, with a slash at its end; empty without one, and for the root."""
    shared = os.path.commonprefix(paths) if len(paths) > 1 else ""  # noqa: RUF071 (ends at a slash below)
    folder = shared[: shared.rfind("/") + 1]
    return folder if len(folder) > 1 else ""


def _widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """The widths of the columns in a table; None if they do not fit. Columns that are cut share the rest equally."""
    widths = [column.least_width for column in columns]
    free = width - sum(widths) - len(_GAP) * (len(columns) - 1)
    if free < 0:
        return None
    for wanted in ([column.width for column in columns], [cell_len(column.name) for column in columns]):
        missing = [max(most - given, 0) for most, given in zip(wanted, widths, strict=True)]
        for done, index in enumerate(sorted(range(len(columns)), key=missing.__getitem__)):
            more = min(missing[index], free // (len(columns) - done))
            widths[index] += more
            free -= more
    return widths


def _table(columns: Sequence[Column], widths: Sequence[int], *, cut: bool = True) -> Iterator[Text]:
    headings = [_heading(column.name, width) for column, width in zip(columns, widths, strict=True)]
    for words in zip(*(_padded_above(heading, max(map(len, headings))) for heading in headings), strict=True):
        yield _line(columns, widths, words, ["bold"] * len(columns))
    for row, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        styles = [column.styles[row] if column.styles else "" for column in columns]
        shown = _cut_cells(columns, widths, cells) if cut else cells
        yield _line(columns, widths, shown, styles)


def _heading(name: str, width: int) -> list[str]:
    """The name in as many lines as it needs, broken at underscores."""
    if cell_len(name) <= width:
        return [name]
    lines: list[str] = []
    for word in name.split("_"):
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _padded_above(lines: list[str], height: int) -> list[str]:
    return [""] * (height - len(lines)) + lines


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str | None], styles: Sequence[str]) -> Text:
    line = Text(no_wrap=True, overflow="ignore")
    for column, width, cell, style in zip(columns, widths, cells, styles, strict=True):
        shown = cell or ""
        space = " " * (width - cell_len(shown))
        line.append(_GAP if line else "")
        line.append(f"{space}{shown}" if column.is_number else f"{shown}{space}", style=style if shown else "")
    line.rstrip()
    return line


def _cut_cells(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str | None]) -> list[str]:
    return [
        _cut(cell or "", width, at_start=column.is_path)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    ]


def _records(columns: Sequence[Column], names_width: int, width: int) -> Iterator[Text]:
    """One block for each row, with a line for each column that has a value."""
    for number, cells in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
        yield Text(f"row {number}", style="dim")
        for column, cell in zip(columns, cells, strict=True):
            if cell is not None:
                line = Text(no_wrap=True, overflow="ignore")
                line.append(set_cell_size(column.name, names_width), style="bold")
                shown = cell if column.is_number else _cut(cell, width, at_start=column.is_path)
                yield line.append(f"{_GAP}{shown}")


def _cut(text: str, width: int, *, at_start: bool) -> str:
    if cell_len(text) <= width:
        return text
    if at_start:
        return f"…{set_cell_size(text[::-1], width - 1)[::-1]}"
    return f"{set_cell_size(text, width - 1)}…"
