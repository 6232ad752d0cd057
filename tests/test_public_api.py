"""The Python API: its names, its examples, and what it takes."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from struct import pack

import pytest

import exr_inspector
from exr_inspector import errors, open_catalog
from tests.support import exr_writer as w


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "call",
    [
        lambda: exr_inspector.sequences("shows.duckdb"),
        lambda: exr_inspector.check("shows.duckdb"),
        lambda: exr_inspector.outliers("shows.duckdb"),
        lambda: exr_inspector.similar("shows.duckdb", "a.exr"),
        lambda: exr_inspector.ingest("shows", "shows.duckdb"),
    ],
)
def test_a_uri_is_not_an_open_catalog(call):
    """The message says what is."""
    with pytest.raises(TypeError, match=r"str is not an open catalog; expected what open_catalog\(URI\) returns"):
        call()


@pytest.mark.slow
def test_similar_knows_two_kinds_of_vectors(studio):
    raises = pytest.raises(ValueError, match="by='nope' is not a kind of vector; expected 'metadata' or 'channels'")
    with open_catalog("shows.duckdb", read_only=True) as catalog, raises:
        exr_inspector.similar(catalog, "shows/beauty.1001.exr", by="nope")


@pytest.mark.slow
def test_names_are_imported_on_first_use():
    """Importing the package imports nothing else; `dir()` and `help()` know every name."""
    code = (
        "import sys, exr_inspector as e; print(*(m for m in sys.modules if 'exr_insp' in m)); help(e); print(e.ingest)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "exr_inspector"
    for name in exr_inspector.__all__:
        assert name in dir(exr_inspector)
        assert f"    {name}(" in done.stdout or f"class {name}(" in done.stdout or name == "__version__", name
    with pytest.raises(AttributeError, match="no attribute 'inspct'"):
        _ = exr_inspector.inspct


def test_every_error_is_public():
    """Whatever a function raises can be caught by its name."""
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and "Error" in name}
    assert defined <= set(exr_inspector.__all__)


@pytest.mark.slow
def test_a_typed_program_passes_strict_mypy(tmp_path):
    """The names have types for users; what the examples do is allowed, and mistakes are found."""
    program = tmp_path / "program.py"
    program.write_text(TYPED_PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    env = os.environ | {"MYPYPATH": str(Path(exr_inspector.__file__).parent.parent)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    wrong = TYPED_PROGRAM.splitlines().index("inspect(7)") + 1
    assert re.findall(r"program\.py:(\d+): error", done.stdout) == [str(wrong)], done.stdout + done.stderr


TYPED_PROGRAM = """
from io import BytesIO
from pathlib import Path
from struct import pack
import exr_inspector
from exr_inspector import (
    Attribute, Difference, Inspection, IngestOptions, PartFacts, SequenceSummary, SourceError, diff, ingest, inspect,
    PixelReport, StatsOptions, open_catalog, outliers, sequences, similar, statistics,
)

def owners(path: Path) -> list[str]:
    inspection: Inspection = inspect(path)
    part: PartFacts = inspection.parts[0]
    attribute: Attribute = part.attributes[0]
    return [str(part.get("owner")), attribute.attr_name, *part]

inspect(b""), inspect(bytearray()), inspect(memoryview(b"")), inspect(BytesIO(), name="a.exr")
with open("a.exr", "rb") as opened:
    inspect(opened)
inspect(7)
report: PixelReport | None = inspect("a.exr", stats=StatsOptions(deep=True)).pixels
print([channel.max for part in statistics(Path("a.exr"), stride=2).parts for channel in part.channels], report)
with open_catalog(Path("a.db")) as catalog:
    ingest([Path("shows"), "s3://renders"], catalog, IngestOptions(prune=True), lambda summary: print(summary.done))
    found: list[SequenceSummary] = sequences(catalog, expected="1-9")
    print([frame.frame for frame in outliers(catalog)], similar(catalog, Path("a.exr"), k=3))
try:
    difference: Difference = diff(inspect("a.exr"), Path("b.exr"))[0]
except (SourceError, exr_inspector.CatalogLockedError) as error:
    print(error.category)
"""


@pytest.fixture
def studio(tmp_path, monkeypatch) -> None:
    """The files and the catalog that the examples name."""
    monkeypatch.chdir(tmp_path)
    Path("shows").mkdir()
    owner = w.text("owner", "someone")
    for number in (1001, 1002, 1003, 1005):
        part = w.part(compression=3 if number == 1002 else 0, extra=[owner])
        Path(f"shows/beauty.{number}.exr").write_bytes(w.build(part).data)
    ones = w.part(extra=[owner], pixels=lambda size: pack("<e", 1) * (size // 2))
    Path("plate.1001.exr").write_bytes(w.build(ones).data)
    Path("plate.1002.exr").write_bytes(w.build(w.part(extra=[w.text("owner", "another")])).data)
    with open_catalog("examples.duckdb") as catalog:
        exr_inspector.ingest(Path("shows"), catalog)
    for name in ("shows", "changed"):
        shutil.copy("examples.duckdb", f"{name}.duckdb")
    Path("examples.duckdb").unlink()


EXAMPLES = {
    test.name: test
    for name in ("exr_inspector", *(name for name in exr_inspector.__all__ if name[0].islower()))
    for test in doctest.DocTestFinder(recurse=False).find(
        getattr(exr_inspector, name, exr_inspector), name, module=False, globs=vars(exr_inspector).copy()
    )
}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_docstrings_run(studio, name):
    """Each function has one; they print what they show."""
    assert EXAMPLES[name].examples
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    assert runner.run(EXAMPLES[name], out=report.append, clear_globs=False).failed == 0, "".join(report)
