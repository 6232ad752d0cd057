"""Commands that look at files: inspect, diff, schema."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any, BinaryIO

import typer

from ..errors import ExrFormatError, ExrInspectorError, SettingsError, SourceError
from ..inspection.inspector import inspect as inspect_file
from ..inspection.model import Inspection
from ..sources.listing import EXTENSION, Found, discover
from .options import FailOn, FailOnOption, Output, Paths


class _Shown(Enum):
    PAGE, TABLE, JSON, JSONL = range(4)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(inspect)
    app.command()(diff)
    app.command()(schema)


def inspect(
    paths: Paths,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Enter folders below the named ones.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one object, or an array for several paths or a folder.")
    ] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
    as_table: Annotated[bool, typer.Option("--table", help="Print one line for each file.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="With JSON: every attribute's bytes, in base64.")] = False,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Show what files hold and whether they are whole; reads headers and chunk leaders only."""
    from .output import data_stream, say

    if as_json + as_jsonl + as_table > 1:
        raise SettingsError("give one of --json, --jsonl and --table")
    failed = worst = 0
    files = list(_files(paths, recursive)) if not as_jsonl else _files(paths, recursive)
    folder_or_several = len(paths) > 1 or _is_folder(paths[0])
    many = folder_or_several if as_json else not isinstance(files, list) or len(files) != 1
    shown = _Shown.JSON if as_json else _Shown.JSONL if as_jsonl else _Shown.TABLE if as_table or many else _Shown.PAGE

    def inspections() -> Iterator[Inspection]:
        nonlocal failed, worst
        for file in files:
            try:
                if isinstance(file, SourceError):
                    raise file
                inspection = inspect_file(file, limits=_limits())
            except ExrInspectorError as problem:
                text = str(problem)
                say(text if isinstance(problem, SourceError) else f"{file}: {text}")
                failed += 1
                continue
            worst = max(worst, _severity(inspection))
            yield inspection

    with data_stream(output, machine=shown in (_Shown.JSON, _Shown.JSONL)) as stream:
        _write(stream, inspections(), shown, raw, many)
    return _exit_code(failed, worst, fail_on)


def _is_folder(path: str) -> bool:
    if path.lower().startswith("s3://"):
        return not path.lower().endswith(EXTENSION)
    return os.path.isdir(path.removeprefix("file://"))


def _limits() -> Any:
    from ..exr import Limits

    if not any(name.startswith("EXR_INSPECTOR_") for name in os.environ):
        return Limits()  # pydantic costs more to import than one file to inspect
    from ..settings import settings

    return settings().limits


def _files(paths: list[str], recursive: bool) -> Iterator[str | SourceError]:
    for item in discover(paths, recursive=recursive):
        yield item.path if isinstance(item, Found) else item


def _severity(inspection: Inspection) -> int:
    """2 for a file that is not whole, 1 for an odd header."""
    if inspection.completeness not in ("complete", "unknown"):
        return 2
    return 1 if inspection.errors or inspection.completeness == "unknown" else 0


def _exit_code(failed: int, worst: int, fail_on: FailOn) -> int:
    threshold = {FailOn.ERROR: 2, FailOn.WARNING: 1, FailOn.NEVER: 3}[fail_on]
    return 3 if failed else 1 if worst >= threshold else 0


def _write(stream: BinaryIO, inspections: Iterator[Inspection], shown: _Shown, raw: bool, many: bool) -> None:
    if shown is _Shown.JSONL:
        for inspection in inspections:
            stream.write(inspection.to_json(raw=raw).encode() + b"\n")
    elif shown is _Shown.JSON:
        _write_json(stream, inspections, raw, many)
    else:
        from . import tables
        from .output import print_to, terminal_width

        if shown is _Shown.TABLE:
            print_to(stream, tables.inspection_table(inspections), wide=True)
            return
        for inspection in inspections:
            print_to(stream, *tables.inspection_page(inspection, terminal_width()))


def _write_json(stream: BinaryIO, inspections: Iterator[Inspection], raw: bool, many: bool) -> None:
    if not many:
        for inspection in inspections:
            stream.write(inspection.to_json(raw=raw, indent=2).encode() + b"\n")
        return
    stream.write(b"[")
    for number, inspection in enumerate(inspections):
        stream.write((b",\n" if number else b"\n") + inspection.to_json(raw=raw).encode())
    stream.write(b"\n]\n")


def diff(
    a: Annotated[str, typer.Argument(help="One file.", show_default=False)],
    b: Annotated[str, typer.Argument(help="The other.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON.")] = False,
) -> int:
    """Show how the headers of two files differ; exits with 1 when they do."""
    from ..inspection.diff import diff as differences_of

    left, right = _inspect_named(a), _inspect_named(b)
    differences = differences_of(left, right)
    from .output import data_stream, print_to

    if as_json:
        from dataclasses import asdict

        text = json.dumps([asdict(d) for d in differences], ensure_ascii=False, allow_nan=False, indent=2)
        with data_stream(None, machine=True) as stream:
            stream.write(text.encode() + b"\n")
    elif differences:
        from . import tables

        with data_stream(None) as stream:
            print_to(stream, tables.difference_table(differences, a, b))
    return 1 if differences else 0


def _inspect_named(path: str) -> Inspection:
    try:
        return inspect_file(path, limits=_limits())
    except ExrFormatError as problem:
        raise SourceError(path, str(problem)) from problem


def schema() -> None:
    """Print the JSON Schema of what `inspect --json` prints."""
    from ..inspection.json_schema import inspection_schema

    typer.echo(json.dumps(inspection_schema(), indent=2))
