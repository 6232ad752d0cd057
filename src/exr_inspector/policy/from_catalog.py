"""Verdicts on the files of a catalog, from their rows: no file is read.

Files are judged in pages of bounded size, in the order of their paths. Of all files with one structure, the attributes
and channels of one are read, and of the others their parts and those attributes that vary and that some rule reads.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import pyarrow as pa

from .. import __version__
from ..catalog import OPEN_ERRORS, Catalog
from ..catalog.rows import from_inspections
from ..exr import Channel, Problem
from ..exr.channels import ChannelList
from ..exr.codes import FORMAT_ERRORS, PROBLEMS
from ..exr.part import DEEP, LONG_NAMES, MULTIPART, TILED
from ..findings.rules import NOT_WHOLE, UNREADABLE, WHOLENESS_UNKNOWN
from ..inspection.model import SCHEMA_VERSION, FileFacts, Flags, Inspection, PartFacts
from ..inspection.volatility import Volatility, stored_value, volatility
from ..sequence.frames import CURRENT, MATCHES
from ..sources.patterns import uri_condition
from .compile import CompiledPolicy
from .evaluate import NotEvaluated, Verdict, unreadable
from .rows import with_verdicts
from .sequence_files import (
    Field,
    SequenceFile,
    pixel_content,
    projection,
    structure_of,
    unreadable_file,
    used_areas,
)
from .shared import Structure, names_read
from .stored_parts import (
    PART_COLUMNS,
    WINDOW,
    AttributeRow,
    StoredInspection,
    part_columns,
    stored_inspection,
    stored_part,
)
from .stored_pixels import StoredPixels, stored_pixels

_FILES_PER_PAGE = 100_000
_STRUCTURES_AT_ONCE = 2000  # whose attributes are read together
_STRUCTURES_KEPT = 256
_TIMECODE, _PACKED_BYTES = map(PART_COLUMNS.index, ("timecode", "packed_bytes"))
_UNREAD: dict[str, Any] = {"inode": None}  # no rule reads it
_FACTS = tuple(column.name for column in fields(FileFacts) if column.name not in _UNREAD)
_OF_COMPLETENESS = {rule.rule_id for rule in (UNREADABLE, NOT_WHOLE, WHOLENESS_UNKNOWN)}
_OLDER = "an older version inspected the file; inspect it again: exr-inspector ingest --rescan"

_PAGE = f"""
    SELECT {", ".join(_FACTS)}, inspector_version FROM files
    WHERE {CURRENT} AND {MATCHES} AND file_path_normalized > $after
    ORDER BY file_path_normalized LIMIT {_FILES_PER_PAGE}
"""  # noqa: S608 (constants)
_PARTS_OF = f"SELECT file_id, part_index, {', '.join(PART_COLUMNS)} FROM parts SEMI JOIN wanted USING (file_id)"  # noqa: S608 (constants)
_CHANNELS_OF = """
    SELECT file_id, part_index, channel_name, channel_type, x_sampling, y_sampling, p_linear
    FROM channels SEMI JOIN wanted USING (file_id) ORDER BY file_id, part_index, channel_index
"""
_CELLS = "file_id, part_index, attr_name, attr_type, size_bytes, value_json, truncated"
_ATTRIBUTES_OF = f"""
    SELECT {_CELLS}, value_text FROM attributes SEMI JOIN wanted USING (file_id)
    ORDER BY file_id, part_index, attr_index
"""  # noqa: S608 (constants)
_VARYING_OF = f"""
    SELECT {_CELLS} FROM attributes SEMI JOIN wanted USING (file_id)
    WHERE list_contains($names::VARCHAR[], attr_name) ORDER BY file_id, part_index, attr_index DESC
"""  # noqa: S608 (constants)
_PROBLEMS_OF = """
    SELECT file_id, code, message, part_index, attr_name, byte_offset FROM problems SEMI JOIN wanted USING (file_id)
    QUALIFY coalesce(batch_id, 0) = max(coalesce(batch_id, 0)) OVER (PARTITION BY file_id)
    ORDER BY part_index, byte_offset, code, attr_name, message
"""
_ERRORS = f"""
    SELECT file_path_normalized AS uri, code, message, byte_offset FROM ingest_errors
    WHERE {OPEN_ERRORS} AND {MATCHES} ORDER BY uri
"""  # noqa: S608 (constants)

_Key = tuple[str, int, str]
_Row = tuple[FileFacts, str]


class Judged(NamedTuple):
    """A file of the catalog and its verdict."""

    file_id: str
    verdict: Verdict
    file: SequenceFile  # as rules about sequences see it


class Unread(NamedTuple):
    """A file that could not be read when it was to be inspected."""

    uri: str
    reason: str


def validate_catalog(
    catalog: Catalog, policy: CompiledPolicy, patterns: Sequence[str] = ()
) -> Iterator[Judged | Unread]:
    """The verdicts on the current files of a catalog that paths, URIs or patterns select; on all without any.

    They are those of `validate` on the files, but for values that the catalog does not have: rules that read the value
    of an attribute that was cut, or problems that an older version did not look for, are in `not_evaluated`. Unreadable
    files have a verdict without a `file_id`.
    """
    condition = {"pattern": uri_condition(patterns).regex if patterns else None}
    for row in catalog.sql(_ERRORS, condition).to_pylist():
        reason = f"{row['message']} ({row['code']})"
        if row["code"] in FORMAT_ERRORS:
            reason = f"{row['message']} ({row['code']} at byte {row['byte_offset']})"
            yield Judged("", unreadable(policy, row["uri"], reason), unreadable_file(row["uri"]))
        else:
            yield Unread(row["uri"], reason)
    structures = _Structures(catalog)
    after = ""
    while files := _files(catalog.sql(_PAGE, {**condition, "after": after})):
        for group in structures.groups(files):
            yield from _judged(catalog, policy, structures, group)
        after = files[-1][0].file_path_normalized


def store_verdicts(catalog: Catalog, judged: Sequence[Judged]) -> None:
    """Store verdicts on files of the catalog, in one transaction; those that are stored already are left out."""
    verdicts = [(file_id, verdict) for file_id, verdict, _ in judged if file_id]
    catalog.persist_rows(with_verdicts(from_inspections((), vectors=False), verdicts))


def _files(page: pa.Table) -> list[_Row]:
    mtime = page.column_names.index("mtime")
    page = page.set_column(mtime, "mtime", page["mtime"].cast(pa.timestamp("us", "UTC")))
    for name in ("version_flags", "chunks_checked"):
        page = page.set_column(page.column_names.index(name), name, page[name].fill_null(0))
    columns = [_list(page, name) for name in _FACTS]
    facts = (FileFacts(**dict(zip(_FACTS, values, strict=True)), **_UNREAD) for values in zip(*columns, strict=True))
    return list(zip(facts, _list(page, "inspector_version"), strict=True))


def _key(row: _Row) -> _Key:
    """What files with one structure have in common. To another version, other attributes may have been constant."""
    facts, inspector_version = row
    return facts.structure_hash, facts.version_flags, "" if inspector_version == __version__ else facts.header_hash


@dataclass(slots=True)
class _Structures:
    """The structures of files, the last used ones."""

    catalog: Catalog
    known: OrderedDict[_Key, Structure] = field(default_factory=OrderedDict)

    def groups(self, files: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
        """Consecutive files whose structures are known after each step, so that few are kept at a time."""
        start = 0
        new: dict[_Key, FileFacts] = {}
        for at, row in enumerate(files):
            key = _key(row)
            if key not in self.known and key not in new:
                if len(new) == _STRUCTURES_AT_ONCE:
                    self._read(new)
                    yield files[start:at]
                    start, new = at, {}
                    self._forget()
                new[key] = row[0]
        self._read(new)
        yield files[start:]
        self._forget()

    def _forget(self) -> None:
        while len(self.known) > _STRUCTURES_KEPT:
            self.known.popitem(last=False)

    def _read(self, new: Mapping[_Key, FileFacts]) -> None:
        """Read one file of each new structure."""
        if not new:
            return
        wanted = _wanted(facts.file_id for facts in new.values())
        parts = _by_part(self.catalog.sql(_PARTS_OF, tables=wanted))
        channels = _by_part(self.catalog.sql(_CHANNELS_OF, tables=wanted))
        attributes = _by_part(self.catalog.sql(_ATTRIBUTES_OF, tables=wanted))
        for key, facts in new.items():
            file_id = facts.file_id
            found = []
            for index in range(facts.multipart_count):
                of_part = file_id, index
                columns = part_columns(index, parts[of_part][0])
                listed = ChannelList(_channel(*row) for row in channels[of_part])
                rows = [AttributeRow(*row) for row in attributes[of_part]]
                found.append((stored_part(columns, listed, rows), rows))
            varying = frozenset(row.attr_name for _, rows in found for row in rows if _varies(row))
            of_parts = tuple(part for part, _ in found)
            fields = _fields([rows for _, rows in found])
            self.known[key] = Structure(
                example=_inspection(facts, of_parts),
                varying=varying,
                of_sequences=structure_of(facts.structure_hash, of_parts, fields),
            )


def _channel(name: str, channel_type: str | None, x_sampling: int, y_sampling: int, p_linear: bool) -> Channel:
    return Channel(name, channel_type, x_sampling, y_sampling, int(p_linear))


def _varies(row: AttributeRow) -> bool:
    """Whether values differ within a structure, for whose hash an empty value is one that is not constant."""
    return not row.size_bytes or not _is_constant(row)


def _is_constant(row: AttributeRow) -> bool:
    value = stored_value(row.value_json, row.size_bytes)
    return volatility(row.attr_name, row.attr_type, value) is Volatility.CONSTANT


def _fields(parts: Sequence[Sequence[AttributeRow]]) -> Iterator[Field]:
    """The attributes that should be the same in all frames of a sequence."""
    for index, rows in enumerate(parts):
        for row in filter(_is_constant, rows):
            yield index, row.attr_name, row.value_json or row.value_text or f"{row.size_bytes} bytes"


def _wanted(file_ids: Any) -> dict[str, pa.Table]:
    return {"wanted": pa.table({"file_id": pa.array(list(file_ids), pa.string())})}


def _list(rows: pa.Table, name: str) -> list[Any]:
    """The values of a column; ten times as fast as `to_pylist` where numpy has the same values."""
    column = rows[name]
    if column.null_count and not pa.types.is_string(column.type):
        return list(column.to_pylist())
    return list(column.to_numpy().tolist())


def _shared(rows: pa.Table, name: str) -> list[Any]:
    """As `_list`; equal texts are one object, whose hash is computed once."""
    if not pa.types.is_string(rows[name].type):
        return _list(rows, name)
    encoded = rows[name].combine_chunks().dictionary_encode(null_encoding="encode")
    texts = encoded.dictionary.to_pylist()
    return [texts[index] for index in encoded.indices.to_numpy(zero_copy_only=False).tolist()]


def _by_part(rows: pa.Table) -> dict[tuple[str, int], list[tuple[Any, ...]]]:
    """The other columns of the rows, by file and part."""
    found: dict[tuple[str, int], list[tuple[Any, ...]]] = defaultdict(list)
    owners = zip(_list(rows, "file_id"), _list(rows, "part_index"), strict=True)
    names = [name for name in rows.column_names if name not in ("file_id", "part_index")]
    for owner, row in zip(owners, zip(*(_shared(rows, name) for name in names), strict=True), strict=True):
        found[owner].append(row)
    return found


def _judged(
    catalog: Catalog, policy: CompiledPolicy, structures: _Structures, files: Sequence[_Row]
) -> Iterator[Judged]:
    wanted = _wanted(facts.file_id for facts, _ in files)
    parts = _by_part(catalog.sql(_PARTS_OF, tables=wanted))
    varying = frozenset().union(*(structure.varying for structure in structures.known.values()))
    names = sorted(names_read(policy, varying) - {WINDOW})
    attributes = _by_part(catalog.sql(_VARYING_OF, {"names": names}, wanted)) if names else {}
    with_problems = [facts.file_id for facts, _ in files if facts.problem_severity not in ("none", None)]
    problems = _problems(catalog, with_problems) if with_problems else {}
    pixels = stored_pixels(catalog, wanted["wanted"])
    unchanging = None if policy.conditions else policy.rules_for()
    for facts, inspector_version in files:
        structure = structures.known[_key((facts, inspector_version))]
        file_id, example = facts.file_id, structure.example
        found, of_pixels = tuple(problems.get(file_id, ())), pixels.get(file_id)
        indices = range(len(example.parts))
        rows = [parts[file_id, index][0] for index in indices]
        own = [{cells[0]: cells for cells in attributes.get((file_id, index), ())} for index in indices]
        inspection = stored_inspection(facts, example, rows, own, found)
        figures = None if of_pixels is None else of_pixels.figures(inspection.parts)
        overrides = () if unchanging else policy.overrides_of(inspection)
        verdict = structure.verdict(policy, inspection, unchanging or policy.rules_with(overrides), figures)
        if facts.problem_severity is None:
            verdict = _without_problems(policy, verdict)
        yield Judged(file_id, verdict, _sequence_file(inspection, structure, of_pixels, overrides))


def _sequence_file(
    inspection: StoredInspection, structure: Structure, pixels: StoredPixels | None, overrides: tuple[bool, ...]
) -> SequenceFile:
    file, rows = inspection.file, inspection.rows
    content = areas = None
    if pixels is not None:
        windows = inspection.windows
        content = pixel_content(file, windows, pixels.channels, pixels.parts)
        areas = used_areas(windows, pixels.parts)
    return projection(
        file,
        structure.of_sequences,
        timecode=next((row[_TIMECODE] for row in rows if row[_TIMECODE]), None),
        packed_bytes=sum([row[_PACKED_BYTES] or 0 for row in rows]),
        pixels=content,
        used_areas=areas,
        overrides=overrides,
    )


def _problems(catalog: Catalog, file_ids: Sequence[str]) -> dict[str, list[Problem]]:
    """The problems of files, by file_id."""
    rows = catalog.sql(_PROBLEMS_OF, tables=_wanted(file_ids))
    found: dict[str, list[Problem]] = defaultdict(list)
    columns = (_shared(rows, name) for name in Problem._fields)
    for file_id, *problem in zip(_list(rows, "file_id"), *columns, strict=True):
        if problem[0] in PROBLEMS:  # not one that only a newer version knows
            found[file_id].append(Problem(*problem))
    return found


def _without_problems(policy: CompiledPolicy, verdict: Verdict) -> Verdict:
    """The verdict on a file whose problems are not known, but its completeness."""
    rules = (use.rule for rule_id, use in policy.rules_for().problems.items() if rule_id not in _OF_COMPLETENESS)
    undecided = (NotEvaluated(rule.rule_id, rule.name, _OLDER) for rule in rules)
    return replace(verdict, not_evaluated=(*verdict.not_evaluated, *undecided))


def _flags(version_flags: int) -> Flags:
    return Flags(
        version=version_flags & 0xFF,
        tiled=bool(version_flags & TILED),
        long_names=bool(version_flags & LONG_NAMES),
        deep=bool(version_flags & DEEP),
        multipart=bool(version_flags & MULTIPART),
    )


def _inspection(facts: FileFacts, parts: tuple[PartFacts, ...]) -> Inspection:
    return Inspection(
        schema_version=SCHEMA_VERSION,
        inspector_version=__version__,
        file=facts,
        flags=_flags(facts.version_flags),
        bytes_read=0,
        reads=0,
        parts=parts,
        problems=(),
    )
