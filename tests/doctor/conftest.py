"""Doctor without the settings of the environment."""

from __future__ import annotations

import os

import pytest

from exr_inspector import inspect, open_catalog
from exr_inspector.doctor import Check, Stage, Status, Target, diagnose
from exr_inspector.sources.memory import MemorySource
from tests.support.exr_bytes import exr_bytes


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a store nor a database, and no proxy."""
    for name in list(os.environ):
        if name.startswith(("S3_", "AWS_", "VAST_DB_", "EXR_INSPECTOR_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def fill(uri: str) -> None:
    """Three files, one of them in two versions, and one that was unreadable long ago."""
    with open_catalog(uri) as catalog:
        for name, channels in (("a.1001", "BGR"), ("a.1002", "BGR"), ("b", "AZ"), ("b", "A")):
            catalog.persist([inspect(MemorySource(exr_bytes(channels=channels), f"s3://renders/{name}.exr"))])


def checks(uri: str, stage: Stage = Stage.ANY, *, deep: bool = False) -> dict[str, Check]:
    """All checks by name."""
    results = list(diagnose(Target(uri=uri, uri_source="--catalog", stage=stage, deep=deep)))
    by_name = {check.name: check for check in results}
    assert len(by_name) == len(results)
    return by_name


def wrong(uri: str, stage: Stage = Stage.ANY, *, deep: bool = False) -> dict[str, Check]:
    """Those that are not ok, but for those that other commands make."""
    fine = (Status.OK, Status.SKIP)
    return {name: check for name, check in checks(uri, stage, deep=deep).items() if check.status not in fine}
