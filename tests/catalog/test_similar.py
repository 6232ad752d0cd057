"""Similarity search, outliers, and recomputed vectors, on both backends."""

import csv
import math
import os
import random
from pathlib import Path

import pyarrow as pa
import pytest

from exr_inspector import inspect, open_catalog, vectors
from exr_inspector.catalog import similarity
from exr_inspector.catalog.rows import vector_columns
from exr_inspector.cli.main import main
from exr_inspector.errors import QueryError
from exr_inspector.ingestion.run import ingest
from exr_inspector.inspection.diff import diff
from exr_inspector.search.reembed import reembed
from exr_inspector.search.similar import reference, similar
from exr_inspector.sequence.outliers import outliers
from exr_inspector.sources.memory import MemorySource
from exr_inspector.vectors import embed
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.exr_bytes import inspection, text

from .test_contract import row_count

ZIP = 3
DEPTH = ("Z", w.FLOAT, 1, 1, 0)


def frame(number, *extra, sequence="a", channels=w.RGB, compression=0):
    part = w.part(channels=channels, extra=extra, compression=compression)
    return inspect(MemorySource(w.build(part).data, f"s3://renders/{sequence}/{sequence}.{number:04}.exr"))


ARNOLD = w.text("Software", "Arnold 7.2.1.0")
BEAUTY = [frame(number, ARNOLD, w.text("capDate", f"2026:01:0{number} 10:00:00")) for number in range(1, 9)]
ZIPPED = frame(9, ARNOLD, w.text("capDate", "2026:01:09 10:00:00"), compression=ZIP)
WITH_DEPTH = [frame(number, w.text("artist", "ana"), sequence="b", channels=[*w.RGB, DEPTH]) for number in (1, 2)]
ALONE = inspect(MemorySource(w.build(w.part(extra=[w.text("owner", "bo")])).data, "s3://renders/alone.exr"))
EVERYTHING = [*BEAUTY, ZIPPED, *WITH_DEPTH, ALONE]


@pytest.fixture(scope="module")
def catalog(shared_catalog):
    """A filled catalog for tests that only read it."""
    return shared_catalog(lambda catalog: catalog.persist(EVERYTHING))


@pytest.fixture
def own_catalog(new_catalog):
    """A filled catalog for one test."""
    catalog = new_catalog()
    catalog.persist(EVERYTHING)
    return catalog


def names(found):
    return [path.removeprefix("s3://renders/") for path in found["file_path_normalized"].to_pylist()]


def vectors_of(file_ids, embeddings, version):
    """Rows for replace_vectors, of any version."""
    rows = pa.table({"file_id": file_ids, **vector_columns(embeddings)})
    versions = pa.array([version] * len(file_ids), pa.int64())
    return rows.set_column(rows.column_names.index("embedding_version"), "embedding_version", versions)


def by_hand(to, by, k):
    """The most similar files, computed by numpy in double precision."""
    query = getattr(embed(to), by).astype(float)
    found = [
        (
            -round(float(getattr(embed(each), by).astype(float) @ query), similarity.DECIMALS),
            each.file.file_path_normalized,
        )
        for each in EVERYTHING
    ]
    return [(path, pytest.approx(-negative, abs=2e-6)) for negative, path in sorted(found)[:k]]


@pytest.mark.parametrize("by", ["metadata", "channels"])
@pytest.mark.parametrize("k", [1, 4, 100])
def test_the_most_similar_files_are_returned(catalog, by, k):
    found = catalog.similar(getattr(embed(BEAUTY[0]), by), by=by, k=k)
    answer = list(zip(found["file_path_normalized"].to_pylist(), found["similarity"].to_pylist(), strict=True))
    assert answer == by_hand(BEAUTY[0], by, k)
    assert found.schema.metadata[b"method"]


@pytest.mark.slow
def test_both_backends_have_the_same_result(tmp_path, vast_settings):
    """To the last digit, for any order of persists."""
    rng = random.Random(5)
    answers = []
    for uri in (f"duckdb:{tmp_path}/a.duckdb", f"vast://renders/{tmp_path.name}_same"):
        with open_catalog(uri) as catalog:
            shuffled = rng.sample(EVERYTHING, len(EVERYTHING))
            for start in range(0, len(shuffled), 5):
                catalog.persist(shuffled[start : start + 5])
            answers.append(
                [
                    similar(
                        catalog,
                        reference(catalog, each.file.file_path_normalized),
                        by=by,
                        k=5,
                        where=where,
                        per_sequence=per_sequence,
                        explain=True,
                    ).to_pylist()
                    for each in EVERYTHING[::3]
                    for by in ("metadata", "channels")
                    for where, per_sequence in ((None, False), ("channel_count > 3", False), (None, True))
                ]
            )
    assert answers[0] == answers[1]


def test_a_file_is_not_similar_to_itself(catalog):
    found = similar(catalog, reference(catalog, BEAUTY[3].file.file_id), k=8)
    assert sorted(names(found)) == sorted([*(f"a/a.{n:04}.exr" for n in (1, 2, 3, 5, 6, 7, 8, 9))])


def test_one_file_of_each_other_sequence(catalog):
    found = similar(catalog, reference(catalog, "s3://renders/b/b.0001.exr"), per_sequence=True)
    assert sorted(zip(found["sequence"].to_pylist(), found["files"].to_pylist(), strict=True), key=str) == [
        ("s3://renders/a/a.#.exr", 9),
        (None, 1),
    ]


@pytest.mark.slow
def test_only_current_files_are_searched(own_catalog):
    """Older versions and deleted files do not, nor files without vectors of this version."""
    newer = frame(1, w.text("comment", "again"), compression=ZIP)
    own_catalog.persist([newer])
    own_catalog.mark_deleted([BEAUTY[1].file.file_path_normalized])
    old = BEAUTY[2].file.file_id
    own_catalog.replace_vectors(vectors_of([old], [embed(BEAUTY[2])], vectors.VERSION - 1))
    found = own_catalog.similar(embed(BEAUTY[0]).metadata, k=100)
    ids = set(found["file_id"].to_pylist())
    assert newer.file.file_id in ids
    assert ids.isdisjoint({BEAUTY[0].file.file_id, BEAUTY[1].file.file_id, old})
    with pytest.raises(QueryError, match="db reembed"):
        reference(own_catalog, old)


@pytest.mark.parametrize(
    "where",
    [
        "1 = 1) OR (1 = 1",
        "1 = 1; DROP TABLE files",
        "1 = 1) ORDER BY 1 --",
        "1 = 1 LIMIT 1",
        "true UNION SELECT 1",
        "file_id IN (SELECT file_id FROM channels WHERE channel_name = 'Z')",
        "EXISTS (SELECT 1 FROM read_text('/etc/passwd'))",
        "no_such_column = 1",
        "",
        "(",
    ],
)
def test_a_condition_can_only_filter(catalog, where):
    with pytest.raises(QueryError):
        catalog.similar(embed(BEAUTY[0]).metadata, where=where)
    assert row_count(catalog, "files") == len(EVERYTHING)


def test_a_condition_may_have_operators_and_columns(catalog):
    where = (
        "NOT (file_path LIKE '%/a/%' OR sequence IS NULL) AND frame_number IN (1, 2) AND size_bytes > 2 * 8 -- depth"
    )
    assert names(catalog.similar(embed(BEAUTY[0]).metadata, where=where)) == ["b/b.0001.exr", "b/b.0002.exr"]


@pytest.mark.parametrize("vector", [[1.0] * 128, [0.0] * 384, [math.nan] * 384, [[1.0] * 384]])
def test_an_invalid_vector_is_rejected(catalog, vector):
    with pytest.raises(QueryError, match="384"):
        catalog.similar(vector)


def test_a_file_outside_the_catalog_is_inspected(catalog, tmp_path):
    path = tmp_path / "new.0001.exr"
    path.write_bytes(w.build(w.part(channels=[*w.RGB, DEPTH], extra=[w.text("artist", "ana")])).data)
    assert names(similar(catalog, reference(catalog, os.fspath(path)), k=2)) == ["b/b.0001.exr", "b/b.0002.exr"]


@pytest.mark.slow
def test_an_unknown_reference_is_rejected(own_catalog):
    own_catalog.persist([inspection(f"s3://renders/many/{n}.exr") for n in range(200)])
    with pytest.raises(QueryError, match="no file_id"):
        reference(own_catalog, "ffff" * 8)
    ids = own_catalog.sql("SELECT left(file_id, 4) AS id FROM files GROUP BY 1 HAVING count(*) > 1")["id"].to_pylist()
    for ambiguous in ids[:1]:
        with pytest.raises(QueryError, match="several"):
            reference(own_catalog, ambiguous)


def test_an_outlier_is_returned(catalog):
    (outlier,) = outliers(catalog)
    assert (outlier.file_path_normalized, outlier.frame) == (ZIPPED.file.file_path_normalized, "0009")
    assert outlier.similarity < outlier.usual
    assert outlier.differs[0] == 'compression: "ZIP", usually "NONE"'
    assert any(words.startswith("structure") for words in outlier.differs[1:])


@pytest.mark.slow
def test_vectors_of_another_version_are_recomputed(own_catalog):
    """To the bit what a new inspection gives; a second run has nothing to do."""
    query = "SELECT file_id, metadata_embedding, channel_fingerprint, embedding_version FROM files ORDER BY file_id"
    fresh = own_catalog.sql(query)
    some = fresh["file_id"].to_pylist()[:7]
    own_catalog.replace_vectors(vectors_of(some, [embed(ALONE)] * 7, vectors.VERSION + 5))
    assert own_catalog.sql(query) != fresh
    assert (reembed(own_catalog).done, reembed(own_catalog).files) == (7, 0)
    assert own_catalog.sql(query) == fresh
    assert reembed(own_catalog, everything=True).done == len(EVERYTHING)
    assert own_catalog.sql(query) == fresh


@pytest.mark.slow
def test_a_cut_attribute_changes_no_vector(new_catalog):
    """Attributes above the cell limit are too long for vectors."""
    catalog = new_catalog()
    catalog.persist([inspection("s3://renders/long.exr", text("manifest", "m" * 200_000), text("artist", "ana"))])
    query = "SELECT metadata_embedding FROM files"
    fresh = catalog.sql(query)
    assert catalog.sql("SELECT 1 FROM attributes WHERE truncated").num_rows == 1
    assert reembed(catalog, everything=True).done == 1
    assert catalog.sql(query) == fresh


@pytest.mark.slow
@corpus.need_corpus
def test_real_frames_and_what_differs_among_them(tmp_path):
    """The nearest are of the own sequence; diff, odd and the explanation of similar agree about what differs."""
    files = [path for path in corpus.VALID_FILES if path.parent.name == "Beachball"]
    for path in files:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "singlepart.0003.exr"
    data = changed.read_bytes()
    as_it_was = b"compression\0compression\0\x01\0\0\0\x02"
    assert data.count(as_it_was) == 1
    with open_catalog(f"duckdb:{tmp_path}/beach.duckdb") as catalog:
        ingest([str(tmp_path)], catalog)
        sequences = {str(path): path.name.partition(".")[0] for path in tmp_path.glob("*.exr")}
        assert len(sequences) == len(files) > 6
        for path, sequence in sequences.items():
            mates = [other for other, its in sequences.items() if its == sequence and other != path]
            found = similar(catalog, reference(catalog, path), k=len(mates), explain=True).to_pylist()
            assert sorted(row["file_path_normalized"].removeprefix("file://") for row in found) == sorted(mates)
            assert all(row["differs"] == [] for row in found)
            assert {d.name for mate in mates for d in diff(inspect(path), inspect(mate))} <= {
                "dataWindow",
                "chunkCount",
            }
        assert list(outliers(catalog)) == []

        changed.write_bytes(data.replace(as_it_was, as_it_was[:-1] + b"\x03"))
        ingest([str(tmp_path)], catalog)
        assert "compression" in {d.name for d in diff(inspect(changed), inspect(tmp_path / "singlepart.0002.exr"))}
        (outlier,) = outliers(catalog)
        assert outlier.file_path_normalized == f"file://{changed}"
        assert outlier.differs[0] == 'compression: "ZIP", usually "ZIPS"'
        nearest_one = similar(catalog, reference(catalog, str(changed)), k=1, explain=True).to_pylist()[0]
        assert [words.partition(" ")[0] for words in nearest_one["differs"]] == ["structure"]
        assert [words.partition(" ")[0] for words in outlier.differs[1:]] == ["structure"]


@pytest.mark.slow
def test_a_changed_file_is_compared_as_it_is_now(tmp_path, monkeypatch, capfd):
    """The catalog has its older version; the command says so. A file that is gone is compared as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:a.duckdb")
    for name, compression in (("a.exr", 0), ("b.exr", 0), ("c.exr", ZIP)):
        Path(name).write_bytes(w.build(w.part(compression=compression)).data)
    assert main(["ingest", "."]) == 0
    capfd.readouterr()

    def nearest() -> tuple[str, str]:
        assert main(["similar", "a.exr", "-k", "1", "--format", "csv"]) == 0
        shown = capfd.readouterr()
        (row,) = csv.DictReader(shown.out.splitlines())
        return row["file_path_normalized"].rpartition("/")[2], shown.err

    assert nearest() == ("b.exr", "")
    Path("a.exr").write_bytes(w.build(w.part(compression=ZIP, extra=[w.text("note", "again")])).data)
    name, message = nearest()
    assert name == "c.exr"
    assert message == "a.exr: changed since it was ingested; compared as it is now, ingest it again\n"
    Path("a.exr").unlink()
    assert nearest() == ("b.exr", "")
