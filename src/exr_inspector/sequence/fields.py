"""Fields of headers that differ between the frames of a sequence, by at most one query for all sequences.

Frames with the same structure hash have the same constant fields, so one frame is compared for each hash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from ..catalog import Catalog
from ..frames.ranges import Number, frame_range
from ..inspection.volatility import STABLE_NAMES, Volatility, stored_value, volatility
from .channel_lists import differing_channels
from .frames import CURRENT, IS_NAMED, MATCHES, Frames, sequence_condition

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_IDS = 1000  # in a condition; beyond, a catalog on a server sends all its attributes

# Fields that are equal in all frames are left out first, then those that change from frame to frame: no value has a
# majority, and there are more than two.
_FIELDS = f"""
    WITH compared AS MATERIALIZED (
        SELECT sequence, structure_hash, min(file_id) AS file_id, count(*) AS frames,
               sum(count(*)) OVER (PARTITION BY sequence) AS total, count(*) OVER (PARTITION BY sequence) AS files,
               dense_rank() OVER (ORDER BY sequence) AS number
        FROM files WHERE {CURRENT} AND sequence IS NOT NULL AND {MATCHES} AND {{is_named}}
        GROUP BY sequence, structure_hash
        QUALIFY count(*) OVER (PARTITION BY sequence) > 1
    ), compared_attributes AS (
        SELECT * EXCLUDE (file_path, batch_id), coalesce(value_json, value_text, size_bytes || ' bytes') AS value
        FROM attributes JOIN compared USING (file_id) WHERE {{condition}}
    ), differing AS (
        SELECT number, part_index, attr_name FROM compared_attributes
        GROUP BY number, part_index, attr_name
        HAVING count(*) < any_value(files) OR min(hash(value)) < max(hash(value))
    ), fields AS (
        SELECT sequence, total, part_index, attr_name, attr_type, size_bytes, value_json, value,
               min(attr_index) AS attr_index, list(structure_hash) AS hashes, sum(frames) AS frames
        FROM compared_attributes JOIN differing USING (number, part_index, attr_name)
        GROUP BY sequence, total, part_index, attr_name, attr_type, size_bytes, value_json, value
    )
    SELECT sequence, part_index, attr_name, attr_type, size_bytes, value_json, value, hashes FROM fields
    WINDOW field AS (PARTITION BY sequence, part_index, attr_name)
    QUALIFY frames < total AND (
        2 * max(frames) OVER field > total OR 2 * sum(frames) OVER field < total OR count(*) OVER field <= 2
        OR list_contains($stable, attr_name)
    )
    ORDER BY sequence, part_index, attr_index, value
"""  # noqa: S608 (constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOutlier:
    """A field with a value that differs from most frames of the sequence, and the frames that have this value."""

    part_index: int
    field: str  # name of an attribute
    frames: str  # in fileseq notation
    value: str | None  # None: the attribute is absent
    usual: str | None

    def __str__(self) -> str:
        if self.field == "channels" and (differing := differing_channels(self.value, self.usual)):
            return f"{_named(self.field, self.part_index)}: {differing}"
        value, usual = map(_shown, (self.value, self.usual))
        return f"{_named(self.field, self.part_index)}: {value}, usually {usual}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldGroup:
    """The frames that have the same value in a field."""

    frames: str  # in fileseq notation
    value: str | None  # None: the attribute is absent

    def __str__(self) -> str:
        return f"{self.frames} {_shown(self.value)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSplit:
    """A field in which no value has a majority, such as one that changed halfway; the groups in order of frames."""

    part_index: int
    field: str
    groups: tuple[FieldGroup, ...]

    def __str__(self) -> str:
        if self.field == "channels":
            first, *others = self.groups
            where = f"in {first.frames}"
            differing = [(group.frames, differing_channels(group.value, first.value, where)) for group in others]
            if all(text for _, text in differing):
                return f"{_named(self.field, self.part_index)}: {'; '.join(map(': '.join, differing))}"
        return f"{_named(self.field, self.part_index)}: {', '.join(map(str, self.groups))}"


Difference: TypeAlias = FieldOutlier | FieldSplit


def _named(field: str, part_index: int) -> str:
    return f"{field} (part {part_index})" if part_index else field


def _shown(value: str | None) -> str:
    return "absent" if value is None else value


def differences_by_sequence(
    catalog: Catalog, pattern: str | None, found: Sequence[Frames], named: pa.Table | None = None
) -> dict[str, list[Difference]]:
    """The fields that differ in each sequence; no query if the structure hashes of each are equal.

    `pattern` and `named` are those that selected the sequences.
    """
    differing = {frames.sequence: frames for frames in found if len({*frames.hashes} - {None}) > 1}
    if not differing:
        return {}
    values: dict[str, dict[tuple[int, str], dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for row in _rows(catalog, pattern, differing, named):
        value = partial(stored_value, row["value_json"], row["size_bytes"])
        if volatility(row["attr_name"], row["attr_type"], value) is Volatility.CONSTANT:
            by_hash = values[row["sequence"]][row["part_index"], row["attr_name"]]
            by_hash.update(dict.fromkeys(row["hashes"], row["value"]))
    return {name: list(differences_in(differing[name], fields)) for name, fields in values.items()}


def _rows(
    catalog: Catalog, pattern: str | None, differing: dict[str, Frames], named: pa.Table | None
) -> Iterator[dict[str, Any]]:
    compared = {file_id: None for frames in differing.values() for file_id in _first_of_each_hash(frames).values()}
    condition, ids = "true", {}
    if len(compared) <= _MOST_IDS:
        ids = {f"id_{number}": file_id for number, file_id in enumerate(compared)}
        condition = f"attributes.file_id IN ({', '.join(f'${name}' for name in ids)})"
    parameters = {"pattern": sequence_condition(pattern), "stable": sorted(STABLE_NAMES), **ids}
    query = _FIELDS.format(condition=condition, is_named=IS_NAMED[named is not None])
    for batch in catalog.sql(query, parameters, {} if named is None else {"named": named}).to_batches():
        yield from batch.to_pylist()


def _first_of_each_hash(frames: Frames) -> dict[str, str]:
    """The smallest file_id with each structure hash."""
    first: dict[str, str] = {}
    for structure_hash, file_id in zip(frames.hashes, frames.file_ids, strict=True):
        if structure_hash is not None and file_id is not None:
            first[structure_hash] = min(file_id, first.get(structure_hash, file_id))
    return first


def differences_in(frames: Frames, fields: Mapping[tuple[int, str], Mapping[str, str]]) -> Iterator[Difference]:
    """The fields in which some frames differ from the majority, or the groups of frames without a majority.

    `fields` are the values of constant fields, by part and name, then by structure hash.
    Most fields without a majority value change from frame to frame and are left out. Attributes that the format defines
    as constant are not, nor others that have one value up to a frame and another value from there.
    """
    numbers: dict[str, list[Number]] = defaultdict(list)
    for structure_hash, number in zip(frames.hashes, frames.numbers, strict=True):
        if structure_hash is not None:
            numbers[structure_hash].append(number)
    total = sum(map(len, numbers.values()))
    for (part_index, name), by_hash in fields.items():
        groups: dict[str | None, list[Number]] = defaultdict(list)
        for structure_hash, with_hash in numbers.items():
            groups[by_hash.get(structure_hash)] += with_hash
        if len(groups) == 1:
            continue
        usual = max(groups, key=lambda value: len(groups[value]))
        if 2 * len(groups[usual]) > total:
            for value, with_value in groups.items():
                if value != usual:
                    yield FieldOutlier(
                        part_index=part_index, field=name, frames=frame_range(with_value), value=value, usual=usual
                    )
        elif name in STABLE_NAMES or _changes_once(list(groups.values())):
            ordered = sorted(groups.items(), key=lambda group: min(group[1]))
            yield FieldSplit(
                part_index=part_index,
                field=name,
                groups=tuple(FieldGroup(frames=frame_range(with_value), value=value) for value, with_value in ordered),
            )


def _changes_once(groups: list[list[Number]]) -> bool:
    """Whether there are two groups of several frames, one before the other."""
    if len(groups) != 2 or min(map(len, groups)) < 2:
        return False
    one, other = sorted(groups, key=min)
    return max(one) < min(other)
