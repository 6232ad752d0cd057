"""Pixels decoded in bands: bit for bit those of a whole-file decode, and damage is limited to its lines or tiles."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress

import numpy as np
import OpenEXR
import OpenImageIO
import pytest

from exr_inspector.exr import read_header
from exr_inspector.pixels import decode
from exr_inspector.pixels.cuts import NotDecodableError
from exr_inspector.pixels.decode import FlatDecoder, PiecesStream
from exr_inspector.pixels.model import PixelLimits
from tests.support import corpus
from tests.support.pixels import (
    COMPRESSIONS,
    KINDS,
    assert_same,
    decoded,
    located,
    oracle,
    same_bits,
    statistics_of,
    subsampled,
    write,
    write_deep,
    write_file,
)


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_bands_of_every_compression_and_storage_equal_the_whole_file(tmp_path, compression):
    for kind in KINDS:
        path = write(tmp_path / f"{kind}.exr", kind, compression, (75, 133))
        for band_bytes in (3000, 4 << 20):
            assert_same(path.read_bytes(), oracle(path), PixelLimits(band_bytes=band_bytes))


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("path", [p for p in corpus.VALID if "MultiResolution" in str(p.id) or p.id == "no corpus"])
def test_levels_equal_those_of_openimageio(path):
    image = OpenImageIO.ImageInput.open(str(path))
    assert image is not None
    (chunks,) = located(path.read_bytes())
    levels = chunks.leaders.layout.levels
    if any(level.level_x != level.level_y for level in levels):  # OpenImageIO reads others than libraries
        levels = levels[:1]
    for number, level in enumerate(levels):
        planes, errors = decoded(path.read_bytes(), level=number)
        expected = image.read_image(0, number, 0, 10000, "half")
        assert not errors
        assert expected.shape[:2] == (level.height, level.width)
        spec = image.spec(0, number)
        for index, name in enumerate(spec.channelnames):
            assert same_bits(planes[name], np.ascontiguousarray(expected[..., index])), (number, name)
    image.close()


@pytest.mark.parametrize("pieces", [[b"abcdefgh"], [b"", b"abc", b"", b"", b"d", b"efgh", b""]])
def test_pieces_are_read_as_one_file(pieces):
    """From any offset, also beyond the end, any number of bytes, or the rest."""
    stream, whole = PiecesStream(pieces), io.BytesIO(b"".join(pieces))
    assert stream.readable()
    assert stream.seekable()
    for offset in range(11):
        for size in (*range(11), -1, None):
            assert stream.seek(offset) == whole.seek(offset)
            assert (stream.read(size), stream.tell()) == (whole.read(size), whole.tell())
            assert (stream.read(2), stream.tell()) == (whole.read(2), whole.tell())
    for offset, whence in ((-3, io.SEEK_END), (1, io.SEEK_CUR), (2, io.SEEK_END)):
        assert stream.seek(offset, whence) == whole.seek(offset, whence)
    stream.seek(2)
    data = bytearray(4)
    assert (stream.readinto(data), bytes(data)) == (4, b"cdef")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are those of Linux")
def test_files_are_decoded_whatever_the_system_allows(tmp_path):
    """In a process of its own, as limits are those of the whole process."""
    flat, deep = write(tmp_path / "flat.exr", "tiles", "NO"), write_deep(tmp_path / "deep.exr")
    decoder = multiprocessing.get_context("spawn").Process(target=_decode_under_limits, args=(flat, deep))
    decoder.start()
    decoder.join()
    assert decoder.exitcode == 0


def _decode_under_limits(flat, deep):
    flat_data, deep_data = flat.read_bytes(), deep.read_bytes()
    whole, expected = decoded(flat_data)[0], statistics_of(deep_data, deep=True)
    assert decode._idle_files  # files in memory are used
    for name, limits in _LIMITS.items():
        for has_idle_file in (True, False):
            while decode._idle_files:
                os.close(decode._idle_files.pop())
            if has_idle_file:
                decoded(flat_data)
            count = len(os.listdir("/proc/self/fd")) - len(decode._idle_files)
            with limits():
                planes, errors = decoded(flat_data)
                report = statistics_of(deep_data, deep=True)
            assert not errors, name
            assert all(same_bits(planes[name], plane) for name, plane in whole.items()), name
            assert report == expected, name
            assert len(os.listdir("/proc/self/fd")) - len(decode._idle_files) == count, name  # all were closed


@contextmanager
def _limited(limit, value):
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value, hard))
    yield
    resource.setrlimit(limit, (soft, hard))


@contextmanager
def _descriptors(free):
    with _limited(resource.RLIMIT_NOFILE, 64):
        taken = []
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for file in taken[:free]:
            os.close(file)
        yield
        for file in taken[free:]:
            os.close(file)


@contextmanager
def _patched(change, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        getattr(patch, change)(*arguments)
        yield


_LIMITS = {
    "no descriptor": lambda: _descriptors(0),
    "one descriptor": lambda: _descriptors(1),
    "short files": lambda: _limited(resource.RLIMIT_FSIZE, 2000),
    "empty files": lambda: _limited(resource.RLIMIT_FSIZE, 0),
    "no /proc": lambda: _patched("setattr", decode, "_OPEN_FILES", "/nonexistent"),
    "no files in memory": lambda: _patched("delattr", os, "memfd_create"),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="files in memory are those of Linux")
def test_a_forked_process_does_not_write_to_the_files_of_its_parent(tmp_path):
    path = write(tmp_path / "x.exr", "tiles", "ZIP")
    program = (
        "import os, sys; from exr_inspector.pixels import decode; from tests.support.pixels import decoded; "
        "decoded(open(sys.argv[1], 'rb').read()); files = [os.fstat(file).st_size for file in decode._idle_files]; "
        "child = os.fork() or os._exit(len(decode._idle_files)); "
        "print(min(files) > 0, os.waitpid(child, 0)[1])"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "0"]


@pytest.mark.parametrize("kind", ["lines", "tiles", "decreasing"])
def test_a_damaged_chunk_loses_only_itself(tmp_path, kind):
    path = write(tmp_path / "x.exr", kind, "ZIP")
    whole, _ = decoded(path.read_bytes())
    (chunks,) = located(path.read_bytes())
    data = bytearray(path.read_bytes())
    begin = chunks.leaders.offsets[5] + chunks.leaders.leader.size
    data[begin : begin + 40] = b"\xff" * 40
    planes, errors = decoded(bytes(data), PixelLimits())
    assert [(error.slots, error.fault.code) for error in errors] == [(range(5, 6), "decode_failed")]
    for name, plane in planes.items():
        different = plane != whole[name]
        rows, columns = np.nonzero(different.any(axis=1))[0], np.nonzero(different.any(axis=0))[0]
        assert 0 < len(rows) <= 16
        assert len(columns) <= (32 if kind == "tiles" else plane.shape[1])


def test_lines_that_share_samples_are_lost_together():
    """Chunks of one line, where every fourth line has chroma: four lines are decoded at once."""
    data = bytearray(subsampled(COMPRESSIONS.index("ZIPS")))
    (chunks,) = located(bytes(data))
    data[chunks.leaders.offsets[6]] ^= 1  # its line number
    planes, errors = decoded(bytes(data), PixelLimits())
    assert [(error.slots, error.fault.code) for error in errors] == [(range(4, 8), "bad_chunk")]
    assert [not line.any() for line in planes["BY"][:3]] == [False, True, False]


def test_missing_chunks_are_named_and_the_others_decoded(tmp_path):
    data = write(tmp_path / "x.exr").read_bytes()
    whole, _ = decoded(data)
    (chunks,) = located(data)
    planes, errors = decoded(data[: chunks.leaders.offsets[10] + 100], PixelLimits())
    assert [(error.slots, error.fault.code) for error in errors] == [
        (range(n, n + 1), "chunk_missing") for n in range(10, 19)
    ]
    assert same_bits(planes["R"][:160], whole["R"][:160])
    assert not planes["R"][160:].any()


def test_chunks_of_a_table_that_was_never_written_are_decoded(tmp_path):
    data = bytearray(write(tmp_path / "x.exr").read_bytes())
    whole, _ = decoded(bytes(data))
    begin = read_header(bytes(data)).header_bytes
    data[begin : begin + 8 * 19] = bytes(8 * 19)
    planes, errors = decoded(bytes(data))
    assert not errors
    assert all(same_bits(plane, whole[name]) for name, plane in planes.items())


def test_chunks_above_the_limit_are_rejected_before_they_are_read(tmp_path):
    data = write(tmp_path / "x.exr").read_bytes()
    reads = []
    decoder = FlatDecoder(lambda *args: reads.append(args), located(data)[0], PixelLimits(chunk_bytes=1000))
    with pytest.raises(NotDecodableError, match="19200 bytes before compression; at most 1000"):
        next(decoder.runs())
    assert not reads


def test_a_size_that_compression_cannot_reach_is_rejected(tmp_path):
    """The first chunk claims to be 4 bytes: 19200 bytes cannot be packed in 4 by deflate."""
    data = bytearray(write(tmp_path / "x.exr").read_bytes())
    (chunks,) = located(bytes(data))
    at = chunks.leaders.offsets[0] + 4
    data[at : at + 4] = (4).to_bytes(4, "little")
    _, errors = decoded(bytes(data), PixelLimits())
    assert [error.fault.message for error in errors] == ["the chunk has an invalid leader or size, or overlaps another"]


@pytest.mark.parametrize("compression", ["ZIP", "ZIPS", "PXR24", "RLE", "B44A"])
def test_black_pictures_are_within_the_ratio(tmp_path, compression):
    black = {"R": np.zeros((64, 4096), "float16"), "Z": np.zeros((64, 4096), "float32")}
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    write_file(tmp_path / "x.exr", header, black)
    planes, errors = decoded((tmp_path / "x.exr").read_bytes(), PixelLimits())
    assert not errors
    assert same_bits(planes["Z"], black["Z"])


def test_a_run_of_adjacent_chunks_is_one_read(tmp_path):
    data = write(tmp_path / "x.exr").read_bytes()
    reads = []

    def read(at, length):
        reads.append((at, length))
        return data[at : at + length]

    (chunks,) = located(data)
    decoder = FlatDecoder(read, chunks, PixelLimits(band_bytes=100 << 10))
    runs = list(decoder.runs())
    assert all(len(list(decoder.decode(run))) == 1 for run in runs)
    assert len(reads) == len(runs) == 4
    assert sum(length for _, length in reads) <= len(data)
