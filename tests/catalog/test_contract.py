"""The contract of all catalogs, on every backend."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import groupby

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exr_inspector import __version__, inspect, open_catalog
from exr_inspector.catalog import OPEN_ERRORS, FileStat, IngestError, PersistOutcome, SeenFile
from exr_inspector.catalog.rows import RowBatch, from_inspections
from exr_inspector.catalog.schema import CHILD_TABLES, HEADER_TABLES, TABLES, VERSION, batch_schema
from exr_inspector.errors import CatalogError, QueryError
from exr_inspector.sources.memory import MemorySource
from tests.support.exr_bytes import attribute, exr_bytes, inspection, text

CHANGES_ROWS = True  # for `new_uri`
NOON = datetime(2024, 5, 1, 12, 0, 0, 123000, tzinfo=timezone.utc)
PRECISE = NOON + timedelta(microseconds=456)  # which a server may cut to NOON
TIMES = {"inspection_timestamp", "last_inspected", "first_seen", "last_seen", "batch_id"}

A = inspection("s3://renders/a.1001.exr")
A_AGAIN = inspection("s3://renders/a.1001.exr", text("note", "rendered again"))
B = inspection("s3://renders/b.1001.exr", channels="AZ")
C = inspection("s3://renders/c.exr")


def path_of(one):
    return one.file.file_path_normalized


def stat_of(one):
    return FileStat(file_path_normalized=path_of(one), size_bytes=one.file.size_bytes, mtime=one.file.mtime)


def error_at(path, message="it ends inside its header", size_bytes=7, mtime=NOON):
    return IngestError(
        file_path_normalized=path, size_bytes=size_bytes, mtime=mtime,
        code="truncated", message=message, byte_offset=7,
    )  # fmt: skip


def rows(catalog, query, params=None):
    return catalog.sql(query, params).to_pylist()


def file_row(catalog, one):
    (row,) = rows(catalog, "SELECT * FROM files WHERE file_id = ?", [one.file.file_id])
    return row


def current(catalog):
    """The file_id of the current version of each path."""
    found = rows(catalog, "SELECT file_path_normalized AS path, file_id FROM files WHERE is_current")
    assert len({row["path"] for row in found}) == len(found), "a path has two current versions"
    return {row["path"]: row["file_id"] for row in found}


def row_count(catalog, table):
    return rows(catalog, f"SELECT count(*) AS n FROM {table}")[0]["n"]


def queried(catalog, table):
    return catalog.sql(f"SELECT * FROM {table}")


def all_rows(catalog, but=TIMES, read=queried):
    """Every row of every table, in a fixed order, without times of operations."""
    return {
        table: sorted(
            ({key: value for key, value in row.items() if key not in but} for row in read(catalog, table).to_pylist()),
            key=repr,
        )
        for table in TABLES
        if table != "schema_version"
    }


def open_errors(catalog):
    query = f"SELECT file_path_normalized AS path FROM ingest_errors WHERE {OPEN_ERRORS}"
    return {row["path"] for row in rows(catalog, query)}


def live_paths(catalog, prefix=""):
    return sorted(path for batch in catalog.current_paths(prefix) for path in batch)


# ── persist ────────────────────────────────────────────────


@pytest.mark.slow
def test_rows_are_stored_unchanged(catalog):
    odd = inspection(
        "s3://renders/ö.0001.exr", text("note", 'null \0 and "ü" 🎬'), attribute("x", "ourType", b"\0\xff"),
        mtime=NOON,
    )  # fmt: skip
    catalog.persist([A, odd])
    batch = from_inspections([A, odd])
    for table in CHILD_TABLES:
        stored = catalog.sql(f"SELECT * FROM {table}")
        assert stored.column_names == TABLES[table].names
        stored = stored.drop_columns("batch_id")
        assert Counter(map(repr, stored.to_pylist())) == Counter(map(repr, batch.tables[table].to_pylist()))
    for one, expected in zip((A, odd), batch.tables["files"].to_pylist(), strict=True):
        row = file_row(catalog, one)
        assert {key: row[key] for key in expected} == expected
        assert (row["is_current"], row["deleted_at"], row["inspection_count"]) == (True, None, 1)


@pytest.mark.slow
def test_each_file_has_a_batch_of_its_own(catalog):
    """Microseconds since the epoch, from the time of the transaction on, in `files` and in every child table."""
    before = datetime.now(timezone.utc)
    catalog.persist([A, B, A])
    first = batches(catalog)
    assert set(first) == {"files", "parts", "channels", "attributes"}
    batch_ids = {file_row(catalog, each)["batch_id"]: each for each in (A, B)}
    assert all(found == set(batch_ids) for found in first.values())
    for batch_id, each in batch_ids.items():
        for table in ("files", *HEADER_TABLES):
            found = rows(catalog, f"SELECT DISTINCT file_id FROM {table} WHERE batch_id = {batch_id}")
            assert found == [{"file_id": each.file.file_id}]
    written = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=min(batch_ids))
    assert max(batch_ids) == min(batch_ids) + 1
    assert before <= written <= datetime.now(timezone.utc)
    (stored,) = rows(catalog, "SELECT DISTINCT inspection_timestamp AS at FROM files")
    assert timedelta(0) <= written.replace(tzinfo=None) - stored["at"] < timedelta(milliseconds=1)
    catalog.persist([A, A_AGAIN])
    for table, found in batches(catalog).items():
        assert len(found) == 3, table
        assert found > set(batch_ids)
    assert file_row(catalog, A)["batch_id"] in batch_ids, "a known file keeps its batch"


def batches(catalog):
    """The batches of each table that has rows of files."""
    found = {
        table: set(catalog.sql(f"SELECT batch_id FROM {table}")[0].to_pylist()) for table in ("files", *CHILD_TABLES)
    }
    return {table: ids for table, ids in found.items() if ids}


def test_the_columns_of_files_are_those_of_the_schema(catalog):
    assert catalog.sql("SELECT * FROM files").column_names == TABLES["files"].names


def test_times_are_utc(catalog):
    """Times of other zones are stored and compared in UTC."""
    before = datetime.now(timezone.utc)
    catalog.persist([inspection("s3://renders/a.exr", mtime=NOON.astimezone(timezone(timedelta(hours=9))))])
    (row,) = rows(catalog, "SELECT mtime, inspection_timestamp FROM files WHERE mtime = ?", [NOON])
    assert row["mtime"] == NOON.replace(tzinfo=None)
    written = row["inspection_timestamp"].replace(tzinfo=timezone.utc)
    assert before <= written <= datetime.now(timezone.utc)


@pytest.mark.slow
def test_a_known_file_is_only_counted(catalog):
    (first,) = catalog.persist([A])
    before, stored = file_row(catalog, A), all_rows(catalog)
    (second,) = catalog.persist([A])
    after = file_row(catalog, A)
    assert (first, second) == (
        PersistOutcome(file_id=A.file.file_id, inserted=True),
        PersistOutcome(file_id=A.file.file_id, inserted=False),
    )
    assert after["inspection_count"] == 2
    assert after["last_inspected"] > before["last_inspected"]
    assert after["inspection_timestamp"] == before["inspection_timestamp"]
    assert all_rows(catalog, TIMES | {"inspection_count"}) == {
        table: [{k: v for k, v in row.items() if k != "inspection_count"} for row in found]
        for table, found in stored.items()
    }


def test_a_batch_may_hold_a_file_more_than_once(catalog):
    outcomes = catalog.persist([A, B, A, A])
    assert [outcome.inserted for outcome in outcomes] == [True, True, False, False]
    assert file_row(catalog, A)["inspection_count"] == 3
    outcomes = catalog.persist([A, C, A])
    assert [outcome.inserted for outcome in outcomes] == [False, True, False]
    assert file_row(catalog, A)["inspection_count"] == 5
    assert row_count(catalog, "parts") == 3


@pytest.mark.slow
def test_a_new_version_of_a_path_becomes_the_current_one_and_history_stays(catalog):
    catalog.persist([A, B])
    catalog.persist([A_AGAIN])
    assert current(catalog) == {path_of(A): A_AGAIN.file.file_id, path_of(B): B.file.file_id}
    assert file_row(catalog, A)["is_current"] is False
    assert row_count(catalog, "files") == 3


def test_an_old_version_that_comes_back_is_current_again(catalog):
    catalog.persist([A])
    catalog.persist([A_AGAIN])
    catalog.persist([A])
    assert current(catalog) == {path_of(A): A.file.file_id}


@pytest.mark.slow
@pytest.mark.parametrize("known", [(), (A,), (A_AGAIN,), (A, A_AGAIN)], ids=["none", "one", "other", "both"])
def test_of_two_versions_in_one_batch_the_last_is_current(catalog, known):
    catalog.persist(known)
    catalog.persist([A, A_AGAIN])
    assert current(catalog) == {path_of(A): A_AGAIN.file.file_id}
    catalog.persist([A, A_AGAIN, A])
    assert current(catalog) == {path_of(A): A.file.file_id}


@pytest.mark.slow
def test_a_batch_may_be_large(catalog):
    """More files than a backend can name in one statement."""
    many = [inspection(f"s3://renders/{number:05}.exr") for number in range(2_100)]
    assert all(outcome.inserted for outcome in catalog.persist(many))
    again = [inspection(f"s3://renders/{number:05}.exr", text("note", "again")) for number in range(2_100)]
    newest = {path_of(one): one.file.file_id for one in again}
    assert all(outcome.inserted for outcome in catalog.persist(again))
    assert current(catalog) == newest
    assert not any(outcome.inserted for outcome in catalog.persist(again))
    assert current(catalog) == newest


def test_empty_arguments_do_nothing(catalog):
    assert catalog.persist([]) == []
    assert catalog.persist_rows(from_inspections([])) == []
    catalog.record_errors([])
    assert catalog.mark_deleted([]) == 0
    assert catalog.seen([]) == {}


@pytest.mark.slow
def test_a_failed_batch_stores_nothing(catalog):
    """The last table is invalid: of a file, all rows are stored or none."""
    catalog.persist([A])
    before = all_rows(catalog, ())
    tables = from_inspections([A, B]).tables
    columns = tables["attributes"].to_pydict()
    columns["attr_name"][-1] = None
    nullable = pa.schema([column.with_nullable(True) for column in batch_schema("attributes")])
    broken = RowBatch(tables | {"attributes": pa.table(columns, schema=nullable)})
    with pytest.raises(CatalogError):
        catalog.persist_rows(broken)
    assert all_rows(catalog, ()) == before
    assert [outcome.inserted for outcome in catalog.persist([A, B])] == [False, True]


@pytest.mark.parametrize(("limit", "is_truncated"), [("4096", True), ("4200", False)])
def test_the_cell_limit_is_a_setting(new_uri, monkeypatch, limit, is_truncated):
    monkeypatch.setenv("EXR_INSPECTOR_CELL_LIMIT", limit)
    with open_catalog(new_uri()) as catalog:
        catalog.persist([inspection("s3://renders/a.exr", text("note", "x" * 4150))])
        query = "SELECT truncated, length(value_text) AS length FROM attributes WHERE attr_name = 'note'"
        assert rows(catalog, query) == [{"truncated": is_truncated, "length": 4096 if is_truncated else 4150}]


def test_a_cell_above_the_maximum_of_the_backend_is_cut_and_marked(new_uri, monkeypatch):
    """DuckDB stores cells up to the setting; VAST up to 64 KiB, whatever the setting."""
    monkeypatch.setenv("EXR_INSPECTOR_CELL_LIMIT", str(128 * 1024))
    size = 100_000
    extra = text("note", "x" * size), attribute("blob", "ourOwnType", b"y" * size), text("quotes", '"' * 40_000)
    with open_catalog(new_uri()) as catalog:
        catalog.persist([inspection("s3://renders/a.exr", *extra)])
        query = """SELECT attr_name, truncated, size_bytes, value_json IS NULL AS no_json,
                          length(value_text) AS characters, octet_length(raw) AS bytes
                   FROM attributes WHERE attr_name IN ('note', 'blob', 'quotes')"""
        found = {row.pop("attr_name"): list(row.values()) for row in rows(catalog, query)}
        whole = rows(catalog, "SELECT * FROM attributes WHERE NOT truncated")
    assert all(row["value_json"] is None or json.loads(row["value_json"]) is not None for row in whole)
    if catalog.uri.startswith("duckdb:"):
        assert found == {
            "note": [False, size, False, size, None],
            "blob": [False, size, True, None, size],
            "quotes": [False, 40_000, False, 40_000, None],
        }
    else:
        assert found == {
            "note": [True, size, True, 65536, None],
            "blob": [True, size, True, None, 65536],
            "quotes": [True, 40_000, True, 40_000, None],
        }


VERSIONS = [A, A_AGAIN, B, C]


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(persisted=st.lists(st.tuples(st.sampled_from(VERSIONS), st.integers(0, 3)), min_size=1, max_size=8))
@pytest.mark.slow
def test_rows_do_not_depend_on_how_inspections_are_grouped(new_catalog, read_table, persisted):
    """One by one, in one batch, or in any groups between."""
    one_by_one, one_batch, groups = new_catalog(), new_catalog(), new_catalog()
    outcomes = [outcome for one, _ in persisted for outcome in one_by_one.persist([one])]
    assert one_batch.persist([one for one, _ in persisted]) == outcomes
    for _, group in groupby(persisted, key=lambda item: item[1]):
        groups.persist([one for one, _ in group])
    first, *others = (all_rows(each, read=read_table) for each in (one_by_one, one_batch, groups))
    assert others == [first, first]
    last = {path_of(one): one.file.file_id for one, _ in persisted}
    assert current(one_by_one) == last


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), persisted=st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=8))
@pytest.mark.slow
def test_rows_do_not_depend_on_the_order_of_inspections(new_catalog, read_table, data, persisted):
    """Except for the current version of a path, which is the last one."""
    other_order = data.draw(st.permutations(persisted))
    first, second = new_catalog(), new_catalog()
    first.persist(persisted)
    for one in other_order:
        second.persist([one])
    but = TIMES | {"is_current"}
    assert all_rows(first, but, read_table) == all_rows(second, but, read_table)
    assert current(first).keys() == current(second).keys()


@pytest.mark.slow
def test_threads_may_share_a_catalog(catalog):
    """Concurrent persists of a file leave one set of rows, and all are counted."""
    own = [inspection(f"s3://renders/t.{number:04}.exr") for number in range(8)]

    def work(one):
        for _ in range(3):
            catalog.persist([A, one])
            catalog.seen([stat_of(A)])
            catalog.sql("SELECT count(*) FROM attributes")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, own))
    assert file_row(catalog, A)["inspection_count"] == 24
    assert row_count(catalog, "parts") == 9
    assert len(current(catalog)) == 9


# ── errors ────────────────────────────────────────────────


def test_an_error_is_recorded_once_and_counted(catalog):
    catalog.record_errors([error_at("s3://renders/x.exr", "first"), error_at("s3://renders/y.exr")])
    (before,) = rows(catalog, "SELECT * FROM ingest_errors WHERE file_path_normalized = 's3://renders/x.exr'")
    catalog.record_errors([error_at("s3://renders/x.exr", "second"), error_at("s3://renders/x.exr", "third", 9)])
    (after,) = rows(catalog, "SELECT * FROM ingest_errors WHERE file_path_normalized = 's3://renders/x.exr'")
    assert (before["message"], before["count"], before["size_bytes"]) == ("first", 1, 7)
    assert (after["message"], after["count"], after["size_bytes"]) == ("third", 3, 9)
    assert after["first_seen"] == before["first_seen"]
    assert after["last_seen"] > before["last_seen"]
    assert (after["code"], after["byte_offset"], after["mtime"]) == (
        "truncated",
        7,
        NOON.replace(tzinfo=None),
    )


def test_a_path_with_an_error_has_no_current_version(catalog):
    """The file has changed since its last version was persisted."""
    catalog.persist([A, B])
    catalog.record_errors([error_at(path_of(A))])
    assert current(catalog) == {path_of(B): B.file.file_id}
    assert row_count(catalog, "files") == 2


@pytest.mark.slow
@pytest.mark.parametrize("one", [A, A_AGAIN], ids=["same version", "new version"])
def test_persisting_a_path_closes_its_error(catalog, one):
    """The error stays as history, and is not open."""
    catalog.persist([A])
    catalog.record_errors([error_at(path_of(A)), error_at("s3://renders/x.exr")])
    assert open_errors(catalog) == {path_of(A), "s3://renders/x.exr"}
    catalog.persist([one])
    assert current(catalog) == {path_of(A): one.file.file_id}
    assert open_errors(catalog) == {"s3://renders/x.exr"}
    assert row_count(catalog, "ingest_errors") == 2
    assert catalog.seen([stat_of(one)])[path_of(one)].error is None


@pytest.mark.slow
def test_an_error_that_comes_back_is_open_again(catalog):
    catalog.record_errors([error_at(path_of(A))])
    catalog.persist([A])
    catalog.record_errors([error_at(path_of(A))])
    assert open_errors(catalog) == {path_of(A)}
    assert rows(catalog, "SELECT count FROM ingest_errors") == [{"count": 2}]


# ── rows of other versions of this program ──

FAULTY = inspect(MemorySource(exr_bytes(attribute("pixelAspectRatio", "int", bytes(4))), "s3://renders/odd.exr"))


def as_judged_by(version, one):
    """An inspection as a program stored it that knew neither problems nor the newer columns, and found no chunks."""
    facts = replace(one.file, structure_hash="0" * 64, version_flags=None, chunk_hash=None, problem_severity=None)
    parts = tuple(replace(part, chunks_present=0, missing="all", renderer=None) for part in one.parts)
    return replace(one, inspector_version=version, problems=(), file=facts, parts=parts)


def problems_of(catalog, one):
    """Those of the newest batch, as docs/DATABASE.md says."""
    query = """SELECT code, severity, message, part_index, attr_name, byte_offset FROM problems
               WHERE file_id = $1 AND batch_id = (SELECT max(batch_id) FROM problems WHERE file_id = $1)
                 AND EXISTS (SELECT 1 FROM files WHERE file_id = $1 AND problem_severity <> 'none')"""
    return [tuple(row.values()) for row in rows(catalog, query, [one.file.file_id])]


def test_problems_are_stored_with_their_severity(catalog):
    catalog.persist([FAULTY, B])
    assert FAULTY.problems
    assert problems_of(catalog, FAULTY) == [
        (p.code, p.severity, p.message, p.part_index, p.attr_name, p.byte_offset) for p in FAULTY.problems
    ]
    assert problems_of(catalog, B) == []
    worst = {row["file_path"]: row["problem_severity"] for row in rows(catalog, "SELECT * FROM files")}
    assert worst == {path_of(FAULTY): FAULTY.problem_severity, path_of(B): "none"}


@pytest.mark.slow
def test_a_row_of_an_older_version_is_judged_again(catalog):
    """And its parts; identity, first time, batch and other rows stay."""
    catalog.persist([as_judged_by("0.1.0", FAULTY), as_judged_by("0.1.0", B)])
    before = file_row(catalog, FAULTY)
    batch_ids = {one.file.file_id: file_row(catalog, one)["batch_id"] for one in (FAULTY, B)}
    attributes = rows(catalog, "SELECT * FROM attributes ORDER BY ALL")
    for count in (2, 3):
        assert [outcome.inserted for outcome in catalog.persist([FAULTY, B])] == [False, False]
        after = file_row(catalog, FAULTY)
        judged = {column: getattr(FAULTY.file, column) for column in ("structure_hash", "version_flags", "chunk_hash")}
        judged |= {
            "problem_severity": FAULTY.problem_severity,
            "inspector_version": __version__,
            "inspection_count": count,
        }
        assert after == before | judged | {"last_inspected": after["last_inspected"]}
        assert len(problems_of(catalog, FAULTY)) == len(FAULTY.problems)
    assert rows(catalog, "SELECT count(*) AS n FROM problems") == [{"n": len(FAULTY.problems)}]
    assert rows(catalog, "SELECT * FROM attributes ORDER BY ALL") == attributes
    parts = rows(catalog, "SELECT file_id, batch_id, part_index, chunks_present, missing FROM parts ORDER BY file_id")
    assert parts == [
        {
            "file_id": one.file.file_id,
            "batch_id": batch_ids[one.file.file_id],
            "part_index": 0,
            "chunks_present": one.parts[0].chunks_present,
            "missing": one.parts[0].missing,
        }
        for one in sorted((FAULTY, B), key=lambda one: one.file.file_id)
    ]


@pytest.mark.slow
def test_the_most_thorough_check_of_a_version_is_recorded(catalog):
    for checked, recorded in ((1, 1), (17, 17), (1, 17)):
        catalog.persist([replace(B, file=replace(B.file, chunks_checked=checked))])
        assert file_row(catalog, B)["chunks_checked"] == recorded


@pytest.mark.slow
def test_a_file_without_problems_any_more_has_none(catalog):
    """Rows of problems are never deleted; those of a file count whose severity is not `none`."""
    older = replace(FAULTY, inspector_version="0.1.5")
    newer = replace(FAULTY, problems=(), file=replace(FAULTY.file, problem_severity="none"))
    catalog.persist([older])
    assert problems_of(catalog, FAULTY)
    catalog.persist([newer])
    assert problems_of(catalog, FAULTY) == []
    assert catalog.rows_of(FAULTY.file.file_path_normalized)["problems"].num_rows == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "is_judged"),
    [("0.1.0", True), ("0.1.9.dev3+g12ab", True), (f"{__version__}rc1", True), (f"{__version__}.dev3+g9", True),
     (__version__, False), (f"{__version__}.1", False), ("10.0.0", False)],
)  # fmt: skip
def test_releases_are_compared_as_versions(catalog, version, is_judged):
    catalog.persist([as_judged_by(version, B)])
    catalog.persist([B])
    assert file_row(catalog, B)["inspector_version"] == (__version__ if is_judged else version)


def test_the_inode_is_that_of_the_last_inspection(catalog):
    """A link that was replaced by a copy with the same time."""
    for inode in (7, 8):
        catalog.persist([replace(B, file=replace(B.file, inode=inode))])
    assert file_row(catalog, B)["inode"] == 8


@pytest.mark.slow
def test_a_row_of_a_newer_version_is_not_judged_by_this_one(catalog):
    catalog.persist([as_judged_by("9.10.0", FAULTY)])
    before = file_row(catalog, FAULTY)
    catalog.persist([FAULTY])
    after = file_row(catalog, FAULTY)
    assert after == before | {"last_inspected": after["last_inspected"], "inspection_count": 2}
    assert problems_of(catalog, FAULTY) == []


# ── seen, deleted ────────────────────────────────────────────────


def seen_as(stored, *, is_unchanged: bool = True) -> SeenFile:
    file = stored.file
    return SeenFile(
        is_unchanged=is_unchanged,
        file_id=file.file_id,
        completeness=file.completeness,
        problem_severity=file.problem_severity,
        chunks_checked=file.chunks_checked,
    )


@pytest.mark.slow
def test_a_file_is_seen_while_size_and_time_are_the_same(catalog):
    old, new = (
        inspection("s3://a.exr", mtime=PRECISE),
        inspection("s3://a.exr", mtime=PRECISE + timedelta(seconds=1)),
    )
    catalog.persist([old, B])
    unknown = FileStat(file_path_normalized="s3://other.exr", size_bytes=1, mtime=None)
    larger = FileStat(file_path_normalized=path_of(old), size_bytes=old.file.size_bytes + 1, mtime=PRECISE)
    assert catalog.seen([stat_of(old), stat_of(B), unknown]) == {
        path_of(old): seen_as(old),
        path_of(B): seen_as(B),  # has no time, as the file of the listing
    }
    changed = {path_of(old): seen_as(old, is_unchanged=False)}
    assert catalog.seen([stat_of(new)]) == catalog.seen([larger]) == changed
    catalog.persist([new])
    changed = {path_of(old): seen_as(new, is_unchanged=False)}
    assert catalog.seen([stat_of(old)]) == changed  # an old version is not what lies there
    assert catalog.seen([stat_of(new)]) == {path_of(new): seen_as(new)}


@pytest.mark.slow
def test_a_file_with_another_etag_has_changed_although_size_and_time_are_the_same(catalog):
    """Two writes within a second, the precision of listings; an etag that one side does not know says nothing."""
    source = MemorySource(exr_bytes(), "s3://renders/a.exr")
    source.mtime, source.etag = NOON, "first"
    stored = inspect(source)
    failed = error_at("s3://renders/x.exr")
    catalog.persist([stored])
    catalog.record_errors([replace(failed, etag="first")])
    stats = [stat_of(stored), FileStat(file_path_normalized=failed.file_path_normalized, size_bytes=7, mtime=NOON)]

    def unchanged(**listed) -> int:
        return sum(seen.is_unchanged for seen in catalog.seen([replace(stat, **listed) for stat in stats]).values())

    assert [unchanged(etag=etag) for etag in ("first", None, "second")] == [2, 2, 0]
    later = NOON + timedelta(days=1)  # a copy within the store
    assert [unchanged(etag=etag, mtime=later) for etag in ("first", None)] == [2, 0]


@pytest.mark.parametrize("completeness", ["incomplete", "truncated", "corrupt", "unknown"])
def test_a_file_that_was_not_complete_is_seen_as_such(catalog, completeness):
    """It is inspected again, as its bytes may have been written since without a trace in size and time."""
    damaged = replace(A, file=replace(A.file, completeness=completeness, chunks_checked=5))
    catalog.persist([damaged, B])
    assert catalog.seen([stat_of(damaged), stat_of(B)]) == {
        path_of(A): seen_as(damaged),
        path_of(B): seen_as(B),
    }


def test_a_failed_file_is_seen_with_its_error(catalog):
    path = "s3://renders/x.exr"
    catalog.record_errors([error_at(path)])
    seen = FileStat(file_path_normalized=path, size_bytes=7, mtime=NOON)
    grown = FileStat(file_path_normalized=path, size_bytes=8, mtime=NOON)
    failed = SeenFile(is_unchanged=True, error="it ends inside its header", error_code="truncated")
    assert catalog.seen([seen]) == {path: failed}
    assert catalog.seen([grown]) == {path: failed._replace(is_unchanged=False)}


def test_a_failed_file_of_unknown_size_has_changed(catalog):
    catalog.record_errors([error_at("s3://x.exr", size_bytes=None, mtime=None)])
    (seen,) = catalog.seen([FileStat(file_path_normalized="s3://x.exr", size_bytes=7, mtime=None)]).values()
    assert not seen.is_unchanged


def test_current_paths_are_those_below_a_prefix(catalog):
    catalog.persist([A, A_AGAIN, B, C, inspection("s3://renders_old/%/a.exr")])
    catalog.record_errors([error_at("s3://renders/x.exr"), error_at(path_of(B))])
    assert live_paths(catalog, "s3://renders/") == sorted([path_of(A), path_of(B), path_of(C), "s3://renders/x.exr"])
    assert live_paths(catalog, "s3://renders_old/%") == ["s3://renders_old/%/a.exr"]
    assert live_paths(catalog, "s3://%") == []


@pytest.mark.slow
def test_current_paths_come_in_batches_of_bounded_size_and_let_others_write(catalog, monkeypatch):
    for backend in ("duckdb", "vast"):
        monkeypatch.setattr(f"exr_inspector.catalog.{backend}.catalog.PATHS_PER_BATCH", 500)
    many = [f"s3://renders/{number:06}.exr" for number in range(1200)]
    catalog.record_errors([error_at(path) for path in many])
    found = []
    for batch in catalog.current_paths("s3://renders/"):
        assert 0 < len(batch) <= 500
        found += batch
        catalog.mark_deleted(batch[:1])
        catalog.record_errors([error_at(batch[0])])
    assert sorted(found) == many


def test_a_deleted_file_keeps_its_rows(catalog):
    catalog.persist([A, A_AGAIN, B])
    assert catalog.mark_deleted([path_of(A), path_of(A), "s3://never/seen.exr"]) == 1
    assert live_paths(catalog) == [path_of(B)]
    assert catalog.seen([stat_of(A_AGAIN)]) == {}
    assert row_count(catalog, "files") == 3
    assert file_row(catalog, A_AGAIN)["deleted_at"] is not None
    assert catalog.mark_deleted([path_of(A)]) == 0


def test_a_deleted_file_may_come_back(catalog):
    catalog.persist([A])
    catalog.mark_deleted([path_of(A)])
    assert [outcome.inserted for outcome in catalog.persist([A])] == [False]
    assert file_row(catalog, A)["deleted_at"] is None
    assert live_paths(catalog) == [path_of(A)]


def test_a_file_that_was_unreadable_when_it_was_deleted(catalog):
    """Its newest version is the current one again, as of other deleted files, and it has no error any more."""
    catalog.persist([A])
    catalog.persist([A_AGAIN])
    catalog.record_errors([error_at(path_of(A)), error_at("s3://renders/x.exr")])
    assert catalog.mark_deleted([path_of(A), "s3://renders/x.exr"]) == 2
    assert live_paths(catalog) == []
    assert row_count(catalog, "ingest_errors") == 0
    assert current(catalog) == {path_of(A): A_AGAIN.file.file_id}
    assert file_row(catalog, A_AGAIN)["deleted_at"] is not None
    assert file_row(catalog, A)["deleted_at"] is None
    assert catalog.mark_deleted([path_of(A)]) == 0


# ── sql, status, schema ────────────────────────────────────────────────


def test_queries_take_parameters_by_position_or_name(catalog):
    catalog.persist([A, B])
    query = "SELECT channel_name FROM channels WHERE file_id = {} AND channel_type = {} ORDER BY channel_index"
    by_position = catalog.sql(query.format("?", "?"), (B.file.file_id, "HALF"))
    by_name = catalog.sql(query.format("$id", "$type"), {"id": B.file.file_id, "type": "HALF"})
    assert by_position == by_name
    assert by_position.column("channel_name").to_pylist() == ["A", "Z"]


def test_a_result_without_rows_has_its_columns(catalog):
    assert catalog.sql("SELECT file_id, is_deep FROM files").column_names == ["file_id", "is_deep"]


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column FROM files"])
def test_an_invalid_query_names_the_error(catalog, query):
    with pytest.raises(QueryError) as caught:
        catalog.sql(query)
    assert any(word in str(caught.value) for word in ("SELEC", "no_such_table", "no_such_column"))


@pytest.mark.parametrize("params", [None, [], [1, 2], {"other": 1}])
def test_wrong_parameters_raise_query_error(catalog, params):
    with pytest.raises(QueryError):
        catalog.sql("SELECT * FROM files WHERE size_bytes > ?", params)


def test_a_query_does_not_see_python_variables(catalog):
    secret = pa.table({"a": [1]})  # noqa: F841 (a DuckDB connection would find it by its name)
    with pytest.raises(QueryError):
        catalog.sql("SELECT * FROM secret")


@pytest.mark.slow
def test_the_schema_can_be_ensured_again(catalog):
    catalog.persist([A])
    before = all_rows(catalog, ())
    catalog.ensure_schema()
    assert all_rows(catalog, ()) == before
    assert [row["version"] for row in rows(catalog, "SELECT * FROM schema_version")] == [VERSION]


@pytest.mark.slow
def test_status_counts(catalog):
    """The counts of a server are those of an earlier commit."""
    catalog.persist([A, A_AGAIN, B])
    catalog.record_errors([error_at("s3://x.exr")])
    catalog.persist([A])
    status = catalog.status()
    assert status.uri == catalog.uri
    assert status.schema_version == VERSION
    assert status.row_counts == {
        "files": 3, "parts": 3, "channels": 8, "attributes": 25, "problems": 0, "channel_stats": 0, "part_stats": 0,
        "thumbnails": 0, "validations": 0, "validation_results": 0, "ingest_errors": 1, "schema_version": 1,
    }  # fmt: skip
    assert status.vector_dimensions == {"metadata_embedding": 384, "channel_fingerprint": 128}


def test_a_closed_catalog_raises_an_error(catalog):
    catalog.close()
    catalog.close()
    for use in (lambda: catalog.persist([A]), lambda: catalog.sql("SELECT 1"), catalog.status):
        with pytest.raises(CatalogError, match="closed"):
            use()
