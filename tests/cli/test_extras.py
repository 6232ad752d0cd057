"""Without an optional package: one line that names the extra, and exit code 2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from exr_inspector.function import handle
from exr_inspector.function.local.context import LocalContext
from tests.support import exr_writer as w

VAST = "vast://bucket/schema"


@pytest.fixture(scope="module")
def folder(made_once):
    """One file, and a catalog of it."""

    def make() -> None:
        Path("a.exr").write_bytes(w.build(w.part()).data)
        assert main(["ingest", "a.exr"]) == 0

    return made_once(make)


@pytest.fixture
def without(monkeypatch, folder):
    """Makes a package unavailable; the working folder has the file and its catalog."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9")

    def remove(package: str) -> None:
        for name in list(sys.modules):
            if name.startswith(("exr_inspector.catalog.vast", "exr_inspector.vast_selftest")):
                monkeypatch.delitem(sys.modules, name)
        for name in [package, *sys.modules]:  # a module that is imported needs no package
            if name == package or name.startswith(f"{package}."):
                monkeypatch.setitem(sys.modules, name, None)

    return remove


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    "command",
    [
        "inspect s3://b/a.exr",
        "inspect s3://b/show",
        "inspect s3://b/show -r --jsonl",
        "inspect a.exr s3://b/a.exr --table",
        "ingest s3://b/show",
        "db coverage s3://b/show",
        "ingest a.exr s3://b/a.exr",
        "diff a.exr s3://b/a.exr",
        "similar s3://b/a.exr",
    ],
)
def test_objects_without_the_extra_s3(without, capfd, command):
    without("obstore")
    assert main(command.split()) == 2
    assert capfd.readouterr() == (
        "",
        "exr-inspector: reading s3:// needs an optional package: pip install 'exr-inspector[s3]'\n",
    )


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("vastdb", "ingest ."),
        ("vastdb", "query SELECT"),
        ("vastdb", "sequences"),
        ("vastdb", "outliers"),
        ("vastdb", "similar a.exr"),
        ("vastdb", "report storage"),
        ("vastdb", "db status"),
        ("vastdb", "db create-schema"),
        ("vastdb", "db reembed"),
        ("vastdb", "db verify"),
    ],
)
def test_a_vast_database_without_the_extra_vast(without, monkeypatch, capfd, package, command):
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"VAST_DB_{name}", "http://127.0.0.1:9")
    without(package)
    assert main([*command.split(), "--catalog", VAST]) == 2
    assert capfd.readouterr() == (
        "",
        "exr-inspector: a catalog in a VAST Database needs an optional package: pip install 'exr-inspector[vast]'\n",
    )


@pytest.mark.parametrize(
    ("package", "extra", "command"),
    [
        ("opentimelineio", "otio", "sequences . --range-from otio:cut.otio"),
        ("starlette", "web", "function serve --port 0"),
        ("uvicorn", "web", "function serve --port 0"),
    ],
)
def test_other_commands_without_their_extra(without, capfd, package, extra, command):
    without(package)
    assert main(command.split()) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n"), f"pip install 'exr-inspector[{extra}]'" in err) == ("", 1, True)


def test_the_function_without_its_extras(without, monkeypatch, capfd):
    """The result of an event names the extra: of the object, and of the catalog."""
    without("obstore")
    assert main(["function", "invoke", "--s3", "s3://b/a.exr"]) == 3
    result = json.loads(capfd.readouterr().out)
    assert (result["category"], "exr-inspector[s3]" in result["error"]) == ("missing_extra", True)
    for name, value in (("ENDPOINT", "http://127.0.0.1:9"), ("ACCESS_KEY", "k"), ("SECRET_KEY", "s")):
        monkeypatch.setenv(f"VAST_DB_{name}", value)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", VAST)
    without("vastdb")
    result = handle(LocalContext(), {"data": {"path": "a.exr"}})
    assert result["persistence"]["category"] == "missing_extra"
    assert "exr-inspector[vast]" in result["persistence"]["error"]
