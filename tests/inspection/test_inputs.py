"""What `inspect()` takes: paths, URIs, bytes-like objects and binary files."""

from __future__ import annotations

import array
import gzip
import io
import lzma
import mmap
import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from exr_inspector import ExrFormatError, SourceError, inspect
from tests.support import exr_writer as w

DATA = w.build(w.part(width=64, height=512)).data  # larger than what is read whole
NAME = "s3://renders/beauty/beauty.1001.exr"


class EncodedPath(os.PathLike):
    """A PathLike of bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "beauty.1001.exr"
    path.write_bytes(DATA)
    return path


def test_a_path_has_any_form(path):
    """Text, PathLike of text or bytes, and URI give the same file."""
    assert len(DATA) > 1 << 16
    given = [str(path), path, EncodedPath(path), f"file://{path}"]
    assert len({inspect(source).file.file_id for source in given}) == 1


@pytest.mark.parametrize(
    "source",
    [
        DATA,
        bytearray(DATA),
        memoryview(DATA),
        memoryview(bytes(x for byte in DATA for x in (byte, 0)))[::2],
        array.array("B", DATA),
        io.BytesIO(DATA),
    ],
    ids=["bytes", "bytearray", "memoryview", "strided", "array", "BytesIO"],
)
def test_bytes_have_the_name_that_is_given(source):
    """Frame and sequence come from the name; without one, there are none."""
    file = inspect(source, name=NAME).file
    assert (file.file_path_normalized, file.frame_number, file.completeness) == (NAME, 1001, "complete")
    assert file.size_bytes == len(DATA)
    assert inspect(source).file.sequence is None


def test_a_mapped_file_is_bytes(path):
    """Not a file, although it has the methods of one."""
    with open(path, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert inspect(mapped).file.file_path == "memory://bytes"


def test_a_file_of_the_system_is_the_same_as_its_path(path):
    """With time, inode and identity, at any position, which is kept; even if its name is gone."""
    by_path = inspect(path)
    for buffering in (-1, 0):
        with open(path, "rb", buffering) as opened:
            opened.seek(7)
            assert inspect(opened).file == by_path.file
            assert opened.tell() == 7
    with open(path, "rb") as opened:
        path.unlink()
        assert inspect(opened).file.header_hash == by_path.file.header_hash


def test_unwritten_buffers_are_written_first(path):
    """A file that is open for reading and writing."""
    with open(path, "r+b") as opened:
        opened.write(b"none")
        with pytest.raises(ExrFormatError):
            inspect(opened)


def test_members_of_archives_are_files(tmp_path):
    """Their names are not those of files on this machine."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("beauty.1001.exr", DATA)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("beauty.1001.exr") as member:
        file = inspect(member).file
        assert (file.file_path, file.completeness, member.tell()) == ("memory://bytes", "complete", 0)
    (tmp_path / "a.exr.gz").write_bytes(gzip.compress(DATA))
    with gzip.open(tmp_path / "a.exr.gz") as member:
        assert inspect(member, name=NAME).file.frame == "1001"


def test_a_damaged_member_of_an_archive_is_a_source_error():
    """Bytes of its compressed data are changed, or its checksum."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.exr", DATA)
        info = archive.getinfo("a.exr")
    start = packed.getvalue().index(b"a.exr") + len(b"a.exr")
    for at, reason in ((start, "Error -3 while decompressing"), (start + info.compress_size // 2, "")):
        damaged = bytearray(packed.getvalue())
        damaged[at] = damaged[at + 1] = 0xFF
        raises = pytest.raises(SourceError, match=f"bytes: its archive or compressed file is damaged: {reason}")
        with zipfile.ZipFile(io.BytesIO(damaged)) as archive, archive.open("a.exr") as member, raises:
            inspect(member)


@pytest.mark.parametrize(("compress", "open_"), [(gzip.compress, gzip.open), (lzma.compress, lzma.open)])
def test_a_cut_compressed_file_is_a_source_error(compress, open_):
    raises = pytest.raises(SourceError, match="damaged: Compressed file ended before")
    with open_(io.BytesIO(compress(DATA)[:-30])) as cut, raises:
        inspect(cut)


def test_a_file_may_return_any_bytes():
    """A bytearray or memoryview; nothing, and other types, are named."""

    class Returning(io.BytesIO):
        def __init__(self, made):
            super().__init__(DATA)
            self.made = made

        def read(self, size=-1):
            return self.made(super().read(size))

    for made in (bytearray, memoryview):
        assert inspect(Returning(made)).completeness == "complete"
    with pytest.raises(TypeError, match=r"read\(\) has returned None"):
        inspect(Returning(lambda _: None))
    with pytest.raises(TypeError, match=r"read\(\) has returned int, expected bytes"):
        inspect(Returning(len))


def test_a_named_temporary_file_has_its_path():
    """It is a wrapper of a file."""
    with tempfile.NamedTemporaryFile(suffix=".exr") as opened:
        opened.write(DATA)
        file = inspect(opened).file
        assert (file.file_path, file.completeness) == (opened.name, "complete")
        assert file == inspect(opened.name).file
        assert inspect(opened, name=NAME).file.frame_number == 1001


def test_a_failing_file_is_a_source_error():
    """The file object fails, not the header."""

    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(5, "Input/output error")

    with pytest.raises(SourceError, match="memory://bytes: Input/output error"):
        inspect(Failing(DATA))


@pytest.mark.parametrize("source", [None, 7, 1.5, ["a.exr"], object()], ids=lambda source: type(source).__name__)
def test_other_types_are_rejected(source):
    """The message names the type, and those that are expected."""
    with pytest.raises(TypeError, match=rf"{type(source).__name__} cannot be inspected; expected a path, .* binary"):
        inspect(source)


def test_text_files_are_rejected(path):
    """Also one behind a wrapper, which is known by what it reads."""
    with open(path) as opened, pytest.raises(TypeError, match=r"text file .* binary mode \('rb'\)"):
        inspect(opened)
    with tempfile.NamedTemporaryFile("w+") as opened:
        opened.write("text")
        with pytest.raises(TypeError, match=r"text file .* binary mode \('rb'\)"):
            inspect(opened)


def test_files_that_cannot_be_read_at_any_position_are_rejected(path):
    """Closed, only for writing, or a pipe."""
    opened = open(path, "rb")  # noqa: SIM115 (closed here)
    opened.close()
    with pytest.raises(ValueError, match="the file is closed"):
        inspect(opened)
    with open(path, "ab") as opened, pytest.raises(ValueError, match="the file is not readable"):
        inspect(opened)
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe, open(writing, "wb"), pytest.raises(ValueError, match="the file is not seekable"):
        inspect(pipe)


def test_a_path_has_no_other_name(path):
    """A name for it is a mistake."""
    with pytest.raises(ValueError, match="only for bytes and binary files"):
        inspect(path, name=NAME)
    with pytest.raises(TypeError, match="int"):
        inspect(DATA, name=7)
