"""The Python API: its names, its examples, and what it takes."""

from __future__ import annotations

import pytest

import exr_inspector
from exr_inspector import open_catalog


def test_a_path_is_a_duckdb_file(tmp_path):
    """Whatever its name; text needs a form that is unmistakable."""
    with open_catalog(tmp_path / "shows.db") as catalog:
        assert catalog.uri == f"duckdb:{tmp_path}/shows.db"
    with open_catalog(f"duckdb:{tmp_path}/shows.db", read_only=True) as catalog:
        assert catalog.status().row_counts["files"] == 0
    with pytest.raises(exr_inspector.ExrInspectorError, match=r"PATH\.duckdb"):
        open_catalog(str(tmp_path / "shows.db"))


@pytest.mark.parametrize("uri", [None, 7, b"duckdb:a.duckdb"])
def test_other_types_are_not_catalogs(uri):
    """The message says what is expected."""
    with pytest.raises(TypeError, match=r"is not the URI of a catalog; expected a Path, or text: duckdb:PATH"):
        open_catalog(uri)
