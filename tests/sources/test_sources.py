"""Local and memory sources: errors for other paths than regular files, and files that change while they are read."""

from __future__ import annotations

import contextlib
import os
import socket
from datetime import datetime, timezone
from pathlib import Path

import pytest

from exr_inspector import inspect
from exr_inspector.errors import ExrInspectorError, NotAFileError, SourceError, SourceNotFoundError
from exr_inspector.sources import open_source
from exr_inspector.sources.local import LocalSource, mtime_from_ns
from exr_inspector.sources.memory import MemorySource
from exr_inspector.sources.reader import PREFIX_BYTES, Reader
from tests.support import exr_writer as w

DATA = w.build(w.part(width=400, height=200)).data


@pytest.fixture
def path(tmp_path) -> Path:
    file = tmp_path / "plate.1001.exr"
    file.write_bytes(DATA)
    return file


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def test_a_path_is_a_string_a_path_or_a_uri(path):
    """`file_path` is the path as given."""
    for given in (str(path), path, f"file://{path}"):
        inspection = inspect(given)
        assert inspection.file.file_path == os.fspath(given)
        assert inspection.file.file_path_normalized == f"file://{path}"
        assert inspection.file.size_bytes == len(DATA)


def test_the_time_of_a_file_is_utc_to_the_microsecond(path):
    """Truncated, not rounded, so that it is never in the future."""
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    mtime = inspect(path).file.mtime
    assert mtime == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=timezone.utc)
    assert inspect(path).to_dict()["file"]["mtime"] == "2023-11-14T22:13:20.123456Z"
    assert mtime_from_ns(-62_135_596_800 * 10**9) == datetime(1, 1, 1, tzinfo=timezone.utc)
    assert mtime_from_ns(-1) == datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)


@pytest.mark.parametrize("time_ns", [253_402_300_800 * 10**9, -62_135_596_801 * 10**9, 2**63 * 10**9, -(2**63) * 10**9])
def test_a_time_outside_the_calendar_is_none(time_ns):
    """datetime has the years 1 to 9999."""
    assert mtime_from_ns(time_ns) is None


def test_a_missing_file(tmp_path):
    """Has an error class of its own."""
    with pytest.raises(SourceNotFoundError, match=r"gone\.exr: no such file"):
        inspect(tmp_path / "gone.exr")


def test_a_directory(tmp_path):
    with pytest.raises(NotAFileError, match="is a directory, expected a file"):
        inspect(tmp_path)


def test_a_fifo_does_not_hang(tmp_path):
    """Opening it does not wait for a writer."""
    fifo = tmp_path / "fifo.exr"
    os.mkfifo(fifo)
    with pytest.raises(NotAFileError, match="is a FIFO, expected a file"):
        inspect(fifo)


def test_a_device():
    with pytest.raises(NotAFileError, match="is a device, expected a file"):
        inspect("/dev/null")


def test_a_socket(tmp_path, monkeypatch):
    """Opening it fails."""
    monkeypatch.chdir(tmp_path)  # the path of a socket is limited to about 100 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.exr")
        with pytest.raises(SourceError, match=r"s\.exr"):
            inspect("s.exr")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path):
    """The message is that of the system."""
    path.chmod(0)
    with pytest.raises(SourceError, match="Permission denied"):
        inspect(path)


@pytest.mark.parametrize("name", ["a\0b.exr", "x" * 300 + ".exr", "/dev/null/x.exr"])
def test_invalid_names(name):
    """A zero byte, a name that is too long, a file as parent folder."""
    with pytest.raises(SourceError):
        inspect(name)


@pytest.mark.parametrize("uri", ["ftp://host/a.exr", "http://host/a.exr", "S4://b/a.exr"])
def test_schemes_that_are_not_supported(uri):
    with pytest.raises(SourceError, match="is not supported"):
        open_source(uri)


def test_a_name_that_is_not_utf8(tmp_path):
    """As in old archives: the file is read, its URI is valid text."""
    path = os.path.join(os.fsencode(tmp_path), b"l\xf6we.1001.exr")
    with open(path, "wb") as file:
        file.write(DATA)
    inspection = inspect(os.fsdecode(path))
    assert inspection.file.file_path_normalized.endswith("/l%F6we.1001.exr")
    assert inspection.completeness == "complete"


def test_no_file_stays_open(path, tmp_path):
    """With and without errors."""
    broken = tmp_path / "broken.exr"
    broken.write_bytes(DATA[:200])
    inspect(path)
    before = open_files()
    for source in (path, broken, tmp_path, tmp_path / "gone.exr"):
        with contextlib.suppress(ExrInspectorError):
            inspect(source)
    assert open_files() == before


def test_a_file_that_shrinks_while_it_is_read(path):
    """The size is that of opening; the missing chunks are reported as truncated."""
    source = LocalSource(path)
    os.truncate(path, 20_000)
    inspection = inspect(source)
    assert inspection.completeness == "truncated"
    assert inspection.file.chunks_present < inspection.file.chunk_count


def test_a_file_that_is_emptied_before_it_is_read(path):
    source = LocalSource(path)
    os.truncate(path, 0)
    with pytest.raises(Exception, match="empty file"):
        inspect(source)


def test_a_file_that_is_cut_inside_its_offset_table_before_it_is_read(path):
    data = w.build(w.part(width=2, height=5000)).data
    path.write_bytes(data)
    source = LocalSource(path)
    os.truncate(path, 10_001)
    assert inspect(source).completeness == "truncated"


def test_ranges_end_with_the_file(path):
    """Fewer bytes are returned."""
    for source in (LocalSource(path), MemorySource(DATA)):
        assert source.read(0, 4) == DATA[:4]
        assert source.read(len(DATA) - 3, 100) == DATA[-3:]
        assert source.read(len(DATA) + 5, 100) == b""
        source.close()


def test_the_reader_keeps_the_first_bytes():
    """And counts reads and bytes."""
    reader = Reader(MemorySource(DATA))
    assert reader.prefix == DATA[:PREFIX_BYTES]
    assert reader.read(100, 50) == DATA[100:150]
    assert (reader.reads, reader.bytes_read) == (1, PREFIX_BYTES)
    assert reader.grow_prefix(10_000) == DATA[:10_000]
    assert reader.grow_prefix(1 << 30) == DATA
    assert (reader.reads, reader.bytes_read) == (3, len(DATA))
