"""diff: the differences between two files, or between the frames of two sequences."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ExrFormatError, NoMatchError, SettingsError, SourceError
from ..inspection.diff import Difference
from ..inspection.diff import diff as differences_between
from ..inspection.inspector import inspect
from ..sequence.pairs import Pair, pair_files
from ..sources import store_of
from ..sources.listing import list_files
from .exit_codes import ExitCode
from .options import AsJson, Output, chunk_option, header_limits, one_format

if TYPE_CHECKING:
    from ..sequence.pairs import Frame
    from ..settings import S3Access


class DiffFormat(str, Enum):
    """Output format of differences."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two files or sequences, and the frames with each difference."""

    pair: Pair
    frames: dict[Difference, list[Frame]]

    @property
    def is_same(self) -> bool:
        """Whether both sides have the same frames, without differences."""
        pair = self.pair
        return bool(pair.a and pair.b) and not (self.frames or pair.only_in_a or pair.only_in_b)


def diff(
    a: Annotated[
        str, typer.Argument(help="A file, or a folder or pattern of files, such as shot.####.exr.", show_default=False)
    ],
    b: Annotated[str, typer.Argument(help="What A is compared with, likewise.", show_default=False)],
    show_all: Annotated[
        bool, typer.Option("--all", help="Compare also attributes that change from frame to frame, such as time codes.")
    ] = False,
    output_format: Annotated[
        DiffFormat | None, typer.Option("--format", help="Output format. Default: table.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    output: Output = None,
) -> int:
    """Compare the headers of two files, or of the frames of two sequences; exit with 1 if they differ.

    Sequences are paired by their name without versions, their frames by number. Pixels are not compared.
    """
    from .output import data_stream, print_to, terminal_width

    chosen = one_format(DiffFormat, output_format, json=as_json) or DiffFormat.TABLE
    s3 = store_of([a, b])
    reader = _Reader(s3)
    comparisons = [_compared(pair, reader) for pair in pair_files(_files(a, s3), _files(b, s3))]
    hidden = set[str]()
    if not show_all:
        hidden = {each.name for comparison in comparisons for each in comparison.frames if each.is_volatile}
        comparisons = [_without_volatile(comparison) for comparison in comparisons]
    differing = [comparison for comparison in comparisons if not comparison.is_same]
    with data_stream(output, escape=chosen is DiffFormat.JSON) as stream:
        if chosen is DiffFormat.JSON:
            rows = [row for comparison in differing for row in _json_rows(comparison)]
            stream.write(json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n")
        else:
            from .diff_lines import comparison_lines, hidden_lines

            for comparison in differing:
                print_to(stream, *comparison_lines(comparison.pair, comparison.frames, terminal_width()))
            print_to(stream, *hidden_lines(hidden))
    if reader.failed:
        return ExitCode.FAILED
    return ExitCode.FINDINGS if differing or reader.unreadable else ExitCode.OK


def _files(path: str, s3: S3Access | None) -> list[str]:
    """The files of a side. Raises SettingsError without any, and the SourceError of a path that cannot be listed."""
    files = []
    for item in list_files([path], s3=s3):
        if isinstance(item, NoMatchError):
            raise SettingsError(str(item))
        if isinstance(item, SourceError):
            raise item
        files.append(item.path)
    if not files:
        raise SettingsError(f"{path}: no file below it ends in .exr, .sxr or .mxr")
    return files


class _Reader:
    """Inspects files, and prints and remembers those that cannot be inspected."""

    def __init__(self, s3: S3Access | None) -> None:
        self._options: dict[str, Any] = {"limits": header_limits(), "chunks": chunk_option(None), "s3": s3}
        self.failed = self.unreadable = False

    def differences(self, a: str, b: str) -> list[Difference]:
        """The differences between two files; none if one of them cannot be inspected."""
        inspections = [self._inspect(path) for path in (a, b)]
        left, right = inspections
        return [] if left is None or right is None else differences_between(left, right)

    def _inspect(self, path: str) -> Any:
        from .output import print_message

        try:
            return inspect(path, **self._options)
        except ExrFormatError as error:
            self.unreadable = True
            print_message(f"exr-inspector: {path}: {error}")
        except SourceError as error:
            self.failed = True
            print_message(f"exr-inspector: {error}")
        return None


def _compared(pair: Pair, reader: _Reader) -> Comparison:
    frames: dict[Difference, list[Frame]] = defaultdict(list)
    for frame, a, b in pair.files:
        for difference in reader.differences(a, b):
            frames[difference].append(frame)
    return Comparison(pair=pair, frames=frames)


def _without_volatile(comparison: Comparison) -> Comparison:
    """Without attributes that are volatile in some frame: a measured value may look typed in another one."""
    volatile = {(each.part_index, each.name) for each in comparison.frames if each.is_volatile}
    frames = {
        each: frames
        for each, frames in comparison.frames.items()
        if each.kind != "attribute" or (each.part_index, each.name) not in volatile
    }
    return Comparison(pair=comparison.pair, frames=frames)


def _json_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each difference; one of the kind `frames` for the frames of a sequence that only one side has."""
    from dataclasses import asdict

    from .diff_lines import frames_text

    pair = comparison.pair
    rows: list[tuple[str, Difference]] = []
    if pair.only_in_a or pair.b is None:
        rows.append((pair.only_in_a, Difference(kind="frames", name="only in a", a="there", b=None)))
    if pair.only_in_b or pair.a is None:
        rows.append((pair.only_in_b, Difference(kind="frames", name="only in b", a=None, b="there")))
    rows += [(frames_text(frames), each) for each, frames in comparison.frames.items()]
    sides = {"file_a": pair.a and pair.a.pattern, "file_b": pair.b and pair.b.pattern}
    return [{**sides, "frames": frames or None, **asdict(each)} for frames, each in rows]
