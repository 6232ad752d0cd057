"""Settings and their sources, and packages that are missing or too old."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from exr_inspector.cli.main import main
from exr_inspector.doctor import Stage, Status

from .conftest import checks, fill, wrong


@pytest.mark.parametrize(
    ("words", "environment", "file", "shown"),
    [
        ((), {}, "", "duckdb:exr-inspector.duckdb (default)"),
        ((), {}, "catalog = 'duckdb:a.duckdb'", "duckdb:{folder}/a.duckdb ({folder}/exr-inspector.toml)"),
        (
            (),
            {"EXR_INSPECTOR_CATALOG": "b.duckdb"},
            "catalog = 'duckdb:a.duckdb'",
            "duckdb:b.duckdb (environment, EXR_INSPECTOR_CATALOG)",
        ),
        (("--catalog", "duckdb:c.duckdb"), {}, "catalog = 'duckdb:a.duckdb'", "duckdb:c.duckdb (--catalog)"),
    ],
)
def test_the_source_of_the_catalog(tmp_path, monkeypatch, capfd, words, environment, file, shown):
    monkeypatch.chdir(tmp_path)
    Path("exr-inspector.toml").write_text(file)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor", "--before", *words]) == 0
    assert shown.format(folder=tmp_path) in capfd.readouterr().out


def test_other_settings_have_a_source_too(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Path("exr-inspector.toml").write_text("exclude = ['wip', 'x']\npath_template = '{show}/**'")
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "3")
    monkeypatch.setenv("EXR_INSPECTOR_EVENT_ENDPOINTS", "http://me:bearer-hidden@host")
    assert main(["doctor", "--before"]) == 0
    printed = capfd.readouterr().out
    assert "EXR_INSPECTOR_WORKERS=3 (environment)" in printed
    assert f"exclude=wip, x ({tmp_path}/exr-inspector.toml), path_template={{show}}/**" in printed
    assert "bearer-hidden" not in printed


@pytest.mark.parametrize(
    ("environment", "file", "name", "what"),
    [
        ({"EXR_INSPECTOR_WORKERS": "many"}, "", "settings", "EXR_INSPECTOR_WORKERS: Input should be a valid integer"),
        ({"EXR_INSPECTOR_DEADLINE_S": "-1"}, "", "settings", "EXR_INSPECTOR_DEADLINE_S: "),
        ({"EXR_INSPECTOR_PATH_TEMPLATE": "{sho"}, "", "path template", "'{sho': unbalanced {"),
        ({}, "path_template = '{sho'", "path template", "'{sho': unbalanced {"),
        ({"EXR_INSPECTOR_REPORTS": "missing"}, "", "reports", "missing: No such file or directory"),
        ({"EXR_INSPECTOR_REPORTS": "."}, "", "reports", "broken.sql"),
        ({"EXR_INSPECTOR_POLICY": "**=nope"}, "", "policy", "EXR_INSPECTOR_POLICY: **=nope: expected a policy"),
        ({"EXR_INSPECTOR_TOKEN": ""}, "", "EXR_INSPECTOR_TOKEN", "is empty"),
        ({}, "catalogue = 'x'", "catalog setting", "unknown key 'catalogue'"),
        ({"EXR_INSPECTOR_CATALOG": "postgres://me:bearer-hidden@host"}, "", "catalog setting", "is not a catalog"),
    ],
)
def test_an_invalid_setting_is_a_result(tmp_path, monkeypatch, capfd, environment, file, name, what):
    """The other checks are made all the same."""
    monkeypatch.chdir(tmp_path)
    Path("exr-inspector.toml").write_text(file)
    Path("broken.sql").write_text("SELECT 1")
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert main(["doctor", "--before"]) == 1
    out, err = capfd.readouterr()
    (line,) = (line for line in out.splitlines() if line.startswith(f"FAIL {name} "))
    assert what in line
    assert "\nok   s3 keys " in out
    assert "bearer-hidden" not in out + err


@pytest.mark.slow
def test_the_catalog_is_checked_whatever_the_other_settings_are(tmp_path, monkeypatch, capfd):
    """The value is shown, and one check fails."""
    monkeypatch.chdir(tmp_path)
    fill("duckdb:a.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_CATALOG", "a.duckdb")
    monkeypatch.setenv("EXR_INSPECTOR_WORKERS", "abc")
    monkeypatch.setenv("EXR_INSPECTOR_WORKER", "3")
    monkeypatch.setenv("EXR_INSPECTOR_FOO", "1")
    assert main(["doctor"]) == 1
    lines = capfd.readouterr().out.splitlines()
    (failed,) = (line for line in lines if line.startswith("FAIL"))
    assert "EXR_INSPECTOR_WORKERS: Input should be a valid integer" in failed
    assert "given 'abc'" in failed
    assert any(line.startswith("ok   part counts") for line in lines)
    assert "warn EXR_INSPECTOR_WORKER is not a setting and has no effect → set EXR_INSPECTOR_WORKERS instead" in lines
    assert any("EXR_INSPECTOR_FOO" in line and line.endswith("→ unset it") for line in lines)


@pytest.fixture
def packages(monkeypatch):
    """Gives packages other versions; None: not installed."""
    given: dict[str, str | None] = {}
    original = metadata.version

    def version(package: str) -> str:
        version = given.get(package.lower(), original)
        if version is None:
            raise metadata.PackageNotFoundError(package)
        return original(package) if version is original else str(version)

    monkeypatch.setattr(metadata, "version", version)
    return given


@pytest.mark.parametrize(
    ("uri", "package", "version", "name", "status", "what"),
    [
        ("a.duckdb", "duckdb", "1.5.2", "packages", "FAIL", "duckdb 1.5.2 (needs >=1.5.3)"),
        ("a.duckdb", "duckdb", "1.10", "packages", "ok", "duckdb 1.10"),
        ("a.duckdb", "duckdb", None, "packages", "FAIL", "not installed: duckdb"),
        ("a.duckdb", "vastdb", "3.0.0", "extra vast", "FAIL", "needs "),
        ("a.duckdb", "vastdb", None, "extra vast", "ok", "not installed: vastdb"),
        ("vast://b/s", "vastdb", None, "extra vast", "FAIL", "not installed: vastdb"),
        ("vast://b/s", "adbc-driver-vastdb", "1.0", "query engine", "warn", "needs the query engine"),
    ],
)
def test_packages(tmp_path, monkeypatch, packages, uri, package, version, name, status, what):
    monkeypatch.chdir(tmp_path)
    packages[package] = version
    check = checks(uri, Stage.BEFORE)[name]
    assert (check.status.value, what in check.what) == (status, True)
    assert "pip " in check.remedy or status == "ok"


def test_a_copy_without_metadata(tmp_path, monkeypatch):
    def requires(package: str) -> list[str]:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "requires", requires)
    monkeypatch.chdir(tmp_path)
    assert wrong("a.duckdb", Stage.BEFORE)["packages"].status is Status.WARN
