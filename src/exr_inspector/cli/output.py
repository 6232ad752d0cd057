"""Output of a command: data on stdout or in a file, messages on stderr."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import ExrInspectorError, SettingsError
from .exit_codes import ExitCode
from .options import Format, column_names
from .text import clean, clean_lines, json_cell, text_cell, without_formula
from .verbosity import is_quiet

if TYPE_CHECKING:
    import pyarrow as pa

    from .tables import MakeListing

_TO_QUOTE = re.compile('[",\r\n]')
_ROWS_AT_ONCE = 1000  # as Python objects, which are larger than an Arrow table


class _EscapingTerminal:
    """A terminal, for JSON and CSV: characters that control it are written as \\uXXXX."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal = terminal

    def write(self, data: bytes) -> None:
        self._terminal.write(clean_lines(data.decode()).encode())


@contextmanager
def data_stream(path: str | None, *, escape: bool = False) -> Iterator[BinaryIO]:
    """Stdout, or a file that gets its name only after everything has been written.

    `escape` is for text with unescaped values from files: on a terminal, control characters are written as \\uXXXX.
    """
    with _output_file(path) if path is not None else _stdout() as stream:
        yield _EscapingTerminal(stream) if escape and stream.isatty() else stream  # type: ignore[misc]


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    sys.stdout.flush()  # lines that were printed before
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


class _RawFile(io.FileIO):
    """A file that remembers why it could not be written."""

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Called by BufferedWriter."""
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


@contextmanager
def _output_file(path: str) -> Iterator[BinaryIO]:
    with naming_output(path):
        mode = _mode(path)
    if mode is None or stat.S_ISREG(mode):
        with _removed_at_sigterm(), _replacing(path, mode) as stream:
            yield stream
    else:  # /dev/null, a FIFO, a pipe at /dev/stdout: written to, never replaced
        with _written(path, path, "w") as stream:
            yield stream


def _mode(path: str) -> int | None:
    """Type and permissions of a file; None if it does not exist."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


@contextmanager
def _replacing(path: str, mode: int | None) -> Iterator[BinaryIO]:
    """A new file that takes the place, and the permissions, of the one at a path."""
    target = os.path.realpath(path)
    unpredictable = os.path.join(os.path.dirname(target), f".exr-inspector-{os.urandom(8).hex()}.part")
    try:
        with _written(path, unpredictable, "x") as stream:
            yield stream
        with naming_output(path):
            if mode is not None:
                os.chmod(unpredictable, stat.S_IMODE(mode) & 0o777)
            os.replace(unpredictable, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(unpredictable)
        raise


@contextmanager
def _written(path: str, opened: str, mode: str) -> Iterator[BinaryIO]:
    """The file at `opened`; if it cannot be written, the error names `path`."""
    with naming_output(path):
        raw = _RawFile(opened, mode)
    try:
        with io.BufferedWriter(raw) as stream:
            yield stream
    except OSError as error:
        if error is not raw.failure:  # of what is read meanwhile
            raise
        raise _output_error(path, error) from None


@contextmanager
def naming_output(path: str) -> Iterator[None]:
    """Around operations on an output: an OSError becomes an error that names it."""
    try:
        yield
    except OSError as error:
        raise _output_error(path, error) from None


def _output_error(path: str, error: OSError) -> ExrInspectorError:
    from ..sources.output import is_unusable, unusable

    if is_unusable(error):
        return SettingsError(unusable(path, error))
    return ExrInspectorError(f"{path}: cannot be written: {error.strerror or error}")


@contextmanager
def _removed_at_sigterm() -> Iterator[None]:
    """SIGTERM raises SystemExit here, so that the unfinished file is removed."""
    is_default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def is_terminal(stream: BinaryIO) -> bool:
    """Whether a person reads the stream: stdout on a terminal."""
    return stream is sys.stdout.buffer and sys.stdout.isatty()


def has_blocks(stream: BinaryIO) -> bool:
    """Whether the stream is a terminal that shows block characters."""
    return is_terminal(stream) and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def terminal_width() -> int:
    """Columns of the terminal; 100 if stdout is not a terminal."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def print_to(stream: BinaryIO, *renderables: Any, whole: bool = False) -> None:
    """Print rich renderables: colored and tables in the width of a terminal, else plain in lines of any length.

    With `whole`, a terminal gets lines of any length, too. Text is wrapped by the terminal itself, as a path that is
    wrapped here could not be copied.
    """
    from rich.console import Console
    from rich.text import Text

    from .listing import Listing

    terminal = is_terminal(stream)
    console = Console(width=terminal_width(), force_terminal=terminal, highlight=False, legacy_windows=False)
    for renderable in renderables:
        if not terminal and isinstance(renderable, (Listing, Text)):  # line by line, as a listing may be large
            for line in renderable.whole() if isinstance(renderable, Listing) else [renderable]:
                stream.write(_rstrip_lines(line.plain))
            continue
        console.file = io.StringIO()
        console.print(renderable, soft_wrap=whole or not terminal or isinstance(renderable, Text), crop=False)
        text = console.file.getvalue()
        stream.write(text.encode() if terminal else _rstrip_lines(text))


def _rstrip_lines(text: str) -> bytes:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() or [""]).encode()


def print_message(text: str) -> None:
    """Print one line on stderr, without characters that control a terminal."""
    sys.stderr.write(clean(text) + "\n")


def discard_stdout() -> None:
    """Write the rest of stdout nowhere: its reader is gone (`| head`), and Python must not flush it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_result(text: str) -> None:
    """Print one line on stdout, without characters that control a terminal."""
    sys.stdout.write(clean(text) + "\n")


def print_done(text: str) -> None:
    """Print one line on stdout that confirms what was done, unless --quiet is given."""
    if not is_quiet():
        print_result(text)


def print_note(text: str) -> None:
    """Print one line on stderr that is only information, unless --quiet is given."""
    if not is_quiet():
        print_message(text)


def write_table(
    table: pa.Table,
    output_format: Format,
    path: str | None,
    *,
    columns: str | None = None,
    wide: bool = False,
    raw_csv: bool = False,
    listing: MakeListing | None = None,
    empty: str = "no rows",
) -> None:
    """Write an Arrow table to stdout or to a file.

    `columns`, `wide` and `raw_csv` are the options of these names. `listing` makes the text of the table, else it is
    `arrow_table`; without rows, `empty` is printed on stderr instead.
    """
    names = column_names(columns, table.column_names)
    if names is not None:
        table = table.select(names)
    if output_format is Format.PARQUET and path is None and sys.stdout.isatty():
        raise SettingsError("--format parquet cannot be printed on a terminal; add --output FILE or redirect stdout")
    with data_stream(path, escape=output_format in (Format.JSON, Format.JSONL, Format.CSV)) as stream:
        if output_format is Format.PARQUET:
            import pyarrow.parquet as pq

            pq.write_table(table, stream)
        elif output_format is Format.CSV:
            write_csv(table.column_names, (row.values() for row in _rows(table)), stream, raw=raw_csv)
        elif output_format is Format.JSON:
            write_json(table, stream)
            stream.write(b"\n")
        elif output_format is Format.JSONL:
            for line in _json_rows(table):
                stream.write(line + b"\n")
        elif table.num_rows:
            from .tables import arrow_table

            print_to(stream, (listing or arrow_table)(table, are_chosen=names is not None), whole=wide)
        else:
            print_note(empty)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def write_json(table: pa.Table, stream: BinaryIO) -> None:
    """Write a JSON array, one row per line, without a line feed at its end."""
    stream.write(b"[")
    for number, line in enumerate(_json_rows(table)):
        stream.write((b",\n" if number else b"\n") + line)
    stream.write(b"\n]")


def _json_rows(table: pa.Table) -> Iterator[bytes]:
    for row in _rows(table):
        yield json.dumps(json_cell(row), ensure_ascii=False, allow_nan=False).encode()


def write_csv(names: Iterable[str], rows: Iterable[Iterable[Any]], stream: BinaryIO, *, raw: bool) -> None:
    """Write rows as CSV; `raw` is the option --raw-csv.

    Rows end with LF. By hand, as csv.writer does not quote a carriage return before Python 3.13.
    """

    def cell(value: Any) -> str:
        text = "" if value is None else text_cell(value)
        if not raw and isinstance(value, (str, bytes)):
            text = without_formula(text)
        return '"{}"'.format(text.replace('"', '""')) if _TO_QUOTE.search(text) else text

    def write(values: Iterable[Any]) -> None:
        line = ",".join(map(cell, values)) or '""'  # an empty line is not a row
        stream.write(f"{line}\n".encode())

    write(names)
    for row in rows:
        write(row)
