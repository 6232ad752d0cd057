"""Write the files of deploy/ that come from the templates of the package: `make docs`."""

from __future__ import annotations

from pathlib import Path

from exr_inspector.deployment.keys import KEYS
from exr_inspector.deployment.render import Target, keys_of, render, template
from tools.dashboard import dashboard

DEPLOY = Path(__file__).parent.parent / "deploy"
RULES = "prometheus/rules.yml"


def example_values(target: Target) -> dict[str, str]:
    """A value for each required key of a target."""
    return {name: KEYS[name].example for name in sorted(keys_of(target)) if KEYS[name].default is None}


def generated() -> dict[str, str]:
    """The text of each generated file, by its path below deploy/."""
    files = {path: text for target in Target for path, text in render(target, example_values(target)).items()}
    return files | {RULES: template(RULES), "grafana/dashboard.json": dashboard()}


if __name__ == "__main__":
    for path, text in generated().items():
        (DEPLOY / path).parent.mkdir(parents=True, exist_ok=True)
        (DEPLOY / path).write_text(text, "utf-8")
