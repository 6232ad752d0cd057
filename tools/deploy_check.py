"""Check the files of deploy/ without a network: `make deploy-check`."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.deploy import DEPLOY
from tools.vastde_lint import amount, folder_errors, form_errors

_PROMETHEUS_IN_VENV = Path(sys.prefix) / "prometheus" / "usr" / "bin" / "promtool"
_POD_MONITOR = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": str, "namespace": str, "labels?": dict},
    "spec": {"selector": {"matchLabels": dict}, "podMetricsEndpoints": [{"port": str, "path": str}]},
}
_RULE_KEYS = {"alert", "record", "expr", "for", "labels", "annotations", "keep_firing_for"}


class MissingProgramError(Exception):
    """A program that checks files is not installed."""


def promtool() -> str | None:
    """The path of promtool, which `make deploy-check` stores in the environment; None without it."""
    return shutil.which("promtool") or (str(_PROMETHEUS_IN_VENV) if _PROMETHEUS_IN_VENV.exists() else None)


def kubernetes_errors(path: Path) -> list[str]:
    """Unknown fields and wrong types of objects that are part of Kubernetes."""
    import kubernetes_validate

    errors = []
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        try:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            errors.append(f"{'.'.join(map(str, error.path))}: {error.message}")
        errors += _resource_errors(document)
    return errors


def knative_errors(path: Path) -> list[str]:
    """Unknown fields and wrong types. The models accept unknown fields, and lose them."""
    from pydantic import ValidationError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of the models that the models themselves have
        from cloudcoil.models.knative_eventing.eventing.v1 import Trigger
        from cloudcoil.models.knative_serving.serving.v1 import Service
    models: dict[str, Any] = {"Service": Service, "Trigger": Trigger}
    errors = []
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        model = models.get(document.get("kind"))
        if model is None:
            errors.append(f"kind {document.get('kind')!r} is not one of {', '.join(models)}")
            continue
        try:
            kept = model.model_validate(document).model_dump(exclude_unset=True, by_alias=True, mode="json")
        except ValidationError as error:
            errors += [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        else:
            errors += [f"{lost}: unknown field" for lost in _lost(document, kept)]
            errors += _resource_errors(document)
    return errors


def _resource_errors(value: Any) -> list[str]:
    """Containers that request more than their limit, which Kubernetes rejects."""
    if isinstance(value, list):
        return [error for each in value for error in _resource_errors(each)]
    if not isinstance(value, dict):
        return []
    requests, limits = value.get("requests", {}), value.get("limits", {})
    return [
        f"requests.{name}: {requests[name]} is above the limit {limits[name]}"
        for name in requests
        if name in limits and amount(requests[name]) > amount(limits[name])
    ] + [error for each in value.values() for error in _resource_errors(each)]


def _lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """The keys of a document that are not in another one."""
    if isinstance(given, dict):
        for name, value in given.items():
            if isinstance(kept, dict) and name in kept:
                yield from _lost(value, kept[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(given, list):
        for index, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(value, other, f"{path}[{index}]")


def prometheusrule_errors(path: Path) -> list[str]:
    """Unknown fields; promtool checks the rules themselves."""
    document = yaml.safe_load(path.read_text("utf-8"))
    groups = document.get("spec", {}).get("groups", [])
    expected = [
        ("", document, {"apiVersion", "kind", "metadata", "spec"}),
        (".spec", document.get("spec", {}), {"groups"}),
        *((f".spec.groups[{i}]", group, {"name", "interval", "rules"}) for i, group in enumerate(groups)),
        *(
            (f".spec.groups[{i}].rules[{j}]", rule, _RULE_KEYS)
            for i, group in enumerate(groups)
            for j, rule in enumerate(group.get("rules", []))
        ),
    ]
    errors = [f"{where}.{name}: unknown field" for where, mapping, known in expected for name in set(mapping) - known]
    if "groups" not in document.get("spec", {}):
        errors.append(".spec.groups: missing")
    return errors


def podmonitor_errors(path: Path) -> list[str]:
    """Unknown fields and wrong values."""
    return list(form_errors(yaml.safe_load(path.read_text("utf-8")), _POD_MONITOR, ""))


def compose_errors(path: Path) -> list[str]:
    """Violations of the schema of compose files."""
    return _run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path))


def dockerfile_errors(path: Path) -> list[str]:
    """Findings of hadolint."""
    return _run("hadolint", str(path))


def rules_errors(path: Path) -> list[str]:
    """Rules that Prometheus does not load."""
    return _promtool("check", "rules", str(path))


def rules_test_errors(path: Path) -> list[str]:
    """Rules that do not behave as their tests say."""
    return _promtool("test", "rules", str(path))


def dashboard_errors(path: Path) -> list[str]:
    """Queries of the dashboard that Prometheus does not parse."""
    panels = json.loads(path.read_text("utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    rules = [
        {"record": f"panel:{index}", "expr": expression.replace("$__rate_interval", "5m")}
        for index, expression in enumerate(expressions)
    ]
    groups = json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})  # YAML includes JSON
    return _promtool("check", "rules", "/dev/stdin", text=groups)


def _promtool(*arguments: str, text: str | None = None) -> list[str]:
    program = promtool()
    if program is None:
        raise MissingProgramError("promtool")
    return _run(program, *arguments, text=text)


def _run(program: str, *arguments: str, text: str | None = None) -> list[str]:
    """The output of a program that fails; empty if it succeeds. Programs of this environment come first."""
    own = Path(sys.executable).parent / program
    words = [str(own) if own.exists() else program, *arguments]
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise MissingProgramError(program) from None
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] if done.returncode else []


CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "Dockerfile": dockerfile_errors,
    "compose.yaml": compose_errors,
    "dataengine": folder_errors,
    "knative.yaml": knative_errors,
    "kubernetes/backup-cronjob.yaml": kubernetes_errors,
    "kubernetes/reconcile-cronjob.yaml": kubernetes_errors,
    "kubernetes/reports-cronjob.yaml": kubernetes_errors,
    "kubernetes/prometheusrule.yaml": prometheusrule_errors,
    "kubernetes/podmonitor.yaml": podmonitor_errors,
    "prometheus/rules.yml": rules_errors,
    "prometheus/rules_test.yml": rules_test_errors,
    "grafana/dashboard.json": dashboard_errors,
}


def main(words: Sequence[str] | None = None) -> int:
    """Check all files; 1 if one has an error, or if a program is missing that --allow-missing does not name."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--allow-missing", action="append", default=[], metavar="PROGRAM")
    allowed = parser.parse_args(words).allow_missing
    failed = False
    for name, check in CHECKS.items():
        started_at = time.monotonic()
        try:
            errors = check(DEPLOY / name)
        except MissingProgramError as error:
            if str(error) in allowed:
                print(f"skip  deploy/{name}: {error} is not installed")
                continue
            errors = [f"{error} is not installed: `make deploy-check` installs it"]
        except (OSError, ImportError) as error:
            errors = [str(error)]
        print(f"{'FAIL' if errors else 'ok':<5} deploy/{name}  ({time.monotonic() - started_at:.1f} s)")
        print("".join(f"      {error}\n" for error in errors), end="")
        failed = failed or bool(errors)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
