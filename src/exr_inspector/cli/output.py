"""Where a command's words and data go: data to stdout or a file, words to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import SettingsError
from ..inspection import timestamp_text
from ..jsonform import base64_text, json_float
from .options import Format

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def data_stream(path: str | None) -> Iterator[BinaryIO]:
    """stdout, or a file that appears under its name only when all of it is written."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = f"{path}.part"
    try:
        with open(partial, "wb") as stream:
            yield stream
    except OSError as problem:
        raise SettingsError(f"--output {path}: {problem.strerror or problem}") from None
    except BaseException:
        os.unlink(partial)
        raise
    os.replace(partial, path)


def terminal_width() -> int:
    """Columns of the terminal, or of the page that is made where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def print_to(stream: BinaryIO, *renderables: Any, wide: bool = False) -> None:
    """Print rich renderables: with colours and folded on a terminal, else plain; `wide` then keeps lines whole."""
    import io

    from rich.console import Console

    terminal = stream is sys.stdout.buffer and sys.stdout.isatty()
    console = Console(
        file=io.StringIO(),
        width=10_000 if wide and not terminal else terminal_width(),
        force_terminal=terminal,
        highlight=False,
        legacy_windows=False,
    )
    for renderable in renderables:
        console.print(renderable, soft_wrap=not terminal)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    stream.write(text.encode() if terminal else _rstrip(text))


def say(text: str) -> None:
    """One line of words for a person."""
    sys.stderr.write(text + "\n")


def write_table(table: pa.Table, how: Format, output: str | None) -> None:
    """An Arrow table in the format that was asked for."""
    if how is Format.PARQUET and output is None and sys.stdout.isatty():
        raise SettingsError("parquet is not for a terminal: give --output FILE, or send it to a file or a pipe")
    with data_stream(output) as stream:
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
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in _rows(table):
        writer.writerow("" if v is None else v if isinstance(v, str) else plain_text(v) for v in row.values())
    text.detach()


def plain(value: Any) -> Any:
    """A database value as strict JSON knows it."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return json_float(value, single=False)
    if isinstance(value, (bytes, bytearray)):
        return base64_text(bytes(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "astimezone"):
        return timestamp_text(value)
    return str(value)


def plain_text(value: Any) -> str:
    """A database value as one piece of text."""
    shown = plain(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)
