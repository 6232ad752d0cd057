"""The generated docs are up to date and complete."""

import pytest

from exr_inspector import vectors
from exr_inspector.catalog.schema import TABLES
from exr_inspector.inspection.json_schema import inspection_schema
from tools.columns import COLUMNS, COMPLETENESS
from tools.docs import ANALYTICS, REFERENCE, analytics, reference
from tools.vector_docs import VECTOR_STRATEGY, vector_strategy


def test_every_column_has_a_meaning():
    documented = {table: set(columns) for table, columns in COLUMNS.items()}
    assert documented == {table: set(schema.names) for table, schema in TABLES.items()}, "edit tools/columns.py"
    assert all(meaning for columns in COLUMNS.values() for meaning in columns.values())


def test_every_completeness_has_a_meaning():
    values = inspection_schema()["properties"]["file"]["properties"]["completeness"]["enum"]
    assert set(COMPLETENESS) == set(values), "edit tools/columns.py"


def test_the_reference_is_up_to_date():
    assert REFERENCE.read_text("utf-8") == reference(), "run `make docs`"


@pytest.mark.slow
def test_the_analytics_are_up_to_date():
    assert ANALYTICS.read_text("utf-8") == analytics(), "run `make docs`"


def test_the_vector_groups_are_up_to_date():
    assert VECTOR_STRATEGY.read_text("utf-8") == vector_strategy(), "run `make docs`"


def test_the_vector_benchmarks_are_of_the_current_version():
    marked = f"<!-- measured: version {vectors.VERSION} by"
    assert marked in VECTOR_STRATEGY.read_text("utf-8"), "run `python -m benchmarks.retrieval --write`"
