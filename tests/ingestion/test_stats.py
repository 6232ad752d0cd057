"""Ingest with statistics of pixels: which files are decoded, and what is stored of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from exr_inspector import open_catalog
from exr_inspector.cli.main import main
from exr_inspector.ingestion import run as ingestion_run
from exr_inspector.ingestion import tasks
from exr_inspector.ingestion.run import IngestOptions, ingest
from exr_inspector.pixels import worker
from exr_inspector.pixels.model import StatsOptions
from tests.support.pixels import decoders, located, statistics_of, wait_for_end, write, write_deep
from tests.support.s3_server import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

CATALOG = "duckdb:catalog.duckdb"
STATS = StatsOptions()


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("show").mkdir()


@pytest.fixture(scope="module")
def plate(tmp_path_factory) -> bytes:
    return write(tmp_path_factory.mktemp("plates") / "plate.exr", size=(20, 40)).read_bytes()


def run(*paths: str, workers: int = 1, stats: StatsOptions | None = STATS, **options):
    with open_catalog(CATALOG) as catalog:
        summary = ingest(paths or ("show",), catalog, IngestOptions(workers=workers, stats=stats, **options))
    assert decoders() == []
    return summary


def rows_of(name: str) -> dict[str, list]:
    with open_catalog(CATALOG, read_only=True) as catalog:
        rows = catalog.rows_of(Path(name).absolute().as_uri())
    return {table: found.to_pylist() for table, found in rows.items()}


def digests(name: str) -> list[str | None]:
    return [row["pixel_digest"] for row in rows_of(name)["part_stats"]]


@pytest.fixture
def crashing(monkeypatch):
    """Every file that is decoded crashes the decoder, until the context is undone."""
    with monkeypatch.context() as patched:
        patched.setattr(worker, "_PROGRAM", "import os; os.abort()")
        yield patched


@pytest.mark.slow
def test_files_without_statistics_are_completed(plate):
    """By the next run that asks for them; unchanged files with statistics are not read again."""
    Path("show/a.exr").write_bytes(plate)
    assert run(stats=None).inserted == 1
    Path("show/b.exr").write_bytes(plate)
    completed = run()
    assert (completed.inserted, completed.known, completed.unchanged) == (1, 1, 0)
    expected = [part.pixel_digest for part in statistics_of(plate).parts]
    assert digests("show/a.exr") == digests("show/b.exr") == expected
    assert [run(stats=stats).unchanged for stats in (STATS, None)] == [2, 2]


@pytest.mark.slow
def test_deep_samples_are_decoded_on_request(capfd):
    assert main(["ingest", "show", "--catalog", CATALOG, "--deep"]) == 2
    write_deep(Path("show/deep.exr"))

    def sample_counts() -> set[bool]:
        return {row["sample_count"] > 0 for row in rows_of("show/deep.exr")["channel_stats"]}

    for option, expected in (("--stats", False), ("--deep", True), ("--stats", True)):
        assert main(["ingest", "show", "--catalog", CATALOG, "--stats", option]) == 0
        assert sample_counts() == {expected}
    assert "1 unchanged" in capfd.readouterr().out


@pytest.mark.slow
def test_a_file_that_crashes_the_decoder_is_decoded_once(plate, crashing):
    """Its header is stored, and the chunks that are not decoded; --rescan decodes it again."""
    Path("show/a.exr").write_bytes(plate)
    assert (run().inserted, run().unchanged) == (1, 1)
    rows = rows_of("show/a.exr")
    assert (rows["files"][0]["completeness"], digests("show/a.exr")) == ("complete", [None])
    assert {(row["sample_count"], row["decode_errors"]) for row in rows["channel_stats"]} == {(0, 3)}
    crashing.undo()
    assert (run().unchanged, run(rescan=True).known) == (1, 1)
    assert digests("show/a.exr") != [None]


@pytest.mark.slow
def test_damaged_files_keep_their_verdict_and_are_decoded_once(plate, monkeypatch):
    Path("show/a.exr").write_bytes(plate[:-100])
    damaged = run()
    assert [(file.status, file.is_new) for file in damaged.damaged] == [("truncated", True)]
    rows = rows_of("show/a.exr")
    assert {(row["sample_count"], row["decode_errors"]) for row in rows["channel_stats"]} == {(640, 1)}
    monkeypatch.setattr(worker, "_PROGRAM", "import os; os.abort()")
    assert [(file.status, file.is_new) for file in run().damaged] == [("truncated", False)]
    assert rows_of("show/a.exr")["channel_stats"] == rows["channel_stats"]


@pytest.mark.slow
def test_a_run_leaves_the_decoder_of_another_run(plate, tmp_path):
    """Two runs of one process, of which one ends while the other decodes."""
    Path("other").mkdir()
    for name in ("show/a.exr", "show/b.exr", "other/c.exr"):
        Path(name).write_bytes(plate)
    kept = []

    def run_another(summary):
        before = decoders()
        if before and not kept:
            with open_catalog(f"duckdb:{tmp_path}/other.duckdb") as catalog:
                assert ingest("other", catalog, IngestOptions(workers=1, stats=STATS)).inserted == 1
            kept.append(decoders() == before)

    with open_catalog(CATALOG) as catalog:
        ingest("show", catalog, IngestOptions(workers=1, stats=STATS, batch_files=1), run_another)
    assert kept == [True]
    assert decoders() == []


@pytest.mark.slow
def test_objects_are_decoded(plate, store: S3Server, monkeypatch):
    for name, value in (("ENDPOINT", store.url), ("ACCESS_KEY", ACCESS_KEY), ("SECRET_KEY", SECRET_KEY)):
        monkeypatch.setenv(f"S3_{name}", value)
    store.put("a.exr", plate)
    assert run(f"s3://{BUCKET}").inserted == 1
    with open_catalog(CATALOG, read_only=True) as catalog:
        rows = catalog.rows_of(f"s3://{BUCKET}/a.exr")
    assert rows["part_stats"]["pixel_digest"].to_pylist() == [statistics_of(plate).parts[0].pixel_digest]


@pytest.mark.slow
def test_each_worker_process_has_a_decoder(plate, tmp_path):
    """None of them outlives the run."""
    for number in range(24):
        Path(f"show/{number}.exr").write_bytes(plate)
    numbers = []
    with open_catalog(CATALOG) as catalog:
        options = IngestOptions(workers=2, stats=STATS, batch_files=4)
        summary = ingest("show", catalog, options, lambda _: numbers.append(len(decoders(folder=tmp_path))))
    assert summary.inserted == 24
    assert max(numbers) == 2
    for process in decoders(folder=tmp_path):
        wait_for_end(process)
    assert {digests(f"show/{number}.exr")[0] for number in range(24)} == {statistics_of(plate).parts[0].pixel_digest}


@pytest.mark.slow
def test_pixels_that_cannot_be_decoded_count_as_damage(plate, capfd):
    """By their lines; also of unchanged files, which are not decoded again."""
    data = bytearray(plate)
    (chunks,) = located(plate)
    begin = chunks.leaders.offsets[1] + chunks.leaders.leader.size
    data[begin : begin + 60] = b"\xff" * 60
    Path("show/bad.exr").write_bytes(data)
    Path("show/good.exr").write_bytes(plate)
    command = ["ingest", "show", "--catalog", CATALOG, "--stats"]
    assert [main(["ingest", "show", "--catalog", CATALOG]), main(command), main(command)] == [0, 1, 1]
    shown = capfd.readouterr()
    assert shown.err.splitlines() == [
        "show/bad.exr: undecodable: lines 16-31 (decode_failed), unchanged",
        "show/bad.exr: undecodable: lines 16-31 (decode_failed), unchanged",
    ]
    assert shown.out.splitlines()[-1].startswith("2 files: 0 new, 2 unchanged, 1 undecodable")
    assert [main([*command, "--fail-on", given]) for given in ("new", "never")] == [0, 0]
    assert main(["check", "--catalog", CATALOG]) == 1
    assert "1 chunk cannot be decoded: lines 16-31 (decode_failed)" in capfd.readouterr().out


@pytest.mark.slow
def test_pixels_that_a_limit_leaves_out_are_a_warning(capfd, monkeypatch):
    """Those of part 0, whose chunks are above it. Damage of another part counts too, although it is not stored."""
    monkeypatch.setenv("EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES", "65536")
    plate = write(Path("show/good.exr"), "parts", size=(900, 40)).read_bytes()
    data = bytearray(plate)
    chunks = located(plate)[1]
    begin = chunks.leaders.offsets[2] + chunks.leaders.leader.size
    data[begin : begin + 60] = b"\xff" * 60
    command = ["ingest", "show", "--catalog", CATALOG, "--stats"]
    codes = {given: main([*command, "--fail-on", given]) for given in ("warning", "error", "new")}
    assert codes == {"warning": 1, "error": 0, "new": 0}
    shown = capfd.readouterr()
    left_out = "pixels not decoded: all (chunk_too_large)"
    assert shown.err.splitlines().count(f"show/good.exr: {left_out}") == 3
    assert shown.out.splitlines()[0].startswith("1 file: 1 new, 0 unchanged, 1 with pixels not decoded →")
    Path("show/bad.exr").write_bytes(data)
    assert main(command) == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[:3] == [
        "show/bad.exr: undecodable: lines 32-39 (decode_failed)",
        *(f"show/{name}.exr: {left_out}" for name in ("bad", "good")),
    ]
    monkeypatch.delenv("EXR_INSPECTOR_MAX_CHUNK_PIXEL_BYTES")
    assert main([*command, "--fail-on", "warning"]) == 1
    assert "show/bad.exr: undecodable: lines 32-39 (decode_failed)" in capfd.readouterr().err
    Path("show/bad.exr").unlink()
    assert main([*command, "--fail-on", "warning"]) == 0


@pytest.mark.slow
def test_check_counts_files_whose_pixels_are_not_measured(plate, capfd):
    """Where the catalog has statistics of others."""
    message = "the pixels of 2 files were not checked: "
    for name, options in (("a.exr", []), ("b.exr", ["--stats"]), ("c.exr", []), ("d.exr", [])):
        Path(f"show/{name}").write_bytes(plate)
        main(["ingest", f"show/{name}", "--catalog", CATALOG, *options])
        main(["check", "--catalog", CATALOG])
        assert (message in capfd.readouterr().err) == (name == "c.exr")


@pytest.mark.slow
def test_files_that_are_decoded_are_stored_when_a_run_is_interrupted(plate):
    for name in "abc":
        Path(f"show/{name}.exr").write_bytes(plate)

    def interrupt(item, options, run):
        if item.file.path.endswith("c.exr"):
            raise KeyboardInterrupt
        return inspect_item(item, options, run)

    inspect_item = tasks.inspect_item
    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ingestion_run, "_FILES_PER_TASK_WITH_STATS", 1)
        patched.setattr(tasks, "inspect_item", interrupt)
        run()
    assert decoders() == []
    assert digests("show/a.exr") == digests("show/b.exr") == [statistics_of(plate).parts[0].pixel_digest]
