"""The modules that a command imports at startup; counted, as times depend on the machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

import exr_inspector
from exr_inspector.cli.main import main
from tests.support import exr_writer as w

HEAVY = {"duckdb", "pyarrow", "numpy", "OpenEXR", "OpenImageIO", "vastdb", "fileseq", "pydantic", "pydantic_settings"}


def imported(*words: str, cwd, **variables: str) -> set[str]:
    code = (
        "import sys; from exr_inspector.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("EXR_INSPECTOR_")} | variables
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_help_imports_no_heavy_modules(words, tmp_path):
    """Neither database nor formatting libraries."""
    assert not imported(*words, cwd=tmp_path) & (HEAVY | {"rich", "concurrent.futures"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [(), pytest.param(("--json",), marks=pytest.mark.slow), pytest.param(("--table",), marks=pytest.mark.slow)],
)
def test_inspect_imports_no_database_and_no_decoder(options, tmp_path):
    """A header is read by this project's code alone, and arguments are not converted by pydantic."""
    (tmp_path / "a.exr").write_bytes(w.build(w.part()).data)
    modules = imported("inspect", "a.exr", *options, cwd=tmp_path, EXR_INSPECTOR_CATALOG="duckdb:a.duckdb")
    assert not modules & HEAVY
    assert ("rich" in modules) == (options != ("--json",))


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-q",), ("--debug", "-v")])
def test_pixels_are_decoded_in_another_process(tmp_path, options):
    """The command itself imports neither the decoder nor numpy, nor another command."""
    (tmp_path / "a.exr").write_bytes(w.build(w.part()).data)
    modules = imported(*options, "stats", "a.exr", "--format", "csv", cwd=tmp_path)
    assert not modules & HEAVY
    assert {name for name in modules if re.search("cli.*_commands?$", name)} == {"exr_inspector.cli.stats_command"}


def test_help_before_a_command_lists_all(capfd):
    assert main(["-q", "--help", "stats"]) == 0
    assert "  inspect " in capfd.readouterr().out


def test_the_package_itself_imports_nothing():
    """Its names are imported on first use."""
    code = "import sys, exr_inspector; print(*(name for name in sys.modules if name.startswith('exr_inspector')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["exr_inspector"]


def test_the_version_is_printed(capfd):
    """The version of the package."""
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"exr-inspector {exr_inspector.__version__}\n"


@pytest.mark.slow
def test_a_worker_of_an_ingest_imports_no_settings():
    code = "import sys, exr_inspector.ingestion.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"pydantic", "pydantic_settings", "duckdb", "exr_inspector.settings"}


@pytest.mark.slow
def test_numpy_starts_no_threads_in_a_command():
    code = (
        "import os, sys; sys.argv[1:] = ['--version']; from exr_inspector.cli.main import main; main(); "
        "import numpy; print(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "1"
