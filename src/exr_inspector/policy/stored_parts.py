"""Files, parts and attributes from the rows of a catalog, as far as rules read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__
from ..exr import Attribute
from ..exr.attributes import Box2i
from ..exr.cache import Cache
from ..exr.channels import ChannelList
from ..inspection.json_form import value_of_json
from ..inspection.model import SCHEMA_VERSION, FileFacts, Inspection, PartFacts

if TYPE_CHECKING:
    from ..exr import Problem

PART_COLUMNS = tuple(
    column.name for column in fields(PartFacts) if column.metadata.get("row", True) and column.name != "part_index"
)
_DATA_WINDOW = PART_COLUMNS.index("data_window")

WINDOW = "dataWindow"  # whose value the column `data_window` of each part has


class CutValueError(Exception):
    """A rule reads the value of an attribute of which the catalog has the first part only."""


class AttributeRow(NamedTuple):
    """The cells of an attribute that are read."""

    attr_name: str
    attr_type: str
    size_bytes: int
    value_json: str | None
    truncated: bool
    value_text: str | None = None  # of examples


class CutAttribute(Attribute):
    """An attribute whose value is not in the catalog."""

    __slots__ = ()

    def __init__(self, attr_name: str, attr_type: str) -> None:
        for name, field in (("attr_name", attr_name), ("attr_type", attr_type), ("raw", b"\0"), ("note", None)):
            object.__setattr__(self, name, field)

    @property
    def value(self) -> Any:
        """Raises CutValueError."""
        raise CutValueError(self.attr_name)


def _memory_of(row: AttributeRow, _: Attribute) -> int:
    """Of its value, several times the size as JSON."""
    return 1000 + 8 * (len(row.value_json or "") + len(row.value_text or ""))


_ATTRIBUTES: Cache[AttributeRow, Attribute] = Cache(32 << 20, _memory_of)


def attribute_of(row: AttributeRow) -> Attribute:
    """The attribute of a row; its bytes, which the catalog does not have, are empty if those in the file are."""
    known = _ATTRIBUTES.get(row)
    if known is None:
        known = _attribute(row)
        _ATTRIBUTES.put(row, known)
    return known


def _attribute(row: AttributeRow) -> Attribute:
    if row.truncated:
        return CutAttribute(row.attr_name, row.attr_type)
    value = None if row.value_json is None else value_of_json(row.attr_type, json.loads(row.value_json))
    return Attribute(row.attr_name, row.attr_type, b"\0" if row.size_bytes else b"", value)


class StoredPart(PartFacts):
    """A part from rows. Values that the catalog does not have raise CutValueError."""

    _example: StoredPart
    _own: Sequence[Attribute]

    @cached_property
    def _values(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for attribute in self.attributes:
            values.setdefault(attribute.attr_name, _kept(attribute))
        return values

    def __contains__(self, attr_name: object) -> bool:
        return attr_name in self._values  # also one that is cut

    def __getitem__(self, attr_name: str) -> Any:
        return _uncut(super().__getitem__(attr_name))

    def get(self, attr_name: str, default: Any = None) -> Any:
        """The value of an attribute, or the default if the part does not have it."""
        return _uncut(self._values.get(attr_name, default))

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes of the example, with the values of this file where they differ."""
        own = {attribute.attr_name: attribute for attribute in self._own}
        return tuple(own.get(each.attr_name, each) for each in self._example.attributes)

    def with_value(self, attribute: Attribute) -> StoredPart:
        """The part with another value of one of its attributes."""
        part: StoredPart = object.__new__(StoredPart)
        part.__dict__.update(self.__dict__, _example=self, _own=(attribute,))
        part.__dict__.pop("attributes", None)
        part.__dict__["_values"] = {**self._values, attribute.attr_name: _kept(attribute)}
        return part

    def with_row(self, columns: Iterable[tuple[str, Any]], attributes: Sequence[Attribute]) -> StoredPart:
        """The part of another file with the same structure: its row, and the attributes that are not the same."""
        part: StoredPart = object.__new__(StoredPart)
        facts = part.__dict__
        facts.update(columns)
        facts["channels"], facts["_example"], facts["_own"] = self.channels, self, attributes
        if not attributes:
            facts["attributes"] = self.attributes
        values = dict(self._values)
        if WINDOW in values:
            values[WINDOW] = None if part.data_window is None else _window(part.data_window)
        for attribute in attributes:
            values[attribute.attr_name] = _kept(attribute)
        facts["_values"] = values
        return part


def _kept(attribute: Attribute) -> Any:
    """The value; of a cut one the attribute, which raises when a rule reads it."""
    return attribute if isinstance(attribute, CutAttribute) else attribute.value


def _uncut(value: Any) -> Any:
    return value.value if isinstance(value, CutAttribute) else value


@lru_cache(maxsize=4096)
def _window(text: str) -> Box2i:
    return Box2i(*json.loads(text))


def stored_part(columns: Iterable[tuple[str, Any]], channels: ChannelList, rows: Iterable[AttributeRow]) -> StoredPart:
    """The part of a row of `parts`, its channels and attributes."""
    part: StoredPart = object.__new__(StoredPart)
    part.__dict__.update(columns, channels=channels, attributes=tuple(map(attribute_of, rows)))
    return part


PartRow = tuple[Any, ...]  # the values of PART_COLUMNS
OwnRows = Mapping[str, tuple[Any, ...]]  # of the attributes of a part whose values differ, by name


class StoredInspection(Inspection):
    """A file from rows. Its parts are those of an example with the same structure, made only if a rule needs them."""

    schema_version = SCHEMA_VERSION
    inspector_version = __version__
    bytes_read = reads = 0
    pixels = None

    _example: Inspection
    _own: Sequence[OwnRows]
    rows: Sequence[PartRow]

    @cached_property
    def parts(self) -> tuple[PartFacts, ...]:
        """The parts, each with the attributes that are not those of the example."""
        found = []
        for index, (example, row, own) in enumerate(zip(self._example.parts, self.rows, self._own, strict=True)):
            assert isinstance(example, StoredPart)
            columns = part_columns(index, row)
            found.append(example.with_row(columns, [attribute_of(AttributeRow(*cells)) for cells in own.values()]))
        return tuple(found)

    @property
    def windows(self) -> tuple[str | None, ...]:
        """The data window of each part."""
        return tuple(row[_DATA_WINDOW] for row in self.rows)

    def values(self, names: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
        """What is stored of the attributes with these names, by part."""
        return tuple(
            [
                tuple([row[_DATA_WINDOW] if name == WINDOW else own.get(name) for name in names])
                for row, own in zip(self.rows, self._own, strict=True)
            ]
        )


def part_columns(part_index: int, row: PartRow) -> Iterable[tuple[str, Any]]:
    """The columns of a row of `parts` with their names."""
    return chain((("part_index", part_index),), zip(PART_COLUMNS, row, strict=True))


def stored_inspection(
    file: FileFacts,
    example: Inspection,
    rows: Sequence[PartRow],
    own: Sequence[OwnRows],
    problems: tuple[Problem, ...],
) -> StoredInspection:
    """A file with the structure of an example: its row, those of its parts, attributes and problems."""
    made: StoredInspection = object.__new__(StoredInspection)
    for name, value in (("file", file), ("flags", example.flags), ("problems", problems)):
        object.__setattr__(made, name, value)
    made.__dict__.update(_example=example, _own=own, rows=rows)
    return made
