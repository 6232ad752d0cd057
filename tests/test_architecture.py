"""The order of imports, and the table of codes."""

import ast
import subprocess
import sys
from pathlib import Path

from exr_inspector.exr.codes import FORMAT_ERRORS, PROBLEMS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "exr_inspector"


def test_imports_point_one_way():
    """The layers of pyproject.toml hold."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_longer_than_400_lines():
    long = [str(path) for path in SOURCE.rglob("*.py") if len(path.read_text("utf-8").splitlines()) > 400]
    assert long == []


def _codes(*names: str) -> set[str]:
    found = set()
    for path in (SOURCE / "exr").glob("*.py"), [SOURCE / "inspection" / "inspector.py"]:
        for module in path:
            for node in ast.walk(ast.parse(module.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    first = node.args[0]
                    if isinstance(first, ast.Constant):
                        found.add(first.value)
    return found


def test_every_code_is_documented_and_none_is_made_up():
    assert _codes("ExrFormatError") | {"truncated"} == set(FORMAT_ERRORS)
    assert _codes("Problem", "Note", "report") == set(PROBLEMS)


def test_the_catalog_reads_no_settings():
    """They are passed in: of settings it imports default values and types, and nothing of the environment."""
    for module in (SOURCE / "catalog").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert "os" not in {alias.name for alias in node.names}, module
            if isinstance(node, ast.ImportFrom):
                assert node.module != "os", module
                names = {alias.name for alias in node.names if node.module == "settings"}
                assert all(name.isupper() or name == "VastConnection" for name in names), (module, names)
