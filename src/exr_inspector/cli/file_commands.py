"""Commands on files: inspect, schema."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from ..errors import ExrFormatError, ExrInspectorError, NoMatchError, SettingsError, SourceError
from ..inspection.inspector import inspect as inspect_file
from ..inspection.model import Inspection
from ..sources import store_of
from ..sources.listing import ListedFile, list_files
from ..sources.selection import Selection, has_exr_extension
from ..sources.uris import local_path
from .exit_codes import FailOn, Severity, exit_code, file_severity
from .options import (
    NO_FILES,
    ChunksOption,
    Exclude,
    FailOnOption,
    FilesFrom,
    Include,
    NulSeparated,
    Output,
    Paths,
    chunk_option,
    given_paths,
    header_limits,
    selection,
)

if TYPE_CHECKING:
    from ..settings import S3Access


class _Layout(Enum):
    PAGE, TABLE, JSON, JSONL = range(4)


def inspect(
    paths: Paths = None,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object for a file, an array for a folder or several paths.")
    ] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per line.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="Print one line per file.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Add the bytes of every attribute to the JSON, in base64.")
    ] = False,
    chunks: ChunksOption = None,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Show the headers of files, and check them and that the files are complete.

    Reads headers, offset tables and chunk leaders; decodes no pixels.
    """
    from .output import data_stream, print_message

    if as_json + as_jsonl + as_table > 1:
        raise SettingsError("--json, --jsonl and --table exclude each other; give one of them")
    failed = misused = False
    worst = Severity.NONE
    given = given_paths(paths, files_from, nul_separated=nul_separated)
    s3 = store_of(given)
    listing = _files(given, recursive, s3, selection(exclude, include))
    files = listing if as_jsonl else list(listing)
    if files == []:
        if not recursive and any(map(_has_subfolders, given)):
            raise SettingsError(f"no EXR file is directly in {', '.join(given)}; for subfolders give --recursive (-r)")
        print_message(NO_FILES)
    folder_or_several = len(given) > 1 or _is_folder(given[0])
    many = folder_or_several if as_json else not isinstance(files, list) or len(files) != 1
    layout = (
        _Layout.JSON if as_json else _Layout.JSONL if as_jsonl else _Layout.TABLE if as_table or many else _Layout.PAGE
    )

    def inspections() -> Iterator[Inspection]:
        nonlocal failed, misused, worst
        limits, option = header_limits(), chunk_option(chunks)
        for file in files:
            try:
                if isinstance(file, SourceError):
                    raise file
                inspection = inspect_file(file, limits=limits, chunks=option, s3=s3)
            except ExrInspectorError as error:
                print_message(str(error) if isinstance(error, SourceError) else f"{file}: {error}")
                if isinstance(error, ExrFormatError):  # it was read, and is not a whole EXR file
                    worst = Severity.ERROR
                else:
                    misused |= isinstance(error, NoMatchError)
                    failed |= not isinstance(error, NoMatchError)
                continue
            worst = max(worst, file_severity(inspection.completeness, inspection.problem_severity))
            yield inspection

    with data_stream(output, escape=layout in (_Layout.JSON, _Layout.JSONL)) as stream:
        _write(stream, inspections(), layout, raw, many)
    return exit_code(worst, fail_on, failed=failed, misused=misused)


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


def _write(stream: BinaryIO, inspections: Iterator[Inspection], layout: _Layout, raw: bool, many: bool) -> None:
    if layout is _Layout.JSONL:
        for inspection in inspections:
            stream.write(inspection.to_json(raw=raw).encode() + b"\n")
    elif layout is _Layout.JSON:
        _write_json(stream, inspections, raw, many)
    else:
        from .inspection_page import inspection_page, inspection_table
        from .output import print_to, terminal_width

        if layout is _Layout.TABLE:
            print_to(stream, inspection_table(inspections))
            return
        for inspection in inspections:
            print_to(stream, *inspection_page(inspection, terminal_width()))


def _write_json(stream: BinaryIO, inspections: Iterator[Inspection], raw: bool, many: bool) -> None:
    if not many:
        for inspection in inspections:
            stream.write(inspection.to_json(raw=raw, indent=2).encode() + b"\n")
        return
    stream.write(b"[")
    for number, inspection in enumerate(inspections):
        stream.write((b",\n" if number else b"\n") + inspection.to_json(raw=raw).encode())
    stream.write(b"\n]\n")


def schema() -> None:
    """Print the JSON Schema of `inspect --json`."""
    from ..inspection.json_schema import inspection_schema

    typer.echo(json.dumps(inspection_schema(), indent=2))
