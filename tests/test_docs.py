"""The generated docs are up to date and complete."""

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
import yaml

from exr_inspector import vectors
from exr_inspector.catalog.derived import DERIVED
from exr_inspector.catalog.migrations import MIGRATIONS
from exr_inspector.catalog.queries.named import named_queries
from exr_inspector.catalog.schema import PRIMARY_KEYS, TABLES, VERSION
from exr_inspector.catalog.user_sql import NAMED_FUNCTIONS, TABLE_FUNCTIONS
from exr_inspector.cli.main import main
from exr_inspector.inspection.json_schema import inspection_schema
from exr_inspector.policy.condition_fields import FIELDS
from exr_inspector.policy.load import builtin_names
from exr_inspector.policy.registry import RULES
from tests.catalog.version_1 import copy_catalog
from tests.support.small_exr import small_file
from tools.columns import COLUMNS, COMPLETENESS, DERIVED_COLUMNS
from tools.docs import ANALYTICS, REFERENCE, analytics, reference
from tools.vector_docs import VECTOR_STRATEGY, vector_strategy


def test_every_column_has_a_meaning():
    meanings = COLUMNS | DERIVED_COLUMNS
    documented = {table: set(columns) for table, columns in meanings.items()}
    expected = {name: set(schema.names) for name, schema in (TABLES | DERIVED).items()}
    assert documented == expected, "edit tools/columns.py"
    assert all(meaning for columns in meanings.values() for meaning in columns.values())


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


DATABASE = (REFERENCE.parent / "DATABASE.md").read_text("utf-8")


@pytest.mark.slow
def test_the_commands_of_the_database_page_run(tmp_path, monkeypatch, capfd):
    """Each has the exit code that its comment says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:catalog.duckdb")
    Path("renders").mkdir()
    for frame in (1001, 1002, 1003):
        Path(f"renders/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))
    assert main(["ingest", "renders"]) == 0
    commands = re.findall(r"^exr-inspector (.+?)(?:  +# exit code (\d))?$", DATABASE, re.MULTILINE)
    assert len(commands) > 8
    for command, code in commands:
        assert main(shlex.split(command)) == int(code or 0), command


def test_the_database_page_lists_every_table_key_and_function():
    listed = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \|$", DATABASE, re.MULTILINE))
    assert {table: tuple(re.findall(r"\w+", keys)) for table, keys in listed.items()} == PRIMARY_KEYS
    assert all(f"`{name}`" in DATABASE for name in (*TABLES, *TABLE_FUNCTIONS, *NAMED_FUNCTIONS))


def test_the_notes_for_trino_are_about_sql_that_is_printed():
    """Functions and clauses of the left column occur in a report."""
    printed = "\n".join(query.sql for query in named_queries().values())
    rows = re.findall(r"^\| (.+?) \| .+ \|$", DATABASE.partition("## SQL notes for Trino")[2], re.MULTILINE)
    names = {name for row in rows[1:] for name in re.findall(r"\b[a-z]\w+_\w+(?=\(|`)|\b[A-Z]{4,}\b", row)}
    assert {"QUALIFY", "GLOB", "string_agg", "array_cosine_distance"} <= names
    assert {name for name in names if name not in printed} <= {"BIGINT"}


@pytest.mark.slow
def test_the_commands_of_the_page_on_schema_evolution_run(tmp_path, monkeypatch, capfd):
    """In its order, on a catalog of version 1."""
    page = (REFERENCE.parent / "SCHEMA_EVOLUTION.md").read_text("utf-8")
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/catalog.duckdb")
    copy_catalog(tmp_path / "catalog.duckdb")
    blocks = re.findall(r"^```run\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 4
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    assert f"migrated from table version 1 to {VERSION}" in capfd.readouterr().out
    assert (tmp_path / f"catalog.duckdb.before-schema-{VERSION}").exists()
    versions = re.findall(r"^\| (\d+) \|.*\| (\d+) \|$", page, re.MULTILINE)
    assert versions == [("1", "1"), *((str(m.version), str(m.readable_since)) for m in MIGRATIONS)]


OPERATIONS = (REFERENCE.parent / "OPERATIONS.md").read_text("utf-8")


@pytest.mark.slow
def test_the_commands_for_a_deployment_run(tmp_path, monkeypatch, capfd):
    """In the order of a first night: the catalog is made before the checks that need one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:catalog.duckdb")
    Path("renders").mkdir()
    for frame in (1001, 1002, 1003):
        Path(f"renders/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))
        os.utime(f"renders/beauty.{frame}.exr", (1_700_000_000, 1_700_000_000))
    titles = ("Nightly reconcile", "Checklists (doctor)", "Is everything catalogued? (db coverage)")
    commands = [line for title in titles for line in _commands_to_run(OPERATIONS, title)]
    assert len(commands) == 9
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    assert not Path("new.duckdb").exists()
    assert re.findall(r"rate +(\S+)", capfd.readouterr().out) == ["100.000%", "100.000%"]


def _section(page: str, title: str) -> str:
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _commands_to_run(page: str, title: str) -> list[str]:
    """The lines of the blocks marked `run` in a section."""
    blocks = re.findall(r"^```run\n(.*?)^```$", _section(page, title), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.slow
def test_the_commands_for_backups_run(tmp_path, monkeypatch, capfd):
    """In their order; other sections of the page have tests of their own."""
    titles = ("Backup and restore", "Drop a catalog")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "duckdb:catalog.duckdb")
    Path("beauty.1001.exr").write_bytes(small_file(1001, False, 12))
    assert main(["ingest", "beauty.1001.exr"]) == 0
    commands = [line for title in titles for line in _commands_to_run(OPERATIONS, title)]
    assert len(commands) == 12
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    section = _section(OPERATIONS, titles[0])
    (query,) = re.findall(r"^```sql\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert duckdb.sql(query).fetchall() == [("NONE", 1)]
    saved = next(Path().glob("copy.duckdb.backup-*"))
    assert set(json.loads((saved / "manifest.json").read_text())) <= set(re.findall(r"`(\w+)`", section)) | {"tables"}


@pytest.mark.slow
def test_the_commands_of_the_runbook_run(tmp_path, monkeypatch, capfd):
    """In the order of the page; the first release, an upgrade, and a restored catalog."""
    monkeypatch.chdir(tmp_path)
    Path("renders").mkdir()
    for frame in (1001, 1002, 1003):
        Path(f"renders/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))
        os.utime(f"renders/beauty.{frame}.exr", (1_700_000_000, 1_700_000_000))
    Path("dead-letters.jsonl").write_text(json.dumps({"path": f"{tmp_path}/renders/beauty.1001.exr"}))
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/catalog.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_ROOTS", str(tmp_path))
    assert main(["ingest", "renders"]) == 0
    titles = (
        "Deploy", "From staging to production", "Upgrade", "Roll back", "Dead letters", "Daily analytics",
        "Metrics and alerts",
    )  # fmt: skip
    commands = [line for title in titles for line in _commands_to_run(OPERATIONS, title)]
    assert len(commands) == 31
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    assert len([path for path in Path("manifests").rglob("*") if path.is_file()]) == 12


def test_every_block_of_commands_is_run_or_says_why_not():
    """Blocks of the page on operations are marked as `run`, or the text before them says that they are not run."""
    paragraphs = OPERATIONS.split("\n\n")
    blocks = [(before, block) for before, block in pairwise(paragraphs) if block.startswith("```\n")]
    assert len(blocks) == 3
    assert [block for before, block in blocks if "not run" not in before] == []


def test_the_policies_of_keys_are_json():
    """The function writes no object, and drops no table."""
    section = _section(OPERATIONS, "Keys")
    policies = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)]
    objects, tables, backups = (policy["Statement"] for policy in policies)
    assert {action for statement in objects for action in statement["Action"]} == {"s3:GetObject", "s3:ListBucket"}
    assert "s3:TabularDrop*" in tables[-1]["Action"]
    assert all("Put" not in str(statement) for statement in tables)
    assert "s3:PutObject" in backups[0]["Action"]


POLICIES = (REFERENCE.parent / "POLICIES.md").read_text("utf-8")


@pytest.mark.slow
def test_the_commands_and_the_example_of_the_page_on_policies_run(tmp_path, monkeypatch, capfd):
    """In their order; the policy of the page is valid, and the error is what a misspelt key gives."""
    monkeypatch.chdir(tmp_path)
    Path("renders").mkdir()
    for frame in (1001, 1002):
        Path(f"renders/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))
    names = {"xyz-delivery": "show.yaml", "xyz-proxies": "proxies.yaml"}
    for text in re.findall(r"^```yaml\n(.*?)^```$", POLICIES, re.MULTILINE | re.DOTALL):
        name = re.search(r"^policy: (.*)$", text, re.MULTILINE)
        path = "waivers.yaml" if name is None else names.get(name[1], "other.yaml")
        Path(path).write_text(text, "utf-8")
        assert name is None or main(["policy", "check", path]) == 0
    blocks = re.findall(r"^```run\n(.*?)^```$", POLICIES, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 20
    for command in commands:
        assert main(shlex.split(command)[1:]) == 0, command
    assert Path("report.xml").read_text().startswith("<?xml")
    (example,) = re.findall(r"^```python\n(.*?)^```$", POLICIES, re.MULTILINE | re.DOTALL)
    exec(compile(example, "POLICIES.md", "exec"), {})
    (error,) = re.findall(r"^show\.yaml:.*$", POLICIES, re.MULTILINE)
    lines = ["policy: a", 'version: "1"', *["#"] * 4, "rules:", "  frame-padding:   {widht: 4}"]
    Path("show.yaml").write_text("\n".join(lines))
    capfd.readouterr()
    assert main(["policy", "check", "show.yaml"]) == 2
    assert capfd.readouterr().err == f"exr-inspector: {error}\n"


def test_the_page_on_policies_lists_the_fields_of_conditions():
    section = POLICIES.partition("## Conditions")[2].partition("## Rules")[0]
    rows = re.findall(r"^\| (`.+?) \| (?:the file|parts|channels) \|", section, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(FIELDS)


def test_the_page_on_policies_lists_the_built_in_ones():
    assert sorted(re.findall(r"^\| `([\w-]+)` \|", POLICIES, re.MULTILINE)) == builtin_names()
    assert f" {len(RULES)} rules " in (REFERENCE.parent.parent / "README.md").read_text("utf-8")


CHECKS = (REFERENCE.parent / "CHECKS.md").read_text("utf-8")


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Runs a script where `exr-inspector` is that of these tests; returns its exit code and its output."""
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()
    Path("bin/exr-inspector").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exr_inspector "$@"\n')
    Path("bin/exr-inspector").chmod(0o755)
    for folder in ("renders/sh010", "plates", "shows"):
        Path(folder).mkdir(parents=True)
        for frame in (1001, 1002, 1003):
            Path(f"{folder}/beauty.{frame}.exr").write_bytes(small_file(frame, False, 12))

    def run(script: str, *arguments: str) -> tuple[int, str]:
        environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        words = ["/bin/sh", "-c", script, "sh", *arguments]
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        return done.returncode, done.stdout

    return run


@pytest.mark.slow
def test_the_commands_of_the_page_on_checks_run(shell, capfd):
    """Of its three frames, the example expects a hundred."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", CHECKS, re.MULTILINE | re.DOTALL)
    commands = [line for language, block in blocks if not language for line in block.splitlines()]
    assert len(commands) == 11
    assert main(["ingest", ".", "--catalog", "duckdb:shows.duckdb"]) == 0
    for command in commands:
        words = command.partition("  #")[0]
        code = shell(words)[0] if set(words) & set("|<>&;$`") else main(shlex.split(words)[1:])
        assert code == (1 if "--range" in command else 0), command


@pytest.mark.slow
def test_the_script_for_farms_lists_frames_to_render_again(shell):
    (script,) = re.findall(r"^```sh\n(.*?)^```$", CHECKS, re.MULTILINE | re.DOTALL)
    given = ("renders/sh010/beauty.####.exr", "1001")
    assert shell(script, *given, "1003") == (0, "")
    Path("renders/sh010/beauty.1002.exr").write_bytes(small_file(1002, False, 12)[:-1])
    assert shell(script, *given, "1004") == (1, "render again: renders/sh010/beauty.####.exr 1002,1004\n")
    assert shell(script, "renders/sh020/beauty.####.exr", *given[1:], "1002")[0] == 1


@pytest.mark.slow
def test_the_step_for_github_annotates_findings(shell):
    """But for the installation."""
    (workflow,) = re.findall(r"^```yaml\n(.*?)^```$", CHECKS, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(workflow)["jobs"]["check"]["steps"]
    (step,) = (step["run"] for step in steps if "run" in step and "pip" not in step["run"])
    assert shell(step) == (0, "")
    Path("plates/beauty.1002.exr").write_bytes(b"")
    code, printed = shell(step)
    assert (code, printed.split(",")[0]) == (1, "::error file=plates/beauty.1002.exr")
