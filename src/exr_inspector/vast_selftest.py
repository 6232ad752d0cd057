"""Self-test of a VAST Database: runs every operation of the catalog in a scratch schema, and measures its cost.

Properties of the server without public documentation (isolation, conflicts, sizes) are measured and reported, as the
catalog does not depend on them.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from secrets import token_hex
from typing import Any

import pyarrow as pa

from .catalog import FileStat, IngestError, SeenFile
from .catalog.rows import from_inspections
from .catalog.schema import CHILD_TABLES
from .catalog.vast import VastCatalog
from .catalog.vast.connection import without_sdk_warnings
from .catalog.vast.errors import CatalogConflictError
from .errors import CatalogError
from .exr import Attribute, Channel
from .exr.attributes import Box2i
from .exr.writer import NewPart, Values, file_bytes, flat_chunk, required_values
from .inspection.inspector import inspect
from .inspection.model import Inspection
from .settings import VastConnection
from .sources.memory import MemorySource

_NOON = datetime(2026, 2, 20, 12, 0, 0, 123456, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The result of a check. `passed` is None for checks that only report a property."""

    name: str
    passed: bool | None
    detail: str
    seconds: float
    requests: int


class _FailedError(Exception):
    """A check failed."""


class _RolledBackError(Exception):
    """Raised in a transaction to roll it back."""


@dataclass(slots=True)
class _Scratch:
    """The scratch schema, opened twice, as by two processes."""

    first: VastCatalog
    second: VastCatalog


def verify(uri: str, connection: VastConnection, report: Callable[[Check], None] = lambda _: None) -> list[Check]:
    """The results of all checks, in a scratch schema beside that of `uri`, which is dropped afterwards.

    Raises CatalogError when the bucket cannot be reached or tables cannot be created.
    """
    checks: list[Check] = []
    scratch_uri = f"{uri.rstrip('/').rpartition('/')[0]}/exr_inspector_verify_{token_hex(4)}"
    with _counted_requests() as count, ExitStack() as stack:
        began = time.perf_counter()
        first = VastCatalog(scratch_uri, connection=connection)
        stack.callback(first.tables.drop)
        stack.enter_context(first)
        seconds = time.perf_counter() - began
        created = Check(name="tables are created", passed=True, detail=scratch_uri, seconds=seconds, requests=count())
        checks.append(created)
        report(created)
        scratch = _Scratch(first, stack.enter_context(VastCatalog(scratch_uri, connection=connection)))
        for name, check in _CHECKS.items():
            checks.append(_run(name, check, scratch, count))
            report(checks[-1])
    return checks


def _run(name: str, check: Callable[[_Scratch], str | None], scratch: _Scratch, count: Callable[[], int]) -> Check:
    before, began = count(), time.perf_counter()
    passed: bool | None = True
    try:
        with without_sdk_warnings():  # of servers that do not have what the SDK asks for
            detail = check(scratch) or ""
        passed = None if check in _INFORMATIVE else True
    except _FailedError as error:
        passed, detail = False, str(error)
    except Exception as error:  # the next checks are still of use
        passed, detail = False, f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - began
    return Check(name=name, passed=passed, detail=detail, seconds=seconds, requests=count() - before)


@contextmanager
def _counted_requests() -> Iterator[Callable[[], int]]:
    """Count the HTTP requests of this process, from the log of its HTTP client."""
    requests: list[None] = []

    class Counter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if " HTTP/" in record.getMessage():
                requests.append(None)

    logger = logging.getLogger("urllib3.connectionpool")
    handler, level, propagate = Counter(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lambda: len(requests)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


# ── checks ────────────────────────────────────────────────


def _latency(scratch: _Scratch) -> str:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        scratch.first.seen([FileStat(file_path_normalized="s3://verify/none.exr", size_bytes=1, mtime=None)])
        times.append((time.perf_counter() - began) / 4)
    return f"{1000 * statistics.median(times):.1f} ms per request, median of 80"


def _new_file(scratch: _Scratch) -> None:
    _expect(scratch.first.persist([_file("new")])[0].inserted, "a new file was not inserted")


def _known_file(scratch: _Scratch) -> None:
    _expect(not scratch.first.persist([_file("new")])[0].inserted, "a stored file was inserted again")
    (row,) = _rows(scratch, "SELECT inspection_count FROM files WHERE file_path = 's3://verify/new.exr'")
    _expect(row["inspection_count"] == 2, f"inspection_count is {row['inspection_count']}, not 2")


def _batch(scratch: _Scratch) -> str:
    files = [_file(f"batch.{number:04}") for number in range(500)]
    began = time.perf_counter()
    _expect(all(outcome.inserted for outcome in scratch.first.persist(files)), "not all files were inserted")
    return f"{500 / (time.perf_counter() - began):,.0f} files/s"


def _round_trip(scratch: _Scratch) -> None:
    special = _file("ö ' \" %41", {"note": "null \0 and ü 🎬", "x": Attribute("x", "ourType", b"\0\xff", None)}, _NOON)
    large = _file("large", {"manifest": "x" * 64_000})
    scratch.first.persist([special, large])
    expected = from_inspections([special, large]).tables
    for table in CHILD_TABLES:
        found = scratch.second.sql(
            f"SELECT * FROM {table} WHERE file_id IN (?, ?)",  # noqa: S608 (a constant)
            [special.file.file_id, large.file.file_id],
        )
        found = found.drop_columns("batch_id")
        same = sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected[table].to_pylist()))
        _expect(same, f"rows of {table} are changed")


def _vectors(scratch: _Scratch) -> None:
    rows = from_inspections([_file("vector")])
    files = rows.tables["files"]
    for name, size in (("metadata_embedding", 384), ("channel_fingerprint", 128)):
        index = files.schema.get_field_index(name)
        vector = pa.array([[1 / size] * size], files.schema.field(name).type)
        files = files.set_column(index, files.schema.field(name), vector)
    rows.tables["files"] = files
    scratch.first.persist_rows(rows)
    names = "metadata_embedding, channel_fingerprint"
    found = _rows(scratch, f"SELECT {names} FROM files WHERE file_path = 's3://verify/vector.exr'")  # noqa: S608
    _expect(found == files.select(names.split(", ")).to_pylist(), "vectors are changed")


def _new_version(scratch: _Scratch) -> None:
    scratch.first.persist([_file("versioned")])
    scratch.second.persist([_file("versioned", {"note": "again"})])
    found = _rows(scratch, "SELECT is_current FROM files WHERE file_path = 's3://verify/versioned.exr'")
    _expect(sorted(row["is_current"] for row in found) == [False, True], "not exactly one of two versions is current")


def _errors(scratch: _Scratch) -> None:
    path = "s3://verify/unreadable.exr"
    error = IngestError(
        file_path_normalized=path, size_bytes=7, mtime=_NOON, code="truncated", message="cut", byte_offset=7
    )
    file_stat = FileStat(file_path_normalized=path, size_bytes=7, mtime=_NOON)
    scratch.first.record_errors([error])
    scratch.second.record_errors([error])
    (row,) = _rows(scratch, "SELECT count FROM ingest_errors")
    _expect(row["count"] == 2, "a repeated error was not counted")
    _expect(
        scratch.first.seen([file_stat]) == {path: SeenFile(is_unchanged=True, error="cut", error_code="truncated")},
        "a recorded error was not returned",
    )
    _expect(scratch.first.mark_deleted([path]) == 1, "a path with an error was not deleted")


def _predicates(scratch: _Scratch) -> None:
    """Conditions that the server evaluates select the same rows as the whole table."""
    everything = _rows(scratch, "SELECT * FROM files ORDER BY file_id")
    middle = sorted(row["last_inspected"] for row in everything)[len(everything) // 2]
    sizes = sorted(row["size_bytes"] for row in everything)[len(everything) // 2]
    for name, value in (("file_path_normalized", everything[3]["file_path_normalized"]), ("completeness", "complete")):
        _compare(scratch, everything, f"{name} = ?", [value], lambda row, n=name, v=value: row[n] == v)
    ids = [row["file_id"] for row in everything[::7]]
    marks = ", ".join("?" * len(ids))
    _compare(scratch, everything, f"file_id IN ({marks})", ids, lambda row: row["file_id"] in ids)
    _compare(scratch, everything, "size_bytes > ?", [sizes], lambda row: row["size_bytes"] > sizes)
    _compare(scratch, everything, "last_inspected <= ?", [middle], lambda row: row["last_inspected"] <= middle)
    _compare(scratch, everything, "header_bytes > 5.9", [], lambda row: row["header_bytes"] > 5.9)


def _compare(scratch: _Scratch, rows: list[dict[str, Any]], where: str, params: list[Any], holds: Any) -> None:
    query = f"SELECT file_id FROM files WHERE {where} ORDER BY file_id"  # noqa: S608 (the conditions above)
    found = [row["file_id"] for row in scratch.first.sql(query, params).to_pylist()]
    _expect(found == [row["file_id"] for row in rows if holds(row)], f"{where} selects other rows than the whole table")


def _rollback(scratch: _Scratch) -> None:
    count = "SELECT count(*) AS n FROM parts"
    before = _rows(scratch, count)[0]["n"]
    try:
        with scratch.first.tables.transaction() as rows:
            rows.insert("parts", from_inspections([_file("never")]).tables["parts"])
            seen = scratch.second.sql(count).to_pylist()[0]["n"]
            _expect(seen == before, "another transaction sees uncommitted rows")
            raise _RolledBackError
    except CatalogError as error:
        _expect(isinstance(error.__cause__, _RolledBackError), str(error))
    after = scratch.second.sql(count).to_pylist()[0]["n"]
    _expect(after == before, "a rolled back row is stored")


def _concurrent(scratch: _Scratch) -> str:
    files = [_file(f"shared.{number}") for number in range(8)]
    work = [(catalog, file) for file in files for catalog in (scratch.first, scratch.second)] * 4
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda item: item[0].persist([item[1]]), work))
    scratch.first.deduplicate()
    scratch.second.deduplicate()
    found = _rows(scratch, "SELECT file_id, inspection_count FROM files WHERE file_path LIKE 's3://verify/shared.%'")
    _expect(len(found) == len(files), f"{len(files)} files have {len(found)} rows after concurrent writes")
    parts = _rows(scratch, "SELECT count(*) AS n FROM parts WHERE file_path LIKE 's3://verify/shared.%'")[0]["n"]
    _expect(parts == len(files), f"{len(files)} parts have {parts} rows")
    counted = sum(row["inspection_count"] for row in found)
    return f"persisted {len(work)} times, counted {counted}"


def _added_column(scratch: _Scratch) -> None:
    """A writer that does not know a column goes on while it is added, and afterwards."""
    import ibis
    from vastdb import QueryConfig, TableRef, TableType  # the extra is checked by the import of VastCatalog
    from vastdb.table_metadata import TableMetadata

    tables = scratch.first.tables
    old = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    known = TableMetadata(TableRef(tables.bucket, tables.schema, "migrated"), old, TableType.Regular)

    select = QueryConfig(num_splits=1, data_endpoints=tables.connection.data_endpoints)

    def write(value: int) -> None:
        """Insert a row, and update it by its row id."""
        with scratch.second.tables.connection.transaction() as writer:
            writer.table_from_metadata(known).insert(pa.table({"a": [-value]}, schema=old))
        with scratch.second.tables.connection.transaction() as writer:
            table = writer.table_from_metadata(known)
            inserted = table.select(["a"], ibis._["a"] == -value, select, internal_row_id=True).read_all()
            table.update(inserted.set_column(inserted.schema.get_field_index("a"), old.field("a"), [[value]]))

    with tables.connection.transaction() as transaction:
        transaction.bucket(tables.bucket).schema(tables.schema).create_table("migrated", old)
    write(1)
    with tables.connection.transaction() as transaction:
        table = transaction.bucket(tables.bucket).schema(tables.schema).table("migrated")
        table.add_column(pa.schema([pa.field("b", pa.string())]))
        write(2)
    write(3)
    with tables.connection.transaction(read_only=True) as transaction:
        table = transaction.bucket(tables.bucket).schema(tables.schema).table("migrated")
        found = table.select(config=select).read_all().to_pylist()
    found.sort(key=lambda row: row["a"])
    _expect(found == [{"a": value, "b": None} for value in (1, 2, 3)], f"the rows are {found}")


def _isolation(scratch: _Scratch) -> str:
    with scratch.first.tables.transaction() as rows:
        before = rows.select("files", ["file_id"]).num_rows
        scratch.second.persist([_file(f"isolated.{token_hex(4)}")])
        after = rows.select("files", ["file_id"]).num_rows
    return (
        "snapshot: a transaction does not see later commits" if before == after else "a transaction sees later commits"
    )


def _conflicts(scratch: _Scratch) -> str:
    """The outcome of two transactions that write one row."""
    file = _file("contended")
    scratch.first.persist([file])
    stage = "request"
    try:
        with scratch.first.tables.transaction() as first:
            found = first.select_in("files", ["inspector_version"], "file_id", [file.file.file_id])
            first.update("files", found)
            try:
                with scratch.second.tables.transaction() as second:
                    second.update("files", found)
                    stage = "commit"
            except CatalogConflictError:
                return f"the second is rejected at its {stage}"
    except CatalogConflictError:
        return "the first is rejected at its commit"
    return "neither is rejected; the last one wins"


def _largest_cell(scratch: _Scratch) -> str:
    largest = 0
    rows = from_inspections([_file("cell")]).tables["attributes"].slice(0, 1)
    index = rows.schema.get_field_index("raw")
    for size in (64, 128, 256, 1024, 4000):
        cell = pa.array([b"x" * (size << 10)], pa.binary())
        try:
            with scratch.first.tables.transaction() as inside:
                inside.insert_uncut("attributes", rows.set_column(index, "raw", cell).to_batches()[0])
                raise _RolledBackError
        except CatalogError as error:
            if not isinstance(error.__cause__, _RolledBackError):
                return f"{largest} KiB; {size} KiB is rejected: {error}"
            largest = size
    return f"at least {largest} KiB"


_CHECKS: dict[str, Callable[[_Scratch], str | None]] = {
    "latency": _latency,
    "a new file": _new_file,
    "a known file": _known_file,
    "a batch of 500": _batch,
    "rows are stored unchanged": _round_trip,
    "vectors are stored unchanged": _vectors,
    "a new version becomes current": _new_version,
    "errors are recorded and deleted": _errors,
    "conditions select as a full scan does": _predicates,
    "uncommitted rows are not visible": _rollback,
    "concurrent writers converge": _concurrent,
    "a column is added beside a writer": _added_column,
    "isolation": _isolation,
    "two writers of one row conflict": _conflicts,
    "largest cell": _largest_cell,
}
_INFORMATIVE = {_latency, _isolation, _conflicts, _largest_cell}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _FailedError(otherwise)


def _rows(scratch: _Scratch, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = scratch.second.sql(query).to_pylist()
    return rows


# ── inspections to store ────────────────────────────────────────────────


def _file(name: str, values: Values | None = None, mtime: datetime | None = None) -> Inspection:
    """The inspection of a small file: one part of 4 × 4 pixels with three channels, and the attributes in `values`."""
    channels = [Channel(channel, "HALF", 1, 1, 0) for channel in "BGR"]
    required = required_values(channels, Box2i(0, 0, 3, 3))
    lines = [flat_chunk((y,), bytes(2 * 3 * 4)) for y in range(4)]
    source = MemorySource(file_bytes([NewPart({**required, **(values or {})}, lines)]), f"s3://verify/{name}.exr")
    source.mtime = mtime
    return inspect(source)
