"""Templates and values to the text of manifests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import cache

from .keys import completed

_VALUE = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")  # upper-case names are those of compose
_INCLUDE = re.compile(r"^( *)#include (\S+)\n", re.MULTILINE)


class Target(str, Enum):
    """What a deployment runs on."""

    DATAENGINE = "dataengine"
    KNATIVE = "knative"
    KUBERNETES = "kubernetes"
    COMPOSE = "compose"


# The templates of each target; a file has the name of its template.
_TEMPLATES = {
    Target.DATAENGINE: tuple(
        f"dataengine/{name}.yaml"
        for name in ("function", "trigger-landed", "trigger-landed-upper", "secret.example", "pipeline")
    ),
    Target.KNATIVE: ("knative.yaml",),
    Target.KUBERNETES: tuple(
        f"kubernetes/{name}.yaml"
        for name in ("reconcile-cronjob", "backup-cronjob", "reports-cronjob", "prometheusrule", "podmonitor")
    ),
    Target.COMPOSE: ("compose.yaml",),
}


def render(target: Target, given: Mapping[str, str]) -> dict[str, str]:
    """The text of each file of a target, by its path; the same for the same values.

    Raises SettingsError for values that are unknown, missing or not of their form.
    """
    values = completed(target.value, keys_of(target), given)
    return {name: _VALUE.sub(lambda match: values[match[1]], template(name)) for name in _TEMPLATES[target]}


@cache
def keys_of(target: Target) -> frozenset[str]:
    """The names of the values that the manifests of a target have."""
    return frozenset(name for path in _TEMPLATES[target] for name in _VALUE.findall(template(path)))


def template(name: str) -> str:
    """The text of a template, with the files that it includes."""
    from importlib import resources

    text = resources.files(__package__).joinpath(f"templates/{name}").read_text("utf-8")
    return _INCLUDE.sub(lambda match: _indented(template(match[2]), match[1]), text)


def _indented(text: str, spaces: str) -> str:
    return "".join(f"{spaces}{line}" if line.strip() else line for line in text.splitlines(keepends=True))
