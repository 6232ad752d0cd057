"""Vectors: unit length for every header, the same bits everywhere, near for what is alike."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr_inspector import inspect, vectors
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.sources import MemorySource
from exr_inspector.vectors import channel_vector, embed, embed_rows, metadata_vector
from tests import corpus
from tests import exr_writer as w
from tests.small_exr import small_file
from tests.strategies import files

PLAIN = [w.text("arnold/version", "Arnold 7.3.2.1"), w.fixed("arnold/AA_samples", "int", 4)]


def channels(*names, pixel_type=w.HALF):
    return [(name, pixel_type, 1, 1, 0) for name in names]


def header(*extra, place="memory:///a.exr", **part):
    """The inspection of a file with `PLAIN` and `extra` attributes."""
    return inspect(MemorySource(w.build(w.part(extra=[*PLAIN, *extra], **part)).data, place))


def cosine(one, other, vector=metadata_vector):
    return float(vector(one).astype(float) @ vector(other).astype(float))


def rows_of(inspection):
    tables = from_inspections([inspection]).tables
    return [tables[name].to_pylist() for name in ("parts", "channels", "attributes")]


# ── every header ─────────────────────────────────────────────


@settings(max_examples=60, deadline=None)
@given(files())
def test_both_vectors_have_unit_length_and_no_nan(written):
    inspection = inspect(written.data)
    for vector, size in zip(embed(inspection), (384, 128), strict=True):
        assert vector.shape == (size,)
        assert vector.dtype == np.float32
        assert np.isfinite(vector).all()
        assert abs(np.linalg.norm(vector.astype(float)) - 1) < 1e-6


@pytest.mark.parametrize("extra", [[], [w.text("owner", "")]], ids=["nothing", "an empty text"])
def test_a_header_without_channels_has_vectors_too(extra):
    inspection = inspect(w.build(w.part(channels=[], extra=extra)).data)
    for vector in embed(inspection):
        assert abs(np.linalg.norm(vector.astype(float)) - 1) < 1e-6


@settings(max_examples=60, deadline=None)
@given(files(), st.randoms(use_true_random=False))
def test_the_order_of_attributes_channels_and_parts_does_not_matter(written, rng):
    """Not for a single bit."""
    inspection = inspect(written.data)
    parts = [
        replace(
            part,
            attributes=tuple(rng.sample(part.attributes, len(part.attributes))),
            channels=tuple(rng.sample(part.channels, len(part.channels))),
        )
        for part in rng.sample(inspection.parts, len(inspection.parts))
    ]
    for one, other in zip(embed(inspection), embed(replace(inspection, parts=tuple(parts))), strict=True):
        assert one.tobytes() == other.tobytes()


@settings(max_examples=60, deadline=None)
@given(files(), st.randoms(use_true_random=False))
def test_the_rows_of_a_catalog_give_the_same_vectors(written, rng):
    """In whatever order they come."""
    inspection = inspect(written.data)
    rows = [rng.sample(each, len(each)) for each in rows_of(inspection)]
    for one, other in zip(embed(inspection), embed_rows(*rows), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("path", corpus.VALID + corpus.REPORTED)
def test_the_rows_of_real_files_give_the_same_vectors(path):
    inspection = inspect(path)
    for one, other in zip(embed(inspection), embed_rows(*rows_of(inspection)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_path_size_and_time_do_not_matter():
    data = w.build(w.part(extra=PLAIN)).data
    here = inspect(MemorySource(data, "memory:///a.exr"))
    there = inspect(MemorySource(data + b"more", "s3://bucket/shows/b/b.0007.exr"))
    assert metadata_vector(here).tobytes() == metadata_vector(there).tobytes()
    assert channel_vector(here).tobytes() == channel_vector(there).tobytes()


def test_an_inspection_of_another_kind_is_an_embedding_error():
    """Its category tells it apart; doing it again cannot help."""
    from exr_inspector.errors import EmbeddingError

    with pytest.raises(EmbeddingError) as caught:
        embed(replace(header(), parts=(None,)))
    assert (caught.value.category, caught.value.retryable) == ("embedding", False)
    assert "memory:///a.exr" in str(caught.value)


# ── the same bits everywhere ─────────────────────────────────


SAMPLE = [small_file(index, index % 3 == 0, 11 + index % 30) for index in range(0, 2000, 97)]


def digest() -> str:
    """One text for the vectors of all samples."""
    found = hashlib.sha256()
    for data in SAMPLE:
        for vector in embed(inspect(data)):
            found.update(vector.astype("<f4").tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_gives_the_same_bits(seed):
    """Whatever the hashes of texts are there."""
    code = "from tests.test_vectors import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_looking_again_gives_the_same_bits(monkeypatch):
    """With nothing remembered, and in another order."""
    before = digest()
    monkeypatch.setattr(vectors, "_encoder", vectors.Encoder())
    for data in reversed(SAMPLE):
        embed(inspect(data))
    assert digest() == before


def test_many_headers_do_not_fill_the_memory(monkeypatch):
    """What was seen is forgotten now and then; vectors stay the same."""
    before = digest()
    monkeypatch.setattr("exr_inspector.vectors.encoder._MOST_TOKENS", 200)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MOST_ATTRIBUTES", 10)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MOST_HEADERS", 3)
    assert digest() == before


def test_threads_get_the_same_bits(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    expected = [[vector.tobytes() for vector in embed(inspect(data))] for data in SAMPLE]
    monkeypatch.setattr(vectors, "_encoder", vectors.Encoder())
    monkeypatch.setattr("exr_inspector.vectors.encoder._MOST_TOKENS", 300)

    def work(seed):
        order = random.Random(seed).sample(range(len(SAMPLE)), len(SAMPLE))
        return [(index, [vector.tobytes() for vector in embed(inspect(SAMPLE[index]))]) for index in order]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(16)):
            assert all(expected[index] == vector for index, vector in found)
