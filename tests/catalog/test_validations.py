"""Results of policies: which are stored, which count, and the status of files that follows, on both backends."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from exr_inspector.catalog import FileStat, PolicyResult, PolicyRules, SeenStatistics
from exr_inspector.catalog.rows import RowBatch, from_inspections
from exr_inspector.catalog.schema import TABLES
from exr_inspector.catalog.validations import is_outdated
from exr_inspector.findings.model import Finding
from exr_inspector.pixels.model import DecodeError
from exr_inspector.policy.evaluate import NotEvaluated, Verdict
from exr_inspector.policy.rows import with_verdicts
from exr_inspector.policy.rule import NO_STATISTICS, PARTLY_DECODED
from tests.support.exr_bytes import exr_bytes, inspection
from tests.support.pixels import statistics_of

CHANGES_ROWS = True  # for `new_uri`

A, B = inspection("s3://s/a.exr"), inspection("s3://s/b.exr")
NOTHING = from_inspections([], vectors=False)


@pytest.fixture
def catalog(new_catalog):
    return new_catalog()


def verdict(*severities: str, policy: str = "p", rules: str = "1", not_evaluated: int = 0) -> Verdict:
    findings = [
        Finding(rule_id=f"EXR{n}", rule_name="", severity=severity, pattern="", message=severity, remedy="")
        for n, severity in enumerate(severities, 101)
    ]
    undecided = tuple(NotEvaluated(f"EXR{number}", "", "unknown") for number in range(not_evaluated))
    return Verdict(
        policy=policy, version="1", policy_hash=rules, findings=tuple(findings),
        counts=Counter(severities), not_evaluated=undecided,
    )  # fmt: skip


def judged(one: Any, *verdicts: Verdict, rows: RowBatch = NOTHING) -> RowBatch:
    return with_verdicts(rows, [(one.file.file_id, each) for each in verdicts])


def status_of(catalog, one) -> str | None:
    (row,) = catalog.rows_of(one.file.file_path_normalized)["files"].to_pylist()
    return row["validation_status"]


def seen(catalog, one, policy="p", rules="1") -> str | None:
    file = one.file
    stat = FileStat(
        file_path_normalized=file.file_path_normalized, size_bytes=file.size_bytes, mtime=file.mtime, etag=file.etag
    )
    result = catalog.seen([stat], policy=PolicyRules(policy, rules))[file.file_path_normalized].result
    return None if result is None else result.status


@pytest.mark.slow
def test_verdicts_are_stored_with_their_file_and_once(catalog, read_table):
    """A file without findings has a row that says so; one that was not validated has none."""
    rows = with_verdicts(
        from_inspections([A, B]),
        [(A.file.file_id, verdict("error", "info", not_evaluated=2)), (B.file.file_id, verdict())],
    )
    for _ in range(2):
        catalog.persist_rows(rows)
    stored = {row["file_id"]: row for row in read_table(catalog, "validations").to_pylist()}
    counts = ("status", "errors", "warnings", "infos", "not_evaluated", "policy_hash")
    assert {file_id: tuple(row[name] for name in counts) for file_id, row in stored.items()} == {
        A.file.file_id: ("failed", 1, 0, 1, 2, "1"),
        B.file.file_id: ("passed", 0, 0, 0, 0, "1"),
    }
    assert read_table(catalog, "validations").num_rows == 2
    results = read_table(catalog, "validation_results").to_pylist()
    assert {(row["rule_id"], row["severity"], row["policy_hash"]) for row in results} == {
        ("EXR101", "error", "1"), ("EXR102", "info", "1"),
    }  # fmt: skip
    assert len(results) == 2
    assert {row["batch_id"] for row in results} == {
        row["batch_id"] for row in catalog.rows_of(A.file.file_path_normalized)["files"].to_pylist()
    }
    assert [status_of(catalog, one) for one in (A, B)] == ["failed", "passed"]


@pytest.mark.slow
def test_the_newest_verdict_of_each_policy_counts(catalog, read_table):
    """Also of rules that had judged the file before; the status of the file is that of the worst policy."""
    catalog.persist([A])
    assert (status_of(catalog, A), seen(catalog, A)) == (None, None)
    for given, expected in (
        (verdict("warning"), "warned"),
        (verdict("error", rules="2"), "failed"),
        (verdict("error", rules="2"), "failed"),  # stored already
        (verdict("warning"), "warned"),
        (verdict(policy="other"), "warned"),
        (verdict(), "warned"),  # the same rules judge a file in one way
        (verdict(rules="3"), "passed"),
    ):
        catalog.persist_rows(judged(A, given))
        assert status_of(catalog, A) == expected
    assert read_table(catalog, "validations").num_rows == 5
    assert [seen(catalog, A, *rules) for rules in (("p", "3"), ("p", "1"), ("other", "1"))] == [
        "passed",
        None,
        "passed",
    ]
    newest = catalog.rows_of(A.file.file_path_normalized)
    assert sorted(row["policy_id"] for row in newest["validations"].to_pylist()) == ["other", "p"]
    (file,) = newest["files"].to_pylist()
    assert (file["inspection_count"], file["last_inspected"]) == (1, file["inspection_timestamp"])


@pytest.mark.slow
def test_a_verdict_that_says_more_replaces_one_by_the_same_rules(catalog, read_table, monkeypatch):
    """As after pixels were decoded, or by a newer program."""
    catalog.persist_rows(judged(A, verdict(not_evaluated=2), rows=from_inspections([A])))
    for given in (verdict("error", not_evaluated=1), verdict(not_evaluated=2)):
        catalog.persist_rows(judged(A, given))
    assert (status_of(catalog, A), read_table(catalog, "validations").num_rows) == ("failed", 2)
    with monkeypatch.context() as older:
        older.setattr("exr_inspector.policy.rows.__version__", "0.0.1")
        catalog.persist_rows(judged(B, verdict("error"), rows=from_inspections([B])))
    assert (status_of(catalog, B), seen(catalog, B)) == ("failed", None)
    catalog.persist_rows(judged(B, verdict("warning", not_evaluated=2)))
    assert (status_of(catalog, B), seen(catalog, B)) == ("warned", "warned")
    assert read_table(catalog, "validations").num_rows == 4


@pytest.mark.slow
def test_persisting_returns_the_statuses_that_stay(catalog):
    first = verdict("error", not_evaluated=1)
    given = (first, first, verdict(not_evaluated=2), verdict(), verdict("warning"), verdict(rules="2"))
    outcomes = [catalog.persist_rows(judged(A, each, rows=from_inspections([A]))) for each in given]
    assert [one.kept_statuses for (one,) in outcomes] == [{}, {"p": "failed"}, {"p": "failed"}, {}, {}, {}]


@pytest.mark.slow
def test_a_result_is_outdated_by_statistics_that_it_had_not(catalog, read_table):
    """Those of a part of the pixels, then those of all; each result with more of them is stored, and no other."""
    plain = inspection("s3://s/a.exr")
    whole = statistics_of(exr_bytes())
    error = DecodeError(part_index=0, code="decode_timeout", where="all", chunk_count=1, message="")
    partly = replace(whole, parts=(replace(whole.parts[0], errors=(error,)),))
    stat = FileStat(
        file_path_normalized="s3://s/a.exr", size_bytes=plain.file.size_bytes, mtime=plain.file.mtime,
        etag=plain.file.etag,
    )  # fmt: skip
    rules = PolicyRules("p", "1", about_pixels=True)

    def seen_now(policy: PolicyRules = rules) -> tuple[PolicyResult, SeenStatistics | None, bool]:
        found = catalog.seen([stat], policy=policy)["s3://s/a.exr"]
        return found.result, found.statistics, is_outdated(found.result, found.statistics)

    def undecided(*reasons: str) -> Verdict:
        return replace(verdict(), not_evaluated=tuple(NotEvaluated("EXR801", "nan", reason) for reason in reasons))

    missing, part, header = NO_STATISTICS.reason, PARTLY_DECODED.reason, "unknown"
    catalog.persist_rows(judged(plain, undecided(header, missing), rows=from_inspections([plain])))
    assert seen_now() == (("passed", 2, ("EXR801",), False), None, False)
    stored = []
    for pixels, given in ((partly, undecided(header, part)), (whole, undecided(header))):
        catalog.persist([replace(plain, pixels=pixels)])
        result, statistics, outdated = seen_now()
        assert (statistics.is_whole, statistics.rows, outdated) == (pixels is whole, len(whole.parts[0].channels), True)
        assert seen_now(rules._replace(about_pixels=False)) == (result, None, False)
        tables = catalog.statistics({plain.file.file_id: statistics.batch_id})
        counts = tables["channel_stats"].num_rows, tables["part_stats"].num_rows
        assert counts == (statistics.rows, int(statistics.is_whole))
        for _ in range(2):
            catalog.persist_rows(judged(plain, given))
            catalog.persist_rows(judged(plain, undecided(header, missing)))  # as of an event, which reads no statistics
        assert not seen_now()[2]
        stored.append(seen_now()[0])
    assert stored == [("passed", 2, (), True), ("passed", 1, (), False)]
    assert read_table(catalog, "validations").num_rows == 3


def test_verdicts_on_files_that_are_not_stored_are_left_out(catalog, read_table):
    catalog.persist_rows(judged(A, verdict("error")))
    for table in ("validations", "validation_results"):
        assert read_table(catalog, table).num_rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("new_uri", ["vast"], indirect=True)
def test_verdicts_of_concurrent_writers_are_kept(catalog, read_table):
    """Two writers store one file, each with a policy of its own."""
    rows = from_inspections([A])
    catalog.persist_rows(judged(A, verdict("error"), rows=rows))
    with catalog.tables.transaction() as transaction:
        for table in ("files", "validations", "validation_results"):
            copies = read_table(catalog, table)
            for name, value in (("validation_status", "passed"), ("policy_id", "other"), ("status", "passed")):
                if name in copies.column_names:
                    index = copies.schema.get_field_index(name)
                    copies = copies.set_column(index, copies.schema.field(name), pa.array([value] * copies.num_rows))
            transaction.insert(table, copies.cast(TABLES[table]))
    catalog._queue.add(files={A.file.file_path_normalized})
    catalog.deduplicate()
    assert (read_table(catalog, "files").num_rows, status_of(catalog, A)) == (1, "failed")
    assert sorted(read_table(catalog, "validations")["policy_id"].to_pylist()) == ["other", "p"]
