"""The jobs for Kubernetes do what they say: their commands run here, on a folder and a DuckDB file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exr_inspector.cli.main import main
from tests.support.small_exr import small_file
from tools.deploy import generated

pytestmark = pytest.mark.slow


OLD = (1_700_000_000, 1_700_000_000)  # files that just changed are left alone


def write_frames(folder, frames):
    for frame in frames:
        path = folder / f"shows/sh010/beauty.{frame}.exr"
        path.write_bytes(small_file(frame, False, 12))
        os.utime(path, OLD)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Runs the container of a job with paths of this machine; returns its exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", f"duckdb:{tmp_path}/catalog.duckdb")
    Path("shows/sh010").mkdir(parents=True)
    write_frames(tmp_path, (1001, 1002))
    Path("bin").mkdir()
    Path("bin/exr-inspector").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exr_inspector "$@"\n')
    Path("bin/exr-inspector").chmod(0o755)
    files = generated()

    def run(name: str) -> int:
        text = files[f"kubernetes/{name}-cronjob.yaml"]
        for given, here in (
            ("s3://renders/shows", "shows"),
            ("s3://backups/exr-inspector", "backups"),
            ("/reports", "reports"),
        ):
            text = text.replace(f'"{given}', f'"{tmp_path}/{here}')
        (container,) = yaml.safe_load(text)["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        if "command" not in container:
            return main(container["args"])
        environment = os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
        return subprocess.run([*container["command"], *container["args"]], env=environment, check=False).returncode

    return run


def test_the_jobs_run(job, tmp_path):
    """In the order of a night; files without events are missing in the morning, and one is cut in the next night."""
    assert job("reconcile") == 0
    assert job("backup") == 0
    (backup,) = (tmp_path / "backups").iterdir()
    assert main(["db", "backup", "--check", str(backup)]) == 0
    write_frames(tmp_path, range(1003, 1010))
    assert job("reports") == 1
    tables = {path.stem: path.read_text("utf-8") for path in (tmp_path / "reports").rglob("*.csv")}
    assert set(tables) == {"storage", "shots", "coverage", "incomplete-frames", "iterations", "validation-by-shot"}
    assert tables["storage"].startswith("show,layer,")
    cut = tmp_path / "shows/sh010/beauty.1002.exr"
    cut.write_bytes(cut.read_bytes()[:-1])
    os.utime(cut, OLD)
    assert job("reconcile") == 1
    assert job("reconcile") == 0
    assert main(["db", "coverage", str(tmp_path / "shows"), "--at-least", "100"]) == 0
