"""Rows in columns: what a terminal of a given width shows, and what a pipe gets."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from rich.cells import cell_len
from rich.console import Console

from exr_inspector.cli import tables
from exr_inspector.cli.listing import Column, Listing
from exr_inspector.cli.options import Format
from exr_inspector.cli.output import write_table
from exr_inspector.cli.tables import arrow_table

FOLDER = "file:///shows/harbor/sq010/sh0010/beauty/v003/"
PATHS = [f"{FOLDER}harbor_sq010_sh0010_beauty_v003.{frame}.exr" for frame in (1001, 1002)]
VECTORS = pa.array([[0.5] * 4] * 2, pa.list_(pa.float32(), 4))
WIDE_ROWS = pa.table(
    {"file_path_normalized": PATHS, "vector": VECTORS}
    | {f"text_{n}": [f"{n}" * 40, None] for n in range(9)}
    | {"size_bytes": [123456789, 1]}
)


def lines(listing: Listing, width: int | None) -> list[str]:
    """The lines on a terminal of this width, or on a pipe."""
    console = Console(file=io.StringIO(), width=width or 10_000, legacy_windows=False)
    console.print(listing, soft_wrap=width is None)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def shown(table: pa.Table, width: int | None, *, are_chosen: bool = False) -> list[str]:
    return lines(arrow_table(table, are_chosen=are_chosen), width)


def test_on_a_pipe_everything_is_whole():
    """One line per row, with whole paths and vectors."""
    header, first, second = shown(WIDE_ROWS, None)
    assert header.split() == WIDE_ROWS.column_names
    assert first.split() == [
        PATHS[0],
        "[0.5,",
        "0.5,",
        "0.5,",
        "0.5]",
        *(str(n) * 40 for n in range(9)),
        "123456789",
    ]
    assert second.startswith(PATHS[1])
    assert second.endswith("        1")


def test_a_very_long_cell_does_not_widen_the_other_rows(tmp_path):
    """On a pipe it is whole, and the other rows are as wide as without it."""
    table = pa.table({"a": ["x" * 60_000, *["y" * 9] * 2000], "b": range(2001)})
    write_table(table, Format.TABLE, str(tmp_path / "out"))
    header, first, *others = (tmp_path / "out").read_text().splitlines()
    assert (header, first) == (f"a{' ' * 13}b", f"{'x' * 60_000}     0")
    assert others == [f"{'y' * 9}  {number:4}" for number in range(1, 2001)]


def test_vectors_become_text_only_if_they_are_shown(monkeypatch):
    """A terminal that does not show them needs one, to say that they are there; equal columns are not compared."""
    made = []
    real = tables.text_cell
    monkeypatch.setattr(tables, "text_cell", lambda value: made.append(value) or real(value))
    vectors = pa.array([[0.5] * 4] * 1000, pa.list_(pa.float32(), 4))
    table = pa.table({"a": ["x"] * 1000, "v": vectors, "w": vectors})
    assert shown(table, 80)[-1] == "not shown: v, w; see --wide and --columns"
    assert sum(isinstance(value, list) for value in made) == 2


def test_columns_that_fit_are_a_table():
    """The folder once, in the form in which it can be given back; texts share what is left; numbers are whole."""
    table = WIDE_ROWS.select(["file_path_normalized", "text_1", "size_bytes"])
    assert shown(table, 80) == [
        "below /shows/harbor/sq010/sh0010/beauty/v003/",
        "                                                                            size",
        "file_path_normalized                      text_1                           bytes",
        "harbor_sq010_sh0010_beauty_v003.1001.exr  11111111111111111111111111…  123456789",
        "harbor_sq010_sh0010_beauty_v003.1002.exr                                       1",
        "long values are cut; see --wide and --columns",
    ]
    assert shown(table, 60)[3] == "…0_sh0010_beauty_v003.1001.exr  1111111111111111…  123456789"


def test_columns_that_do_not_fit_are_blocks():
    """One for each row, with the values that are there; vectors are not shown."""
    assert shown(WIDE_ROWS, 60) == [
        "below /shows/harbor/sq010/sh0010/beauty/v003/",
        "row 1",
        "file_path_normalized  …bor_sq010_sh0010_beauty_v003.1001.exr",
        *(f"text_{n}                {str(n) * 37}…" for n in range(9)),
        "size_bytes            123456789",
        "row 2",
        "file_path_normalized  …bor_sq010_sh0010_beauty_v003.1002.exr",
        "size_bytes            1",
        "not shown: vector; long values are cut; see --wide and",
        "--columns",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_no_line_is_longer_than_the_terminal(width):
    """With any number of columns, also with characters that are two columns wide."""
    table = WIDE_ROWS.append_column("日本", pa.array(["日本" * 30, "a"]))
    for count in range(1, table.num_columns):
        for line in shown(table.select(table.column_names[-count:]), width):
            assert cell_len(line) <= width, (width, count)


def test_vectors_are_shown_if_they_are_asked_for():
    """Alone, or by name."""
    assert shown(WIDE_ROWS.select(["vector"]), 80)[1] == "[0.5, 0.5, 0.5, 0.5]"
    named = WIDE_ROWS.select(["vector", "size_bytes"])
    assert shown(named, 80, are_chosen=True)[1] == "[0.5, 0.5, 0.5, 0.5]   123456789"
    assert shown(named, 80)[-1] == "not shown: vector; see --wide and --columns"


def test_optional_columns_are_left_out_from_the_last():
    """As many as needed."""
    columns = [Column(name=name, cells=["x" * 10], is_optional=name != "a") for name in ("a", "b", "c")]
    found = {width: lines(Listing(columns=columns), width) for width in (34, 33, 21)}
    assert found[34][0].split() == ["a", "b", "c"]
    assert (found[33][0].split(), found[33][2]) == (["a", "b"], "not shown: c; see --wide and")
    assert found[21][0].split() == ["a"]
    assert " ".join(found[21][2:]) == "not shown: c, b; see --wide and --columns"


def test_several_columns_of_paths_have_their_own_folders():
    """Named where they differ."""
    table = pa.table(
        {"file_path": ["show/a.1.exr", "show/b.1.exr"], "sequence": ["s3://r/x/a.#.exr", "s3://r/x/b.#.exr"]}
    )
    assert shown(table, 80)[:4] == [
        "below show/  (file_path)",
        "below s3://r/x/  (sequence)",
        "file_path  sequence",
        "a.1.exr    a.#.exr",
    ]
