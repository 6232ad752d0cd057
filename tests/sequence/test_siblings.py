"""Sequences that are views of one another, by their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exr_inspector.sequence.frames import alone
from exr_inspector.sequence.siblings import other_views


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("/r/show/plate_left.#.exr", "/r/show/plate_right.#.exr"),
        ("/l/show/plate_left.#.exr", "/l/show/plate_right.#.exr"),
        ("/r/show/plate_l.#.exr", "/r/show/plate_r.#.exr"),
        ("/r/left/plate.#.exr", "/r/right/plate.#.exr"),
        ("/show/l/plate.#.exr", "/show/r/plate.#.exr"),
        ("/show/left/plate_l.#.exr", "/show/right/plate_r.#.exr"),
        ("/show/l/plate_left.#.exr", "/show/r/plate_right.#.exr"),
        ("/show/l/L_plate.#.exr", "/show/r/R_plate.#.exr"),
    ],
)
def test_views_of_one_image(left, right):
    """Folders named by a letter may agree with the view, or be anything."""
    assert views(left, right) == {left: [right], right: [left]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/show/l_r.#.exr", "/show/r_l.#.exr"),
        ("/show/plate_l.#.exr", "/show/plate_right.#.exr"),
        ("/show/left/plate_r.#.exr", "/show/right/plate_l.#.exr"),
        ("/r/show/plate.#.exr", "/l/show/grain.#.exr"),
        ("/r/show/plate_left.#.exr", "/l/show/plate_left.#.exr"),
    ],
)
def test_names_that_are_not_views(one, other):
    """Both views in one path, views in two notations, or different images."""
    assert views(one, other) == {}


def test_pairs_in_folders_named_by_a_letter():
    names = [f"/{folder}/show/plate_{view}.#.exr" for folder in "lr" for view in ("left", "right")]
    assert views(*names) == {names[n]: [names[n ^ 1]] for n in range(4)}


def views(*names: str) -> dict[str, list[str]]:
    return other_views([replace(alone(name), numbers=[1], texts=["1"]) for name in names])
