"""Statistics of pixels in a catalog: stored with the file or later, and the newest count; on every backend."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from exr_inspector import inspect
from exr_inspector.catalog import FileStat
from exr_inspector.catalog.schema import PIXEL_TABLES
from exr_inspector.errors import PixelError
from exr_inspector.inspection import pixel_rows
from exr_inspector.inspection.pixel_rows import pending_report, undecoded_report
from exr_inspector.pixels.model import PixelLimits
from exr_inspector.sequence.pixel_outliers import statistics_extent
from exr_inspector.sources.memory import MemorySource
from tests.support.exr_bytes import exr_bytes
from tests.support.pixels import statistics_of, write_deep

from .test_contract import row_count

CHANGES_ROWS = True  # for `new_uri`

FLAT = exr_bytes()
URI = "s3://renders/a.1001.exr"


@pytest.fixture(scope="module")
def deep_bytes(tmp_path_factory):
    return write_deep(tmp_path_factory.mktemp("deep") / "deep.exr").read_bytes()


@cache
def plain(data=FLAT):
    return inspect(MemorySource(data, URI))


@cache
def with_stats(data=FLAT, **options):
    return replace(plain(data), pixels=statistics_of(data, **options))


def some_of(data=FLAT):
    """With the figures of every second chunk."""
    return with_stats(data, deep=True, stride=2, limits=PixelLimits(band_bytes=1))


def pending(data=FLAT):
    return replace(plain(data), pixels=pending_report(plain(data).file, plain(data).parts, "no time is left"))


def failed(data=FLAT):
    error = PixelError(URI, "decoder_crashed", "the decoder ended by SIGSEGV")
    return replace(plain(data), pixels=undecoded_report(plain(data).file, plain(data).parts, error))


def has_stats(catalog, one, pixels="flat"):
    facts = one.file
    stat = FileStat(file_path_normalized=URI, size_bytes=facts.size_bytes, mtime=facts.mtime, etag=facts.etag)
    seen = catalog.seen([stat], pixels=pixels)[URI]
    assert seen.is_unchanged
    assert not catalog.seen([stat])[URI].has_stats
    return seen.has_stats


def batches(catalog):
    """The numbers of rows of each batch in the tables of pixels, oldest first."""
    found = {table: catalog.sql(f"SELECT batch_id FROM {table}")["batch_id"].to_pylist() for table in PIXEL_TABLES}
    return [[count for _, count in sorted(Counter(found[table]).items())] for table in PIXEL_TABLES]


def newest(catalog, table="channel_stats"):
    return catalog.rows_of(URI)[table].to_pylist()


def test_statistics_are_stored_with_the_file(catalog):
    assert catalog.persist([with_stats()])[0].inserted
    assert batches(catalog) == [[3], [1]]
    assert has_stats(catalog, plain())
    rows = catalog.rows_of(URI)
    (batch_id,) = rows["files"]["batch_id"].to_pylist()
    for table in PIXEL_TABLES:
        assert set(rows[table]["batch_id"].to_pylist()) == {batch_id}
        assert rows[table]["evaluated_at"].null_count == 0


@pytest.mark.slow
def test_statistics_of_a_stored_file_are_a_later_result(catalog):
    catalog.persist([plain()])
    assert not has_stats(catalog, plain())
    assert not catalog.persist([with_stats(digest=False)])[0].inserted
    assert has_stats(catalog, plain())
    assert {row["pixel_digest"] for row in newest(catalog)} == {None}
    catalog.persist([plain()])  # does not lose them
    assert has_stats(catalog, plain())
    catalog.persist([with_stats()])
    assert batches(catalog) == [[3, 3], [1, 1]]
    assert [row["channel_name"] for row in newest(catalog)] == ["A", "B", "G"]
    assert None not in {row["pixel_digest"] for row in newest(catalog)}
    assert row_count(catalog, "parts") == 1


@pytest.mark.slow
def test_repeated_statistics_are_stored_once(catalog):
    catalog.persist([with_stats()])
    for _ in range(2):
        catalog.persist([with_stats(), with_stats()])
        catalog.persist([pending()])  # nor are they pending again
    assert batches(catalog) == [[3], [1]]
    assert catalog.rows_of(URI)["files"]["inspection_count"].to_pylist() == [7]


@pytest.mark.slow
@pytest.mark.parametrize("first", [plain, pending])
def test_pending_statistics_are_recorded_until_they_are_computed(catalog, first):
    catalog.persist([first()])
    catalog.persist([pending()])
    catalog.persist([pending()])
    assert batches(catalog) == [[3], []]
    assert not has_stats(catalog, plain())
    assert [(row["sample_count"], row["decode_errors"], row["evaluated_at"]) for row in newest(catalog)] == [
        (0, 0, None)
    ] * 3
    catalog.persist([with_stats()])
    assert has_stats(catalog, plain())
    assert {row["sample_count"] for row in newest(catalog)} == {16}
    assert None not in {row["evaluated_at"] for row in newest(catalog)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [with_stats, failed])
def test_statistics_of_an_earlier_version_are_completed(catalog, monkeypatch, kind):
    """Table version 3 had no empty regions and no errors."""
    result = kind()
    with monkeypatch.context() as patch:
        rows = pixel_rows.part_stats_rows
        earlier = lambda report: [row._replace(empty_regions=None, errors=None) for row in rows(report)]  # noqa: E731
        patch.setattr(pixel_rows, "part_stats_rows", earlier)
        catalog.persist([result])
    assert not has_stats(catalog, plain())
    assert statistics_extent(catalog, "true", {}).unmeasured == 1
    catalog.persist([result])
    assert has_stats(catalog, plain())
    assert [len(of_table) for of_table in batches(catalog)] == [2, 2]
    assert statistics_extent(catalog, "true", {}).unmeasured == 0


@pytest.mark.slow
def test_failures_to_decode_count_as_statistics(catalog):
    catalog.persist([pending()])
    catalog.persist([failed()])
    assert has_stats(catalog, plain())
    assert has_stats(catalog, plain(), "deep")
    assert {(row["sample_count"], row["decode_errors"]) for row in newest(catalog)} == {(0, 4)}


@pytest.mark.slow
def test_samples_of_deep_parts_are_asked_for_explicitly(catalog, deep_bytes):
    catalog.persist([with_stats(deep_bytes)])  # the numbers of samples
    assert has_stats(catalog, plain(deep_bytes))
    assert not has_stats(catalog, plain(deep_bytes), "deep")
    catalog.persist([with_stats(deep_bytes, deep=True)])
    assert has_stats(catalog, plain(deep_bytes), "deep")


@pytest.mark.slow
@pytest.mark.parametrize("poorer", [with_stats, failed, pending, some_of])
def test_results_that_say_less_are_not_stored(catalog, deep_bytes, poorer):
    """Of deep parts without samples, of some lines, or after a failure."""
    catalog.persist([with_stats(deep_bytes, deep=True)])
    before = newest(catalog), newest(catalog, "part_stats")
    catalog.persist([poorer(deep_bytes)])
    assert (newest(catalog), newest(catalog, "part_stats")) == before
    assert has_stats(catalog, plain(deep_bytes), "deep")


@pytest.mark.slow
@pytest.mark.parametrize("first", [plain, pending, with_stats])
def test_a_pending_request_for_deep_samples_is_kept(catalog, deep_bytes, first):
    """Also after numbers of samples, and after a request for them only."""
    one = plain(deep_bytes)
    wanted = replace(one, pixels=pending_report(one.file, one.parts, "no time is left", deep=True))
    stat = FileStat(file_path_normalized=URI, size_bytes=one.file.size_bytes, mtime=one.file.mtime)
    catalog.persist([first(deep_bytes)])
    for each in (wanted, pending(deep_bytes), with_stats(deep_bytes)):
        catalog.persist([each])
        seen = catalog.seen([stat], pixels="flat")[URI]
        assert (seen.has_stats, seen.wants_deep) == (False, True)
    assert not catalog.persist([with_stats(deep_bytes, deep=True)])[0].inserted
    seen = catalog.seen([stat], pixels="deep")[URI]
    assert (seen.has_stats, seen.wants_deep) == (True, False)


@pytest.mark.parametrize("first", [plain, pending])
def test_of_one_batch_computed_statistics_are_stored(catalog, first):
    catalog.persist([first(), with_stats(), pending()])
    assert batches(catalog) == [[3], [1]]
