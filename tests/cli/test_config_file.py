"""The configuration file: where it is found, its precedence, and errors in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from tests.support import exr_writer as w
from tools.docs import REFERENCE


@pytest.fixture(autouse=True)
def show(tmp_path, monkeypatch) -> Path:
    """Two renders and a proxy; the working folder is below the file."""
    for path in ("sh010/a.1001.exr", "sh010/a.1002.exr", "sh010/a_proxy.1001.exr"):
        Path(tmp_path, path).parent.mkdir(exist_ok=True)
        Path(tmp_path, path).write_bytes(w.build(w.part()).data)
    monkeypatch.chdir(tmp_path / "sh010")
    monkeypatch.delenv("EXR_INSPECTOR_CATALOG", raising=False)
    return tmp_path


@pytest.fixture
def catalog_used(capfd):
    """The name of the catalog of an ingest, and the number of files."""

    def run(*options: str) -> tuple[str, int]:
        assert main(["ingest", ".", *options]) == 0
        counts, _, uri = capfd.readouterr().out.strip().rpartition(" → ")
        return uri, int(counts.partition(" ")[0])

    return run


def test_options_precede_the_environment_the_file_and_the_default(show, monkeypatch, catalog_used):
    """A relative path begins at the folder of the file."""
    assert catalog_used() == ("duckdb:exr-inspector.duckdb", 3)
    (show / "exr-inspector.toml").write_text('catalog = "duckdb:of_file.duckdb"\n')
    assert catalog_used() == (f"duckdb:{show}/of_file.duckdb", 3)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:of_environment.duckdb")
    assert catalog_used() == ("duckdb:of_environment.duckdb", 3)
    assert catalog_used("--catalog", "duckdb:of_option.duckdb") == ("duckdb:of_option.duckdb", 3)


def test_the_nearest_file_counts_alone(show, catalog_used):
    """The own file before the shared one; a shared one without the table is passed over."""
    (show / "pyproject.toml").write_text('[tool.exr-inspector]\ncatalog = "shared.duckdb"\nexclude = ["*_proxy*"]\n')
    assert catalog_used() == (f"duckdb:{show}/shared.duckdb", 2)
    (show / "sh010" / "pyproject.toml").write_text("[tool.other]\nkey = 1\n")
    assert catalog_used() == (f"duckdb:{show}/shared.duckdb", 2)
    (show / "exr-inspector.toml").write_text('catalog = "own.duckdb"\n')
    assert catalog_used() == (f"duckdb:{show}/own.duckdb", 3)
    (show / "sh010" / "pyproject.toml").write_text("[tool.exr-inspector]\n")
    assert catalog_used() == ("duckdb:exr-inspector.duckdb", 3)


def test_excludes_add_to_those_of_the_command(show, capfd):
    """For every command that reads folders; --include undoes both."""
    (show / "exr-inspector.toml").write_text('exclude = ["*_proxy*"]\n')

    def inspected(*options: str) -> list[str]:
        assert main(["inspect", ".", "--jsonl", *options]) == 0
        lines = capfd.readouterr().out.splitlines()
        return [Path(json.loads(line)["file"]["file_path"]).name for line in lines]

    assert inspected() == ["a.1001.exr", "a.1002.exr"]
    assert inspected("--exclude", "*1002*") == ["a.1001.exr"]
    assert inspected("--include", "*_proxy*") == ["a.1001.exr", "a.1002.exr", "a_proxy.1001.exr"]
    assert main(["sequences", "."]) == 0
    assert "proxy" not in capfd.readouterr().out


def test_reports_use_the_path_template(show, monkeypatch, capfd):
    """Unless the environment has one."""
    assert main(["ingest", "."]) == 0
    (show / "exr-inspector.toml").write_text(f'path_template = "{show.parent.name}/{{show}}/{{shot}}/**"\n')

    def shows() -> set[str]:
        capfd.readouterr()
        assert main(["report", "storage", "--format", "json"]) == 0
        return {row["show"] for row in json.loads(capfd.readouterr().out)}

    assert shows() == {show.name}
    monkeypatch.setenv("EXR_INSPECTOR_PATH_TEMPLATE", f"{show.name}/{{show}}/**")
    assert shows() == {"sh010"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("catalog = ", "is not valid TOML: "),
        ("a = " + "[" * 100_000, "is not valid TOML: "),
        ('catalgo = "a.duckdb"', "unknown key 'catalgo'; the keys are catalog, exclude, path_template"),
        ("catalog = 7", "catalog: expected a text"),
        ('exclude = "*.exr"', "exclude: expected a list of texts"),
        ("exclude = [7]", "exclude: expected a list of texts"),
        ('endpoint = "http://elsewhere.example"', "unknown key 'endpoint'"),
        ("x" * 2_000_000, "is larger than 1048576 bytes"),
    ],
)
def test_an_error_names_the_file_and_the_key(show, capfd, text, message):
    """Exit code 2, one line."""
    (show / "exr-inspector.toml").write_text(text)
    assert main(["inspect", "a.1001.exr"]) == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"exr-inspector: {show}/exr-inspector.toml")
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1


def test_a_table_of_another_type_is_an_error(show, capfd):
    """`exr-inspector = 1` in pyproject.toml."""
    (show / "pyproject.toml").write_text("tool = {exr-inspector = 1}")
    assert main(["inspect", "a.1001.exr"]) == 2
    assert "pyproject.toml: exr-inspector: expected a table" in capfd.readouterr().err


def test_the_file_chooses_a_schema_but_no_server(show, capfd, monkeypatch):
    """Endpoint and keys of a VAST Database are from the environment alone."""
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"VAST_DB_{name}", raising=False)
    (show / "exr-inspector.toml").write_text('catalog = "vast://renders/shows"\n')
    assert main(["query", "SELECT 1"]) == 2
    assert "VAST_DB_ENDPOINT" in capfd.readouterr().err


def test_the_example_of_the_reference_is_valid(show, catalog_used):
    """With every key."""
    (example,) = re.findall(r"^```toml\n(.*?)^```$", REFERENCE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (show / "exr-inspector.toml").write_text(example)
    assert catalog_used() == (f"duckdb:{show}/shows.duckdb", 2)
