"""The docs say what is so."""

from exr_inspector import vectors
from tools.docs import ANALYTICS, REFERENCE, analytics, reference
from tools.vector_docs import VECTOR_STRATEGY, vector_strategy


def test_the_reference_is_what_make_docs_writes():
    assert REFERENCE.read_text("utf-8") == reference(), "run `make docs`"


def test_the_analytics_are_what_make_docs_writes():
    assert ANALYTICS.read_text("utf-8") == analytics(), "run `make docs`"


def test_the_groups_of_the_vectors_are_what_make_docs_writes():
    assert VECTOR_STRATEGY.read_text("utf-8") == vector_strategy(), "run `make docs`"


def test_the_figures_of_the_vectors_are_those_of_their_version():
    marked = f"<!-- measured: version {vectors.VERSION} by"
    assert marked in VECTOR_STRATEGY.read_text("utf-8"), "run `python -m benchmarks.retrieval --write`"
