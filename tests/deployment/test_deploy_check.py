"""`make deploy-check` accepts the files of deploy/, and rejects each of them with a misspelt field.

Skipped where its programs are not installed; `make test` installs them.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil

import pytest
import yaml

from exr_inspector.function.telemetry import BUCKETS_S
from tools import deploy_check
from tools.deploy import DEPLOY
from tools.deploy_check import _RULE_KEYS, CHECKS, promtool
from tools.vastde_lint import FORMS, folder_errors

needs_checkers = pytest.mark.skipif(
    importlib.util.find_spec("kubernetes_validate") is None, reason="make deploy-check installs them"
)
needs_promtool = pytest.mark.skipif(promtool() is None, reason="promtool is not installed")

# File → a text in it, and its misspelling.
MISSPELT = {
    "Dockerfile": ("ENTRYPOINT", "ENTRYPOIMT"),
    "compose.yaml": ("stop_grace_period:", "stop_grace_perod:"),
    "knative.yaml": ("failureThreshold:", "failureTreshold:"),
    "kubernetes/backup-cronjob.yaml": ("backoffLimit:", "backoffLimits:"),
    "kubernetes/reconcile-cronjob.yaml": ("onExitCodes:", "onExitCode:"),
    "kubernetes/reports-cronjob.yaml": ("persistentVolumeClaim:", "persistentVolumeClaims:"),
    "kubernetes/prometheusrule.yaml": ("annotations:", "anotations:"),
    "kubernetes/podmonitor.yaml": ("podMetricsEndpoints:", "podMetricEndpoints:"),
    "prometheus/rules.yml": ("for: 10m", "fro: 10m"),
    "prometheus/rules_test.yml": ("exp_alerts:", "exp_alert:"),
    "grafana/dashboard.json": ("histogram_quantile(", "histogram_quartile("),
}

WITHOUT_PROGRAMS = {"kubernetes/prometheusrule.yaml", "kubernetes/podmonitor.yaml"}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DEPLOY, tmp_path / "deploy")


def checked(name):
    marks = [needs_promtool if name.startswith(("prometheus/", "grafana/")) else needs_checkers, pytest.mark.slow]
    return pytest.param(name, marks=[] if name in WITHOUT_PROGRAMS else marks)


@pytest.mark.parametrize("name", [checked(name) for name in MISSPELT])
def test_a_misspelt_field_is_found(name, folder):
    path = folder / name
    assert CHECKS[name](path) == []
    right, wrong = MISSPELT[name]
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), "utf-8")
    errors = CHECKS[name](path)
    word = "unexpected" if name == "Dockerfile" else wrong.strip("(:").partition(":")[0]
    assert any(word in error for error in errors), errors


@pytest.mark.parametrize("name", ["knative.yaml", "kubernetes/backup-cronjob.yaml"])
@pytest.mark.slow
@needs_checkers
def test_a_request_above_the_limit_is_found(name, folder):
    path = folder / name
    text = path.read_text("utf-8")
    path.write_text(re.sub(r'(requests: .* memory: )"[0-9]Gi"', r'\1"5Gi"', text), "utf-8")
    (error,) = CHECKS[name](path)
    assert error.startswith("requests.memory: 5Gi is above the limit")


@pytest.mark.parametrize("kind", ["serving", "eventing"])
@pytest.mark.slow
@needs_checkers
def test_a_wrong_type_in_an_object_of_knative_is_found(kind, folder):
    right, wrong = {"serving": ("containerConcurrency: 20", "containerConcurrency: many"),
                    "eventing": ("retry: 8", "retry: often")}[kind]  # fmt: skip
    path = folder / "knative.yaml"
    path.write_text(path.read_text("utf-8").replace(right, wrong), "utf-8")
    assert right.partition(":")[0] in " ".join(CHECKS["knative.yaml"](path))


def test_every_file_of_deploy_is_checked():
    """Apart from the configuration for a local run, which `function serve --config` reads, and the versions."""
    files = {path.relative_to(DEPLOY).as_posix() for path in DEPLOY.rglob("*") if path.is_file()}
    by_folder = {name for name in files if name.startswith("dataengine/")}
    assert {name.removeprefix("dataengine/") for name in by_folder} == set(FORMS)
    assert files - by_folder == (set(CHECKS) - {"dataengine"}) | {"config.yaml", "constraints.txt"}
    assert set(CHECKS) == set(MISSPELT) | {"dataengine"}


@pytest.mark.parametrize(
    ("name", "right", "wrong", "error"),
    [
        ("function.yaml", "publish:", "publsih:", ".publsih: unknown key"),
        ("function.yaml", 'image_tag: "1.0.0"', "image_tag: latest", "'latest' does not match"),
        ("trigger-landed.yaml", "source_bucket:", "bucket:", ".bucket: unknown key"),
        ("trigger-landed-upper.yaml", "ObjectCreated:*", "ObjectCreate:*", ".events[0]"),
        ("secret.example.yaml", 'S3_SECRET_KEY, value: ""', 'S3_SECRET_KEY, value: "x"', "S3_SECRET_KEY has a value"),
        ("pipeline.yaml", "revision: 1", 'revision: "1"', ".revision: expected int"),
        ("pipeline.yaml", 'min_memory: "1Gi"', 'min_memory: "1025Mi"', "min_memory 1025Mi is above 1Gi"),
        ("pipeline.yaml", "max_concurrency:", "max_concurency:", ".max_concurency: unknown key"),
        ("pipeline.yaml", "destination: [exr-inspector-1]", "destination: [exr-inspektor-1]", "has no exr-inspektor-1"),
        ("pipeline.yaml", "topics:events/renders", "topics:events/render", ".topic: the triggers have"),
        ("pipeline.yaml", "triggers:exr-landed-upper", "triggers:exr-landed-lower", "exr-landed-lower is not in both"),
    ],
)
def test_an_error_in_a_file_for_vastde_is_found(name, right, wrong, error, folder):
    path = folder / "dataengine" / name
    assert folder_errors(path.parent) == []
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), "utf-8")
    assert error in "\n".join(folder_errors(path.parent))


# What the function and `db metrics --textfile` export, as docs/OPERATIONS.md lists it.
def exported_metrics():
    page = (DEPLOY.parent / "docs" / "OPERATIONS.md").read_text("utf-8")
    return set(re.findall(r"^\| `(exr_inspector_\w+)`", page, re.MULTILINE))


@pytest.mark.parametrize("name", ["prometheus/rules.yml", "prometheus/rules_test.yml", "grafana/dashboard.json"])
def test_rules_and_dashboard_use_exported_metrics(name):
    text = (DEPLOY / name).read_text("utf-8")
    used = {re.sub("_(bucket|count|sum)$", "", metric) for metric in re.findall(r"\bexr_inspector_\w+", text)}
    assert len(used) > 9
    assert used <= exported_metrics()
    assert set(re.findall(r'le="([^"]+)"', text)) <= {*map(str, BUCKETS_S), "+Inf"}


def test_every_exported_metric_is_on_the_dashboard():
    text = (DEPLOY / "grafana" / "dashboard.json").read_text("utf-8")
    assert {metric for metric in exported_metrics() if metric not in text} <= {"exr_inspector_redeliveries_total"}
    panels = json.loads(text)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize(
    ("check", "words", "code", "line"),
    [
        (lambda _: deploy_check._run("no-such-program"), (), 1, "FAIL  deploy/Dockerfile"),
        (lambda _: deploy_check._run("no-such-program"), ("--allow-missing", "no-such-program"), 0, "skip  deploy/"),
        (lambda _: deploy_check._run("no-such-program"), ("--allow-missing", "promtool"), 1, "FAIL  deploy/Dockerfile"),
        (lambda path: folder_errors(path / "missing"), ("--allow-missing", "promtool"), 1, "FAIL  deploy/Dockerfile"),
        (lambda _: [], (), 0, "ok    deploy/Dockerfile"),
    ],
)
def test_missing_programs_and_files_are_failures(check, words, code, line, monkeypatch, capsys):
    monkeypatch.setattr(deploy_check, "CHECKS", {"Dockerfile": check})
    assert deploy_check.main(words) == code
    assert line in capsys.readouterr().out


def test_alerts_of_other_metrics_are_groups_of_their_own():
    """So that a deployment without `function serve`, or without `db metrics`, can leave them out."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    of_group = {group["name"]: " ".join(rule["expr"] for rule in group["rules"]) for group in groups}
    everywhere = {"exr_inspector_files_total", "exr_inspector_persisted_total", "exr_inspector_embedding_errors_total"}
    assert set(re.findall(r"\bexr_inspector_\w+", of_group["exr-inspector"])) == everywhere
    page = (DEPLOY.parent / "docs" / "OPERATIONS.md").read_text("utf-8")
    of_catalog = set(re.findall(r"^\| `(exr_inspector_\w+)` \|.*\| catalog:", page, re.MULTILINE))
    assert set(re.findall(r"\bexr_inspector_\w+", of_group["exr-inspector-catalog"])) <= of_catalog
    assert not of_catalog.intersection(re.findall(r"\bexr_inspector_\w+", of_group["exr-inspector-serve"]))


def test_prometheusrule_keys_are_those_that_the_rules_use():
    assert {"alert", "record", "expr", "for", "labels", "annotations"} <= _RULE_KEYS
