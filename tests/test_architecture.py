"""The order of imports, and the table of codes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from exr_inspector.exr.codes import FORMAT_ERRORS, PROBLEMS, SEVERITIES

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


def test_duckdb_is_opened_in_one_module():
    """There its settings are locked. `duckdb.sql` and the like open a database by themselves."""
    opening = set()
    for path in SOURCE.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        if any(isinstance(node, ast.Import) and node.names[0].name == "duckdb" for node in nodes):
            opening |= {
                f"{path.relative_to(SOURCE).as_posix()}: duckdb.{node.attr}"
                for node in nodes
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "duckdb"
                if node.attr[0].islower()
            }
    assert opening == {"catalog/sandbox.py: duckdb.connect"}


def _exr_nodes() -> Iterator[ast.AST]:
    for module in (SOURCE / "exr").glob("*.py"):
        if module.name != "codes.py":
            yield from ast.walk(ast.parse(module.read_text("utf-8")))


def _codes(*names: str) -> set[str]:
    """The first arguments of calls, where they are constants."""
    found = set()
    for node in _exr_nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            first = node.args[0]
            if isinstance(first, ast.Constant):
                found.add(first.value)
    return found


def test_every_code_is_documented_and_none_is_made_up():
    assert _codes("ExrFormatError") | {"truncated"} == set(FORMAT_ERRORS)
    assert _codes("Problem", "Note") <= set(PROBLEMS)
    texts = {node.value for node in _exr_nodes() if isinstance(node, ast.Constant)}
    assert set(PROBLEMS) <= texts
    assert {kind.severity for kind in PROBLEMS.values()} == set(SEVERITIES)


def _settings_used(module: Path) -> list[str]:
    """What a module reads of the environment: names imported from `settings`, except constants and types."""
    used = []
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] in ("settings", "environment"):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if alias.name in ("settings", "environ", "getenv")]
        elif isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            names = [node.attr]
        else:
            continue
        used += [name for name in names if not name.isupper() and name not in ("VastConnection", "S3Access")]
    return used


def test_only_entry_points_read_settings():
    """They pass them on. One function reads those of the object store, for entry points without the argument."""
    packages = ("sources", "inspection", "ingestion", "sequence", "policy", "search", "catalog")
    modules = [module for package in packages for module in (SOURCE / package).rglob("*.py")]
    assert len(modules) > 40
    used = {module.relative_to(SOURCE).as_posix(): _settings_used(module) for module in modules}
    assert {module: names for module, names in used.items() if names} == {"sources/__init__.py": ["s3_access"]}
