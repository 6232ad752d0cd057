"""The wheel in an environment without extras: every command works or names the extra it needs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from exr_inspector.cli.main import app
from tests.support.environments import PIP, install
from tests.support.exr_bytes import exr_bytes

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow


def commands(group, *path):
    """The words of every command and of every group of commands."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "-w", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """The `bin` folder of an environment in which only the wheel and its required dependencies are installed."""
    return install(tmp_path_factory.mktemp("bare") / "env", Requirement("exr-inspector"), wheel)


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    """A folder with two frames, a catalog of them, and the file of an event."""
    folder = tmp_path_factory.mktemp("renders")
    (folder / "show").mkdir()
    for frame in (1, 2):
        (folder / "show" / f"plate.100{frame}.exr").write_bytes(exr_bytes())
    (folder / "event.yaml").write_text("data: {path: show/plate.1001.exr}", "utf-8")
    return folder


def run(programs, name, *arguments, cwd=None):
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = [programs / name, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)


def exit_codes(programs, lines, cwd):
    """The exit code of each command line, all run in one process, and what that process wrote to stderr."""
    program = f"""
import json, sys
from exr_inspector.cli.main import main
codes = {{line: main(words) for line, words in {[(line, shlex.split(line)) for line in lines]}}}
print("\\n" + json.dumps(codes))"""
    done = run(programs, "python", "-c", program, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_pip_resolves_the_requirements_of_the_wheel(wheel, tmp_path):
    """Those of one extra, in released versions; the environments of the other tests have links to this one's."""
    report = tmp_path / "report.json"
    command = [*PIP, "install", "--dry-run", "--ignore-installed", "--report", report]
    subprocess.run([*command, f"exr-inspector[web] @ {wheel.as_uri()}"], check=True)
    found = [each["metadata"] for each in json.loads(report.read_text("utf-8"))["install"]]
    (own,) = [each for each in found if each["name"] == "exr-inspector"]
    assert "web" in own["provides_extra"]
    names = {canonicalize_name(each["name"]) for each in found}
    assert names >= {"duckdb", "pyarrow", "numpy", "pydantic", "typer", "starlette", "uvicorn"}
    assert not names & {"openexr", "obstore", "vastdb"}


def test_no_optional_package_is_installed(bare):
    """Or the tests below would show nothing."""
    program = """
from importlib.util import find_spec
print([name for name in ("OpenEXR", "obstore", "vastdb", "starlette", "uvicorn") if find_spec(name)])"""
    done = run(bare, "python", "-c", program)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_command_has_help(bare, renders):
    lines = [" ".join((*path, "--help")) for path in commands(typer.main.get_command(app()))]
    assert len(lines) > 15
    codes, stderr = exit_codes(bare, lines, renders)
    assert codes == dict.fromkeys(lines, 0), stderr


def test_commands_that_need_no_extra_work(bare, renders):
    lines = (
        "inspect show/plate.1001.exr",
        "inspect show -r --table",
        "inspect show/plate.1001.exr --json",
        "diff show/plate.1001.exr show/plate.1002.exr",
        "schema",
        "ingest show",
        "sequences",
        "similar show/plate.1001.exr",
        "odd",
        "report",
        "report storage",
        "query 'SELECT file_path FROM files'",
        "db status",
        "db reembed",
        "db create-schema --catalog duckdb:other.duckdb",
        "function invoke --path show/plate.1001.exr",
        "function invoke --event event.yaml",
        "policy list",
        "deploy render --target compose --set image=exr-inspector:1.0.0 --set bucket=renders",
        "validate show --policy render",
        "demo",
    )
    codes, stderr = exit_codes(bare, lines, renders)
    assert codes == dict.fromkeys(lines, 0), stderr


@pytest.mark.parametrize(
    ("line", "extra"),
    [
        ("inspect s3://bucket/plate.1001.exr", "s3"),
        ("ingest s3://bucket/show/", "s3"),
        ("ingest show --catalog vast://bucket/schema", "vast"),
        ("db status --catalog vast://bucket/schema", "vast"),
        ("db verify --catalog vast://bucket/schema", "vast"),
        ("function serve --port 0", "web"),
    ],
)
def test_a_command_names_the_extra_it_needs(bare, renders, line, extra):
    """With exit code 2 and one line on stderr."""
    done = run(bare, "exr-inspector", *shlex.split(line), cwd=renders)
    assert done.returncode == 2, done.stderr
    assert f"pip install 'exr-inspector[{extra}]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
