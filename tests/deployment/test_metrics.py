"""The metrics of docs/OPERATIONS.md, which rules and dashboard use, are those that the programs export."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exr_inspector import inspect, open_catalog
from exr_inspector.doctor.metrics import catalog_metrics, fault_metrics
from tests.function.test_runtime import serving
from tests.support.exr_bytes import exr_bytes
from tests.support.http import HTTP
from tools.deploy import DEPLOY

PAGE = (DEPLOY.parent / "docs" / "OPERATIONS.md").read_text("utf-8")
DOCUMENTED = {
    name: (set(re.findall(r"`(\w+)`", labels)), "catalog:" in meaning)
    for name, labels, meaning in re.findall(r"^\| `(exr_inspector_\w+)` \|(.*?)\|(.+)\|$", PAGE, re.MULTILINE)
}


def exported(text):
    """The labels of each metric; those of a histogram's buckets and of the scope of an instrument are left out."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        if name.startswith("exr_inspector_"):
            found[name] = {label for label in labels if not label.startswith("otel_")}
    return found


def documented(*, of_catalog):
    return {name: labels for name, (labels, is_of_catalog) in DOCUMENTED.items() if is_of_catalog == of_catalog}


@pytest.mark.slow
def test_the_metrics_of_a_catalog_are_documented(tmp_path):
    """All have a label with the catalog."""
    (tmp_path / "a.exr").write_bytes(exr_bytes())
    with open_catalog(f"{tmp_path}/catalog.duckdb") as catalog:
        catalog.persist([inspect(tmp_path / "a.exr")])
        found = exported(catalog_metrics(catalog)) | exported(fault_metrics(catalog))
    assert found == documented(of_catalog=True)


@pytest.mark.slow
def test_the_metrics_of_the_function_are_documented(tmp_path):
    (tmp_path / "a.exr").write_bytes(exr_bytes())
    settings = {"EXR_INSPECTOR_CATALOG": f"duckdb:{tmp_path}/catalog.duckdb", "EXR_INSPECTOR_ROOTS": str(tmp_path)}
    with serving(**settings) as (url, _):
        event = {
            "specversion": "1.0", "id": "1", "source": "test", "type": "test", "data": {"path": f"{tmp_path}/a.exr"}
        }  # fmt: skip
        HTTP.post(url, json=event).raise_for_status()
        found = exported(HTTP.get(f"{url}/metrics").text)
    assert found == documented(of_catalog=False)
