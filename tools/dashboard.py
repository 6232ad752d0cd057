"""The Grafana dashboard of deploy/grafana/dashboard.json."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS, _HEIGHT = 3, 7


class Panel(NamedTuple):
    """A panel: each expression with its legend, and the unit of all of them."""

    title: str
    expressions: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"


def _rate(metric: str, by: str = "", where: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum"
    return f"{grouped}(rate({metric}{where}[$__rate_interval]))"


def _quantile(quantile: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({quantile}, {_rate(f'{metric}_bucket', labels)})"


ROWS = {
    "Events": (
        Panel("Events by answer", {"{{code}}": _rate("exr_inspector_events_total", "code")}, "reqps"),
        Panel(
            "Duration of an event",
            {f"p{int(100 * q)}": _quantile(q, "exr_inspector_duration_seconds") for q in (0.5, 0.95, 0.99)},
            "s",
        ),
        Panel(
            "In flight and waiting",
            {"in flight": "sum(exr_inspector_in_flight)", "waiting": "sum(exr_inspector_waiting)"},
        ),
        Panel("Files by status", {"{{status}}": _rate("exr_inspector_files_total", "status")}, "ops"),
        Panel(
            "Errors by category",
            {"{{category}}": _rate("exr_inspector_files_total", "category", '{status="error"}')},
            "ops",
        ),
        Panel("Redeliveries", {"share": "exr_inspector:redeliveries:ratio5m"}, "percentunit"),
    ),
    "Catalog": (
        Panel("Persisted files by result", {"{{result}}": _rate("exr_inspector_persisted_total", "result")}, "ops"),
        Panel("Persisted, last hour", {"share": "exr_inspector:persisted:ratio1h"}, "percentunit", "stat"),
        Panel("Catalog usable", {"{{reason}}": "min by (reason) (exr_inspector_catalog_up)"}),
        Panel(
            "Duration of stages (p95)",
            {"{{stage}}": _quantile(0.95, "exr_inspector_stage_duration_seconds", "stage")},
            "s",
        ),
        Panel("Embedding errors", {"errors": _rate("exr_inspector_embedding_errors_total")}, "ops"),
        Panel(
            "Age of the newest file",
            {"{{catalog}}": "time() - max by (catalog) (exr_inspector_newest_row_timestamp_seconds)"},
            "s",
            "stat",
        ),
    ),
    "Contents": (
        Panel(
            "Files",
            {"files": "max(exr_inspector_files)", "open errors": "max(exr_inspector_open_errors)"},
        ),
        Panel(
            "Inconsistent rows",
            {"duplicates": "max(exr_inspector_duplicates)", "orphans": "max(exr_inspector_orphans)"},
        ),
        Panel(
            "Files by version of the vectors",
            {"{{embedding_version}}": "max by (embedding_version) (exr_inspector_embedding_version_files)"},
        ),
        Panel(
            "Instances by version",
            {"{{version}}": "count by (version) (exr_inspector_build_info)"},
        ),
    ),
}


def dashboard() -> str:
    """The dashboard as JSON."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": _grid(0, top, 24, 1)})
        for index, panel in enumerate(row):
            line, column = divmod(index, _COLUMNS)
            width = 24 // _COLUMNS
            grid = _grid(column * width, top + 1 + line * _HEIGHT, width, _HEIGHT)
            panels.append(_panel(len(panels) + 1, panel, grid))
        top += 1 + -(-len(row) // _COLUMNS) * _HEIGHT
    content = {
        "uid": "exr-inspector",
        "title": "exr-inspector",
        "tags": ["exr-inspector"],
        "schemaVersion": 39,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }
    return json.dumps(content, indent=2) + "\n"


def _panel(number: int, panel: Panel, grid: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for index, (legend, expression) in enumerate(panel.expressions.items())
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": grid,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": targets,
    }


def _grid(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}
