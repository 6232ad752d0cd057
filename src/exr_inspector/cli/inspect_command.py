"""The commands inspect and schema."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import typer

from ..errors import ExrFormatError, NoMatchError, SettingsError, SourceError
from ..inspection.json_form import error_row
from ..sources import store_of
from ..sources.listing import ListedFile, list_files
from ..sources.selection import Selection, has_exr_extension
from ..sources.uris import local_path, normalize_path
from .exit_codes import FailOn, Severity, exit_code
from .inspected_files import InspectedFile, InspectOptions, inspected_files
from .options import (
    NO_FILES,
    AsJson,
    AsJsonl,
    AsTable,
    ChunksOption,
    Columns,
    Exclude,
    FailOnOption,
    FilesFrom,
    Include,
    InspectionFormat,
    NulSeparated,
    Output,
    Paths,
    Wide,
    chunk_option,
    column_names,
    given_paths,
    header_limits,
    one_format,
    selection,
    worker_count,
)
from .progress import progress_bar

if TYPE_CHECKING:
    from ..inspection.model import Inspection
    from ..settings import S3Access


def inspect(
    paths: Paths = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")] = False,
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
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Show the headers of files, and check them and that the files are complete.

    Reads headers, offset tables and chunk leaders; decodes no pixels. In JSON, a file that could not be inspected is an
    object with the key `error`.
    """
    from .output import data_stream, print_message

    chosen = one_format(InspectionFormat, output_format, json=as_json, jsonl=as_jsonl, table=as_table)
    _check_combination(chosen, attributes=bool(attributes), full=full, columns=columns is not None or wide)
    given = given_paths(paths, files_from, nul_separated=nul_separated)
    s3 = store_of(given)
    listing = _files(given, recursive, s3, selection(exclude, include))
    files = None if chosen is InspectionFormat.JSONL else list(listing)
    if files == []:
        if not recursive and any(map(_has_subfolders, given)):
            raise SettingsError(f"no EXR file is directly in {', '.join(given)}; for subfolders give --recursive (-r)")
        print_message(NO_FILES)
    total = None if files is None else len(files)
    is_page = full or (total == 1 and columns is None and not wide)
    layout = chosen or (InspectionFormat.PAGE if is_page else InspectionFormat.TABLE)
    if attributes:
        printing = _Printing(partial(_attribute_lines, names=attributes), partial(_write_lines, names=attributes))
    elif layout is InspectionFormat.PAGE:
        printing = _Printing(_whole, partial(_write_pages, full=full))
    elif layout is InspectionFormat.TABLE:
        printing = _table_printing(columns, wide=wide)
    elif layout is InspectionFormat.JSON and _is_path_of_file(given, files or []):
        printing = _Printing(partial(_json_text, raw=raw, indent=2), _write_json_lines)
    else:
        write = _write_json_array if layout is InspectionFormat.JSON else _write_json_lines
        printing = _Printing(partial(_json_text, raw=raw), write)
    options = InspectOptions(limits=header_limits(), chunks=chunk_option(chunks), s3=s3, printed=printing.of_file)
    workers = 1 if total == 1 or printing.of_file is _whole else worker_count()
    verdicts = _Verdicts()
    # On the terminal of the progress bar, lines would be written into it; a table is printed at the end.
    is_hidden = layout is not InspectionFormat.TABLE and output is None and sys.stdout.isatty()
    with (
        data_stream(output, escape=layout in (InspectionFormat.JSON, InspectionFormat.JSONL)) as stream,
        progress_bar(is_hidden=is_hidden) as update,
        closing(inspected_files(listing if files is None else iter(files), options, workers)) as inspected,
    ):
        printing.write(stream, verdicts.of(inspected, lambda done: update(done, total)))
    return exit_code(verdicts.worst, fail_on, failed=verdicts.failed, misused=verdicts.misused)


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


class _Printing(NamedTuple):
    """What is made of each inspection, in worker processes if it is not the inspection itself; how that is written."""

    of_file: Callable[[Inspection], Any]
    write: Callable[[BinaryIO, Iterable[InspectedFile]], None]


@dataclass(slots=True)
class _Verdicts:
    """What decides the exit code."""

    worst: Severity = Severity.NONE
    failed: bool = False
    misused: bool = False

    def of(self, files: Iterable[InspectedFile], update: Callable[[int], None]) -> Iterator[InspectedFile]:
        """Pass files on and judge them; print why one could not be inspected."""
        from .output import print_message

        for done, file in enumerate(files, 1):
            error = file.error
            if error is not None:
                print_message(str(error) if isinstance(error, SourceError) else f"{file.path}: {error}")
            if isinstance(error, ExrFormatError):  # it was read, and is not a whole EXR file
                self.worst = Severity.ERROR
            elif error is not None:
                self.misused |= isinstance(error, NoMatchError)
                self.failed |= not isinstance(error, NoMatchError)
            self.worst = max(self.worst, file.severity)
            update(done)
            yield file


def _is_path_of_file(given: list[str], listed: list[str | SourceError]) -> bool:
    """Whether one path is given that is not a folder or pattern, even of one file; the file may not exist."""
    if len(given) != 1 or len(listed) != 1 or isinstance(listed[0], NoMatchError) or _is_folder(given[0]):
        return False
    path = listed[0].path if isinstance(listed[0], SourceError) else listed[0]
    return normalize_path(path) == normalize_path(given[0])


def _is_folder(path: str) -> bool:
    local = local_path(path)
    return not has_exr_extension(path) if local is None else os.path.isdir(local)


def _has_subfolders(path: str) -> bool:
    local = local_path(path)
    if local is None or not os.path.isdir(local):
        return False
    with suppress(OSError), os.scandir(local) as entries:
        return any(entry.is_dir() for entry in entries)
    return False


def _files(paths: list[str], recursive: bool, s3: S3Access | None, selected: Selection) -> Iterator[str | SourceError]:
    for item in list_files(paths, recursive=recursive, s3=s3, selection=selected):
        yield item.path if isinstance(item, ListedFile) else item


def _whole(inspection: Inspection) -> Inspection:
    return inspection


def _write_pages(stream: BinaryIO, files: Iterable[InspectedFile], *, full: bool) -> None:
    from .inspection_page import inspection_page
    from .output import print_to, terminal_width

    for file in files:
        if file.printed is not None:
            print_to(stream, *inspection_page(file.printed, terminal_width(), full=full))


def _table_printing(columns: str | None, *, wide: bool) -> _Printing:
    from .inspection_page import TABLE_COLUMNS, inspection_table, table_row
    from .output import print_to

    names = column_names(columns, TABLE_COLUMNS)

    def write(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
        rows = [file.printed for file in files if file.printed is not None]
        print_to(stream, inspection_table(rows, names), whole=wide)

    return _Printing(table_row, write)


def _json_text(inspection: Inspection, *, raw: bool, indent: int | None = None) -> bytes:
    return inspection.to_json(raw=raw, indent=indent).encode()


def _json_object(file: InspectedFile) -> bytes:
    if file.error is None:
        return file.printed or b""
    return json.dumps(error_row(file.path, file.error), ensure_ascii=False).encode()


def _write_json_lines(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
    for file in files:
        stream.write(_json_object(file) + b"\n")


def _write_json_array(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
    stream.write(b"[")
    for number, file in enumerate(files):
        stream.write((b",\n" if number else b"\n") + _json_object(file))
    stream.write(b"\n]\n")


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
