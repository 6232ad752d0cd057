"""The folder that is packaged for the platform, and the package installed in an empty environment."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.environments import install
from tests.support.exr_bytes import exr_bytes

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "functions" / "exr_inspector"


def test_the_entry_points_have_the_form_that_the_builder_expects():
    """Each on one line, without annotations; the folder is not a package, as it shares the package's name."""
    text = (FOLDER / "main.py").read_text("utf-8")
    assert re.findall(r"^(?:async )?def .*", text, re.MULTILINE) == ["def init(ctx):", "def handler(ctx, event):"]
    assert not (FOLDER / "__init__.py").exists()


def test_requirements_do_not_name_packages_of_the_platform():
    text = (FOLDER / "requirements.txt").read_text("utf-8")
    requirements = [line for line in text.lower().splitlines() if line and not line.startswith("#")]
    assert requirements == ["exr-inspector[pixels,s3,vast]"]


@pytest.mark.first
@pytest.mark.slow
def test_the_package_runs_in_an_empty_environment(tmp_path):
    clone = tmp_path / "product"
    shutil.copytree(
        ROOT, clone, ignore=shutil.ignore_patterns(".git", ".venv*", "demo", "dist", "__pycache__", ".*_cache")
    )
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (clone / ".venv" / ".installed").touch()
    subprocess.run(["make", "-s", "function-package"], cwd=clone, check=True)
    package = clone / "dist" / "function"
    text = (package / "requirements.txt").read_text("utf-8")
    wheel, extras = re.search(r"^\./(\S+\.whl)\[(.*)\]$", text, re.MULTILINE).groups()
    requirement = Requirement(f"exr-inspector[{extras}]")
    python = install(tmp_path / "env", requirement, package / wheel) / "python"
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
