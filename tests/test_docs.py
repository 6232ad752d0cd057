"""The docs say what is so."""

import re

from exr_inspector import vectors
from tools.docs import ANALYTICS, REFERENCE, WRITER, analytics, reference
from tools.vector_docs import VECTOR_STRATEGY, vector_strategy


def test_the_reference_is_what_make_docs_writes():
    assert REFERENCE.read_text() == reference(), "run `make docs`"


def test_the_analytics_are_what_make_docs_writes():
    """Up to the numbers, where another OpenEXR wrote the files than those of the page."""
    page, now = ANALYTICS.read_text(), analytics()
    if WRITER not in page:
        page, now = (re.sub(r"\b[0-9a-f]{32}\b|[\s\d.,%█▏▎▍▌▋▊▉]+", " ", text) for text in (page, now))
    assert page == now, "run `make docs`"


def test_the_groups_of_the_vectors_are_what_make_docs_writes():
    assert VECTOR_STRATEGY.read_text() == vector_strategy(), "run `make docs`"


def test_the_figures_of_the_vectors_are_those_of_their_version():
    marked = f"<!-- measured: version {vectors.VERSION} by"
    assert marked in VECTOR_STRATEGY.read_text(), "run `python -m benchmarks.retrieval --write`"
