"""The input of the vectors, from an inspection or from the rows of the tables `parts`, `channels` and `attributes`.

Both give the same features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from ..exr import Channel
from ..inspection.volatility import LONGEST_VALUE, stored_value
from .encoder import Encoder, Features, TokenSet
from .parts import LONGEST_NAME, PartChannels, PartShape

if TYPE_CHECKING:
    from ..inspection.model import Inspection, PartFacts

Row = Mapping[str, Any]
_COLUMNS = tuple(name for name in PartShape._fields if name != "window")
_WINDOWS = ("data_window", "display_window")
_facts_shape, _facts_windows = attrgetter(*_COLUMNS), attrgetter(*_WINDOWS)
_row_shape, _row_windows = itemgetter(*_COLUMNS), itemgetter(*_WINDOWS)


def from_inspection(inspection: Inspection, encoder: Encoder) -> Features:
    """The features of an inspection."""
    token_sets = encoder.token_sets(chain.from_iterable([part.attributes for part in inspection.parts]))
    return Features(
        tuple(_shape([*_facts_shape(part), _window(*_facts_windows(part))]) for part in inspection.parts),
        tuple(
            PartChannels(
                (part.part_name or "")[:LONGEST_NAME], _views(part.view_name, _multi_view(part)), part.channels
            )
            for part in inspection.parts
        ),
        frozenset(token_sets),
    )


def from_rows(parts: Iterable[Row], channels: Iterable[Row], attributes: Iterable[Row], encoder: Encoder) -> Features:
    """The features of one file from its rows of the tables `parts`, `channels` and `attributes`, in any order."""
    parts = sorted(parts, key=itemgetter("part_index"))
    channels_of: dict[int, list[Channel]] = {}
    for row in sorted(channels, key=itemgetter("part_index", "channel_index")):
        channel = Channel(row["channel_name"], row["channel_type"], row["x_sampling"], row["y_sampling"], 0)
        channels_of.setdefault(row["part_index"], []).append(channel)
    token_sets: set[TokenSet | None] = set()
    views_of: dict[int, Any] = {}
    for row in sorted(attributes, key=itemgetter("part_index", "attr_index")):
        name, attr_type, value = row["attr_name"], row["attr_type"], stored_value(row["value_json"], row["size_bytes"])
        token_sets.add(encoder.token_set_of(name, attr_type, value))
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
        frozenset(token_sets - {None}),  # type: ignore[arg-type]
    )


def _shape(values: Iterable[Any]) -> PartShape:
    shape = PartShape._make(values)
    return shape if shape.view_name is None else shape._replace(view_name=shape.view_name[:LONGEST_NAME])


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
    """How the data window compares with the display window; its position and size change with the frame."""
    if data is None or display is None:
        return "none"
    if data == display:
        return "full"
    x_min, y_min, x_max, y_max = map(int, data[1:-1].split(","))
    left, top, right, bottom = map(int, display[1:-1].split(","))
    inside = x_min >= left and y_min >= top and x_max <= right and y_max <= bottom
    return "crop" if inside else "overscan"
