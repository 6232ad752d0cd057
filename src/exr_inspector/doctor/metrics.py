"""Gauges of a catalog in the text format of Prometheus, for the textfile collector of node_exporter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..catalog import OPEN_ERRORS, Catalog
from .rows import fault_counts

_PREFIX = "exr_inspector"
_FILES = """
    SELECT count(*) FILTER (WHERE is_current AND deleted_at IS NULL) AS files, epoch(max(last_inspected)) AS newest
    FROM files"""
_ERRORS = f"SELECT count(*) AS errors FROM ingest_errors WHERE {OPEN_ERRORS}"  # noqa: S608 (a constant)
_VERSIONS = """
    SELECT embedding_version AS version, count(*) AS files FROM files
    WHERE is_current AND deleted_at IS NULL GROUP BY version ORDER BY version"""


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge with its samples: labels and value."""

    name: str
    help: str
    samples: list[tuple[dict[str, str], float]]


def catalog_metrics(catalog: Catalog) -> str:
    """The gauges of a catalog that read few columns; the age of its newest row is `time()` minus its timestamp."""
    return "".join(map(_exposed, _gauges(catalog)))


def fault_metrics(catalog: Catalog) -> str:
    """The gauges of a catalog that read the rows of nearly all tables, which a VAST Database sends."""
    return "".join(map(_exposed, _fault_gauges(catalog)))


def _fault_gauges(catalog: Catalog) -> Iterable[Gauge]:
    faults = fault_counts(catalog)
    yield _gauge(catalog, "duplicates", "Keys with several rows, attributes not checked.", faults["duplicates"])
    yield _gauge(catalog, "orphans", "Rows that belong to no file, attributes not checked.", faults["orphans"])


def _gauge(catalog: Catalog, name: str, description: str, value: float) -> Gauge:
    return Gauge(f"{_PREFIX}_{name}", description, [({"catalog": catalog.uri}, value)])


def _gauges(catalog: Catalog) -> Iterable[Gauge]:
    (files,) = catalog.sql(_FILES).to_pylist()
    (errors,) = catalog.sql(_ERRORS).to_pylist()
    if files["newest"] is not None:
        description = "Time of the last inspection that is stored."
        yield _gauge(catalog, "newest_row_timestamp_seconds", description, files["newest"])
    yield _gauge(catalog, "files", "Current files.", files["files"])
    yield _gauge(catalog, "open_errors", "Files that cannot be inspected.", errors["errors"])
    versions = [
        ({"catalog": catalog.uri, "embedding_version": str(row["version"])}, row["files"])
        for row in catalog.sql(_VERSIONS).to_pylist()
    ]
    yield Gauge(f"{_PREFIX}_embedding_version_files", "Current files, by the version of their vectors.", versions)


def _exposed(gauge: Gauge) -> str:
    lines = [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
    for labels, value in gauge.samples:
        text = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
        lines.append(f"{gauge.name}{{{text}}} {value}")
    return "\n".join(lines) + "\n"


def _escaped(value: Any) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
