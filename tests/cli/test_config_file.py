"""The configuration file: where it is found, its precedence, and errors in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from exr_inspector.cli.config_file import ConfigFile, config_file
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


@pytest.mark.slow
def test_options_precede_the_environment_the_file_and_the_default(show, monkeypatch, catalog_used):
    """A relative path begins at the folder of the file."""
    assert catalog_used() == ("duckdb:exr-inspector.duckdb", 3)
    (show / "exr-inspector.toml").write_text('catalog = "duckdb:of_file.duckdb"\n')
    assert catalog_used() == (f"duckdb:{show}/of_file.duckdb", 3)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:of_environment.duckdb")
    assert catalog_used() == ("duckdb:of_environment.duckdb", 3)
    assert catalog_used("--catalog", "duckdb:of_option.duckdb") == ("duckdb:of_option.duckdb", 3)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("catalog = ", "is not valid TOML: "),
        ("a = " + "[" * 100_000, "is not valid TOML: "),
        ('catalgo = "a.duckdb"', "unknown key 'catalgo'; the keys are catalog, exclude, path_template"),
        ("catalog = 7", "catalog: expected a string"),
        ('exclude = "*.exr"', "exclude: expected a list of strings"),
        ("exclude = [7]", "exclude: expected a list of strings"),
        ('endpoint = "http://elsewhere.example"', "unknown key 'endpoint'"),
        ("x" * 2_000_000, "is larger than 1048576 bytes"),
        ('catalog = "duckdb:md:foo"', "catalog: duckdb:md:… is not the path of a DuckDB file"),
        ('catalog = "foo"', "catalog: 'foo' is not a catalog"),
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


@pytest.mark.slow
@pytest.mark.parametrize("text", ["tool = ", "x" * 2_000_000, "a = " + "[" * 100_000])
def test_an_invalid_file_of_other_programs_is_passed_over(show, catalog_used, text):
    """As one without the table of this program."""
    (show / "exr-inspector.toml").write_text('catalog = "of_file.duckdb"\n')
    (show / "sh010" / "pyproject.toml").write_text(text)
    assert catalog_used() == (f"duckdb:{show}/of_file.duckdb", 3)


def test_a_file_of_another_user_is_ignored(show, capfd, monkeypatch):
    """It could lead this user's data elsewhere. A note says so, once."""
    file = show / "exr-inspector.toml"
    file.write_text('catalog = "of_other.duckdb"\n')
    if user := os.geteuid():
        monkeypatch.setattr("os.geteuid", lambda: user + 1)
    else:
        os.chown(file, 12345, -1)
    note = f"{file} is ignored: its owner is the user {file.stat().st_uid}, neither you nor root\n"
    assert main(["ingest", "."]) == 0
    assert capfd.readouterr().err.count(note) == 1
    assert Path("exr-inspector.duckdb").exists()
    assert not (show / "of_other.duckdb").exists()


@pytest.mark.slow
def test_a_note_names_the_file_that_chooses_what_is_written(show, capfd, monkeypatch):
    """Not if the catalog is only read, or an option or the environment chooses it."""
    (show / "exr-inspector.toml").write_text('catalog = "of_file.duckdb"\n')
    note = f"duckdb:{show}/of_file.duckdb is the catalog of {show}/exr-inspector.toml; --catalog overrides it\n"
    for words, is_noted in (
        (["ingest", "."], True),
        (["ingest", ".", "--quiet"], False),
        (["query", "SELECT 1"], False),
        (["ingest", ".", "--catalog", "duckdb:a.duckdb"], False),
    ):
        assert main(words) == 0
        assert (note in capfd.readouterr().err) == is_noted
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:a.duckdb")
    assert main(["ingest", "."]) == 0
    assert note not in capfd.readouterr().err


@pytest.mark.slow
def test_an_empty_variable_is_not_set(show, monkeypatch, catalog_used):
    """The configuration file counts, or the default."""
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "")
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "")
    assert catalog_used() == ("duckdb:exr-inspector.duckdb", 3)
    (show / "exr-inspector.toml").write_text('catalog = "of_file.duckdb"\n')
    assert catalog_used() == (f"duckdb:{show}/of_file.duckdb", 3)


def test_a_deleted_working_folder_has_no_file(show, monkeypatch):
    """A command with absolute paths runs there."""
    gone = show / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert config_file() == ConfigFile()
    monkeypatch.chdir(show)


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
