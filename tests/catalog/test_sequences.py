"""Sequences and their outliers on both backends: the same answers, from a number of queries that stays the same."""

from __future__ import annotations

import pytest

from exr_inspector import inspect
from exr_inspector.catalog.protocol import IngestError
from exr_inspector.sequence import fields
from exr_inspector.sequence.frames import sequence_names
from exr_inspector.sequence.outliers import outliers
from exr_inspector.sequence.summary import sequences
from exr_inspector.sources.memory import MemorySource
from tests.support import exr_writer as w


def frame(uri: str, part: w.Part | None = None):
    return inspect(MemorySource(w.build(part or w.part()).data, uri))


def drifting(sequence: str, frames: int = 5):
    """Frames with different structure hashes, and another compression in the third."""
    return [
        frame(f"{sequence}.{n}.exr", w.part(compression=3 if n == 3 else 0, extra=[w.fixed("take", "int", n)]))
        for n in range(1, frames + 1)
    ]


def queries(catalog, monkeypatch, work):
    """The number of queries of some work, and its results."""
    asked = []
    real = catalog.sql
    with monkeypatch.context() as patched:
        patched.setattr(catalog, "sql", lambda *given: asked.append(given) or real(*given))
        results = list(work(catalog))
    return len(asked), results


@pytest.mark.slow
def test_the_number_of_queries_does_not_depend_on_the_number_of_sequences(new_catalog, monkeypatch):
    """Of drifting sequences, each with an outlier."""
    catalog, numbers = new_catalog(), []
    for count in (1, 30):
        for index in range(count):
            catalog.persist(drifting(f"s3://renders/{count}_{index}/c"))
        for work in (sequences, outliers):
            number, results = queries(catalog, monkeypatch, work)
            assert len(results) == (1 if count == 1 else 31)
            numbers.append(number)
    assert numbers == [2, 4] * 2


@pytest.mark.slow
@pytest.mark.parametrize("most_ids", [0, 1000])
def test_fields_of_many_and_of_few_files(new_catalog, monkeypatch, most_ids):
    """A long list of file_ids is not part of the query; the answer is the same."""
    monkeypatch.setattr(fields, "_MOST_IDS", most_ids)
    catalog = new_catalog()
    catalog.persist([*drifting("s3://renders/a/c"), *drifting("s3://renders/b/c", 3), frame("s3://renders/d.1.exr")])
    found = {each.sequence: each.outliers for each in sequences(catalog, "renders/")}
    assert [(outlier.field, outlier.frames) for outlier in found["s3://renders/a/c.#.exr"]] == [("compression", "3")]
    assert [(outlier.field, outlier.frames) for outlier in found["s3://renders/b/c.#.exr"]] == [("compression", "3")]
    assert found["s3://renders/d.#.exr"] == ()


URIS = [
    "file:///show/a[1]/c.1.exr",
    "file:///show/b%FF/c.1.exr",
    "file:///show/100%25ab/c.1.exr",
    "s3://show/x/c.1.exr",
]


@pytest.fixture(scope="module")
def listed(shared_catalog):
    """A catalog with a file and an unreadable file in each folder."""

    def fill(catalog):
        catalog.persist([frame(uri) for uri in URIS])
        failed = [uri.replace("/c.1", "/cut.1") for uri in URIS]
        facts = {"size_bytes": 0, "mtime": None, "code": "empty", "message": "empty", "byte_offset": 0}
        catalog.record_errors([IngestError(file_path_normalized=uri, **facts) for uri in failed])

    return shared_catalog(fill)


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("pattern", "selected"),
    [
        ("/show/", URIS[:3]),
        ("file:///show/", URIS[:3]),
        ("show/", URIS),
        ("s3://show/*", URIS[3:]),
        ("/show/b\udcff/*", URIS[1:2]),
        ("/show/b%FF", []),
        ("file:///show/b%FF", URIS[1:2]),
        ("/show/100%ab/c*", URIS[2:3]),
        ("a[1]", URIS[:1]),
        ("/show/a[[]1]/*", URIS[:1]),
        ("[", URIS[:1]),
        ("/show/[!b]*", [URIS[0], URIS[2]]),
        ("'; DROP TABLE files; --", []),
        ("\\", []),
    ],
)
def test_a_pattern_selects_files_and_unreadable_files(listed, pattern, selected):
    """In the URI or the local path, exact in each byte."""
    expected = {uri.replace(".1.exr", ".#.exr") for uri in selected}
    expected |= {uri.replace("/c.", "/cut.") for uri in expected}
    assert {found.sequence for found in sequences(listed, pattern)} == expected
    assert sorted(sequence_names(listed, pattern)) == sorted(expected)


@pytest.mark.slow
def test_all_frames_with_fields_that_differ_are_outliers(new_catalog):
    """Also one whose vector is closer to the others than the median: each other frame has more fields of its own."""
    catalog = new_catalog()
    own = [[w.text("owner", "x")]]
    own += [[w.text(f"studio{n}/setting{index}", "on") for index in range(6)] for n in range(1, 5)]
    catalog.persist([frame(f"s3://renders/c.{n}.exr", w.part(extra=own[n])) for n in range(5)])
    (summary,) = sequences(catalog)
    assert ("owner", "0") in {(outlier.field, outlier.frames) for outlier in summary.outliers}
    found = {outlier.frame: outlier for outlier in outliers(catalog)}
    assert set(found) == {"0", "1", "2", "3", "4"}
    assert found["0"].similarity > found["0"].usual
