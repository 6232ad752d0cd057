"""Output of a command: data on stdout or in a file, messages on stderr."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import SettingsError
from .options import Format
from .text import UNSAFE_IN_LINES, clean, json_cell, text_cell

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 1000  # as Python objects, which are larger than an Arrow table


class _EscapingTerminal:
    """stdout on a terminal, for JSON and CSV: characters that control the terminal are written as \\uXXXX."""

    def write(self, data: bytes) -> None:
        text = UNSAFE_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", data.decode())
        sys.stdout.buffer.write(text.encode())


@contextmanager
def data_stream(path: str | None, *, escape: bool = False) -> Iterator[BinaryIO]:
    """Stdout, or a file that gets its name only after everything has been written.

    `escape` is for text with unescaped values from files: on a terminal, control characters are written as \\uXXXX.
    """
    if path is None:
        yield _EscapingTerminal() if escape and sys.stdout.isatty() else sys.stdout.buffer  # type: ignore[misc]
        sys.stdout.buffer.flush()
        return
    with _atomic_file(path) as stream:
        yield stream


@contextmanager
def _atomic_file(path: str) -> Iterator[BinaryIO]:
    target = os.path.realpath(path)
    special = os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode)
    partial = target if special else f"{target}.part"  # /dev/null and FIFOs are written to, never replaced
    try:
        stream = open(partial, "wb")  # noqa: SIM115 (closed below; only errors of open() are bad usage)
    except OSError as error:
        raise SettingsError(f"--output {path}: {error.strerror or error}") from None
    try:
        with stream:
            yield stream
    except BaseException as error:
        if not special:
            os.unlink(partial)
        if isinstance(error, OSError):
            raise SettingsError(f"--output {path}: {error.strerror or error}") from None
        raise
    if not special:
        os.replace(partial, target)


def terminal_width() -> int:
    """Columns of the terminal; 100 if stdout is not a terminal."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def print_to(stream: BinaryIO, *renderables: Any, wide: bool = False, min_width: int = 0) -> None:
    """Print rich renderables: coloured and wrapped on a terminal, else plain, with `wide` in lines of any length.

    At least `min_width` columns are used, even if a terminal then wraps the lines: rich would cut numbers.
    """
    import io

    from rich.console import Console

    terminal = stream is sys.stdout.buffer and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        width=10_000 if wide and not terminal else max(terminal_width(), min_width),
        force_terminal=terminal,
        highlight=False,
        legacy_windows=False,
    )
    for renderable in renderables:
        console.print(renderable, soft_wrap=not terminal)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    stream.write(text.encode() if terminal else _rstrip_lines(text))


def _rstrip_lines(text: str) -> bytes:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines()).encode()


def print_message(text: str) -> None:
    """Print one line on stderr, without characters that control a terminal."""
    sys.stderr.write(clean(text) + "\n")


def write_table(table: pa.Table, output_format: Format, path: str | None) -> None:
    """Write an Arrow table to stdout or to a file."""
    if output_format is Format.PARQUET and path is None and sys.stdout.isatty():
        raise SettingsError("--format parquet cannot be printed on a terminal; add --output FILE or redirect stdout")
    with data_stream(path, escape=output_format in (Format.JSON, Format.JSONL, Format.CSV)) as stream:
        if output_format is Format.PARQUET:
            import pyarrow.parquet as pq

            pq.write_table(table, stream)
        elif output_format is Format.CSV:
            _write_csv(table, stream)
        elif output_format is Format.JSON:
            _write_json(table, stream)
        elif output_format is Format.JSONL:
            for line in _json_rows(table):
                stream.write(line + b"\n")
        else:
            from .tables import arrow_table

            print_to(stream, arrow_table(table), wide=True)


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _write_json(table: pa.Table, stream: BinaryIO) -> None:
    """A JSON array, one row per line."""
    stream.write(b"[")
    for number, line in enumerate(_json_rows(table)):
        stream.write((b",\n" if number else b"\n") + line)
    stream.write(b"\n]\n")


def _json_rows(table: pa.Table) -> Iterator[bytes]:
    for row in _rows(table):
        yield json.dumps(json_cell(row), ensure_ascii=False, allow_nan=False).encode()


def _write_csv(table: pa.Table, stream: BinaryIO) -> None:
    import csv
    from types import SimpleNamespace

    writer = csv.writer(SimpleNamespace(write=lambda line: stream.write(line.encode())), lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow("" if v is None else v if isinstance(v, str) else text_cell(v) for v in row.values())
