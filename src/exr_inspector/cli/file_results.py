"""Commands that print something of each file: the files, how they are inspected and written, and the exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..errors import ExrFormatError, NoMatchError, SettingsError, SourceError
from ..inspection.json_form import error_row
from ..sources import store_of
from ..sources.listing import ListedFile, list_files
from ..sources.selection import Selection, has_exr_extension
from ..sources.uris import local_path, normalize_path
from .exit_codes import ExitCode, FailOn, Severity, exit_code
from .inspected_files import InspectedFile, InspectOptions, inspected_files
from .options import NO_FILES
from .progress import progress_bar

if TYPE_CHECKING:
    from ..inspection.model import Inspection
    from ..settings import S3Access


class Files(NamedTuple):
    """The files that the arguments of a command name."""

    listing: Iterator[str | SourceError]
    s3: S3Access | None
    total: int | None  # None: not counted
    is_one_path: bool  # one path is given that is not a folder or pattern, even of one file; the file may not exist


def files_of(given: list[str], selected: Selection, *, recursive: bool, is_counted: bool) -> Files:
    """The files below the given paths; if they are counted, all are listed before the first is inspected."""
    s3 = store_of(given)
    listing = _listing(given, recursive, s3, selected)
    if not is_counted:
        return Files(listing, s3, None, is_one_path=False)
    listed = list(listing)
    return Files(iter(listed), s3, len(listed), is_one_path=_is_path_of_file(given, listed))


class Printing(NamedTuple):
    """What is made of each inspection, in worker processes if it is not the inspection itself; how that is written."""

    of_file: Callable[[Inspection], Any]
    write: Callable[[BinaryIO, Iterable[InspectedFile]], None]


def json_printing(files: Files, text: Callable[..., bytes], *, is_lines: bool) -> Printing:
    """JSON of each file: an object for one path, else an array or lines. `text` has an argument `indent`."""
    if files.is_one_path and not is_lines:
        return Printing(partial(text, indent=2), _write_json_lines)
    return Printing(text, _write_json_lines if is_lines else _write_json_array)


def print_files(
    files: Files,
    options: InspectOptions,
    printing: Printing,
    *,
    workers: int,
    output: str | None,
    fail_on: FailOn,
    escape: bool = False,
    at_end: bool = False,
) -> ExitCode:
    """Inspect and print the files; return the exit code.

    `escape` is that of `data_stream`; `at_end`: nothing is printed before all files are inspected.
    """
    from .output import data_stream

    verdicts = _Verdicts()
    # On the terminal of the progress bar, lines would be written into it.
    is_hidden = not at_end and output is None and sys.stdout.isatty()
    with (
        data_stream(output, escape=escape) as stream,
        progress_bar(is_hidden=is_hidden) as update,
        closing(inspected_files(files.listing, options, workers)) as inspected,
    ):
        printing.write(stream, verdicts.of(inspected, lambda done: update(done, files.total)))
    return exit_code(verdicts.worst, fail_on, failed=verdicts.failed, misused=verdicts.misused)


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
            if isinstance(error, ExrFormatError):  # it was read, and is not a complete EXR file
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


def _listing(
    paths: list[str], recursive: bool, s3: S3Access | None, selected: Selection
) -> Iterator[str | SourceError]:
    """The files; prints a message without any. Raises SettingsError for folders whose files are all in subfolders."""
    from .output import print_message

    is_empty = True
    for item in list_files(paths, recursive=recursive, s3=s3, selection=selected):
        is_empty = False
        yield item.path if isinstance(item, ListedFile) else item
    if is_empty:
        if not recursive and any(map(_has_subfolders, paths)):
            raise SettingsError(f"no EXR file is directly in {', '.join(paths)}; for subfolders give --recursive (-r)")
        print_message(NO_FILES)


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
