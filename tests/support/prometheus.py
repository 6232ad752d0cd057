"""The real Prometheus, if it is installed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.deploy_check import promtool

from .http import HTTP
from .programs import free_port, running


def prometheus_folder() -> Path | None:
    """The folder of `prometheus` and `promtool`: on the PATH, or that of `make deploy-check`; None without."""
    found = promtool()
    folder = Path(found).parent if found else None
    return folder if folder and (folder / "prometheus").exists() else None


def shortened(rules: str) -> str:
    """Rules whose windows and waiting times are a sixtieth: seconds for minutes, minutes for hours."""
    units = {"m": "s", "h": "m"}
    return re.sub(r"(for: |\[)(\d+)([mh])\b", lambda found: f"{found[1]}{found[2]}{units[found[3]]}", rules)


@contextmanager
def prometheus(program: Path, scraped: str, rules: str = "") -> Iterator[str]:
    """The URL of a Prometheus that scrapes the server with the URL `scraped`, and evaluates `rules`, each second."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules.yml").write_text(rules, "utf-8")
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": [{"job_name": "exr", "static_configs": [{"targets": [scraped.removeprefix("http://")]}]}],
            "rule_files": [f"{folder}/rules.yml"],
        }
        Path(folder, "prometheus.yml").write_text(json.dumps(config), "utf-8")  # YAML includes JSON
        address = f"127.0.0.1:{free_port()}"
        command = [
            program,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address={address}",
            "--log.level=error",
        ]
        with running(command, f"http://{address}/-/ready"):
            yield f"http://{address}"


def values(url: str, query: str) -> list[str]:
    """The values of the series that a query of a Prometheus returns."""
    answer = HTTP.get(f"{url}/api/v1/query", params={"query": query}).json()
    return [series["value"][1] for series in answer["data"]["result"]]


def firing(url: str, name: str) -> list[dict[str, Any]]:
    """The alerts of a rule that fire."""
    alerts: list[dict[str, Any]] = HTTP.get(f"{url}/api/v1/alerts").json()["data"]["alerts"]
    return [alert for alert in alerts if alert["labels"]["alertname"] == name and alert["state"] == "firing"]
