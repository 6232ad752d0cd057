"""The forms of files for `vastde`, which has no schema: keys, values, and names that refer to another file.

Source: public manifests and the help of `vastde`; no cluster was available.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_CLUSTER = rf"vast:dataengine:kubernetes-clusters:{_NAME}"
_CPU, _MEMORY = r"[1-9]\d*m", r"[1-9]\d*[MG]i"

# A mapping has these keys and no others; one that ends with ? may be missing. Text matches a regular expression.
_TRIGGER = {
    "name": _NAME,
    "description?": str,
    "type": "Element",
    "source_bucket": _WORD,
    "events": [r"ObjectCreated:\*|ObjectRemoved:\*|ObjectTagging:(Put|Delete)"],
    "name_prefix?": str,
    "name_suffix?": str,
    "broker_type": "Internal|External",
    "broker_name": _WORD,
    "topic": _WORD,
}
_RESOURCES = {
    "min_cpu": _CPU,
    "max_cpu": _CPU,
    "min_memory": _MEMORY,
    "max_memory": _MEMORY,
    "min_concurrency": int,
    "max_concurrency": int,
    "timeout": int,
    "storage?": r"\d+Gi",
    "autoscaling_rps_factor?": int,
}
FORMS: dict[str, Any] = {
    "function.yaml": {
        "name": _NAME,
        "description?": str,
        "container_registry": _NAME,
        "artifact_source": r"[a-z0-9._/-]+",
        "artifact_type": "image",
        "image_tag": r"(?!latest$)[\w.-]+",
        "publish": bool,
    },
    "trigger-landed.yaml": _TRIGGER,
    "trigger-landed-upper.yaml": _TRIGGER,
    "secret.example.yaml": {
        "name": _NAME,
        "kubernetes_cluster_vrn": _CLUSTER,
        "namespace": _NAME,
        "entries": [{"key": r"[A-Z][A-Z0-9_]*", "value": str}],
    },
    "pipeline.yaml": {
        "name": _NAME,
        "description?": str,
        "tags?": [str],
        "kubernetes_cluster_vrn": _CLUSTER,
        "namespace": _NAME,
        "manifest": {
            "config": {
                "environment_variables": [{"name": r"[A-Z][A-Z0-9_]*", "value": str}],
                "secrets": [_NAME],
            },
            "triggers": [{"name": _NAME, "vrn": rf"vast:dataengine:triggers:{_NAME}"}],
            "function_deployments": [
                {
                    "name": _NAME,
                    "function_vrn": rf"vast:dataengine:functions:{_NAME}",
                    "revision": int,
                    "config": {"log_level": "NOTSET|DEBUG|INFO|WARNING|ERROR|CRITICAL"},
                    "resources": _RESOURCES,
                }
            ],
            "links": [
                {
                    "source": [_NAME],
                    "destination": [_NAME],
                    "topic?": rf"vast:dataengine:topics:{_WORD}/{_WORD}",
                    "config": {"events_order": "ordered|unordered", "retries": int},
                }
            ],
        },
    },
}


def folder_errors(folder: Path) -> list[str]:
    """What is wrong with the files of a folder; each line begins with the name of its file."""
    files = {name: yaml.safe_load((folder / name).read_text("utf-8")) for name in FORMS}
    errors = [f"{name}{error}" for name, form in FORMS.items() for error in form_errors(files[name], form, "")]
    return errors or list(_reference_errors(files))


def form_errors(value: Any, form: Any, path: str) -> Iterator[str]:
    """What of a value does not have a form, such as one of FORMS."""
    if isinstance(form, dict):
        if not isinstance(value, Mapping):
            yield f"{path}: expected a mapping"
            return
        known = {name.rstrip("?"): name for name in form}
        for name in value:
            if name not in known:
                yield f"{path}.{name}: unknown key; known are {', '.join(known)}"
        for name, key in known.items():
            if name in value:
                yield from form_errors(value[name], form[key], f"{path}.{name}")
            elif not key.endswith("?"):
                yield f"{path}.{name}: missing"
    elif isinstance(form, list):
        if not isinstance(value, list) or not value:
            yield f"{path}: expected a list with entries"
            return
        for index, item in enumerate(value):
            yield from form_errors(item, form[0], f"{path}[{index}]")
    elif isinstance(form, type):
        if type(value) is not form:
            yield f"{path}: expected {form.__name__}, found {value!r}"
    elif not isinstance(value, str) or re.fullmatch(form, value) is None:
        yield f"{path}: {value!r} does not match {form}"


def amount(text: str) -> float:
    """A number of cores or of bytes, such as 500m, 2, 512Mi or 2Gi."""
    number, unit = re.fullmatch(r"(\d+)(m|[MG]i|)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"m": 0.001, "": 1, "Mi": 1 << 20, "Gi": 1 << 30}[unit]


def _reference_errors(files: Mapping[str, Any]) -> Iterator[str]:
    """Names that are not defined, in files of the right form; and keys that are not empty."""
    pipeline, secret = files["pipeline.yaml"], files["secret.example.yaml"]
    manifest, triggers = pipeline["manifest"], [files["trigger-landed.yaml"], files["trigger-landed-upper.yaml"]]
    ends = {"source": manifest["triggers"], "destination": manifest["function_deployments"]}
    topics = {f"vast:dataengine:topics:{trigger['broker_name']}/{trigger['topic']}" for trigger in triggers}
    defined = {f"vast:dataengine:triggers:{trigger['name']}" for trigger in triggers}
    for index, link in enumerate(manifest["links"]):
        for end, entries in ends.items():
            for name in set(link[end]) - {entry["name"] for entry in entries}:
                yield f"pipeline.yaml.manifest.links[{index}].{end}: the manifest has no {name}"
        if {link.get("topic")} != topics:
            yield f"pipeline.yaml.manifest.links[{index}].topic: the triggers have {', '.join(sorted(topics))}"
    for vrn in {trigger["vrn"] for trigger in manifest["triggers"]} ^ defined:
        yield f"pipeline.yaml.manifest.triggers: {vrn} is not in both the manifest and the files of triggers"
    for deployment in manifest["function_deployments"]:
        resources = deployment["resources"]
        for name in ("cpu", "memory", "concurrency"):
            low, high = resources[f"min_{name}"], resources[f"max_{name}"]
            if amount(str(low)) > amount(str(high)):
                yield f"pipeline.yaml.manifest.function_deployments.resources: min_{name} {low} is above {high}"
    functions = {deployment["function_vrn"] for deployment in manifest["function_deployments"]}
    if functions != {f"vast:dataengine:functions:{files['function.yaml']['name']}"}:
        yield "pipeline.yaml.manifest.function_deployments: not the function of function.yaml"
    if manifest["config"]["secrets"] != [secret["name"]]:
        yield "pipeline.yaml.manifest.config.secrets: not the secret of secret.example.yaml"
    for entry in secret["entries"]:
        if entry["key"].endswith("_KEY") and entry["value"]:
            yield f"secret.example.yaml: {entry['key']} has a value; the file is public"
