"""Where a command's words and data go: data to stdout or a file, words to stderr."""

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
from .text import UNCLEAN_IN_LINES, clean, plain, plain_text

if TYPE_CHECKING:
    import pyarrow as pa


class _Terminal:
    """stdout where it is a terminal, for JSON and CSV: what could steer it is written as \\uXXXX."""

    def write(self, data: bytes) -> None:
        text = UNCLEAN_IN_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", data.decode())
        sys.stdout.buffer.write(text.encode())


@contextmanager
def data_stream(path: str | None, *, machine: bool = False) -> Iterator[BinaryIO]:
    """stdout, or a file that appears under its name only when all of it is written.

    `machine` says that text is coming which nobody has made harmless for a terminal.
    """
    if path is None:
        yield _Terminal() if machine and sys.stdout.isatty() else sys.stdout.buffer  # type: ignore[misc]
        sys.stdout.buffer.flush()
        return
    with _new_file(path) as stream:
        yield stream


@contextmanager
def _new_file(path: str) -> Iterator[BinaryIO]:
    target = os.path.realpath(path)
    special = os.path.exists(target) and not stat.S_ISREG(os.stat(target).st_mode)
    partial = target if special else f"{target}.part"  # /dev/null and FIFOs are written to, never replaced
    try:
        stream = open(partial, "wb")  # noqa: SIM115 (closed below; only its own errors are bad usage)
    except OSError as problem:
        raise SettingsError(f"--output {path}: {problem.strerror or problem}") from None
    try:
        with stream:
            yield stream
    except BaseException as problem:
        if not special:
            os.unlink(partial)
        if isinstance(problem, OSError):
            raise SettingsError(f"--output {path}: {problem.strerror or problem}") from None
        raise
    if not special:
        os.replace(partial, target)


def terminal_width() -> int:
    """Columns of the terminal, or of the page that is made where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def print_to(stream: BinaryIO, *renderables: Any, wide: bool = False, least: int = 0) -> None:
    """Print rich renderables: with colours and folded on a terminal, else plain; `wide` then keeps lines whole.

    Never in fewer than `least` columns: better that a terminal breaks lines than that what cannot be folded is cut.
    """
    import io

    from rich.console import Console

    terminal = stream is sys.stdout.buffer and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        width=10_000 if wide and not terminal else max(terminal_width(), least),
        force_terminal=terminal,
        highlight=False,
        legacy_windows=False,
    )
    for renderable in renderables:
        console.print(renderable, soft_wrap=not terminal)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    stream.write(text.encode() if terminal else _rstrip(text))


def say(text: str) -> None:
    """One line of words for a person, made harmless."""
    sys.stderr.write(clean(text) + "\n")


def write_table(table: pa.Table, how: Format, output: str | None) -> None:
    """An Arrow table in the format that was asked for."""
    if how is Format.PARQUET and output is None and sys.stdout.isatty():
        raise SettingsError("parquet is not for a terminal: give --output FILE, or send it to a file or a pipe")
    with data_stream(output, machine=how in (Format.JSON, Format.CSV)) as stream:
        if how is Format.PARQUET:
            import pyarrow.parquet as pq

            pq.write_table(table, stream)
        elif how is Format.CSV:
            _write_csv(table, stream)
        elif how is Format.JSON:
            _write_json(table, stream)
        else:
            from .tables import arrow_table

            print_to(stream, arrow_table(table), wide=True)


def _rstrip(text: str) -> bytes:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines()).encode()


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        yield from batch.to_pylist()


def _write_json(table: pa.Table, stream: BinaryIO) -> None:
    """A JSON array, one row a line."""
    stream.write(b"[")
    for number, row in enumerate(_rows(table)):
        text = json.dumps(plain(row), ensure_ascii=False, allow_nan=False)
        stream.write((",\n" if number else "\n").encode() + text.encode())
    stream.write(b"\n]\n")


def _write_csv(table: pa.Table, stream: BinaryIO) -> None:
    import csv
    from types import SimpleNamespace

    writer = csv.writer(SimpleNamespace(write=lambda line: stream.write(line.encode())), lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow("" if v is None else v if isinstance(v, str) else plain_text(v) for v in row.values())
