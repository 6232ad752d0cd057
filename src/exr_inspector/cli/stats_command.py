"""The command stats."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from .exit_codes import FailOn
from .file_results import Printing, files_of, json_printing, print_files
from .inspected_files import InspectedFile, inspect_options
from .options import (
    AsJson,
    AsJsonl,
    AsTable,
    Columns,
    Deep,
    Exclude,
    FailOnOption,
    FilesFrom,
    Include,
    NulSeparated,
    Output,
    Paths,
    RawCsv,
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

_JSON_KEYS = ("schema_version", "inspector_version", "file", "stats", "part_stats", "stats_errors")


class StatsFormat(str, Enum):
    """Output format of statistics."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def stats(
    paths: Paths = None,
    recursive: Recursive = False,
    deep: Deep = False,
    stride: Stride = 1,
    output_format: Annotated[
        StatsFormat | None,
        typer.Option(
            "--format",
            help="table: one line per channel; json: an object for the path of a file, an array for a folder, a "
            "pattern or several paths; jsonl: one object per line; csv: one row per channel. Default: table.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    as_jsonl: AsJsonl = False,
    as_table: AsTable = False,
    columns: Columns = None,
    wide: Wide = False,
    raw_csv: RawCsv = False,
    exclude: Exclude = None,
    include: Include = None,
    files_from: FilesFrom = None,
    nul_separated: NulSeparated = False,
    output: Output = None,
    fail_on: FailOnOption = FailOn.ERROR,
) -> int:
    """Decode the pixels of files, and show the statistics of each channel.

    Also names the lines and tiles that cannot be decoded, which `inspect` does not see; they exit with 1. A histogram
    counts negative values and zeros, then values below 1, then values from 1, in steps of two stops.
    """
    chosen = one_format(StatsFormat, output_format, json=as_json, jsonl=as_jsonl, table=as_table) or StatsFormat.TABLE
    is_json = chosen in (StatsFormat.JSON, StatsFormat.JSONL)
    given = given_paths(paths, files_from, nul_separated=nul_separated)
    files = files_of(
        given, selection(exclude, include), recursive=recursive, is_counted=chosen is not StatsFormat.JSONL
    )
    if is_json:
        printing = json_printing(files, _json_text, is_lines=chosen is StatsFormat.JSONL)
    elif chosen is StatsFormat.CSV:
        printing = _csv_printing(columns, raw=raw_csv)
    else:
        printing = _table_printing(columns, wide=wide)
    options = inspect_options(files.s3, printing.of_file, stats=stats_options(deep=deep, stride=stride))
    return print_files(
        files,
        options,
        printing,
        workers=1 if files.total == 1 else worker_count(),
        output=output,
        fail_on=fail_on,
        escape=chosen is not StatsFormat.TABLE,
        at_end=chosen is StatsFormat.TABLE,
    )


def _json_text(inspection: Inspection, *, indent: int | None = None) -> bytes:
    data = inspection.to_dict()
    shown = {key: data[key] for key in _JSON_KEYS}
    return json.dumps(shown, ensure_ascii=False, allow_nan=False, indent=indent).encode()


def _csv_printing(columns: str | None, *, raw: bool) -> Printing:
    from .output import write_csv
    from .stats_table import COLUMNS

    known = _csv_columns()
    names = column_names(columns, known, hint=f"; those of --format table are {', '.join(COLUMNS)}") or known

    def rows(inspection: Inspection) -> list[list[Any]]:
        return [[row[name] for name in names] for row in _csv_rows(inspection)]

    def write(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
        write_csv(names, (row for file in files for row in file.printed or ()), stream, raw=raw)

    return Printing(rows, write)


def _csv_columns() -> tuple[str, ...]:
    from ..inspection.pixel_rows import ChannelStatsRow

    return ("file_path", *ChannelStatsRow._fields, *_MORE_COLUMNS)


# The columns of CSV that the table `channel_stats` does not have; those of a part are in the row of each channel.
_MORE_COLUMNS = (
    *("histogram", "color_without_alpha_count"),
    *("used_window", "empty_regions", "part_pixel_digest", "samples_histogram", "undecoded"),
)


def _csv_rows(inspection: Inspection) -> Iterator[dict[str, Any]]:
    from ..exr import split_name
    from ..inspection.pixel_rows import compact_json, error_texts, stats_json

    report = inspection.pixels
    assert report is not None
    data = stats_json(inspection.parts, report)
    parts = {part["part_index"]: part for part in data["part_stats"]}
    undecoded = {part.part_index: error_texts(part.errors) for part in report.parts}
    for row in data["stats"]:
        part = parts[row["part_index"]]
        layer, component = split_name(row["channel_name"])
        counts = {of["layer"]: of["color_without_alpha_count"] for of in part["layers"]} if component == "A" else {}
        yield row | {
            "file_path": inspection.file.file_path,
            "histogram": row["histogram"] and compact_json(row["histogram"]),
            "color_without_alpha_count": counts.get(layer),
            "used_window": part["used_window"],
            "empty_regions": part["empty_regions"],
            "part_pixel_digest": part["pixel_digest"],
            "samples_histogram": part["samples_histogram"] and compact_json(part["samples_histogram"]),
            "undecoded": undecoded[row["part_index"]] or None,
        }


def _table_printing(columns: str | None, *, wide: bool) -> Printing:
    from .output import has_blocks, is_terminal, print_to
    from .stats_table import COLUMNS, stats_for_people, stats_lines, stats_table

    names = column_names(columns, COLUMNS, hint=f"; those of --format csv are {', '.join(_csv_columns())}")

    def write(stream: BinaryIO, files: Iterable[InspectedFile]) -> None:
        lines = [line for file in files for line in file.printed or ()]
        if not lines:
            return
        blocks = has_blocks(stream)
        if is_terminal(stream) and names is None and not wide:
            print_to(stream, *stats_for_people(lines, blocks=blocks))
        else:
            print_to(stream, stats_table(lines, names, blocks=blocks), whole=wide)

    return Printing(stats_lines, write)
