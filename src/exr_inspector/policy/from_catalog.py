"""Verdicts on the files of a catalog, from their rows: no file is read.

Files are judged in pages of bounded size, in the order of their paths. Of all files with one structure, the attributes
and channels of one are read. Of the others, parts, problems and those attributes are read that vary and that some rule
reads; where all of that is equal too, one file is judged, and of the others only their names. Conditions are evaluated
by the catalog.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..catalog import IS_NEWEST, OPEN_ERRORS, Catalog
from ..catalog.rows import from_inspections
from ..exr import Problem
from ..exr.codes import FORMAT_ERRORS, PROBLEMS
from ..inspection.model import status_of
from ..sequence.frames import CURRENT, MATCHES
from ..sources.patterns import uri_condition
from .compile import CompiledPolicy, RuleSet
from .conditions_sql import SqlConditions
from .evaluate import Verdict, unreadable
from .row_numbers import (
    Numbers,
    file_numbers,
    first_rows,
    has_others,
    in_order,
    joined,
    name_numbers,
    owners,
    row_numbers,
)
from .rows import with_verdicts
from .sequence_files import SequenceFile, Structure, content_of, unreadable_file, with_pixels
from .shared import Alike, NamesAlike, StoredStructure, names_alike, names_read
from .stored_columns import FACTS, by_part, file_facts, first_texts, seconds, shared_values, table_of, values
from .stored_parts import PART_COLUMNS, WINDOW, AttributeRow, StoredInspection, stored_inspection
from .stored_pixels import StoredPixels, stored_pixels
from .stored_structures import CELLS, PARTS_OF, Structures

_FILES_PER_PAGE = 100_000
# Columns of parts that each file has its own values of, and that rules with FILE in `reads` only may read.
_OF_EACH = frozenset({"timecode", "packed_bytes", "chunk_count", "chunks_present", "missing"})

_VARYING_OF = f"""
    SELECT {CELLS}, attr_index FROM attributes SEMI JOIN wanted USING (file_id)
    WHERE list_contains($names::VARCHAR[], attr_name)
"""  # noqa: S608 (constants)
_PROBLEMS_OF = f"""
    SELECT file_id, code, message, part_index, attr_name, byte_offset
    FROM problems SEMI JOIN wanted USING (file_id) QUALIFY {IS_NEWEST}
"""  # noqa: S608 (constants)
_LAST_PATHS = f"""
    SELECT file_path_normalized AS last FROM files WHERE {CURRENT} AND {MATCHES}
    QUALIFY row_number() OVER (ORDER BY file_path_normalized) % $files_per_page = 0
        OR lead(true) OVER (ORDER BY file_path_normalized) IS NULL
    ORDER BY last
"""  # noqa: S608 (constants)
_ERRORS = f"""
    SELECT file_path_normalized AS uri, code, message, byte_offset FROM ingest_errors
    WHERE {OPEN_ERRORS} AND {MATCHES} ORDER BY uri
"""  # noqa: S608 (constants)


class StoredVerdict(NamedTuple):
    """A file of the catalog and its verdict."""

    file_id: str
    verdict: Verdict  # one object for many files
    file: SequenceFile  # as rules about sequences see it


class Unread(NamedTuple):
    """A file that could not be read when it was to be inspected."""

    uri: str
    reason: str


def validate_catalog(
    catalog: Catalog, policy: CompiledPolicy, patterns: Sequence[str] = ()
) -> Iterator[StoredVerdict | Unread]:
    """The verdicts on the current files of a catalog that paths, URIs or patterns select; on all without any.

    First come the files that could not be inspected: a verdict without a `file_id` where the file is not a readable
    EXR file, `Unread` where its bytes could not be read.

    Verdicts are equal to those of `validate` on the files, unless the catalog does not have what a rule reads: the
    value of an attribute that was cut, problems that an older version did not look for, or statistics of pixels. The
    rule is in `not_evaluated` then.
    """
    condition = {"pattern": uri_condition(patterns).regex if patterns else None}
    for row in catalog.sql(_ERRORS, condition).to_pylist():
        reason = f"{row['message']} ({row['code']})"
        if row["code"] in FORMAT_ERRORS:
            reason = f"{row['message']} ({row['code']} at byte {row['byte_offset']})"
            yield StoredVerdict("", unreadable(policy, row["uri"], reason), unreadable_file(row["uri"]))
        else:
            yield Unread(row["uri"], reason)
    page, parameters = _page(policy)
    structures = Structures(catalog)
    after = ""
    for last in values(catalog.sql(_LAST_PATHS, {**condition, "files_per_page": _FILES_PER_PAGE}), "last"):
        files = catalog.sql(page, {**parameters, **condition, "after": after, "last": last})
        for name in ("version_flags", "chunks_checked"):
            files = files.set_column(files.column_names.index(name), name, files[name].fill_null(0))
        for group in structures.groups(files):
            yield from _judged(catalog, policy, *group)
        after = last


def store_verdicts(catalog: Catalog, judged: Sequence[StoredVerdict]) -> None:
    """Store verdicts on files of the catalog, in one transaction; those that are stored already are left out."""
    verdicts = [(file_id, verdict) for file_id, verdict, _ in judged if file_id]
    catalog.persist_rows(with_verdicts(from_inspections((), vectors=False), verdicts))


def _page(policy: CompiledPolicy) -> tuple[str, Mapping[str, Any]]:
    """The query of a page of files, with the overrides that apply and violations of custom rules; its parameters."""
    sql = SqlConditions(policy.path_template)
    conditions = [layer.when for layer in policy.policy.layers if layer.when is not None]
    overrides = [f"{sql.holds(when)} AS {name}" for when, name in zip(conditions, _overrides(policy), strict=True)]
    violations = " OR ".join(map(sql.is_violated, policy.policy.custom.values())) or "false"
    query = f"""
        SELECT {", ".join((*FACTS, "inspector_version", *overrides))}, {violations} AS violates_custom FROM files
        WHERE {CURRENT} AND {MATCHES} AND file_path_normalized > $after AND file_path_normalized <= $last
        ORDER BY file_path_normalized
    """  # noqa: S608 (constants; values are parameters)
    return query, sql.parameters


def _overrides(policy: CompiledPolicy) -> list[str]:
    """The names of columns."""
    return [f"override_{number}" for number in range(len(policy.conditions))]


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that belong to some files, and the files by numbers: equal ones for equal rows, as far as rules read."""

    files: pa.Table
    parts: pa.Table
    attributes: pa.Table | None
    problems: pa.Table
    pixels: Mapping[str, StoredPixels]

    def numbers(self, of_rules: Numbers, rules: Sequence[tuple[StoredStructure, RuleSet]]) -> Numbers:
        """A number for each file; `of_rules` are the positions of its structure and rules in `rules`."""
        found = row_numbers([self.files["header_bytes"], self.files["problem_severity"]])
        columns = ["part_index", *(name for name in PART_COLUMNS if name not in _OF_EACH)]
        for table, names in ((self.parts, columns), (self.problems, ["part_index", "code", "message", "attr_name"])):
            of_rows = row_numbers([table[name] for name in names])
            found = joined(found, file_numbers(of_rows, owners(table, self.files["file_id"]), self.files.num_rows))
        if self.attributes is not None:
            owner = owners(self.attributes, self.files["file_id"])
            of_rows = _numbers_of_values(self.attributes, of_rules[owner], rules)
            found = joined(found, file_numbers(of_rows, owner, self.files.num_rows))
        return joined(found, of_rules)

    def sequence_files(
        self, structures: Sequence[Structure], overrides: Sequence[tuple[bool, ...]]
    ) -> Iterator[SequenceFile]:
        """Each file as the rules about sequences see it, without its pixels; with its structure and overrides."""
        files, parts = self.files, self.parts
        owner = owners(parts, files["file_id"])
        packed_bytes = np.zeros(files.num_rows, np.int64)
        np.add.at(packed_bytes, owner, pc.fill_null(parts["packed_bytes"], 0).to_numpy())
        hashes, sizes = values(files, "header_hash"), values(files, "size_bytes")
        of_content = (structures, values(files, "etag"), hashes, values(files, "chunk_hash"), sizes)
        columns = {
            "uri": values(files, "file_path_normalized"),
            "sequence": [text or "" for text in shared_values(files, "sequence")],
            "frame": [text or "" for text in shared_values(files, "frame")],
            "status": map(status_of, shared_values(files, "completeness"), shared_values(files, "problem_severity")),
            "structure": structures,
            "header_hash": hashes,
            "size_bytes": sizes,
            "modified": seconds(files),
            "timecode": first_texts(parts["timecode"], owner, files.num_rows),
            "content": map(content_of, *of_content, packed_bytes.tolist()),
            "has_pixels": repeat(False, files.num_rows),
            "used_areas": repeat(None, files.num_rows),
            "overrides": overrides,
        }
        return map(SequenceFile._make, zip(*(columns[name] for name in SequenceFile._fields), strict=True))

    def inspections(
        self, chosen: npt.NDArray[np.bool_], structures: Iterable[StoredStructure]
    ) -> Iterator[StoredInspection]:
        """The chosen files; `structures` are theirs."""
        files = self.files.filter(pa.array(chosen))
        of_chosen = [table and table.filter(_is_of(table, files)) for table in (self.parts, self.attributes)]
        parts, attributes = (by_part(table) if table else {} for table in of_chosen)
        problems = _problems(self.problems.filter(_is_of(self.problems, files)))
        for facts, structure in zip(file_facts(files), structures, strict=True):
            example = structure.example
            indices = range(len(example.parts))
            rows = [parts[facts.file_id, index][0] for index in indices]
            own = [{cells[0]: cells for cells in attributes.get((facts.file_id, index), ())} for index in indices]
            yield stored_inspection(facts, example, rows, own, tuple(problems.get(facts.file_id, ())))


def _numbers_of_values(rows: pa.Table, of_rules: Numbers, rules: Sequence[tuple[StoredStructure, RuleSet]]) -> Numbers:
    """A number for each row of `attributes`: equal ones for values of which the rules make the same."""
    numbers = joined(row_numbers([rows[name] for name in rows.column_names if name != "file_id"]), of_rules)
    first = first_rows(numbers)
    different = rows.take(first)
    columns = [shared_values(different, name) for name in different.column_names if name != "file_id"]
    found: dict[Hashable, int] = {}
    numbers_of = []
    for position, (number, (part_index, *cells)) in enumerate(
        zip(of_rules[first].tolist(), zip(*columns, strict=True), strict=True)
    ):
        structure, of_files = rules[number]
        row = AttributeRow(*cells)
        outcomes = structure.decided_by(of_files, part_index, row)
        key = position if outcomes is None else (number, part_index, row.attr_name, outcomes)
        numbers_of.append(found.setdefault(key, len(found)))
    return np.array(numbers_of, np.int64)[numbers]


def _is_of(rows: pa.Table, files: pa.Table) -> pa.ChunkedArray:
    return pc.is_in(rows["file_id"], value_set=files["file_id"].combine_chunks())


def _read(catalog: Catalog, policy: CompiledPolicy, files: pa.Table, structures: Sequence[StoredStructure]) -> _Rows:
    wanted = table_of(files["file_id"])
    varying = frozenset().union(*(structure.varying for structure in structures))
    names = sorted(names_read(policy, varying) - {WINDOW})
    with_problems = files["file_id"].filter(pc.fill_null(pc.not_equal(files["problem_severity"], "none"), False))
    problems = catalog.sql(_PROBLEMS_OF, tables=table_of(with_problems))
    return _Rows(
        files=files,
        parts=catalog.sql(PARTS_OF, tables=wanted).sort_by([("part_index", "ascending")]),
        attributes=_repeated_names_last(catalog.sql(_VARYING_OF, {"names": names}, wanted)) if names else None,
        problems=in_order(
            problems.filter(pc.is_in(problems["code"], value_set=_KNOWN_PROBLEMS)),
            ("part_index", "byte_offset"),
            ("code", "attr_name", "message"),
        ),
        pixels=stored_pixels(catalog, wanted["wanted"]),
    )


def _repeated_names_last(attributes: pa.Table) -> pa.Table:
    """The rows in the order of parts, and the first one of a name in a part last."""
    ordered = attributes.sort_by([("part_index", "ascending"), ("attr_index", "descending")])
    return ordered.drop_columns(["attr_index"])


_KNOWN_PROBLEMS = pa.array(sorted(PROBLEMS))  # a newer version may have stored others


def _judged(
    catalog: Catalog,
    policy: CompiledPolicy,
    files: pa.Table,
    of_structures: Numbers,
    structures: Sequence[StoredStructure],
) -> Iterator[StoredVerdict]:
    rows = _read(catalog, policy, files, structures)
    columns = [files[name] for name in _overrides(policy)]
    of_overrides = row_numbers(columns) if columns else np.zeros(files.num_rows, np.int64)
    override_values = [tuple(column[at].as_py() for column in columns) for at in first_rows(of_overrides).tolist()]
    of_rules = joined(of_structures, of_overrides)
    rules = [
        (structures[of_structures[at]], policy.rules_with(override_values[of_overrides[at]]))
        for at in first_rows(of_rules).tolist()
    ]
    differ = [structure.differ(of_files, policy.policy.custom) for structure, of_files in rules]
    is_single = np.array(differ)[of_rules] | _is_single(rows)
    numbers = rows.numbers(of_rules, rules)
    numbers[is_single] = numbers.max() + 1 + np.arange(np.count_nonzero(is_single))
    is_first = np.zeros(files.num_rows, np.bool_)
    is_first[first_rows(numbers)] = True
    of_first = [structures[number] for number in of_structures[is_first].tolist()]
    inspections = zip(rows.inspections(is_first, of_first), of_first, strict=True)
    group_numbers = joined(numbers, name_numbers(files))
    judged: dict[int, Alike] = {}  # by number
    groups: dict[int, NamesAlike] = {}
    numbered = zip(
        values(files, "file_id"),
        values(files, "file_path"),
        rows.sequence_files(
            [structures[number].of_sequences for number in of_structures.tolist()],
            [override_values[number] for number in of_overrides.tolist()],
        ),
        numbers.tolist(),
        has_others(numbers).tolist(),
        group_numbers.tolist(),
        has_others(group_numbers).tolist(),
        strict=True,
    )
    for file_id, path, without_pixels, number, is_shared, group_number, is_grouped in numbered:
        file, group = without_pixels, groups.get(group_number)
        if group is None:
            alike = judged.get(number)
            if alike is None:
                inspection, structure = next(inspections)
                figures = None
                if pixels := rows.pixels.get(file_id):
                    figures = pixels.figures(inspection.parts)
                    file = with_pixels(file, inspection.file, inspection.windows, pixels.channels, pixels.parts)
                alike = structure.judged(policy, inspection, policy.rules_with(file.overrides), figures)
                if is_shared:
                    judged[number] = alike
            group = names_alike(alike, _name(path, file))
            if is_grouped:
                groups[group_number] = group
            verdict = group.first
        else:
            verdict = group.verdict(_name(path, file)) if group.of_each else group.first
        yield StoredVerdict(file_id, verdict, file)


class _Name(NamedTuple):
    """What rules about names read of a file."""

    file_path: str
    file_path_normalized: str
    sequence: str | None
    frame: str | None


def _name(path: str, file: SequenceFile) -> _Name:
    return _Name(path, file.uri, file.sequence or None, file.frame or None)


def _is_single(rows: _Rows) -> npt.NDArray[np.bool_]:
    """The files of which each is judged: those that violate a custom rule, are not complete, or have statistics."""
    files = rows.files
    found: npt.NDArray[np.bool_] = pc.or_(
        files["violates_custom"], pc.not_equal(files["completeness"], "complete")
    ).to_numpy()
    if rows.pixels:
        found |= np.fromiter((file_id in rows.pixels for file_id in values(files, "file_id")), bool, len(found))
    return found


def _problems(rows: pa.Table) -> dict[str, list[Problem]]:
    """The problems of files, by file_id."""
    found: dict[str, list[Problem]] = defaultdict(list)
    columns = (shared_values(rows, name) for name in Problem._fields)
    for file_id, *problem in zip(values(rows, "file_id"), *columns, strict=True):
        found[file_id].append(Problem(*problem))
    return found
