"""diff: the differences between two files, or between the frames of two sequences."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import ExrFormatError, NoMatchError, SettingsError, SourceError
from ..inspection.diff import Difference, differences
from ..inspection.inspector import inspect
from ..inspection.model import Inspection
from ..sequence.pairs import Pair, pair_files
from ..sources import store_of
from ..sources.listing import ListedFile, list_files
from ..sources.uris import path_as_text
from .exit_codes import ExitCode
from .options import AsJson, Output, chunk_option, header_limits, one_format, reject_empty_paths
from .output import data_stream, is_terminal, print_message, print_to, terminal_width

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
    hidden: set[str]  # attributes that are not compared, as they change from frame to frame
    is_multipart: bool  # any of the files

    @property
    def is_same(self) -> bool:
        """Whether both sides have the same frames, without differences."""
        pair = self.pair
        return bool(pair.a and pair.b) and not (self.frames or pair.only_in_a or pair.only_in_b)


def diff(
    a: Annotated[
        str,
        typer.Argument(
            callback=reject_empty_paths,
            help="A file, or a folder or pattern of files, such as shot.####.exr.",
            show_default=False,
        ),
    ],
    b: Annotated[
        str, typer.Argument(callback=reject_empty_paths, help="What A is compared with, likewise.", show_default=False)
    ],
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
    chosen = one_format(DiffFormat, output_format, json=as_json) or DiffFormat.TABLE
    reader = _Reader(store_of([a, b]))
    with data_stream(output, escape=chosen is DiffFormat.JSON) as stream:
        width = terminal_width() if is_terminal(stream) else None
        values = _Values(whole=width is None, volatile=show_all)
        comparisons = [_compared(pair, reader, values) for pair in pair_files(_files(a, reader), _files(b, reader))]
        differing = [comparison for comparison in comparisons if not comparison.is_same]
        if chosen is DiffFormat.JSON:
            rows = [row for comparison in differing for row in _json_rows(comparison)]
            stream.write(json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n")
        else:
            from .diff_lines import comparison_lines, hidden_lines

            for each in differing:
                print_to(stream, *comparison_lines(each.pair, each.frames, width, is_multipart=each.is_multipart))
            hidden = {name for comparison in comparisons for name in comparison.hidden}
            print_to(stream, *hidden_lines(hidden, is_whole=width is None))
    if reader.failed:
        return ExitCode.FAILED
    return ExitCode.FINDINGS if differing or reader.unreadable else ExitCode.OK


class _Values(NamedTuple):
    """Which values are shown: long ones whole or cut, and those that change from frame to frame."""

    whole: bool
    volatile: bool


class _Reader:
    """Inspects files, and prints and remembers those that cannot be inspected."""

    def __init__(self, s3: S3Access | None) -> None:
        self.s3 = s3
        self._limits, self._chunks = header_limits(), chunk_option(None)
        self.failed = self.unreadable = False
        self._printed: set[str] = set()  # messages, as a file may be on both sides

    def inspections(self, a: str, b: str) -> tuple[Inspection, Inspection] | None:
        """Two files; None if one of them cannot be inspected."""
        left, right = self._inspect(a), self._inspect(b)
        return None if left is None or right is None else (left, right)

    def fail(self, error: SourceError) -> None:
        """Print the error of a file that cannot be read."""
        self.failed = True
        self._print(str(error))

    def _inspect(self, path: str) -> Inspection | None:
        try:
            return inspect(path, limits=self._limits, chunks=self._chunks, s3=self.s3)
        except ExrFormatError as error:
            self.unreadable = True
            self._print(f"{path}: {error}")
        except SourceError as error:
            self.fail(error)
        return None

    def _print(self, message: str) -> None:
        if message not in self._printed:
            self._printed.add(message)
            print_message(f"exr-inspector: {message}")


def _files(path: str, reader: _Reader) -> list[str]:
    """The files of a side. Raises SettingsError without any, and SourceError if the path itself cannot be listed."""
    items = list(list_files([path], s3=reader.s3))
    files = [item.path for item in items if isinstance(item, ListedFile)]
    errors = [item for item in items if isinstance(item, SourceError)]
    if not files:
        if errors and not isinstance(errors[0], NoMatchError):
            raise errors[0]
        raise SettingsError(str(errors[0]) if errors else f"{path}: no file below it ends in .exr, .sxr or .mxr")
    for error in errors:
        reader.fail(error)
    return files


def _compared(pair: Pair, reader: _Reader, values: _Values) -> Comparison:
    """The differences between the frames of a pair.

    An attribute that is volatile in some frame is hidden in all: a measured value may look typed in another one. The
    data windows of two files that are not frames of sequences are always compared.
    """
    frames: dict[Difference, list[Frame]] = defaultdict(list)
    volatile = set()
    is_multipart = False
    for frame, a, b in pair.files:
        both = reader.inspections(a, b)
        if both is None:
            continue
        is_multipart |= any(len(each.parts) > 1 for each in both)
        for difference in differences(*both, whole=values.whole, whole_volatile=values.whole and values.volatile):
            is_compared = values.volatile or (frame is None and difference.name == "dataWindow")
            if difference.is_volatile and not is_compared:
                volatile.add((difference.part_index, difference.name))
            else:
                frames[difference].append(frame)
    shown = {
        each: numbers
        for each, numbers in frames.items()
        if not each.is_of_values or (each.part_index, each.name) not in volatile
    }
    hidden = {name for _, name in volatile}
    return Comparison(pair=pair, frames=shown, hidden=hidden, is_multipart=is_multipart)


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
    sides = {side: group and path_as_text(group.pattern) for side, group in (("file_a", pair.a), ("file_b", pair.b))}
    return [{**sides, "frames": frames or None, **asdict(each)} for frames, each in rows]
