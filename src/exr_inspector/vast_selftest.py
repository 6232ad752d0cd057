"""Tries a VAST Database out: does all that the catalog promises there, in a scratch schema, and says what it cost.

What no public source tells of the server (isolation, conflicts, sizes) the catalog does not rely on; here it is found
out and told.
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
    """One thing that was tried. `passed` is None for what is only told."""

    name: str
    passed: bool | None
    detail: str
    seconds: float
    requests: int


class _UnexpectedError(Exception):
    """Something is not as promised."""


class _RolledBackError(Exception):
    """Raised in a transaction so that nothing of it stays."""


@dataclass(slots=True)
class _Trial:
    """The scratch schema, opened twice, as two processes would have it."""

    one: VastCatalog
    two: VastCatalog


def verify(uri: str, connection: VastConnection, tell: Callable[[Check], None] = lambda _: None) -> list[Check]:
    """All checks, in a schema of its own beside that of `uri`, which is removed in the end.

    Raises CatalogError when the bucket cannot be reached or no table be made there: then nothing can be tried.
    """
    checks: list[Check] = []
    scratch = f"{uri.rstrip('/').rpartition('/')[0]}/exr_inspector_verify_{token_hex(4)}"
    with _counted_requests() as count, ExitStack() as stack:
        began = time.perf_counter()
        one = VastCatalog(scratch, connection=connection)
        stack.callback(one.tables.drop)
        stack.enter_context(one)
        made = time.perf_counter() - began
        checks.append(Check(name="tables are made", passed=True, detail=scratch, seconds=made, requests=count()))
        tell(checks[-1])
        trial = _Trial(one, stack.enter_context(VastCatalog(scratch, connection=connection)))
        for name, check in _CHECKS.items():
            checks.append(_run(name, check, trial, count))
            tell(checks[-1])
    return checks


def _run(name: str, check: Callable[[_Trial], str | None], trial: _Trial, count: Callable[[], int]) -> Check:
    before, began = count(), time.perf_counter()
    passed: bool | None = True
    try:
        detail = check(trial) or ""
        passed = None if check in _TOLD else True
    except _UnexpectedError as problem:
        passed, detail = False, str(problem)
    except Exception as problem:  # whatever it is, the checks that follow can still tell something
        passed, detail = False, f"{type(problem).__name__}: {problem}"
    seconds = time.perf_counter() - began
    return Check(name=name, passed=passed, detail=detail, seconds=seconds, requests=count() - before)


@contextmanager
def _counted_requests() -> Iterator[Callable[[], int]]:
    """Counts the HTTP requests of this process by the log of its HTTP client."""
    numbers: list[None] = []

    class Counter(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if " HTTP/" in record.getMessage():
                numbers.append(None)

    logger = logging.getLogger("urllib3.connectionpool")
    handler, level, propagate = Counter(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield lambda: len(numbers)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


# ── checks ────────────────────────────────────────────────


def _latency(trial: _Trial) -> str:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        trial.one.seen([FileStat(file_path_normalized="s3://verify/none.exr", size_bytes=1, mtime=None)])
        times.append((time.perf_counter() - began) / 4)
    return f"{1000 * statistics.median(times):.1f} ms a request in the median of 80"


def _new_file(trial: _Trial) -> None:
    _expect(trial.one.persist([_file("new")])[0].inserted, "a new file was not inserted")


def _known_file(trial: _Trial) -> None:
    _expect(not trial.one.persist([_file("new")])[0].inserted, "a known file was inserted again")
    (row,) = _rows(trial, "SELECT inspection_count FROM files WHERE file_path = 's3://verify/new.exr'")
    _expect(row["inspection_count"] == 2, f"it was counted {row['inspection_count']} times, not 2")


def _batch(trial: _Trial) -> str:
    files = [_file(f"batch.{number:04}") for number in range(500)]
    began = time.perf_counter()
    _expect(all(outcome.inserted for outcome in trial.one.persist(files)), "not all were inserted")
    return f"{500 / (time.perf_counter() - began):,.0f} files/s"


def _round_trip(trial: _Trial) -> None:
    odd = _file("ö ' \" %41", {"note": "null \0 and ü 🎬", "x": Attribute("x", "ourType", b"\0\xff", None)}, _NOON)
    large = _file("large", {"manifest": "x" * 64_000})
    trial.one.persist([odd, large])
    expected = from_inspections([odd, large]).tables
    for table in CHILD_TABLES:
        found = trial.two.sql(
            f"SELECT * FROM {table} WHERE file_id IN (?, ?)",  # noqa: S608 (our names)
            [odd.file.file_id, large.file.file_id],
        )
        same = sorted(map(repr, found.to_pylist())) == sorted(map(repr, expected[table].to_pylist()))
        _expect(same, f"rows of {table} came back changed")


def _vectors(trial: _Trial) -> None:
    rows = from_inspections([_file("vector")])
    files = rows.tables["files"]
    for name, size in (("metadata_embedding", 384), ("channel_fingerprint", 128)):
        index = files.schema.get_field_index(name)
        vector = pa.array([[1 / size] * size], files.schema.field(name).type)
        files = files.set_column(index, files.schema.field(name), vector)
    rows.tables["files"] = files
    trial.one.persist_rows(rows)
    names = "metadata_embedding, channel_fingerprint"
    found = _rows(trial, f"SELECT {names} FROM files WHERE file_path = 's3://verify/vector.exr'")  # noqa: S608
    _expect(found == files.select(names.split(", ")).to_pylist(), "vectors came back changed")


def _new_version(trial: _Trial) -> None:
    trial.one.persist([_file("versioned")])
    trial.two.persist([_file("versioned", {"note": "again"})])
    found = _rows(trial, "SELECT is_current FROM files WHERE file_path = 's3://verify/versioned.exr'")
    _expect(sorted(row["is_current"] for row in found) == [False, True], "not one version of two is current")


def _errors(trial: _Trial) -> None:
    path = "s3://verify/unreadable.exr"
    error = IngestError(
        file_path_normalized=path, size_bytes=7, mtime=_NOON, code="truncated", message="cut", byte_offset=7
    )
    stamp = FileStat(file_path_normalized=path, size_bytes=7, mtime=_NOON)
    trial.one.record_errors([error])
    trial.two.record_errors([error])
    (row,) = _rows(trial, "SELECT count FROM ingest_errors")
    _expect(row["count"] == 2, "an error was not counted up")
    _expect(trial.one.seen([stamp]) == {path: SeenFile(error="cut (truncated)")}, "an error was not seen again")
    _expect(trial.one.mark_deleted([path]) == 1, "a path in error was not deleted")


def _predicates(trial: _Trial) -> None:
    """What goes down to the server gives what the whole table gives."""
    everything = _rows(trial, "SELECT * FROM files ORDER BY file_id")
    middle = sorted(row["last_inspected"] for row in everything)[len(everything) // 2]
    sizes = sorted(row["size_bytes"] for row in everything)[len(everything) // 2]
    for name, value in (("file_path_normalized", everything[3]["file_path_normalized"]), ("completeness", "complete")):
        _compare(trial, everything, f"{name} = ?", [value], lambda row, n=name, v=value: row[n] == v)
    ids = [row["file_id"] for row in everything[::7]]
    marks = ", ".join("?" * len(ids))
    _compare(trial, everything, f"file_id IN ({marks})", ids, lambda row: row["file_id"] in ids)
    _compare(trial, everything, "size_bytes > ?", [sizes], lambda row: row["size_bytes"] > sizes)
    _compare(trial, everything, "last_inspected <= ?", [middle], lambda row: row["last_inspected"] <= middle)
    _compare(trial, everything, "header_bytes > 5.9", [], lambda row: row["header_bytes"] > 5.9)


def _compare(trial: _Trial, rows: list[dict[str, Any]], where: str, params: list[Any], holds: Any) -> None:
    query = f"SELECT file_id FROM files WHERE {where} ORDER BY file_id"  # noqa: S608 (the conditions above)
    found = [row["file_id"] for row in trial.one.sql(query, params).to_pylist()]
    _expect(found == [row["file_id"] for row in rows if holds(row)], f"other rows than the whole table for {where}")


def _rollback(trial: _Trial) -> None:
    before = trial.one.status().row_counts
    try:
        with trial.one.tables.transaction() as rows:
            rows.insert("parts", from_inspections([_file("never")]).tables["parts"])
            seen = trial.two.sql("SELECT count(*) AS n FROM parts").to_pylist()[0]["n"]
            _expect(seen == before["parts"], "another transaction sees what was not committed")
            raise _RolledBackError
    except CatalogError as problem:
        _expect(isinstance(problem.__cause__, _RolledBackError), str(problem))
    count = trial.two.sql("SELECT count(*) AS n FROM parts").to_pylist()[0]["n"]
    _expect(count == before["parts"], "a rolled back row is there")


def _concurrent(trial: _Trial) -> str:
    files = [_file(f"shared.{number}") for number in range(8)]
    work = [(catalog, file) for file in files for catalog in (trial.one, trial.two)] * 4
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda item: item[0].persist([item[1]]), work))
    trial.one.deduplicate()
    trial.two.deduplicate()
    found = _rows(trial, "SELECT file_id, inspection_count FROM files WHERE file_path LIKE 's3://verify/shared.%'")
    _expect(len(found) == len(files), f"{len(files)} files have {len(found)} rows after concurrent writers met")
    parts = _rows(trial, "SELECT count(*) AS n FROM parts WHERE file_path LIKE 's3://verify/shared.%'")[0]["n"]
    _expect(parts == len(files), f"{len(files)} parts have {parts} rows")
    counted = sum(row["inspection_count"] for row in found)
    return f"{len(work)} times persisted, {counted} counted"


def _isolation(trial: _Trial) -> str:
    with trial.one.tables.transaction() as rows:
        before = rows.select("files", ["file_id"]).num_rows
        trial.two.persist([_file(f"isolated.{token_hex(4)}")])
        after = rows.select("files", ["file_id"]).num_rows
    return "a transaction sees its beginning" if before == after else "a transaction sees what others commit"


def _conflicts(trial: _Trial) -> str:
    """What becomes of two transactions that write one row."""
    file = _file("contended")
    trial.one.persist([file])
    place = "request"
    try:
        with trial.one.tables.transaction() as first:
            found = first.select_in("files", ["inspector_version"], "file_id", [file.file.file_id])
            first.update("files", found)
            try:
                with trial.two.tables.transaction() as second:
                    second.update("files", found)
                    place = "commit"
            except CatalogConflictError:
                return f"the second one is refused at its {place}"
    except CatalogConflictError:
        return "the one that began first is refused at its commit"
    return "none is refused; the last one wins"


def _largest_cell(trial: _Trial) -> str:
    largest = 0
    rows = from_inspections([_file("cell")]).tables["attributes"].slice(0, 1)
    index = rows.schema.get_field_index("raw")
    for size in (64, 128, 256, 1024, 4000):
        cell = pa.array([b"x" * (size << 10)], pa.binary())
        try:
            with trial.one.tables.transaction() as inside:
                inside.insert("attributes", rows.set_column(index, "raw", cell))
                raise _RolledBackError
        except CatalogError as problem:
            if not isinstance(problem.__cause__, _RolledBackError):
                return f"{largest} KiB; {size} KiB is refused: {problem}"
            largest = size
    return f"{largest} KiB at least"


_CHECKS: dict[str, Callable[[_Trial], str | None]] = {
    "latency": _latency,
    "a new file": _new_file,
    "a known file": _known_file,
    "a batch of 500": _batch,
    "rows come back as they were": _round_trip,
    "vectors come back as they were": _vectors,
    "a new version becomes current": _new_version,
    "errors are noted and forgotten": _errors,
    "conditions find what a full scan finds": _predicates,
    "nothing is seen before its commit": _rollback,
    "concurrent writers converge": _concurrent,
    "isolation": _isolation,
    "two writers of one row conflict": _conflicts,
    "largest cell": _largest_cell,
}
_TOLD = {_latency, _isolation, _conflicts, _largest_cell}


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _UnexpectedError(otherwise)


def _rows(trial: _Trial, query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = trial.two.sql(query).to_pylist()
    return rows


# ── files to store ────────────────────────────────────────────────


def _file(name: str, values: Values | None = None, mtime: datetime | None = None) -> Inspection:
    """The inspection of a small file: one part of 4 × 4 pixels with three channels, and the attributes in `values`."""
    channels = [Channel(channel, "HALF", 1, 1, 0) for channel in "BGR"]
    required = required_values(channels, Box2i(0, 0, 3, 3))
    lines = [flat_chunk((y,), bytes(2 * 3 * 4)) for y in range(4)]
    source = MemorySource(file_bytes([NewPart({**required, **(values or {})}, lines)]), f"s3://verify/{name}.exr")
    source.mtime = mtime
    return inspect(source)
