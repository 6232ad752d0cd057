"""The commands inspect and schema."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ..errors import SettingsError
from .exit_codes import FailOn
from .file_results import Printing, files_of, json_printing, print_files
from .inspected_files import InspectedFile, inspect_options
from .options import (
    AsJson,
    AsJsonl,
    AsTable,
    ChunksOption,
    Columns,
    Deep,
    Exclude,
    FailOnOption,
    FilesFrom,
    Include,
    InspectionFormat,
    NulSeparated,
    Output,
    Paths,
    Recursive,
    Stride,
    Wide,
    column_names,
    given_paths,
    one_format,
    selection,
    stats_options,
    worker_count,
)

if TYPE_CHECKING:
    from ..inspection.model import Inspection


def inspect(
    paths: Paths = None,
    recursive: Recursive = False,
    output_format: Annotated[
        InspectionFormat | None,
        typer.Option(
            "--format",
            help="page: everything about each file; table: one line per file; json: an object for the path of a "
            "file, an array for a folder, a pattern or several paths; jsonl: one object per line. Default: page for one"
            " file, else table.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    as_jsonl: AsJsonl = False,
    as_table: AsTable = False,
    attributes: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute",
            metavar="NAME",
            help="Print only whole values of this attribute: the path, the name of the part if the file has several, "
            "the name of the attribute if several are given, and the value, with tabs between them; a backslash as two."
            " Repeatable.",
            show_default=False,
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Print whole values on the page.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Add the bytes of every attribute to the JSON, in base64.")
    ] = False,
    columns: Columns = None,
    wide: Wide = False,
    chunks: ChunksOption = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Also decode the pixels, and show their statistics, see `stats`.")
    ] = False,
    deep: Deep = False,
    stride: Stride = 1,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Show the headers of files, and check them and that the files are complete.

    Reads headers, offset tables and chunk leaders; decodes pixels only with --stats. In JSON, a file that could not be
    inspected is an object with the key `error`.
    """
    chosen = one_format(InspectionFormat, output_format, json=as_json, jsonl=as_jsonl, table=as_table)
    _check_combination(chosen, attributes=bool(attributes), full=full, columns=columns is not None or wide)
    if stats and attributes:
        raise SettingsError("--attribute excludes --stats; give one of them")
    if (deep or stride > 1) and not stats:
        raise SettingsError("--deep and --stride are for --stats; add it, or leave them out")
    given = given_paths(paths, files_from, nul_separated=nul_separated)
    is_lines = chosen is InspectionFormat.JSONL
    files = files_of(given, selection(exclude, include), recursive=recursive, is_counted=not is_lines)
    is_page = full or (files.total == 1 and columns is None and not wide)
    layout = chosen or (InspectionFormat.PAGE if is_page else InspectionFormat.TABLE)
    is_json = layout in (InspectionFormat.JSON, InspectionFormat.JSONL)
    if attributes:
        printing = Printing(partial(_attribute_lines, names=attributes), partial(_write_lines, names=attributes))
    elif layout is InspectionFormat.PAGE:
        printing = Printing(_whole, partial(_write_pages, full=full))
    elif layout is InspectionFormat.TABLE:
        printing = _table_printing(columns, wide=wide, stats=stats)
    else:
        printing = json_printing(files, partial(_json_text, raw=raw), is_lines=is_lines)
    options = inspect_options(
        files.s3,
        printing.of_file,
        chunks=chunks,
        stats=stats_options(deep=deep, stride=stride) if stats else None,
    )
    return print_files(
        files,
        options,
        printing,
        workers=1 if files.total == 1 or printing.of_file is _whole else worker_count(),
        output=output,
        fail_on=fail_on,
        escape=is_json,
        at_end=layout is InspectionFormat.TABLE,
    )


def _check_combination(chosen: InspectionFormat | None, *, attributes: bool, full: bool, columns: bool) -> None:
    """Raises SettingsError for options that belong to different formats."""
    formats = {
        "--attribute": (attributes, None),
        "--full": (full, InspectionFormat.PAGE),
        "--columns and --wide": (columns, InspectionFormat.TABLE),
    }
    given = [(name, own) for name, (is_given, own) in formats.items() if is_given]
    if len(given) > 1:
        raise SettingsError(f"{given[0][0]} excludes {given[1][0]}; give one of them")
    for name, own in given:
        if chosen not in (None, own):
            meant = f"is for --format {own.value}" if own else "has a format of its own"
            raise SettingsError(f"{name} {meant}; leave it out, or --format {chosen.value}")


def _whole(inspection: Inspection) -> Inspection:
    return inspection


def _write_pages(stream: BinaryIO, files: Iterable[InspectedFile], *, full: bool) -> None:
    from .inspection_page import inspection_page
    from .output import has_blocks, print_to, terminal_width

    for file in files:
        inspection = file.printed
        if inspection is None:
            continue
        print_to(stream, *inspection_page(inspection, terminal_width(), full=full))
        if inspection.pixels is not None:
            from .stats_table import stats_for_people, stats_lines

            lines = [line._replace(file=None) for line in stats_lines(inspection)]
            print_to(stream, "", "statistics", *stats_for_people(lines, blocks=has_blocks(stream)), whole=full)


def _table_printing(columns: str | None, *, wide: bool, stats: bool) -> Printing:
    from .inspection_page import TABLE_COLUMNS, inspection_table, table_row
    from .output import print_to

    known: tuple[str, ...] = TABLE_COLUMNS
    if stats:
        from .stats_table import FILE_COLUMNS

        known += FILE_COLUMNS
    names = column_names(columns, known)

    def write(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
        rows = [file.printed for file in files if file.printed is not None]
        if not rows:
            return
        print_to(stream, inspection_table(rows, names, known), whole=wide)

    return Printing(_table_row_with_stats if stats else table_row, write)


def _table_row_with_stats(inspection: Inspection) -> tuple[str, ...]:
    from .inspection_page import table_row
    from .stats_table import file_cells

    return table_row(inspection) + file_cells(inspection)


def _json_text(inspection: Inspection, *, raw: bool, indent: int | None = None) -> bytes:
    return inspection.to_json(raw=raw, indent=indent).encode()


def _attribute_lines(inspection: Inspection, *, names: list[str]) -> bytes:
    """A line for each part and attribute of these names; empty if no part has one.

    A backslash is written as two, so that a value with an escaped character and one with its escape differ.
    """
    from ..inspection.value_text import whole_text
    from .text import clean

    lines = []
    for part in inspection.parts:
        first = {attribute.attr_name: attribute for attribute in reversed(part.attributes)}
        for name in filter(first.__contains__, names):
            cells = [inspection.file.file_path]
            cells += [part.part_name or f"part {part.part_index}"] if len(inspection.parts) > 1 else []
            cells += [name] if len(names) > 1 else []
            cells.append(whole_text(first[name]))
            lines.append("\t".join(clean(cell.replace("\\", r"\\")) for cell in cells) + "\n")
    return "".join(lines).encode()


def _write_lines(stream: BinaryIO, files: Iterable[InspectedFile], *, names: list[str]) -> None:
    from .output import print_message

    for file in files:
        stream.write(file.printed or b"")
        if file.printed == b"":
            print_message(f"{file.path}: no part has the attribute {' or '.join(names)}")


def schema() -> None:
    """Print the JSON Schema of the objects of `inspect --format json` and `jsonl`."""
    from ..inspection.json_schema import output_schema

    typer.echo(json.dumps(output_schema(), indent=2))
