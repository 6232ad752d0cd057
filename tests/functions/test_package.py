"""What is packed for the platform, installed into an empty environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.exr_bytes import exr_bytes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "functions" / "exr_inspector"


def test_the_handlers_are_in_the_platforms_form():
    """Its builder may look for these two lines as they are."""
    text = (FOLDER / "main.py").read_text("utf-8")
    assert re.search(r"^def init\(ctx\):$", text, re.MULTILINE)
    assert re.search(r"^def handler\(ctx, event\):$", text, re.MULTILINE)
    assert not (FOLDER / "__init__.py").exists()


def test_requirements_name_nothing_that_the_platform_brings():
    text = (FOLDER / "requirements.txt").read_text("utf-8")
    named = [line for line in text.lower().splitlines() if line and not line.startswith("#")]
    assert named == ["exr-inspector[s3,vast]"]


@pytest.mark.slow
def test_the_package_runs_in_an_empty_environment(tmp_path):
    clone = tmp_path / "product"
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".git", ".venv*", "demo", "dist", "*cache*"))
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (clone / ".venv" / ".installed").touch()
    subprocess.run(["make", "-s", "function-package"], cwd=clone, check=True)
    package = clone / "dist" / "function"
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", "requirements.txt"], cwd=package, check=True)
    (tmp_path / "a.exr").write_bytes(exr_bytes())
    program = f"""
import json, main
class Context: pass
main.init(Context())
print(json.dumps(main.handler(Context(), {{"data": {{"path": "{tmp_path}/a.exr"}}}})))
import sys
print(sorted(name for name in ("cloudevents", "opentelemetry", "adbc_driver_vastdb") if name in sys.modules))
"""
    environment = {"PATH": os.environ["PATH"], "EXR_INSPECTOR_CATALOG": f"duckdb:{tmp_path}/c.duckdb"}
    done = subprocess.run(
        [python, "-c", program], cwd=package, env=environment, capture_output=True, text=True, check=True
    )
    result, modules = done.stdout.splitlines()
    assert json.loads(result)["persistence"]["status"] == "success"
    assert modules == "[]"
    check = "import vastdb, obstore; from exr_inspector.catalog.vast import VastCatalog"
    check += "; from exr_inspector.catalog.queries.named import named_query; named_query('storage')"
    subprocess.run([python, "-c", check], cwd=package, env=environment, check=True)
