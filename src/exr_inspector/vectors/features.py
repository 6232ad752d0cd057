"""What the vectors of a file are made of, from an inspection or from the rows that a catalog keeps of it.

Both give the same: everything that counts stands in the tables `parts`, `channels` and `attributes`. Attributes and
channels that were seen before are not looked at again: frames of a sequence share them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from ..exr import Channel
from .attributes import LONGEST_VALUE
from .encoder import Encoder, Features, Trait
from .parts import LONGEST_NAME, PartChannels, PartShape

if TYPE_CHECKING:
    from ..inspection.model import Inspection, PartFacts

Row = Mapping[str, Any]
_SHAPE = PartShape._fields[:-1]  # all but the window are columns
_WINDOW = ("data_window", "display_window")
_facts_shape, _facts_windows = attrgetter(*_SHAPE), attrgetter(*_WINDOW)
_row_shape, _row_windows = itemgetter(*_SHAPE), itemgetter(*_WINDOW)


def of_inspection(inspection: Inspection, encoder: Encoder) -> Features:
    """The features of an inspection."""
    traits = encoder.traits(chain.from_iterable([part.attributes for part in inspection.parts]))
    return Features(
        tuple(_shape([*_facts_shape(part), _window(*_facts_windows(part))]) for part in inspection.parts),
        tuple(
            PartChannels(
                (part.part_name or "")[:LONGEST_NAME], _views(part.view_name, _multi_view(part)), part.channels
            )
            for part in inspection.parts
        ),
        frozenset(traits),
    )


def of_rows(parts: Iterable[Row], channels: Iterable[Row], attributes: Iterable[Row], encoder: Encoder) -> Features:
    """The features of one file from its rows of the tables `parts`, `channels` and `attributes`, in any order."""
    parts = sorted(parts, key=itemgetter("part_index"))
    channels_of: dict[int, list[Channel]] = {}
    for row in sorted(channels, key=itemgetter("part_index", "channel_index")):
        channel = Channel(row["channel_name"], row["channel_type"], row["x_sampling"], row["y_sampling"], 0)
        channels_of.setdefault(row["part_index"], []).append(channel)
    traits: set[Trait | None] = set()
    views_of: dict[int, Any] = {}
    for row in sorted(attributes, key=itemgetter("part_index", "attr_index")):
        name, attr_type, value = row["attr_name"], row["attr_type"], _row_value(row)
        traits.add(encoder.trait_of(name, attr_type, value))
        if name == "multiView" and attr_type == "stringvector":
            views_of.setdefault(row["part_index"], value)
    return Features(
        tuple(_shape([*_row_shape(part), _window(*_row_windows(part))]) for part in parts),
        tuple(
            PartChannels(
                (part["part_name"] or "")[:LONGEST_NAME],
                _views(part["view_name"], views_of.get(part["part_index"]) if part["multi_view"] else None),
                tuple(channels_of.get(part["part_index"], ())),
            )
            for part in parts
        ),
        frozenset(traits - {None}),  # type: ignore[arg-type]
    )


def _shape(values: Iterable[Any]) -> PartShape:
    shape = PartShape._make(values)
    return shape if shape.view_name is None else shape._replace(view_name=shape.view_name[:LONGEST_NAME])


def _row_value(row: Row) -> Any:
    text = row["value_json"]
    return None if text is None or row["size_bytes"] > LONGEST_VALUE else json.loads(text)


def _multi_view(part: PartFacts) -> Sequence[str] | None:
    if not part.multi_view:
        return None
    for attribute in part.attributes:
        if attribute.attr_name == "multiView" and attribute.attr_type == "stringvector":
            return None if attribute.size_bytes > LONGEST_VALUE else tuple(attribute.value)
    return None


def _views(view_name: str | None, multi_view: Sequence[str] | None) -> frozenset[str]:
    return frozenset(multi_view or ()) | ({view_name[:LONGEST_NAME]} if view_name else frozenset())


def _window(data: str | None, display: str | None) -> str:
    """How the data window lies to the display window; the numbers themselves change with the frame."""
    if data is None or display is None:
        return "none"
    if data == display:
        return "full"
    x_min, y_min, x_max, y_max = map(int, data[1:-1].split(","))
    left, top, right, bottom = map(int, display[1:-1].split(","))
    inside = x_min >= left and y_min >= top and x_max <= right and y_max <= bottom
    return "crop" if inside else "overscan"
