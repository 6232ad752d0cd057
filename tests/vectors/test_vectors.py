"""Vectors: unit length for every header, the same bits everywhere, similar for similar headers."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import studio
from benchmarks.conventions import TUNING
from benchmarks.held_out import HELD_OUT
from exr_inspector import inspect, vectors
from exr_inspector.catalog.rows import from_inspections
from exr_inspector.sources.memory import MemorySource
from exr_inspector.vectors import channel_vector, embed, embed_rows, explain, metadata_vector
from tests.support import corpus
from tests.support import exr_writer as w
from tests.support.small_exr import small_file
from tests.support.strategies import examples, files

PIZ = 4
HASH_NOISE = 0.002  # change of a cosine by tokens that share a position

PLAIN = [w.text("arnold/version", "Arnold 7.3.2.1"), w.fixed("arnold/AA_samples", "int", 4)]


def channels(*names, pixel_type=w.HALF):
    return [(name, pixel_type, 1, 1, 0) for name in names]


def header(*extra, uri="memory:///a.exr", **part):
    """The inspection of a file with `PLAIN` and `extra` attributes."""
    return inspect(MemorySource(w.build(w.part(extra=[*PLAIN, *extra], **part)).data, uri))


def cosine(one, other, vector=metadata_vector):
    return float(vector(one).astype(float) @ vector(other).astype(float))


def rows_of(inspection):
    tables = from_inspections([inspection]).tables
    return [tables[name].to_pylist() for name in ("parts", "channels", "attributes")]


# ── every header ─────────────────────────────────────────────


@pytest.mark.slow
@examples(60)
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


@pytest.mark.slow
@examples(60)
@given(files(), st.randoms(use_true_random=False))
def test_the_order_of_attributes_channels_and_parts_does_not_matter(written, rng):
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


@pytest.mark.slow
@examples(60)
@given(files(), st.randoms(use_true_random=False))
def test_the_rows_of_a_catalog_give_the_same_vectors(written, rng):
    """In any order."""
    inspection = inspect(written.data, name="a.exr")
    rows = [rng.sample(each, len(each)) for each in rows_of(inspection)]
    for one, other in zip(embed(inspection), embed_rows(*rows), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("path", corpus.VALID + corpus.REPORTED)
def test_the_rows_of_real_files_give_the_same_vectors(path):
    inspection = corpus.inspected(path)
    for one, other in zip(embed(inspection), embed_rows(*rows_of(inspection)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_path_size_and_time_do_not_matter():
    data = w.build(w.part(extra=PLAIN)).data
    here = inspect(MemorySource(data, "memory:///a.exr"))
    there = inspect(MemorySource(data + b"more", "s3://bucket/shows/b/b.0007.exr"))
    assert metadata_vector(here).tobytes() == metadata_vector(there).tobytes()
    assert channel_vector(here).tobytes() == channel_vector(there).tobytes()


def test_a_bug_is_an_embedding_error():
    """With a category of its own, not retryable."""
    from exr_inspector.errors import EmbeddingError

    with pytest.raises(EmbeddingError) as caught:
        embed(replace(header(), parts=(None,)))
    assert (caught.value.category, caught.value.retryable) == ("embedding", False)
    assert "memory:///a.exr" in str(caught.value)


# ── near and far ─────────────────────────────────────────────


LAYERS = ["diffuse", "specular", "sss", "coat", "emission", "N", "P", "Z"]


def layers(names, pixel_type=w.HALF, spelling="{}.{}", components="RGB"):
    return channels(*sorted(spelling.format(name, c) for name in names for c in components), pixel_type=pixel_type)


@pytest.mark.parametrize(
    ("spelling", "components"),
    [("{}_{}", "RGB"), ("{}.{}", "rgb"), ("{}.{}", ["red", "green", "blue"]), ("{0}:{1}", "RGB")],
    ids=["underscore", "small letters", "words", "colon"],
)
@pytest.mark.parametrize("change", [str.lower, str.upper, str.title], ids=["lower", "upper", "title"])
def test_spellings_of_one_layer_are_near(spelling, components, change):
    names = ["diffuse", "specular", "emission"]
    one = header(channels=layers(names))
    other = header(channels=layers(map(change, names), spelling=spelling, components=components))
    assert cosine(one, other, channel_vector) >= 0.95
    assert cosine(one, other) >= 0.95


def test_other_precision_is_near_but_not_equal():
    one, other = (header(channels=layers(LAYERS, pixel_type)) for pixel_type in (w.HALF, w.FLOAT))
    for vector in (metadata_vector, channel_vector):
        assert 0.8 < cosine(one, other, vector) < 0.999


def test_one_frame_as_one_part_and_as_many_is_near():
    """Views as layers, or as parts."""
    names = ["rgba", "depth", "diffuse"]
    views = w.attribute("multiView", "stringvector", w.stringvector(["left", "right"]))
    one = header(views, channels=layers([*names, *(f"right.{name}" for name in names)]))
    parts = [
        w.part(name=f"{name}_{view}", channels=channels(*"BGR"), extra=[*PLAIN, w.text("view", view)])
        for name in names
        for view in ("left", "right")
    ]
    many = inspect(w.build(parts).data)
    for vector in (metadata_vector, channel_vector):
        assert cosine(one, many, vector) >= 0.85


def test_frame_noise_changes_a_vector_less_than_compression_and_that_less_than_the_recipe():
    first = header(channels=layers(LAYERS))
    noise = [
        w.text("capDate", "2026:05:01 10:00:00"),
        w.fixed("renderTime", "float", 512.73),
        w.fixed("worldToCamera", "m44f", *map(float, range(16))),
        w.text("host", "farm017"),
    ]
    again = [w.text("capDate", "2026:05:01 10:09:41"), w.fixed("renderTime", "float", 498.11), noise[2], noise[3]]
    frame = cosine(
        header(*noise, channels=layers(LAYERS)),
        header(*again, channels=layers(LAYERS), window=(2, 2, 9, 5), display=(0, 0, 15, 7)),
    )
    compression = cosine(first, header(channels=layers(LAYERS), compression=PIZ))
    recipe = cosine(first, header(channels=layers(["albedo", "shadow"]), compression=PIZ))
    renderer = cosine(first, inspect(w.build(w.part(extra=[w.text("vrayInfo/vrayversion", "6.1")])).data))
    assert 1 >= frame > 0.99 > compression > 0.85 > recipe > 0.4
    assert renderer < 0.6


def chain(renderer, seed):
    """A render, another frame of it, and then the same frame with one more change each time, of growing size."""
    rng = random.Random(seed)
    show = rng.choice(studio.SHOWS["tuning"])
    recipe = studio.make_recipe(renderer, show, rng)
    (shot,) = studio.make_shots(show, 1, rng)
    yield studio.header(recipe, shot, 1001, "chain")
    yield studio.header(recipe, shot, 1002, "chain")
    for kind in ("setting", "version", "compression", "resolution"):
        recipe = studio.changed(recipe, kind, rng) or recipe
        yield studio.header(recipe, shot, 1002, "chain")
    recipe = replace(recipe, aovs=recipe.aovs[: len(recipe.aovs) // 2])
    yield studio.header(recipe, shot, 1002, "chain")
    other = studio.make_recipe(rng.choice([each for each in HELD_OUT if each is not renderer]), show, rng)
    yield studio.header(other, shot, 1002, "chain")


@pytest.mark.slow
@examples(40)
@given(st.sampled_from((*TUNING, *HELD_OUT)), st.integers(0, 10_000))
def test_similarity_falls_as_a_render_changes_more_and_more(renderer, seed):
    first, *changed = chain(renderer, seed)
    similarities = [1.0, *(cosine(first, each) for each in changed)]
    assert similarities == pytest.approx(sorted(similarities, reverse=True), abs=HASH_NOISE)
    assert similarities[1] > 0.97
    assert similarities[-1] < 0.75


SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe".split()


@pytest.mark.slow
@examples(60)
@given(st.permutations(LAYERS), st.permutations(["".join(pair) for pair in itertools.permutations(SYLLABLES, 2)]))
def test_similarity_falls_as_more_layers_are_replaced(known, strange):
    first = header(channels=layers(known))
    changed = [header(channels=layers([*strange[:count], *known[count:]])) for count in (0, 1, 2, 4, 8)]
    for vector in (metadata_vector, channel_vector):
        similarities = [cosine(first, each, vector) for each in changed]
        assert similarities == pytest.approx(sorted(similarities, reverse=True), abs=HASH_NOISE)
        assert similarities[1] < 0.995
        assert similarities[-1] < similarities[1] - 0.1


# ── explanations ─────────────────────────────────────────────────


def test_the_groups_add_up_to_the_cosine():
    one, other = header(), header(channels=layers(LAYERS), compression=PIZ)
    for vector in (metadata_vector, channel_vector):
        found = explain(vector(one), vector(other))
        assert sum(each.share * each.similarity for each in found) == pytest.approx(
            cosine(one, other, vector), abs=1e-6
        )
        assert sum(each.share for each in found) == pytest.approx(1)


def test_a_difference_is_in_one_group():
    verdicts = {
        each.group: each.verdict
        for each in explain(metadata_vector(header()), metadata_vector(header(compression=PIZ)))
    }
    assert verdicts.pop("structure") in ("alike", "partly alike")
    assert set(verdicts.values()) == {"the same"}


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0]), (np.zeros(384), np.zeros(128)), (np.zeros((2, 384)),) * 2])
def test_explain_rejects_other_arrays(a, b):
    with pytest.raises(ValueError, match="384 or 128 dimensions"):
        explain(a, b)


# ── the same bits everywhere ─────────────────────────────────


# Letters and digits of several scripts. The last five came with Unicode 14 to 16: capitals with small letters, and
# digits, of which Python 3.10 knows none and 3.13 not all.
SCRIPTS = (
    "Grün_ÉCLAIRAGE", "ΣΚΙΑ_Σ", "Диффузный", "İstanbul", "影子_v２", "x²", "٣٤٥ sec", "Ⅳ\u00a0fps", "\u10a0\u13a0",
    "\u2c2f\u2c5f", "\ua7c0\ua7cb", "\U00010570\U00011f50", "\U00010d50\U00010d40", "\U0001e4f0\U0001e5f1 sec",
)  # fmt: skip


def in_script(text: str) -> bytes:
    """A file with the text in all names and values."""
    names = ("view", text, "software", "scene", "colorSpace", f"host{text}")
    extra = [*(w.text(name, text) for name in names), w.text("note", f"\u2003{text}")]
    return w.build(w.part(name=f"{text} part", channels=channels(f"{text}.R", f"{text}_x", text), extra=extra)).data


# Attributes that count, count by their name only, or count in part.
MIXED = [
    w.text("deadline/slave", "farm17"), w.text("gpu", "RTX 4090"), w.text("load", "87%"), w.text("source", "8c5c3e1b"),
    w.text("farm", '{"slot": 3, "path": "/tmp/a"}'), w.text("frameRate", "23.976"), w.text("variance", "0.0151873"),
    w.text("renderingTransform", "RRT_a"), w.text("software", "Renderer 7.3.2 [5a4c1f0e] 2026-03-01"),
    w.text("scene", "/shows/tundra/sh010_012.hip"), w.text("input", "/plates/sh010.1001.exr"),
    w.text("comment", "husk -R BRAY -f 1001"), w.text("pivot", "1 0.5 2"), w.fixed("threshold", "float", 0.015),
    w.fixed("focus", "float", 3.14159), w.fixed("samplesTaken", "int", 1234567), w.fixed("crop", "box2i", 0, 0, 3, 3),
    w.fixed("whitePoint", "v2f", 0.3127, 0.329), w.fixed("lens", "rational", 35, 1),
]  # fmt: skip

SAMPLE = [w.build(w.part(extra=MIXED)).data]
SAMPLE += [small_file(index, index % 3 == 0, 11 + index % 30) for index in range(0, 2000, 97)]
SAMPLE += map(in_script, SCRIPTS)


def digest() -> str:
    """A digest of the vectors of all samples."""
    found = hashlib.sha256()
    for data in SAMPLE:
        for vector in embed(inspect(data)):
            found.update(vector.astype("<f4").tobytes())
    return found.hexdigest()


def test_vectors_change_with_the_version():
    """If this fails, raise VERSION, once per release, and store version and digest here."""
    assert (vectors.VERSION, digest()[:16]) == (3, "683c46142ed5d0d3")


@pytest.mark.slow
def test_another_process_gives_the_same_bits():
    """With another seed of string hashes."""
    code = "from tests.vectors.test_vectors import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest()


def test_a_new_encoder_gives_the_same_bits(monkeypatch):
    """Without caches, and in another order."""
    before = digest()
    monkeypatch.setattr(vectors, "_encoder", vectors.Encoder())
    for data in reversed(SAMPLE):
        embed(inspect(data))
    assert digest() == before


def test_full_encoders_and_caches_give_the_same_bits(monkeypatch):
    before, full = digest(), vectors._encoder
    monkeypatch.setattr("exr_inspector.vectors.encoder._MAX_TOKENS", 200)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MAX_NAMES", 10)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MAX_CACHE_BYTES", 50_000)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MAX_VECTORS_BYTES", 50_000)
    assert digest() == before
    assert vectors._encoder is not full


@pytest.mark.slow
def test_threads_get_the_same_bits(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    expected = [[vector.tobytes() for vector in embed(inspect(data))] for data in SAMPLE]
    first = vectors.Encoder()
    monkeypatch.setattr(vectors, "_encoder", first)
    monkeypatch.setattr("exr_inspector.vectors.encoder._MAX_TOKENS", 300)

    def work(seed):
        order = random.Random(seed).sample(range(len(SAMPLE)), len(SAMPLE))
        return [(index, [vector.tobytes() for vector in embed(inspect(SAMPLE[index]))]) for index in order]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(work, range(16)):
            assert all(expected[index] == vector for index, vector in found)
    assert vectors._encoder is not first


def test_long_texts_of_digits_take_linear_time():
    """Backtracking would take two seconds for each of these texts."""
    extra = [w.text(f"note{number}", "1" * 598 + "g" + str(number % 10)) for number in range(60)]
    assert embed(inspect(MemorySource(w.build(w.part(extra=extra)).data))).metadata.shape == (384,)


def test_only_the_first_characters_of_a_part_name_count():
    """255, the length of the longest attribute name."""

    def with_name(tail):
        data = w.build(w.part(extra=[w.text("name", "p" * 1000 + tail)])).data
        return embed(inspect(MemorySource(data)))

    assert with_name("a").channels.tolist() == with_name("b").channels.tolist()


def test_related_compressions_are_more_similar():
    """ZSTD is lossless as ZIP is, LJ2K lossy as PXR24 is."""
    zip_, pxr24, lj2k, zstd = (
        vectors.metadata_vector(inspect(w.build(w.part(compression=code)).data)) for code in (3, 5, 12, 13)
    )
    assert zstd @ zip_ > zstd @ pxr24
    assert lj2k @ pxr24 > lj2k @ zip_
