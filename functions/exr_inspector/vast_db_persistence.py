"""The catalog of exr-inspector under the names that users of this function know.

    python -m vast_db_persistence create-schema

creates the tables of the catalog that the function uses: that of EXR_INSPECTOR_CATALOG, else of VAST_DB_ENDPOINT,
VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY, VAST_DB_BUCKET and VAST_DB_SCHEMA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from exr_inspector.deadline import time_limit
from exr_inspector.errors import ExrInspectorError, SettingsError
from exr_inspector.function import credentials
from exr_inspector.function.catalogs import Catalogs
from exr_inspector.function.error_log import ErrorLog
from exr_inspector.function.events import FileEvent, Kind, database_fields
from exr_inspector.function.persist_files import persist_all
from exr_inspector.function.results import persistence_result
from exr_inspector.function.stages import Inspected, Persistence, Received
from exr_inspector.inspection.model import Inspection
from exr_inspector.settings import function_settings, settings
from exr_inspector.vectors import channel_vector, metadata_vector

_catalogs = Catalogs()
_errors = ErrorLog()


def persist_to_vast_database(event: Mapping[str, Any], inspection: Inspection) -> dict[str, Any]:
    """Persist an inspection; returns `status` (success, skipped or error), `file_id`, `inserted`, `message`, `error`.

    The catalog is the one that the function would use for a direct call: the database of the event (`vastdb_endpoint`,
    `vastdb_access_key` and `vastdb_secret_key`, and optionally `vastdb_region`, `vastdb_bucket`, `vastdb_schema`), else
    that of the environment. Raises nothing: `error` has the error's text, `category` and `retryable` its kind.
    """
    try:
        persistence = _persist(event, inspection)
    except Exception as error:
        persistence = Persistence(status="error", message="nothing was persisted", error=error)
    if persistence.error is not None:
        _errors.log(persistence.error)
    return persistence_result(persistence, inspection.file.file_id)


def _persist(event: Mapping[str, Any], inspection: Inspection) -> Persistence:
    path = inspection.file.file_path_normalized
    values = function_settings()
    target = credentials.target(None, database_fields(event), values, is_delivered=False)
    received = Received(event=FileEvent(kind=Kind.CREATED, paths=(path,)), event_index=0, catalog=target)
    inspected = Inspected(received=received, path=path, outcome=inspection)
    with time_limit(values.deadline_s):
        (persisted,) = persist_all(_catalogs, [inspected], cell_limit=settings().cell_limit)
    if persisted.error is None:
        return persisted.persistence
    return replace(persisted.persistence, status="error", error=persisted.error)


def compute_metadata_embedding(inspection: Inspection) -> list[float]:
    """The metadata vector: 384 dimensions of unit length, near for files with similar headers."""
    return metadata_vector(inspection).tolist()


def compute_channel_fingerprint(inspection: Inspection) -> list[float]:
    """The channel vector: 128 dimensions of unit length, near for files with similar channels."""
    return channel_vector(inspection).tolist()


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code, 3 if it failed."""
    parser = argparse.ArgumentParser(prog="python -m vast_db_persistence", description=__doc__)
    parser.add_argument("command", choices=["create-schema"])
    parser.parse_args(arguments)
    try:
        values = function_settings()
        target = credentials.target(None, {}, values, is_delivered=False)
        if target is None:
            raise SettingsError(
                "no catalog is configured: set EXR_INSPECTOR_CATALOG, or VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY,"
                " VAST_DB_SECRET_KEY and VAST_DB_BUCKET"
            )
        with time_limit(values.deadline_s), _catalogs.use(target) as shared:
            catalog = shared.catalog
            print(f"{catalog.uri}: schema version {catalog.status().schema_version}")
    except ExrInspectorError as error:
        print(f"vast_db_persistence: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
