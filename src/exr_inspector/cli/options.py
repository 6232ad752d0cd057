"""Arguments and options that several commands share, and the catalog that one of them names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ..errors import CatalogLockedError, SettingsError
from ..exr import CHUNK_OPTIONS, ChunkOption, Limits
from ..sources.local import unreadable
from ..sources.selection import Selection, select
from .config_file import config_file
from .exit_codes import FailOn

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..frames.ranges import Number
    from ..pixels.model import PixelLimits, StatsOptions


class Format(str, Enum):
    """Output format of rows."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class InspectionFormat(str, Enum):
    """Output format of inspections, which have no rows: a page of text for each, or a line in a table."""

    PAGE = "page"
    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


T = TypeVar("T")
AnyFormat = TypeVar("AnyFormat", bound=Enum)


def reject_empty_paths(paths: str | list[str] | None) -> str | list[str] | None:
    """The value of an argument, one path or several. Raises SettingsError if one is empty or blank."""
    if not all(path.strip() for path in ([paths] if isinstance(paths, str) else paths or ())):
        raise SettingsError("a path is empty or blank; give files, folders, s3:// URIs or patterns")
    return paths


Paths = Annotated[
    list[str] | None,
    typer.Argument(
        callback=reject_empty_paths,
        help="Files, folders, s3:// URIs, or patterns: shot.####.exr, shot.%04d.exr, 'shots/*/beauty.*.exr'.",
        show_default=False,
    ),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        help="Leave out files and folders below the given paths whose name matches this shell pattern (with a slash: "
        "whose path below them). Repeatable. Hidden and temporary names are left out anyway.",
        show_default=False,
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include", help="Do not leave out names that match this shell pattern. Repeatable.", show_default=False
    ),
]
MinAge = Annotated[
    str,
    typer.Option(
        "--min-age",
        metavar="TIME",
        help="Leave out files that changed less than this time ago, such as 60s, 10m or 1h: they may not be "
        "complete yet.",
    ),
]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        "--files-from", help="Also the paths in this file, one a line; -: standard input.", show_default=False
    ),
]
NulSeparated = Annotated[
    bool, typer.Option("--null", "-0", help="The paths of --files-from end with NUL characters, as of find -print0.")
]
SequencePaths = Annotated[
    list[str] | None,
    typer.Argument(
        callback=reject_empty_paths,
        help="Files, folders, s3:// URIs or patterns, which are read now. With --catalog: only sequences of the "
        "catalog whose path contains one of these strings or matches one of these patterns. Default: all of the "
        "catalog.",
        show_default=False,
    ),
]
FrameRange = Annotated[
    str | None,
    typer.Option(
        "--range",
        help="The frames that each sequence must have, such as 1001-1100 or 1-99x2. Default: all between its first and "
        "last frame, in its step.",
        show_default=False,
    ),
]
RangeFrom = Annotated[
    str | None,
    typer.Option(
        "--range-from",
        help="otio:FILE: the frames that each sequence must have are those of the clips of this OpenTimelineIO "
        "timeline that name its files, without regard to retimes. Folders may differ: of the sequences with the same "
        "file name, the one whose path ends most like that of the clip is meant. Sequences without a clip are judged "
        "as without the option. All frames of a clip without a sequence among the selected ones are missing.",
        show_default=False,
    ),
]
ProblemsOnly = Annotated[bool, typer.Option("--problems-only", help="Leave out sound sequences.")]
CatalogUri = Annotated[
    str | None,
    typer.Option(
        "--catalog",
        help="duckdb:FILE or vast://BUCKET/SCHEMA; to read a snapshot of a bucket, vast://BUCKET/SCHEMA?snapshot=NAME. "
        "Default: $EXR_INSPECTOR_CATALOG, else that of exr-inspector.toml, "
        "else duckdb:exr-inspector.duckdb.",
        show_default=False,
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="While another process has the DuckDB file open, wait for so many seconds instead of failing at once.",
        show_default=False,
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="Output format; jsonl: one JSON object per line.")]
AsJson = Annotated[bool, typer.Option("--json", help="Same as --format json.")]
AsJsonl = Annotated[bool, typer.Option("--jsonl", help="Same as --format jsonl.")]
AsTable = Annotated[bool, typer.Option("--table", help="Same as --format table.")]
Output = Annotated[str | None, typer.Option("--output", help="Write to this file instead of stdout.")]
Wide = Annotated[
    bool, typer.Option("--wide", help="On a terminal, too, show all columns and whole values in the table.")
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="NAME,…", help="Show only these columns, in this order.", show_default=False),
]
RawCsv = Annotated[
    bool,
    typer.Option(
        "--raw-csv",
        help="In CSV, leave text as it is. Otherwise an apostrophe is put before text that begins with =, +, -, @, a "
        "tab or a line break, which spreadsheets read as a formula.",
    ),
]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        "--fail-on",
        help="Exit with 1 if the command reports something of at least this severity: error (a file is damaged, is not "
        "an EXR file or has an invalid header, or a frame is missing), warning (also other problems of headers, and "
        "frames that differ or are repeated, several paddings or ranges), or never.",
    ),
]


Deep = Annotated[bool, typer.Option("--deep", help="Also decode the samples of deep parts; otherwise only count them.")]
Stride = Annotated[
    int,
    typer.Option(
        "--stride",
        min=1,
        metavar="N",
        help="Decode the first run of chunks of each part and every Nth after it; a run is consecutive chunks of about "
        "4 MiB of pixels, at least one. A part that is one run is decoded whole; others have no digests and no used "
        "window.",
    ),
]


_CHUNK_OPTIONS = "; ".join(f"{option}: {meaning}" for option, meaning in CHUNK_OPTIONS.items())
ChunksOption = Annotated[
    ChunkOption | None,
    typer.Option(
        "--chunks",
        help=f"What is read to check chunks. {_CHUNK_OPTIONS}. Default: $EXR_INSPECTOR_CHUNKS, else auto.",
        show_default=False,
    ),
]


def one_format(kind: type[AnyFormat], given: AnyFormat | None, **aliases: bool) -> AnyFormat | None:
    """The format of --format or of the alias, such as --json, that is given. Raises SettingsError for several."""
    names = [name for name, is_given in aliases.items() if is_given]
    if len(names) + (given is not None) > 1:
        options = ", ".join(["--format", *(f"--{name}" for name in aliases)])
        raise SettingsError(f"{options} exclude each other; give one of them")
    return kind(names[0]) if names else given


def column_names(given: str | None, known: Sequence[str], *, hint: str = "") -> list[str] | None:
    """The names of --columns. Raises SettingsError for one that is unknown, with a hint, or repeated."""
    if given is None:
        return None
    names = [name.strip() for name in given.split(",")]
    for name in names:
        if name not in known:
            raise SettingsError(f"--columns: no column {name!r}; the columns are {', '.join(known)}{hint}")
        if names.count(name) > 1:
            raise SettingsError(f"--columns: {name!r} is given {names.count(name)} times; give each column once")
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFrames:
    """The frames that sequences must have: the same for each, or those of the clips of a timeline. None: not given."""

    of_each: frozenset[Number] | None = None
    timeline: dict[str, frozenset[Number]] | None = None  # by the sequence that a clip names


def expected_frames(frame_range: str | None, range_from: str | None, paths: Sequence[str] | None) -> ExpectedFrames:
    """The frames of --range or --range-from for the files of `paths`. Raises SettingsError, MissingExtraError."""
    if frame_range is not None and range_from is not None:
        raise SettingsError("--range and --range-from exclude each other; give one of them")
    if range_from is not None:
        from ..sequence.timeline import frames_in_timeline

        kind, _, path = range_from.partition(":")
        if kind != "otio" or not path:
            raise SettingsError(f"--range-from {range_from}: expected otio:FILE")
        return ExpectedFrames(timeline=frames_in_timeline(path))
    if frame_range is None:
        return ExpectedFrames()
    from ..frames.patterns import names_tiles
    from ..frames.ranges import parse_range

    if tiles := [path for path in paths or () if names_tiles(path)]:
        raise SettingsError(f"--range: {tiles[0]} names tiles of a texture, which have no range; leave out one of them")
    try:
        return ExpectedFrames(of_each=parse_range(frame_range))
    except ValueError as error:
        raise SettingsError(f"--range: {error}") from None


def chunk_option(given: ChunkOption | None) -> ChunkOption:
    """The value of --chunks, or else that of the settings."""
    if given is not None:
        return given
    if "EXR_INSPECTOR_CHUNKS" not in os.environ:
        return "auto"  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    return settings().chunks


def worker_count() -> int:
    """The number of worker processes in the settings; 0: one per core."""
    if "EXR_INSPECTOR_WORKERS" not in os.environ:
        return 0  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    return settings().workers


NO_FILES = "no file ends in .exr, .sxr or .mxr below the given paths; files with other names must be given themselves"


def given_paths(paths: list[str] | None, files_from: str | None, *, nul_separated: bool) -> list[str]:
    """The paths of the arguments and of --files-from. Raises SettingsError without any, SourceError."""
    given = list(paths or ())
    if nul_separated and files_from is None:
        raise SettingsError("-0 is for the paths of --files-from; add it, or leave -0 out")
    if files_from is not None:
        try:
            text = os.fsdecode(sys.stdin.buffer.read() if files_from == "-" else Path(files_from).read_bytes())
        except OSError as error:
            raise unreadable(files_from, error) from None
        if nul_separated:
            given += filter(None, text.split("\0"))  # a name may be a space
        else:  # splitlines() would also split at characters that names may contain, such as U+2028
            given += filter(str.strip, text.replace("\r\n", "\n").split("\n"))
    if not given:
        raise SettingsError("no path is given; give files, folders or s3:// URIs, or --files-from")
    return given


def selection(exclude: list[str] | None, include: list[str] | None) -> Selection:
    """The files that --exclude, the configuration file and --include leave. Raises SettingsError."""
    return select((*config_file().exclude, *(exclude or ())), include or ())


def header_limits() -> Limits:
    """The limits of the header parser in the settings."""
    if not any(name.startswith("EXR_INSPECTOR_MAX_") for name in os.environ):
        return Limits()  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    return settings().limits


def stats_options(*, deep: bool, stride: int) -> StatsOptions:
    """What to compute of pixels, within the limits in the settings."""
    from ..pixels.model import StatsOptions

    return StatsOptions(deep=deep, stride=stride, limits=pixel_limits())


def pixel_limits() -> PixelLimits:
    """The limits of decoding in the settings."""
    from ..pixels.model import PixelLimits

    if not os.environ.keys() & {"EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES", "EXR_INSPECTOR_PIXEL_SECONDS"}:
        return PixelLimits()  # importing pydantic takes longer than inspecting a file
    from ..settings import settings

    values = settings()
    return PixelLimits(chunk_bytes=values.max_chunk_pixel_bytes, seconds=values.pixel_seconds)


def catalog_uri(uri: str | None, *, read_only: bool = False) -> str:
    """The catalog of --catalog, else of the environment, of the configuration file, or the default.

    Unless it is only read, a note names the configuration file that decides.
    """
    chosen, source = chosen_catalog(uri)
    if source == str(config_file().path) and not read_only:
        from .output import print_note

        print_note(f"{chosen} is the catalog of {source}; --catalog overrides it")
    return chosen


def chosen_catalog(uri: str | None) -> tuple[str, str]:
    """The catalog of --catalog, else of the environment, of the configuration file, or the default; and which it is."""
    if uri:
        return uri, "--catalog"
    from ..settings import CatalogSettings, resolved

    values, file = resolved(CatalogSettings), config_file()
    if "catalog" in values.model_fields_set:
        return values.catalog, "environment, EXR_INSPECTOR_CATALOG"
    return (file.catalog, str(file.path)) if file.catalog else (values.catalog, "default")


def waiting(wait_s: float, call: Callable[[float], T]) -> T:
    """The result of a call with the seconds to wait for another process; a note says that it waits."""
    try:
        return call(0)
    except CatalogLockedError as error:
        if not wait_s:
            raise
        from .output import print_note

        print_note(f"{error}; waiting up to {wait_s:g} s")
        return call(wait_s)


def path_template() -> str:
    """The path template of the environment, else of the configuration file, or the default."""
    from ..settings import chosen_path_template, settings

    return chosen_path_template(settings(), config_file().path_template)


def open_catalog(uri: str | None, *, read_only: bool = False, wait_s: float = 0) -> Catalog:
    """Open the catalog that `catalog_uri` gives; `wait_s` is the value of --wait."""
    import logging

    from ..environment import open_catalog

    given = catalog_uri(uri, read_only=read_only)
    opened = waiting(wait_s, lambda seconds: open_catalog(given, read_only=read_only, wait_s=seconds))
    logging.getLogger(__name__).info("opened the catalog %s%s", opened.uri, ", read-only" if read_only else "")
    return opened
