"""Ingest: which files are read, skipped and reported, and runs that are interrupted."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exr_inspector import open_catalog, vectors
from exr_inspector.catalog import OPEN_ERRORS
from exr_inspector.catalog.duckdb.catalog import DuckDBCatalog
from exr_inspector.catalog.schema import TABLES
from exr_inspector.cli.main import main
from exr_inspector.errors import CatalogError
from exr_inspector.ingestion.run import IngestOptions, ingest
from tests.support import exr_writer as w
from tests.support.small_exr import small_file
from tests.support.terminal import COMMAND

GOOD = w.build(w.part(extra=[w.text("owner", "someone")])).data
OTHER = w.build(w.part(extra=[w.text("owner", "another")])).data
CATALOG = "duckdb:catalog.duckdb"


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str, data: bytes = GOOD) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(data)


def run(*paths: str, **options):
    with open_catalog(CATALOG) as catalog:
        return ingest(paths or ("show",), catalog, IngestOptions(workers=1, **options))


def rows(query: str) -> list[tuple]:
    with open_catalog(CATALOG, read_only=True) as catalog:
        return [tuple(row.values()) for row in catalog.sql(query).to_pylist()]


def deleted() -> set[str]:
    found = rows("SELECT file_path_normalized FROM files WHERE is_current AND deleted_at IS NOT NULL")
    return {path.rpartition("/")[2] for (path,) in found}


def replace_unseen(path: str, data: bytes) -> None:
    """Replace the content, keeping size and time, so that the change is visible to a reader only."""
    facts = Path(path).stat()
    assert len(data) == facts.st_size
    Path(path).write_bytes(data)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.slow
def test_an_unchanged_file_is_not_read():
    """New content with the same path, size and time is not noticed without `rescan`."""
    make("show/a.exr")
    assert run().inserted == 1
    replace_unseen("show/a.exr", OTHER)
    again = run()
    assert (again.listed, again.unchanged, again.inserted, again.known) == (1, 1, 0, 0)
    assert rows("SELECT value_text FROM attributes WHERE attr_name = 'owner'") == [("someone",)]
    assert run(rescan=True).replaced == 1
    current = "SELECT value_text FROM attributes JOIN files USING (file_id) WHERE attr_name = 'owner' AND is_current"
    assert rows(current) == [("another",)]


@pytest.mark.slow
def test_the_number_of_checked_chunks_is_in_the_catalog(monkeypatch):
    """The option and the setting reach the worker."""
    make("show/a.exr", data=w.build(w.part(width=400, height=400)).data)
    query = "SELECT chunk_count, chunks_checked FROM files WHERE is_current"
    run(chunks="sample")
    assert rows(query) == [(400, 17)]
    assert main(["ingest", "show", "--catalog", "duckdb:option.duckdb", "--chunks", "table"]) == 0
    monkeypatch.setenv("EXR_INSPECTOR_CHUNKS", "sample")
    assert main(["ingest", "show", "--catalog", "duckdb:setting.duckdb"]) == 0
    for name, checked in ("option", 1), ("setting", 17):
        with open_catalog(f"duckdb:{name}.duckdb", read_only=True) as catalog:
            assert catalog.sql(query).to_pylist() == [{"chunk_count": 400, "chunks_checked": checked}]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["size", "mtime", "back in time"])
def test_a_changed_file_is_inspected(change):
    """With another size or time, also an older time."""
    make("show/a.exr", "show/b.exr")
    run()
    if change == "size":
        facts = Path("show/a.exr").stat()
        make("show/a.exr", data=GOOD + b"\0")
        os.utime("show/a.exr", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    else:
        replace_unseen("show/a.exr", OTHER)
        seconds = 2_000_000_000 if change == "mtime" else 1_000_000_000
        os.utime("show/a.exr", (seconds, seconds))
    again = run()
    assert (again.inserted, again.replaced, again.unchanged) == (0, 1, 1)
    assert rows("SELECT is_current, count(*) FROM files GROUP BY 1 ORDER BY 1") == [(False, 1), (True, 2)]


@pytest.mark.slow
def test_a_file_with_its_former_time_is_known():
    """The version is counted again, and is current again."""
    make("show/a.exr")
    os.utime("show/a.exr", (1_000_000_000, 1_000_000_000))
    run()
    os.utime("show/a.exr", (1_000_000_001, 1_000_000_001))
    run()
    os.utime("show/a.exr", (1_000_000_000, 1_000_000_000))
    again = run()
    assert (again.inserted, again.known) == (0, 1)
    assert rows("SELECT inspection_count FROM files WHERE is_current") == [(2,)]


@pytest.mark.slow
def test_an_invalid_file_affects_no_other_and_is_not_read_again():
    """It is reported again, as unchanged, until it changes; its error is then closed."""
    make("show/a.exr", "show/c.exr")
    make("show/b.exr", data=b"\x89PNG\r\n\x1a\n" + bytes(len(GOOD) - 8))
    make("show/d.exr", data=b"")
    first = run()
    assert first.inserted == 2
    assert [failure.message for failure in first.failures] == [
        "not an EXR file: PNG signature (not_exr)",
        "empty file (0 bytes) (empty_file)",
    ]
    replace_unseen("show/b.exr", GOOD)
    again = run()
    assert (again.unchanged, again.inserted) == (2, 0)
    assert [failure.message for failure in again.failures] == [f"{f.message}, unchanged" for f in first.failures]
    make("show/b.exr", "show/d.exr")
    os.utime("show/b.exr", (2_000_000_000, 2_000_000_000))
    assert run().replaced == 2
    assert rows(f"SELECT count(*) FROM ingest_errors WHERE {OPEN_ERRORS}") == [(0,)]
    assert rows("SELECT count(*) FROM ingest_errors") == [(2,)]
    assert run().failures == []


@pytest.mark.slow
def test_a_file_without_vectors_affects_no_other(monkeypatch):
    """It is a failure with the category embedding."""
    embedding = vectors.Encoder.embedding

    def fail_for_others(self, features):
        if len(features.channels) > 1:
            raise ArithmeticError("out of numbers")
        return embedding(self, features)

    monkeypatch.setattr(vectors.Encoder, "embedding", fail_for_others)
    make("show/a.exr", "show/c.exr")
    make("show/b.exr", data=small_file(0, True, 12))
    summary = run()
    assert summary.inserted == 2
    (failure,) = summary.failures
    assert failure.message == "ArithmeticError: out of numbers (embedding)"
    assert rows("SELECT count(*), count(metadata_embedding) FROM files") == [(2, 2)]


@pytest.mark.slow
def test_a_file_that_became_invalid_is_no_longer_current():
    make("show/a.exr")
    run()
    make("show/a.exr", data=b"oops")
    assert len(run().failures) == 1
    assert rows("SELECT is_current FROM files") == [(False,)]
    assert run().vanished == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "paths", [("show", "show"), ("show", "show/sub"), ("show/sub", "show"), ("show/a.exr", "show")]
)
def test_a_file_that_is_named_twice_is_inspected_once(paths):
    """And reported as vanished once."""
    make("show/a.exr", "show/sub/b.exr", "show/sub/c.exr")
    first = run(*paths)
    assert (first.listed, first.inserted, first.known) == (3, 3, 0)
    assert rows("SELECT max(inspection_count) FROM files") == [(1,)]
    Path("show/sub/c.exr").unlink()
    again = run(*paths)
    assert (again.listed, again.unchanged, len(again.vanished)) == (2, 2, 1)


@pytest.mark.slow
def test_vanished_files_are_reported_and_marked_only_with_prune():
    """Their rows stay; a file that returns is inspected and no longer deleted."""
    make("show/a.exr", "show/b.exr", "show/bad.exr", "elsewhere/c.exr")
    make("show/bad.exr", data=b"")
    run("show", "elsewhere")
    for name in ("b.exr", "bad.exr"):
        Path("show", name).unlink()
    Path("elsewhere/c.exr").unlink()
    summary = run()
    assert sorted(uri.rpartition("/")[2] for uri in summary.vanished) == ["b.exr", "bad.exr"]
    assert (summary.pruned, deleted()) == (0, set())
    assert run(prune=True).pruned == 2
    assert deleted() == {"b.exr"}
    assert rows("SELECT count(*) FROM ingest_errors") == [(0,)]
    assert run(prune=True).vanished == []
    make("show/b.exr")
    run()
    assert deleted() == set()
    assert rows("SELECT count(*) FROM files WHERE is_current") == [(3,)]


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["empty", "not there", "a file named on its own"])
def test_a_disk_that_is_not_mounted_deletes_nothing(missing):
    """A folder that is missing or empty, although another folder of the same run exists."""
    make("disk/a.exr", "disk/b.exr", "show/c.exr", "show/d.exr")
    run("disk", "show")
    for name in ("a", "b"):
        Path(f"disk/{name}.exr").unlink()
    Path("show/d.exr").unlink()
    if missing != "empty":
        Path("disk").rmdir()
    path = "disk/a.exr" if missing.startswith("a file") else "disk"
    summary = run(path, "show", prune=True)
    assert deleted() == {"d.exr"}
    assert summary.pruned == 1


@pytest.mark.slow
def test_a_folder_that_cannot_be_entered_deletes_nothing(monkeypatch):
    """Neither does a disk that does not respond."""
    make("show/a.exr", "show/b.exr", "show/c.exr")
    run()
    real = os.lstat

    def lstat(path):
        if str(path).endswith("b.exr"):
            raise PermissionError(13, "Permission denied")
        if str(path).endswith("c.exr"):
            raise OSError(116, "Stale file handle")
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    summary = run(prune=True)
    assert (summary.vanished, deleted()) == ([], set())


@pytest.mark.slow
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_file_that_cannot_be_opened_is_inspected_by_the_next_run(monkeypatch, error):
    """Neither its size nor its time changes when the permission or the disk is repaired."""
    make("show/a.exr", "show/b.exr")
    real = os.open

    def fail(path, *arguments, **options):
        if str(path).endswith("b.exr"):
            raise error
        return real(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", fail)
        (failure,) = run().failures
    assert failure.message == error.strerror
    summary = run()
    assert (summary.failures, summary.inserted, summary.unchanged) == ([], 1, 1)


@pytest.mark.parametrize(("seconds", "transactions"), [(-1, [1, 1, 1]), (3600, [3])])
def test_files_of_a_slow_source_do_not_wait_for_a_full_transaction(monkeypatch, seconds, transactions):
    """They are persisted after some seconds; those of a fast one together."""
    make(*(f"show/{name}.exr" for name in "abc"))
    persist_rows = DuckDBCatalog.persist_rows
    counts = []

    def persist(self, batch):
        counts.append(batch.tables["files"].num_rows)
        return persist_rows(self, batch)

    monkeypatch.setattr("exr_inspector.ingestion.run._FILES_PER_TASK", 1)
    monkeypatch.setattr("exr_inspector.ingestion.persist._SECONDS_PER_BATCH", seconds)
    monkeypatch.setattr(DuckDBCatalog, "persist_rows", persist)
    assert run().inserted == 3
    assert counts == transactions


def test_an_error_of_the_catalog_ends_the_run(monkeypatch):
    """Files that were persisted before are kept, and none after."""
    make(*(f"show/{name}.exr" for name in "abcd"))
    persist_rows = DuckDBCatalog.persist_rows
    files = []

    def persist(self, batch):
        files.extend(batch.tables["files"]["file_path"].to_pylist())
        if len(files) == 2:
            raise CatalogError("the disk is full")
        return persist_rows(self, batch)

    monkeypatch.setattr("exr_inspector.ingestion.run._FILES_PER_TASK", 1)
    monkeypatch.setattr(DuckDBCatalog, "persist_rows", persist)
    with pytest.raises(CatalogError, match="the disk is full"):
        run(batch_files=1)
    assert rows("SELECT file_path FROM files") == [("show/a.exr",)]
    assert files == ["show/a.exr", "show/b.exr"]


@pytest.mark.slow
def test_a_task_holds_few_large_headers(monkeypatch):
    """Their rows keep less of each attribute than the header does."""
    large = w.build(w.part(extra=[w.attribute("blob", "ourType", bytes(4 << 20))])).data
    make(*(f"show/{number}.exr" for number in range(12)), data=large)
    monkeypatch.setattr("exr_inspector.ingestion.tasks._MAX_HEADER_BYTES", 8 << 20)
    tracemalloc.start()
    summary = run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert summary.inserted == 12
    assert peak < 30 << 20


@pytest.mark.slow
def test_a_folder_with_a_longer_name_is_another_folder():
    """show2 is not below show."""
    make("show/a.exr", "show2/b.exr")
    run("show", "show2")
    Path("show2/b.exr").unlink()
    assert run("show", prune=True).vanished == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        'it\'s "quoted" % _.exr',
        "new\nline.exr",
        unicodedata.normalize("NFC", "é.exr"),
        unicodedata.normalize("NFD", "é.exr"),
        os.fsdecode(b"latin-\xe9.exr"),
        "%E9.exr",
    ],
)
@pytest.mark.parametrize("folder", ["show", unicodedata.normalize("NFD", "vidéo")])
def test_a_file_of_any_name_is_unchanged_until_it_vanishes(name, folder):
    make(f"{folder}/{name}", f"{folder}/stays.exr")
    assert run(folder).inserted == 2
    again = run(folder, prune=True)
    assert (again.unchanged, again.vanished, again.failures) == (2, [], [])
    Path(f"{folder}/{name}").unlink()
    assert run(folder, prune=True).pruned == 1


@pytest.mark.slow
def test_two_unicode_forms_of_a_name_are_two_files():
    for form in ("NFC", "NFD"):
        make(f"show/{unicodedata.normalize(form, 'é')}.exr")
    summary = run()
    assert (summary.listed, summary.failures) == (2, [])
    assert rows("SELECT count(*) FROM files WHERE is_current") == [(2,)]


@pytest.mark.slow
def test_a_path_that_is_not_a_file_is_a_failure_in_each_run_and_has_no_row():
    """FIFOs, broken links, links to folders, missing files."""
    make("show/a.exr", "show/folder.exr/b.exr")
    os.mkfifo("show/fifo.exr")
    Path("show/broken.exr").symlink_to("nowhere")
    Path("show/loop.exr").symlink_to("loop.exr")
    Path("show/up.exr").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("show/socket.exr")
    for _ in range(2):
        assert [(f.path, f.message) for f in run("show", "missing.exr").failures] == [
            ("show/broken.exr", "no such file: the target of this symbolic link does not exist"),
            ("show/fifo.exr", "is a FIFO, expected a file"),
            ("show/loop.exr", "Too many levels of symbolic links"),
            ("show/socket.exr", "is a socket, expected a file"),
            ("show/up.exr", "is a directory, expected a file"),
            ("missing.exr", "no such file"),
        ]
    assert rows("SELECT count(*) FROM files") == [(2,)]
    assert rows("SELECT count(*) FROM ingest_errors") == [(0,)]


def test_a_file_that_vanishes_during_the_run_is_a_failure(monkeypatch):
    """It was listed, but does not exist when it is opened."""
    make("show/a.exr", "show/b.exr")
    from exr_inspector.ingestion import inspect_file as module

    real = module.inspect

    def inspect(path, **options):
        Path("show/b.exr").unlink(missing_ok=True)
        return real(path, **options)

    monkeypatch.setattr(module, "inspect", inspect)
    summary = run()
    assert summary.inserted == 1
    assert [f.message for f in summary.failures] == ["no such file"]


@pytest.mark.slow
def test_an_internal_error_for_one_file_affects_no_other(monkeypatch):
    """It is reported in each run, and not recorded."""
    make("show/a.exr", "show/b.exr", "show/c.exr")
    from exr_inspector.ingestion import inspect_file as module

    real = module.inspect

    def inspect(path, **options):
        if path == "show/b.exr":
            raise IndexError("list index out of range")
        return real(path, **options)

    monkeypatch.setattr(module, "inspect", inspect)
    for _ in range(2):
        (failure,) = run().failures
        assert (failure.path, failure.message) == ("show/b.exr", "internal error: IndexError: list index out of range")
    assert rows("SELECT count(*), (SELECT count(*) FROM ingest_errors) FROM files") == [(2, 0)]


def test_two_unicode_forms_of_a_name_that_have_no_vectors_are_two_failures(monkeypatch):
    def fail(self, features):
        raise ArithmeticError("out of numbers")

    monkeypatch.setattr(vectors.Encoder, "embedding", fail)
    for form in ("NFC", "NFD"):
        make(f"show/{unicodedata.normalize(form, 'é')}.exr")
    assert [failure.message for failure in run().failures] == ["ArithmeticError: out of numbers (embedding)"] * 2


@pytest.mark.slow
def test_a_time_outside_the_calendar_is_not_an_error():
    """The file has no mtime in the catalog, is inspected in each run, and its versions are distinguished."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as show:
        for number in range(1, 5):
            make(f"{show}/a.{number:04}.exr")
        times = {2: 910_692_730_085 * 10**9, 3: -70_012_345_678 * 10**9}
        for number, time_ns in times.items():
            os.utime(f"{show}/a.{number:04}.exr", ns=(0, time_ns))
            if os.stat(f"{show}/a.{number:04}.exr").st_mtime_ns != time_ns:
                pytest.skip("no file system with 64-bit times here")
        first = run(show)
        assert (first.listed, first.inserted, first.failures) == (4, 4, [])
        query = "SELECT frame_number, mtime IS NULL, etag FROM files ORDER BY 1, 3"
        assert rows(query) == [
            (1, False, None),
            (2, True, "mtime:910692730085000000000"),
            (3, True, "mtime:-70012345678000000000"),
            (4, False, None),
        ]
        again = run(show)
        assert (again.unchanged, again.known, again.inserted) == (2, 2, 0)
        os.utime(f"{show}/a.0002.exr", ns=(0, times[2] + 10**9))
        assert run(show).inserted == 1


@pytest.mark.slow
def test_a_folder_deeper_than_the_recursion_limit_is_ingested(working_folder):
    """Its path is within the limit of the system."""
    make("show/z.exr")
    try:
        make_nested("show", "d", 1100)
        summary = run()
        assert (summary.inserted, summary.failures) == (2, [])
    finally:
        subprocess.run(["rm", "-rf", "show"], check=True)  # shutil.rmtree is recursive


@pytest.mark.slow
def test_a_folder_whose_path_is_too_long_is_one_failure(working_folder):
    """Its message has the path, and other files are ingested."""
    make("show/z.exr")
    try:
        make_nested("show", "d" * 200, 30)
        summary = run()
        assert summary.inserted == 1
        (failure,) = summary.failures
        assert failure.message == "File name too long"
        assert failure.path.startswith("show/ddd")
    finally:
        subprocess.run(["rm", "-rf", "show"], check=True)


def make_nested(root: str, name: str, levels: int) -> None:
    """Make a file below nested folders, relative to each folder: its path may be too long for a system call."""
    folder = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    file = os.open("a.exr", os.O_WRONLY | os.O_CREAT, dir_fd=folder)
    os.write(file, GOOD)
    os.close(file)
    os.close(folder)


@pytest.mark.slow
def test_progress_counts_every_file_including_unchanged_ones():
    """The callback is called after each batch; at the end all files are done."""
    make(*(f"show/{number}.exr" for number in range(300)))
    make("show/bad.exr", data=b"")
    for min_calls in (3, 1):  # unchanged files are not in batches
        done = []
        with open_catalog(CATALOG) as catalog:
            options = IngestOptions(workers=1, batch_files=10)
            ingest(["show"], catalog, options, lambda summary, done=done: done.append(summary.done))
        assert done == sorted(done)
        assert done[-1] == 301
        assert len(done) >= min_calls


# Processes, their workers, and signals.

MANY = 800
LONG_S = 300  # a run ends far sooner, also on a busy machine


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough files for workers to start and for a run of a second."""
    root = tmp_path_factory.mktemp("many")
    make_many(root, MANY)
    return root


def make_many(root: Path, count: int) -> None:
    for index in range(count):
        folder = root / f"sh{index // 100:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"beauty.{1001 + index % 100}.exr").write_bytes(small_file(index, index % 3 == 0, 20))


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts runs with two workers; a test that fails leaves none of their processes."""
    runs: list[subprocess.Popen] = []

    def start(root: Path, *options: str) -> subprocess.Popen:
        runs.append(start_run(root, *options))
        return runs[-1]

    yield start
    for run in runs:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()


def start_run(root: Path, *options: str) -> subprocess.Popen:
    command = [*COMMAND, "ingest", str(root), "--catalog", CATALOG, "--workers", "2", *options]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"EXR_INSPECTOR_BATCH_FILES": "100"},
    )


def members(process: subprocess.Popen) -> list[int]:
    """The running processes of a run: those of its session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, session = (entry / "stat").read_text().rpartition(") ")[2].split()[:4]
            except OSError:
                continue
            if int(session) == process.pid and state != "Z":
                found.append(int(entry.name))
    return found


def wait_until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.03)  # the conditions read the state of all processes of the system


def workers_of(process: subprocess.Popen) -> list[int]:
    """The worker processes of a run, without the resource tracker."""
    found = []
    for pid in members(process):
        with contextlib.suppress(OSError):
            if b"--multiprocessing-fork" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def wait_for_workers(process: subprocess.Popen) -> None:
    wait_until(lambda: len(members(process)) >= 3)


def counts() -> dict[str, int]:
    with open_catalog(CATALOG, read_only=True) as catalog:
        return catalog.status().row_counts


@pytest.mark.slow
def test_workers_give_the_same_rows_as_one_process(many):
    """In every table, except for the times."""
    assert main(["ingest", str(many), "--catalog", CATALOG, "--workers", "2"]) == 0
    with open_catalog("duckdb:alone.duckdb") as catalog:
        ingest([str(many)], catalog, IngestOptions(workers=1))
    times = {"inspection_timestamp", "last_inspected", "applied_at", "batch_id"}
    with open_catalog(CATALOG, read_only=True) as one, open_catalog("duckdb:alone.duckdb", read_only=True) as other:
        for table, schema in TABLES.items():
            columns = ", ".join(name for name in schema.names if name not in times)
            query = f"SELECT {columns} FROM {table} ORDER BY ALL"
            assert one.sql(query).equals(other.sql(query)), table
            assert table not in ("files", "attributes") or one.sql(query).num_rows >= MANY


@pytest.mark.parametrize("to", ["group", "parent"])
@pytest.mark.slow
def test_an_interrupted_run_ends_soon_and_the_next_run_completes_it(many, started, to):
    """After Ctrl-C (all processes of a terminal) and kill -INT: exit code 130, a message, no worker is left."""
    process = started(many)
    wait_for_workers(process)
    time.sleep(0.3)
    (os.killpg if to == "group" else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "exr-inspector: interrupted\n")
    wait_until(lambda: not members(process))
    summary = run(str(many))
    assert summary.failures == []
    assert counts()["files"] == MANY


@pytest.mark.slow
def test_ctrl_c_while_workers_start_is_quiet(many, started):
    """Workers ignore SIGINT from their start."""
    process = started(many)
    wait_until(lambda: len(members(process)) >= 2)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "exr-inspector: interrupted\n")


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_a_killed_run_leaves_no_workers_and_the_next_run_completes_it(many, started, kind):
    """Only the parent is killed."""
    process = started(many)
    wait_for_workers(process)
    time.sleep(0.3)
    process.send_signal(kind)
    process.communicate(timeout=60)
    wait_until(lambda: not members(process))
    run(str(many))
    assert counts()["files"] == MANY


@pytest.mark.slow
def test_no_file_is_lost_when_a_worker_is_killed_at_any_moment(many, started):
    """As the system does when memory runs out. In every other run the worker is sending a result."""
    moments = random.Random(10)
    process = started(many)
    wait_until(lambda: len(workers_of(process)) == 2)
    began = time.monotonic()
    process.communicate(timeout=LONG_S)
    longest_wait_s = 0.9 * (time.monotonic() - began)
    killed = 0
    while killed < 4:
        Path("catalog.duckdb").unlink()
        process = started(many)
        wait_until(lambda process=process: len(workers_of(process)) == 2)
        time.sleep(moments.uniform(0.3, 1) * longest_wait_s)
        if killed % 2:
            process.send_signal(signal.SIGSTOP)  # a result is larger than the buffer of a pipe, and is not read
            time.sleep(0.5)
        try:
            os.kill(workers_of(process)[0], signal.SIGKILL)
            killed += 1
        except (IndexError, ProcessLookupError):  # the run is over already: the machine was busier at the first one
            longest_wait_s *= 0.8
        process.send_signal(signal.SIGCONT)
        # The files of the killed worker are inspected again, alone at worst; a run that waits for it takes forever.
        out, err = process.communicate(timeout=LONG_S)
        assert (process.returncode, err) == (0, ""), out
        assert counts()["files"] == MANY
        wait_until(lambda process=process: not members(process))


# A sitecustomize module, which Python imports at its start: kills each worker that opens the file, as the system does
# if the file takes too much memory.
KILLER = """
import os, signal, sys

def kill(event, args):
    if event == "open" and str(args[0]).endswith("killer.exr"):
        os.kill(os.getpid(), signal.SIGKILL)

if "--multiprocessing-fork" in sys.orig_argv:
    sys.addaudithook(kill)
"""


@pytest.mark.slow
def test_a_file_that_kills_its_worker_is_a_failure_and_all_others_are_stored(started, working_folder, monkeypatch):
    """It is not recorded: the next run inspects it again, as the system may have been out of memory."""
    Path("show").mkdir()
    make_many(Path("show"), 200)
    make("show/sh01/killer.exr")
    make("startup/sitecustomize.py", data=KILLER.encode())
    monkeypatch.setenv("PYTHONPATH", f"{working_folder}/startup{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    process = started(Path("show"))
    _, err = process.communicate(timeout=LONG_S)
    assert (process.returncode, err) == (
        3,
        "show/sh01/killer.exr: each worker process that inspected it died (killed by signal 9); "
        "inspect it alone to see why (worker_died)\n",
    )
    assert counts()["files"] == 200
    assert rows("SELECT code, count FROM ingest_errors") == []
    Path("startup/sitecustomize.py").unlink()
    process = started(Path("show"))
    assert process.communicate(timeout=LONG_S)[1] == ""
    assert counts()["files"] == 201


def stored_bytes() -> int:
    """The size of the catalog, with what it has not yet moved into its file."""
    total = 0
    for path in ("catalog.duckdb", "catalog.duckdb.wal"):
        with contextlib.suppress(FileNotFoundError):
            total += Path(path).stat().st_size
    return total


@pytest.mark.slow
def test_kills_at_any_moment_lose_and_duplicate_nothing(tmp_path, started):
    """After a complete run, every table has the rows of an undisturbed run. Some kill leaves files that are stored.

    A run is killed when the catalog has grown: the time at which it begins to store files depends on the machine.
    """
    make_many(tmp_path, 2000)
    started(tmp_path).communicate(timeout=LONG_S)
    with open_catalog(CATALOG, read_only=True) as catalog:
        expected = catalog.status().row_counts
        file_ids = catalog.sql("SELECT file_id FROM files ORDER BY 1").to_pylist()
    assert expected["files"] == 2000
    Path("catalog.duckdb").unlink()
    left = []
    growths = [300_000, 900_000, 1_500_000, 2_000_000, 3_000_000]  # a transaction of 100 files is 0.7 to 1 MB
    while len(left) < len(growths):
        enough = stored_bytes() + growths[len(left)]
        process = started(tmp_path)
        wait_until(lambda run=process, enough=enough: stored_bytes() >= enough or run.poll() is not None, LONG_S)
        process.kill()
        process.communicate()
        wait_until(lambda process=process: not members(process))
        if process.returncode == -signal.SIGKILL:
            left.append(counts()["files"])
        else:  # it ended first
            Path("catalog.duckdb").unlink()
    assert any(0 < files < 2000 for files in left), left
    process = started(tmp_path)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert counts() == expected
    with open_catalog(CATALOG, read_only=True) as catalog:
        assert catalog.sql("SELECT file_id FROM files ORDER BY 1").to_pylist() == file_ids
    for table in ("parts", "channels", "attributes"):
        twice = f"SELECT count(*) - count(DISTINCT ({', '.join(KEYS[table])})) FROM {table}"
        assert rows(twice) == [(0,)]


KEYS = {
    "parts": ("file_id", "part_index"),
    "channels": ("file_id", "part_index", "channel_index"),
    "attributes": ("file_id", "part_index", "attr_index"),
}
