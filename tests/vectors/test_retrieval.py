"""Retrieval quality: a small version of the benchmark `benchmarks.retrieval`, and real sequences.

The minimum values are slightly below the figures in `docs/VECTOR_STRATEGY.md`.
"""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from benchmarks import retrieval, studio
from benchmarks.conventions import TUNING
from benchmarks.held_out import HELD_OUT
from tests.support import corpus

MINIMUM = {
    "nDCG@10": 0.97,
    "nDCG@10, other shots": 0.94,
    "AUC, same sequence": 0.99,
    "AUC, same recipe": 0.985,
    "Spearman, structure": 0.58,
    "median cosine, same sequence": 0.98,
}


@pytest.fixture(scope="module")
def held_out():
    return retrieval.Corpus("held-out", 11, shots=5)


def test_tuning_and_measurement_share_no_data():
    assert not {renderer.name for renderer in TUNING} & {renderer.name for renderer in HELD_OUT}
    tuned, held = studio.SHOWS["tuning"], studio.SHOWS["held-out"]
    assert not {show.name for show in tuned} & {show.name for show in held}
    assert not {name for show in tuned for name in show.noise} & {name for show in held for name in show.noise}


def test_a_corpus_is_the_same_everywhere():
    """Its labels do not depend on string hashes."""
    render = studio.corpus("held-out", 11, shots=1)[0]
    assert render.sequence.startswith("meridian_010_0010/")
    assert render.inspection.file.header_hash == studio.corpus("held-out", 11, shots=1)[0].inspection.file.header_hash


@pytest.mark.slow
def test_related_files_are_found(held_out):
    found = held_out.measure(retrieval.metadata)
    assert {key: found[key] for key, minimum in MINIMUM.items() if found[key] < minimum} == {}
    assert found["nDCG@10"] > held_out.measure(retrieval.tf_idf)["nDCG@10"]


@pytest.mark.slow
def test_files_with_similar_layers_are_found(held_out):
    assert held_out.channel_spearman() >= 0.55


@pytest.mark.slow
def test_the_odd_one_out_is_found():
    found = retrieval.odd_accuracy("held-out", 11, retrieval.metadata, each=8)
    assert found["odd one out"] >= 0.95
    assert min(found.values()) >= 0.75  # two of eight


def test_a_frame_in_one_part_is_similar_to_one_in_many_parts():
    assert min(retrieval.forms("held-out", 11, count=10).values()) >= 0.9


@corpus.need_corpus
@pytest.mark.parametrize("method", [retrieval.metadata, retrieval.channels], ids=["metadata", "channels"])
def test_the_nearest_neighbours_of_a_real_frame_are_its_sequence(method):
    """Among all files of the corpus; a sequence was rendered as one part and as many."""
    names = [corpus.name_of(path) for path in corpus.VALID_FILES]
    rows = method([corpus.inspected(path) for path in corpus.VALID_FILES])
    sequences = {"singlepart": [], "multipart": []}
    for at, name in enumerate(names):
        if "/Beachball/" in name:
            sequences[name.rpartition("/")[2].split(".")[0]].append(at)
    for own in sequences.values():
        assert len(own) > 2
        for at in own:
            nearest = np.argsort(-(rows @ rows[at]), kind="stable")
            assert set(nearest[: len(own)]) == set(own)
    one, many = sequences.values()
    assert statistics.median((rows[one] @ rows[many].T).ravel()) >= 0.9
