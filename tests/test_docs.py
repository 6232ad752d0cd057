"""The docs say what is so."""

from tests.docs import REFERENCE, reference


def test_the_reference_is_what_make_docs_writes():
    assert REFERENCE.read_text() == reference(), "run `make docs`"
