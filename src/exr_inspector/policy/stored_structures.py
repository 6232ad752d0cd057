"""The structures of the files of a catalog: of each, the attributes and channels of one file are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from .. import __version__
from ..catalog import Catalog
from ..exr import Channel
from ..exr.channels import ChannelList
from ..inspection.model import SCHEMA_VERSION, FileFacts, Inspection, PartFacts, version_flags
from ..inspection.volatility import Volatility, stored_value, volatility
from .row_numbers import Numbers, first_rows, row_numbers
from .sequence_files import Field, structure_of
from .shared import StoredStructure
from .stored_columns import by_part, file_facts, table_of
from .stored_parts import PART_COLUMNS, AttributeRow, part_columns, stored_part

_STRUCTURES_AT_ONCE = 2000  # whose attributes are read together
_STRUCTURES_KEPT = 256

PARTS_OF = f"SELECT file_id, part_index, {', '.join(PART_COLUMNS)} FROM parts SEMI JOIN wanted USING (file_id)"  # noqa: S608 (constants)
CELLS = "file_id, part_index, attr_name, attr_type, size_bytes, value_json, truncated"
_CHANNELS_OF = """
    SELECT file_id, part_index, channel_name, channel_type, x_sampling, y_sampling, p_linear
    FROM channels SEMI JOIN wanted USING (file_id) ORDER BY file_id, part_index, channel_index
"""
_ATTRIBUTES_OF = f"""
    SELECT {CELLS}, value_text FROM attributes SEMI JOIN wanted USING (file_id)
    ORDER BY file_id, part_index, attr_index
"""  # noqa: S608 (constants)

_Key = tuple[str, int, str]


@dataclass(slots=True)
class Structures:
    """The structures of files, the last used ones."""

    catalog: Catalog
    known: OrderedDict[_Key, StoredStructure] = field(default_factory=OrderedDict)

    def groups(self, files: pa.Table) -> Iterator[tuple[pa.Table, Numbers, list[StoredStructure]]]:
        """Consecutive files, the number of the structure of each, and the structures; a bounded number at a time."""
        while files.num_rows:
            columns = _key_columns(files)
            numbers = row_numbers(columns)
            first = first_rows(numbers)
            keys = list(zip(*(column.take(first).to_pylist() for column in columns), strict=True))
            new = [number for number, key in enumerate(keys) if key not in self.known]
            end = files.num_rows if len(new) <= _STRUCTURES_AT_ONCE else int(first[new[_STRUCTURES_AT_ONCE]])
            new = new[:_STRUCTURES_AT_ONCE]
            self._read(dict(zip([keys[number] for number in new], file_facts(files.take(first[new])), strict=True)))
            numbers = numbers[:end]
            used = keys[: int(numbers.max()) + 1]
            for key in used:
                self.known.move_to_end(key)
            yield files.slice(0, end), numbers, [self.known[key] for key in used]
            while len(self.known) > _STRUCTURES_KEPT:
                self.known.popitem(last=False)
            files = files.slice(end)

    def _read(self, new: Mapping[_Key, FileFacts]) -> None:
        """Read one file of each new structure."""
        if not new:
            return
        wanted = table_of(facts.file_id for facts in new.values())
        parts = by_part(self.catalog.sql(PARTS_OF, tables=wanted))
        channels = by_part(self.catalog.sql(_CHANNELS_OF, tables=wanted))
        attributes = by_part(self.catalog.sql(_ATTRIBUTES_OF, tables=wanted))
        for key, facts in new.items():
            found = []
            for index in range(facts.multipart_count):
                of_part = facts.file_id, index
                columns = part_columns(index, parts[of_part][0])
                listed = ChannelList(_channel(*row) for row in channels[of_part])
                rows = [AttributeRow(*row) for row in attributes[of_part]]
                found.append((stored_part(columns, listed, rows), rows))
            varying = frozenset((row.attr_name, row.attr_type) for _, rows in found for row in rows if _varies(row))
            of_parts = tuple(part for part, _ in found)
            constants = _fields([rows for _, rows in found])
            self.known[key] = StoredStructure(
                example=_inspection(facts, of_parts),
                varying=varying,
                of_sequences=structure_of(facts.structure_hash, of_parts, constants),
            )


def _key_columns(files: pa.Table) -> tuple[pa.ChunkedArray, ...]:
    """What files with one structure have in common. To another version, other attributes may have been constant."""
    is_same = pc.fill_null(pc.equal(files["inspector_version"], __version__), False)
    return files["structure_hash"], files["version_flags"], pc.if_else(is_same, "", files["header_hash"])


def _channel(name: str, channel_type: str | None, x_sampling: int, y_sampling: int, p_linear: bool) -> Channel:
    return Channel(name, channel_type, x_sampling, y_sampling, int(p_linear))


def _varies(row: AttributeRow) -> bool:
    """Whether values differ within a structure, for whose hash an empty value is one that is not constant."""
    return not row.size_bytes or not _is_constant(row)


def _is_constant(row: AttributeRow) -> bool:
    value = partial(stored_value, row.value_json, row.size_bytes)
    return volatility(row.attr_name, row.attr_type, value) is Volatility.CONSTANT


def _fields(parts: Sequence[Sequence[AttributeRow]]) -> Iterator[Field]:
    """The attributes that should be the same in all frames of a sequence."""
    for index, rows in enumerate(parts):
        for row in filter(_is_constant, rows):
            yield index, row.attr_name, row.value_json or row.value_text or f"{row.size_bytes} bytes"


def _inspection(facts: FileFacts, parts: tuple[PartFacts, ...]) -> Inspection:
    return Inspection(
        schema_version=SCHEMA_VERSION,
        inspector_version=__version__,
        file=facts,
        flags=version_flags(facts.version_flags),
        bytes_read=0,
        reads=0,
        parts=parts,
        problems=(),
    )
