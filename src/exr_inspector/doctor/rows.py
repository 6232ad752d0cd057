"""The rows of a catalog: vectors, keys, versions, counts, age and errors, in one SQL for both backends.

Without `deep`, vectors are read of the newest files only, and attributes, most of the rows of a catalog, not at all: of
100,000 files in DuckDB that is half of the time, and of a VAST Database all columns of a query come over the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from shlex import quote

from ..catalog import OPEN_ERRORS, Catalog
from ..catalog.protocol import StoresDerived
from ..catalog.schema import CHILD_TABLES, PRIMARY_KEYS, RESULT_TABLES, TABLES, vector_dimensions
from ..exr.codes import COMPLETENESS
from ..inspection.value_text import plural
from ..search.reembed import OUTDATED
from ..vectors import VERSION
from .model import Check, Stage, Status, Target, failure, of_tables, ok, skipped, warning

_NEWEST = 1000
_LONGEST_DEVIATION = 1e-6  # of the length of a vector from 1; of 100,000 files the largest is 1.4e-7
_STALE = timedelta(hours=24)
_RECENT = timedelta(hours=24)
_LARGEST_SKEW = timedelta(minutes=5)

_RESCAN = "exr-inspector ingest --rescan PATH {catalog}"
_RESTORE = "restore a backup, or ingest the files into a new catalog"

# The last time of the newest files: files of this time and later ones are read; those of a transaction have one time.
_SINCE = f"SELECT min(t) AS since FROM (SELECT last_inspected AS t FROM files ORDER BY t DESC LIMIT {_NEWEST})"  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowCheck:
    """A query for faults: one row with their number and an example, a path or a file_id."""

    name: str
    query: str
    fault: str  # precedes the number
    remedy: str  # with {catalog} in place of the option --catalog
    what: str  # without faults
    status: Status = Status.FAIL  # with faults


def row_checks(catalog: Catalog, target: Target, *, missing: Collection[str]) -> Iterator[Check]:
    """The checks of the rows, for the stage of the target, that need none of the missing tables."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    option = f"--catalog {quote(target.uri)}"
    if target.stage is not Stage.BEFORE:
        yield from _with_tables("freshness", {"files"}, missing, lambda: [_freshness(catalog, now, option)])
    checks = [_norms(target.deep)]
    if target.stage is not Stage.AFTER:
        tables = _child_tables(target.deep)
        checks += [_missing_vectors(target.deep), _outdated_vectors(), _duplicates(tables), _orphans(tables)]
        checks += [_several_current(), _none_current(), _counts("parts"), _counts("channels")]
        checks.append(_part_indexes(tables))
        if target.deep:
            checks += [_without_attributes(), _values()]
    for check in checks:
        named = TABLES.keys() & set(re.findall(r"\w+", check.query))
        yield from _with_tables(check.name, named, missing, partial(_run, catalog, check, option))
    if target.stage is not Stage.AFTER and isinstance(catalog, StoresDerived):
        yield from _with_tables(
            "derived tables", {"files", "ingest_errors"}, missing, partial(_derived, catalog, option)
        )
    errors = partial(_open_errors, catalog, now, option)
    yield from _with_tables("open errors", {"ingest_errors"}, missing, lambda: [errors()])


def _child_tables(deep: bool) -> list[str]:
    return [table for table in CHILD_TABLES if deep or table != "attributes"]


def fault_counts(catalog: Catalog) -> dict[str, int]:
    """The number of faults of some of these checks, by name."""
    tables = _child_tables(deep=False)
    checks = (_duplicates(tables), _orphans(tables))
    return {check.name: catalog.sql(check.query)["faults"][0].as_py() for check in checks}


def _with_tables(
    name: str, tables: Collection[str], missing: Collection[str], checks: Callable[[], Iterable[Check]]
) -> Iterator[Check]:
    """The results of checks that read tables, unless one of them is missing. Raises CatalogError as `of_tables`."""
    lacking = sorted(set(tables).intersection(missing))
    if lacking:
        yield skipped(name, f"not checked: table {', '.join(lacking)} is missing", _RESTORE)
    else:
        yield from of_tables(name, checks)


def _run(catalog: Catalog, check: _RowCheck, option: str) -> Iterator[Check]:
    parameters = {"since": catalog.sql(_SINCE)["since"][0].as_py()} if "$since" in check.query else {}
    (row,) = catalog.sql(check.query, parameters).to_pylist()
    if row["faults"]:
        what = f"{check.fault}: {row['faults']:,}, such as {row['example']}"
        yield Check(name=check.name, status=check.status, what=what, remedy=check.remedy.format(catalog=option))
    else:
        yield ok(check.name, check.what)


# ── vectors ────────────────────────────────────────────────

# The times of the newest files are a query of their own: a VAST Database sends the vectors that the condition selects.
_IS_NEWEST = "last_inspected >= $since::TIMESTAMP"


def _of_which(deep: bool) -> tuple[str, str]:
    """The condition of the files whose vectors are read, and the words for them."""
    return ("true", "") if deep else (_IS_NEWEST, f" of the newest {_NEWEST:,} files, and of those stored with them,")


def _norms(deep: bool) -> _RowCheck:
    condition, files = _of_which(deep)
    deviates = [
        f"abs(sqrt(array_inner_product({column}::DOUBLE[{size}], {column}::DOUBLE[{size}])) - 1) > {_LONGEST_DEVIATION}"
        for column, size in vector_dimensions().items()
    ]
    return _RowCheck(
        name="norms",
        query=f"""
            SELECT count(*) AS faults, min(file_path_normalized) AS example
            FROM files WHERE {condition} AND ({" OR ".join(deviates)})""",  # noqa: S608 (constants)
        fault="files with a vector whose length is not 1",
        remedy="exr-inspector db reembed --all {catalog}",
        what=f"the vectors{files} have length 1",
    )


def _missing_vectors(deep: bool) -> _RowCheck:
    condition, files = _of_which(deep)
    is_missing = " OR ".join(f"{column} IS NULL" for column in vector_dimensions())
    return _RowCheck(
        name="vectors",
        query=f"""
            SELECT count(*) AS faults, min(file_path_normalized) AS example
            FROM files WHERE {condition} AND ({is_missing})""",  # noqa: S608 (constants)
        fault="files without a vector",
        remedy="exr-inspector db reembed --all {catalog}",
        what=f"no vector{files} is missing",
        status=Status.WARN,
    )


def _outdated_vectors() -> _RowCheck:
    return _RowCheck(
        name="embedding version",
        query=f"""
            SELECT count(*) AS faults,
                   'version ' || coalesce(string_agg(DISTINCT embedding_version::VARCHAR, ', '), 'unknown') AS example
            FROM files WHERE {OUTDATED}""",  # noqa: S608 (constants)
        fault=f"files that similar does not find, as their vectors do not have version {VERSION}",
        remedy="exr-inspector db reembed {catalog}",
        what=f"all vectors have version {VERSION}",
        status=Status.WARN,
    )


# ── keys, versions and counts ────────────────────────────────────────────────


def _duplicates(children: list[str]) -> _RowCheck:
    """Two results with one key are copies only within a batch: later ones have a batch of their own."""
    queries = []
    for table, key in PRIMARY_KEYS.items():
        if table in CHILD_TABLES and table not in children:
            continue
        columns = (*key, "batch_id") if table in RESULT_TABLES else key
        queries.append(
            f"SELECT '{table}: ' || {key[0]} AS example FROM {table} "  # noqa: S608 (constants)
            f"GROUP BY {', '.join(columns)} HAVING count(*) > 1"
        )
    return _RowCheck(
        name="duplicates",
        query=f"SELECT count(*) AS faults, min(example) AS example FROM ({' UNION ALL '.join(queries)})",  # noqa: S608
        fault="keys with several rows",
        remedy=f"if they are of files: {_RESCAN}; else {_RESTORE}",
        what=f"no key has two rows{'' if 'attributes' in children else ', attributes not checked'}",
    )


def _orphans(children: list[str]) -> _RowCheck:
    queries = [
        f"SELECT '{table}: ' || file_id AS example FROM {table} ANTI JOIN files USING (file_id)"  # noqa: S608
        for table in children
    ]
    return _RowCheck(
        name="orphans",
        query=f"SELECT count(*) AS faults, min(example) AS example FROM ({' UNION ALL '.join(queries)})",  # noqa: S608
        fault="rows that belong to no file",
        remedy=_RESTORE,
        what=f"every row belongs to a file{'' if 'attributes' in children else ', attributes not checked'}",
    )


def _several_current() -> _RowCheck:
    return _RowCheck(
        name="current versions",
        query="""
            SELECT count(*) AS faults, min(path) AS example FROM (
                SELECT file_path_normalized AS path FROM files WHERE is_current GROUP BY path HAVING count(*) > 1)""",
        fault="paths with several current versions",
        remedy=_RESCAN,
        what="no path has two current versions",
    )


def _none_current() -> _RowCheck:
    """Older programs left such rows of a file that was unreadable when it was deleted."""
    return _RowCheck(
        name="lost versions",
        query="""
            SELECT count(*) AS faults, min(path) AS example FROM (
                SELECT file_path_normalized AS path FROM files GROUP BY path HAVING NOT bool_or(is_current)
                EXCEPT SELECT file_path_normalized FROM ingest_errors)""",
        fault="paths with versions, none of them current, and without an error",
        remedy=f"{_RESCAN} if these files exist; if they were deleted, nothing: an older release left them so",
        what="every path has a current version or an error",
        status=Status.WARN,
    )


_COUNTED = {"parts": "multipart_count", "channels": "channel_count"}


def _counts(table: str) -> _RowCheck:
    return _RowCheck(
        name=f"{table[:-1]} counts",
        query=f"""
            SELECT count(*) AS faults, min(file_path_normalized) AS example
            FROM files LEFT JOIN (SELECT file_id, count(*) AS stored FROM {table} GROUP BY file_id) USING (file_id)
            WHERE {_COUNTED[table]} <> coalesce(stored, 0)""",  # noqa: S608 (constants)
        fault=f"files with another number of rows in {table} than {_COUNTED[table]}",
        remedy=_RESTORE,
        what=f"{_COUNTED[table]} of every file is the number of its rows in {table}",
    )


def _part_indexes(children: list[str]) -> _RowCheck:
    queries = [
        f"SELECT '{table}: ' || file_path_normalized AS example FROM {table} JOIN files USING (file_id) "  # noqa: S608
        "WHERE part_index NOT BETWEEN 0 AND multipart_count - 1"
        for table in children
        if "part_index" in TABLES[table].names
    ]
    return _RowCheck(
        name="part indexes",
        query=f"SELECT count(*) AS faults, min(example) AS example FROM ({' UNION ALL '.join(queries)})",  # noqa: S608
        fault="rows of parts that their file does not have",
        remedy=_RESTORE,
        what="every row with a part_index has one of a part of its file",
    )


def _without_attributes() -> _RowCheck:
    return _RowCheck(
        name="attributes",
        query="""
            SELECT count(*) AS faults, min(file_path_normalized) AS example
            FROM parts ANTI JOIN attributes USING (file_id, part_index) JOIN files USING (file_id)""",
        fault="parts without attributes",
        remedy=_RESTORE,
        what="every part has attributes",
    )


def _values() -> _RowCheck:
    return _RowCheck(
        name="values",
        query=f"""
            SELECT count(*) AS faults, min(file_path_normalized) AS example
            FROM files WHERE size_bytes < 0 OR completeness NOT IN {COMPLETENESS}""",  # noqa: S608 (constants)
        fault="files with an impossible size or completeness",
        remedy=_RESTORE,
        what="every file has a possible size and completeness",
    )


def _derived(catalog: StoresDerived, option: str) -> Iterator[Check]:
    faulty = catalog.faulty_derived()
    if faulty:
        what = f"the rows of {', '.join(faulty)} do not count the current files"
        yield failure("derived tables", what, f"exr-inspector db refresh {option}")
    else:
        yield ok("derived tables", "those that are stored count the current files, if any")


# ── age and errors ────────────────────────────────────────────────


def _freshness(catalog: Catalog, now: datetime, option: str) -> Check:
    newest = catalog.sql("SELECT max(last_inspected) AS newest FROM files")["newest"][0].as_py()
    if newest is None:
        return warning("freshness", "the catalog has no files", f"exr-inspector ingest PATH {option}")
    age = now - newest
    if age < -_LARGEST_SKEW:
        minutes = -age.total_seconds() / 60
        what = f"the newest file was inspected {minutes:,.0f} minutes ahead of the clock of this machine"
        return warning("freshness", what, "correct the clocks of this machine and of those that ingest")
    age = max(age, timedelta(0))
    what = f"the newest file was inspected {age.total_seconds() / 3600:,.1f} hours ago"
    if age > _STALE:
        return warning("freshness", what, f"check that events are delivered: exr-inspector db coverage PREFIX {option}")
    return ok("freshness", what)


def _open_errors(catalog: Catalog, now: datetime, option: str) -> Check:
    query = f"""
        SELECT code, count(*) AS files, count(*) FILTER (last_seen >= $since::TIMESTAMP) AS recent
        FROM ingest_errors WHERE {OPEN_ERRORS} GROUP BY code ORDER BY recent DESC, code"""  # noqa: S608 (constants)
    codes = catalog.sql(query, {"since": now - _RECENT}).to_pylist()
    total, recent = (sum(row[column] for row in codes) for column in ("files", "recent"))
    of_all = f"{total:,} {plural(total, 'file')} unreadable in all"
    if not recent:
        return ok("open errors", f"none in the last 24 hours, {of_all}")
    by_code = ", ".join(f"{row['code']} {row['recent']:,}" for row in codes if row["recent"])
    return warning("open errors", f"in the last 24 hours: {by_code}; {of_all}", f"exr-inspector check {option}")
