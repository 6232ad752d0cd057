"""A nightly run: files that are being written, a storage that does not show its files, and what the catalog lacks."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from exr_inspector import IngestOptions, ingest, open_catalog
from exr_inspector.cli.amounts import duration_s, files_or_percent
from exr_inspector.cli.main import main
from exr_inspector.errors import SettingsError
from exr_inspector.ingestion.changes import VanishedFiles
from exr_inspector.ingestion.coverage import coverage
from exr_inspector.ingestion.run import _held_back
from tests.support.s3_server import BUCKET, status
from tests.support.small_exr import small_file

CATALOG = "c.duckdb"


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", CATALOG)
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "1")


def make(*names: str, age_s: float = 3600) -> None:
    for name in names:
        path = Path("show", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(small_file(len(name), False, 12))
        os.utime(path, (time.time() - age_s,) * 2)


def run(path="show", **options):
    with open_catalog(CATALOG) as catalog:
        return ingest(path, catalog, IngestOptions(workers=1, **options))


def deleted() -> int:
    with open_catalog(CATALOG, read_only=True) as catalog:
        return catalog.sql("SELECT count(deleted_at) AS n FROM files")["n"][0].as_py()


@pytest.mark.slow
def test_young_files_are_left_alone():
    """The catalog keeps the version before, and they have not vanished.

    Nor has one of a storage whose clock is up to a day ahead.
    """
    make("a.exr", "b.exr", "far.exr")
    run()
    Path("show/a.exr").write_bytes(small_file(7, True, 12))
    make("new.exr", age_s=30)
    make("ahead.exr", age_s=-7200)
    make("far.exr", age_s=-90_000)
    summary = run(min_age_s=60, prune=True)
    assert (summary.listed, summary.done, summary.young, summary.unchanged) == (5, 5, 3, 1)
    assert (summary.inserted, summary.known + summary.replaced, summary.vanished) == (0, 1, [])
    summary = run()
    assert (summary.young, summary.inserted, summary.replaced) == (0, 2, 1)


@pytest.mark.slow
def test_young_objects_have_not_vanished(store):
    uris = [store.put(f"show/{name}.exr", small_file(1, False, 12)) for name in "ab"]
    assert run(f"s3://{BUCKET}/show", s3=store.access).inserted == 2
    summary = run(f"s3://{BUCKET}/show", s3=store.access, min_age_s=600, prune=True)
    assert (summary.young, summary.vanished, summary.pruned) == (2, [], 0)
    store.delete("show/a.exr")
    assert run(f"s3://{BUCKET}/show", s3=store.access, min_age_s=600, prune=True).vanished == uris[:1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "pruned"),
    [
        ({"max_gone_percent": 10}, 0),
        ({"max_gone_percent": 29}, 0),
        ({"max_gone_percent": 30}, 3),
        ({}, 3),
        ({"max_gone_files": 1}, 0),
        ({"max_gone_files": 2}, 0),
        ({"max_gone_files": 3}, 3),
        ({"max_gone_files": 0}, 0),
    ],
)
def test_pruning_is_held_back_if_too_many_files_are_gone(limit, pruned):
    """Of all files of the catalog below all paths: of those below the other folder none is gone."""
    make(*(f"{folder}/{number}.exr" for folder in "ab" for number in range(5)))
    run()
    for number in range(3):
        Path(f"show/a/{number}.exr").unlink()
    summary = run(["show/a", "show/b"], prune=True, **limit)
    assert (len(summary.vanished), summary.pruned, deleted()) == (3, pruned, pruned)
    held_back = summary.held_back
    assert (held_back is None) == bool(pruned)
    assert held_back is None or (held_back.gone, held_back.known) == (3, 10)


@pytest.mark.parametrize(("gone", "percent", "held_back"), [(29, 29, False), (30, 29, True), (57, 57, False)])
def test_a_share_of_all_files_is_exact(gone, percent, held_back):
    """As a float, 29 % of 100 is less than 29."""
    vanished = [VanishedFiles([""] * gone, known=100)]
    assert bool(_held_back(vanished, IngestOptions(max_gone_percent=percent))) == held_back


@pytest.mark.slow
def test_the_command_says_how_many_are_gone_and_how_to_go_on(capfd):
    make("a.exr", "b.exr", "c.exr")
    nightly = ["ingest", "show", "--prune", "--min-age", "60s", "--max-gone", "10%", "--fail-on", "new"]
    assert main(nightly) == 0
    make("young.exr", age_s=0)
    capfd.readouterr()
    assert main(nightly) == 0
    assert "3 unchanged, 1 too recent →" in capfd.readouterr().out
    Path("show/a.exr").unlink()
    assert main([*nightly[:-2], "--fail-on", "never"]) == 3
    assert capfd.readouterr().err.splitlines()[-1] == (
        "nothing was marked as deleted: 1 of 3 files of the catalog below the paths have vanished (33.3 %), more than "
        "--max-gone; check the storage, and if the files were deleted, repeat with --max-gone 100%"
    )
    assert main([*nightly, "--max-gone", "100%"]) == 0
    assert "1 marked deleted" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("other", [[], ["other"]])
def test_files_below_an_empty_folder_are_only_marked_with_consent(capfd, other):
    """Exit code 3, whatever --fail-on: the disk may not be mounted. Files below another path are marked."""
    make("a.exr", "b.exr", "../other/a.exr", "../other/b.exr")
    nightly = ["ingest", "show", *other, "--prune", "--fail-on", "never"]
    assert main(["ingest", "show", *other]) == 0
    for name in ("show/a.exr", "show/b.exr", "other/b.exr"):
        Path(name).unlink()
    assert main(nightly) == 3
    assert capfd.readouterr().err.splitlines()[-1] == (
        "show/: not marked as deleted, as no file of the catalog is left below it; check that its disk is mounted, "
        "and if the files were deleted, repeat with --max-gone 100%"
    )
    assert deleted() == len(other)
    assert main([*nightly, "--max-gone", "100%"]) == 0
    assert deleted() == 2 + len(other)


@pytest.mark.slow
def test_files_below_a_removed_folder_are_marked_by_the_folder_above(capfd):
    make("a.exr", "shot/b.exr")
    main(["ingest", "show"])
    Path("show/shot/b.exr").unlink()
    Path("show/shot").rmdir()
    assert main(["ingest", "show/shot", "--prune", "--max-gone", "100%"]) == 3
    assert "for a folder that was removed, give the folder above it" in capfd.readouterr().err
    assert main(["ingest", "show", "--prune"]) == 0
    assert deleted() == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-gone", "10%"), "--max-gone limits what --prune marks as deleted"),
        (("--prune", "--max-gone", "101%"), "--max-gone 101%: expected a percentage up to 100%"),
        (("--prune", "--max-gone", "1.5"), "--max-gone 1.5: expected a percentage"),
        (("--min-age", "60"), "--min-age 60: expected a number and a unit, such as 60s, 10m, 12h or 2d"),
        (("--min-age=-1s",), "--min-age -1s: expected"),
    ],
)
def test_invalid_amounts_are_named(capfd, words, message):
    make("a.exr")
    assert main(["ingest", "show", *words]) == 2
    assert message in capfd.readouterr().err


def test_amounts():
    assert [duration_s(text, "x") for text in ("0s", "1.5m", "2h", "1d")] == [0, 90, 7200, 86_400]
    assert [files_or_percent(text, "x") for text in ("0%", "12.5%", "1", "0")] == [
        (None, 0),
        (None, 12.5),
        (1, 100),
        (0, 100),
    ]
    for text in ("", "s", "1 s", "1w", "١s", "1e3s", "nan", "1" * 30 + "s"):
        with pytest.raises(SettingsError):
            duration_s(text, "x")


# ── coverage ────────────────────────────────────────────────


@pytest.mark.slow
def test_coverage_counts_what_the_catalog_has(capfd):
    make(*(f"{number}.exr" for number in range(6)), "bad.exr", "hidden/x.exr")
    Path("show/bad.exr").write_bytes(b"no picture")
    os.utime("show/bad.exr", (1_700_000_000,) * 2)
    Path("show/.exrignore").write_text("hidden\n")
    main(["ingest", "show"])
    make("5.exr", age_s=1200)
    make("lost.exr")
    make("young.exr", age_s=1)
    Path("show/0.exr").unlink()
    capfd.readouterr()
    assert main(["db", "coverage", "show", "--format", "json"]) == 1
    (row,) = json.loads(capfd.readouterr().out)
    folder = f"file://{Path.cwd()}/show"
    assert row == {
        "listed": 7,
        "stored": 4,
        "failed": 1,
        "changed": 1,
        "missing": 1,
        "young": 1,
        "not_listed": 0,
        "rate_percent": pytest.approx(400 / 7),
        "first_missing": [f"{folder}/lost.exr"],
        "first_changed": [f"{folder}/5.exr"],
    }
    assert main(["db", "coverage", "show", "--at-least", "57", "--min-age", "0s"]) == 1
    assert main(["db", "coverage", "show", "--at-least", "57"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-10:-3]] == [
        ["listed", "7"],
        ["stored", "4"],
        ["failed", "1"],
        ["changed", "1"],
        ["missing", "1"],
        ["young", "1"],
        ["rate", "57.143%"],
    ]
    assert lines[-3:] == [
        "missing: show/lost.exr",
        "changed: show/5.exr",
        f"store them: exr-inspector ingest show --catalog duckdb:{CATALOG}",
    ]


@pytest.mark.slow
def test_a_complete_catalog(capfd):
    make("a.exr")
    main(["ingest", "show"])
    assert main(["db", "coverage", "show", "--at-least", "100"]) == 0
    assert "100.000%" in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "code", "message"),
    [("empty", 2, "empty: no file ends in .exr"), ("none/*.exr", 2, "no file matches"), ("none", 3, "no such file")],
)
def test_coverage_of_nothing(capfd, path, code, message):
    make("a.exr")
    Path("empty").mkdir()
    main(["ingest", "show"])
    assert main(["db", "coverage", path]) == code
    shown = capfd.readouterr()
    assert message in shown.err
    assert path != "empty" or "check that the disk is mounted" in shown.err
    assert "%" not in shown.out


@pytest.mark.slow
def test_coverage_of_young_files_has_no_rate(capfd):
    make("a.exr")
    main(["ingest", "show"])
    os.utime("show/a.exr")
    capfd.readouterr()
    assert main(["db", "coverage", "show"]) == 0
    out, err = capfd.readouterr()
    assert ["rate", "–"] in [line.split()[:2] for line in out.splitlines()]
    assert err == "nothing was compared, so there is no rate\n"
    assert main(["db", "coverage", "show", "--format", "json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["rate_percent"] is None


def test_coverage_creates_no_catalog(capfd):
    make("a.exr")
    assert main(["db", "coverage", "show"]) == 3
    assert not Path(CATALOG).exists()


@pytest.mark.slow
def test_coverage_of_a_store(store):
    for number in range(3):
        store.put(f"show/{number}.exr", small_file(number, False, 12))
    with open_catalog(CATALOG) as catalog:
        ingest(f"s3://{BUCKET}/show/1.exr", catalog, IngestOptions(workers=1, s3=store.access))
        found = coverage([f"s3://{BUCKET}/show"], catalog, s3=store.access)
        assert (found.listed, found.stored, found.missing, found.percent) == (3, 1, 2, pytest.approx(100 / 3))
        assert coverage([f"s3://{BUCKET}/show"], catalog, s3=store.access, min_age_s=600).young == 3
        store.fault = status(403, "AccessDenied")
        denied = coverage([f"s3://{BUCKET}/show"], catalog, s3=store.access)
    assert (denied.listed, denied.errors, len(denied.first_errors)) == (0, 1, 1)


def test_only_the_first_paths_are_kept():
    make(*(f"{number:03}.exr" for number in range(50)))
    with open_catalog(CATALOG) as catalog:
        found = coverage(["show"], catalog)
    assert (found.missing, [uri[-7:-4] for uri in found.first_missing]) == (50, [f"{n:03}" for n in range(20)])
