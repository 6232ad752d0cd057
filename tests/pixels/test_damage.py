"""Damaged files through the worker: every one gives a report or an error, in bounded time and memory, and no crash."""

from __future__ import annotations

import time

import numpy as np
import pytest

from exr_inspector.errors import ExrFormatError
from exr_inspector.exr import read_header
from exr_inspector.exr.attributes import Box2i
from exr_inspector.exr.channels import Channel
from exr_inspector.exr.locate import locate_chunks
from exr_inspector.exr.writer import NewPart, deep_chunk, file_bytes, required_values
from exr_inspector.pixels.model import StatsOptions
from tests.support import corpus
from tests.support.pixels import peak_bytes

OPTIONS = StatsOptions(deep=True)
OF_THE_FILE = {"chunk_missing", "bad_chunk", "decode_failed", "not_decodable", "chunk_too_large"}
MAX_SECONDS, MAX_BYTES = 10, 400 << 20


@pytest.fixture(scope="module")
def examine(worker):
    """A function that returns the report of a file, None for an invalid header, and checks the process."""

    def statistics(source):
        began, pid = time.monotonic(), worker.pid
        try:
            return worker.statistics(source, OPTIONS)
        except ExrFormatError:
            return None
        finally:
            assert time.monotonic() - began < MAX_SECONDS
            assert pid in (None, worker.pid), "the process ended"
            assert peak_bytes(worker.pid) < MAX_BYTES

    return statistics


@corpus.need_corpus
def test_damaged_files(examine):
    """Each has errors, which name the lines or tiles."""
    reports = {path.name: examine(str(path)) for path in corpus.DAMAGED_FILES}
    found = {name: report for name, report in reports.items() if report is not None}
    assert len(found) > 25
    for name, report in found.items():
        assert report.errors, name
        assert all(error.where and error.chunk_count for error in report.errors)
        assert {error.code for error in report.errors} <= OF_THE_FILE, name


def mutations(count: int):
    """Valid small files, each with 1 to 16 changed bytes after the offset table or anywhere."""
    random = np.random.default_rng(20)
    files = [path for path in corpus.VALID_FILES if path.stat().st_size < 100_000]
    for number in range(count):
        path = files[number % len(files)]
        data = bytearray(path.read_bytes())
        begin = 0 if number % 4 == 0 else read_header(bytes(data)).header_bytes
        for _ in range(int(random.integers(1, 17))):
            data[int(random.integers(begin, len(data)))] ^= int(random.integers(1, 256))
        yield path, bytes(data)


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])
@corpus.need_corpus
def test_mutations(examine, count):
    """The samples that are lost are those of the chunks in the errors."""
    damaged = 0
    for path, data in mutations(count):
        report = examine(data)
        if report is None:
            continue
        header = read_header(data)
        located = locate_chunks(header, lambda at, n, data=data: data[at : at + n], len(data))
        for part in report.parts:
            damaged += bool(part.errors)
            if located is None:
                assert part.errors, path.name
                continue
            assert part.decode_errors <= len(located[part.part_index].leaders.states)
            assert {error.code for error in part.errors} <= OF_THE_FILE, path.name
            if header.parts[part.part_index].is_deep:
                continue
            size = header.parts[part.part_index].data_window
            pixels = (size.xMax - size.xMin + 1) * (size.yMax - size.yMin + 1)
            for channel, figures in zip(header.parts[part.part_index].channels, part.channels, strict=False):
                samples = pixels // (channel.x_sampling * channel.y_sampling)
                assert figures.sample_count == samples or (part.errors and figures.sample_count < samples), path.name
                assert bool(figures.pixel_digest) == (not part.errors), path.name
    assert damaged > count / 10


@pytest.mark.slow
def test_a_small_file_that_declares_a_huge_line(examine):
    """A table of 7 KB for 8 million pixels: more than deflate can reach."""
    values = required_values([Channel("Z", "FLOAT", 1, 1, 0)], Box2i(0, 0, 7_999_999, 0), compression="ZIPS")
    values |= {"type": "deepscanline", "version": 1}
    data = file_bytes([NewPart(values, [deep_chunk(0, bytes(7000), bytes(7000), 7_000_000)])])
    (part,) = examine(data).parts
    assert [(error.code, error.message) for error in part.errors] == [
        ("bad_chunk", "the chunk has an invalid leader or size, or overlaps another")
    ]
