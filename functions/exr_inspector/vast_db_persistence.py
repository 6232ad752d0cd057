"""The catalog of exr-inspector under the names that users of this function know.

    python -m vast_db_persistence create-schema

makes the tables where VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY, VAST_DB_BUCKET and VAST_DB_SCHEMA say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import SecretStr

from exr_inspector import open_catalog
from exr_inspector.catalog import Catalog
from exr_inspector.errors import ExrInspectorError
from exr_inspector.inspection.model import Inspection
from exr_inspector.settings import VastConnection, vast_connection, vast_uri
from exr_inspector.vectors import channel_vector, metadata_vector


def persist_to_vast_database(event: Mapping[str, Any], inspection: Inspection) -> dict[str, Any]:
    """Store an inspection; what became of it: `status`, `file_id`, `inserted`, `message`, `error`.

    The event may bring `vastdb_endpoint`, `vastdb_access_key` and `vastdb_secret_key`: all of them, or none, and then
    the environment is asked. Raises nothing of exr-inspector: an error is in the answer, with `category`, `retryable`.
    """
    answer = {"status": "success", "file_id": inspection.file.file_id, "inserted": False, "message": "", "error": None}
    try:
        (outcome,) = _catalog(vast_uri(), _connection(event)).persist([inspection])
    except ExrInspectorError as error:
        failed = {"status": "error", "message": "nothing was stored", "error": str(error)}
        return answer | failed | {"category": error.category, "retryable": error.retryable}
    return answer | {"inserted": outcome.inserted, "message": "inserted" if outcome.inserted else "seen again"}


def compute_metadata_embedding(inspection: Inspection) -> list[float]:
    """The 384 dimensions that make files with like headers neighbours; of unit length."""
    return metadata_vector(inspection).tolist()


def compute_channel_fingerprint(inspection: Inspection) -> list[float]:
    """The 128 dimensions that make files with like channels neighbours; of unit length."""
    return channel_vector(inspection).tolist()


def _connection(event: Mapping[str, Any]) -> VastConnection:
    """One bundle: keys of the environment never go to an endpoint that came with an event."""
    names = ("endpoint", "access_key", "secret_key")
    given = {name: str(event.get(f"vastdb_{name}") or "") for name in names}
    if not any(given.values()):
        return vast_connection()
    missing = [f"vastdb_{name}" for name in names if not given[name]]
    if missing:
        raise ExrInspectorError(f"the event names a database and lacks {', '.join(missing)}")
    return VastConnection(
        endpoint=given["endpoint"],
        access_key=SecretStr(given["access_key"]),
        secret_key=SecretStr(given["secret_key"]),
    )


@lru_cache(maxsize=8)
def _catalog(uri: str, connection: VastConnection) -> Catalog:
    return open_catalog(uri, connection=connection)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status is 0, or 3 where it failed."""
    parser = argparse.ArgumentParser(prog="python -m vast_db_persistence", description=__doc__)
    parser.add_argument("command", choices=["create-schema"])
    parser.parse_args(arguments)
    try:
        with open_catalog(vast_uri()) as catalog:
            print(f"{catalog.uri}: schema version {catalog.status().schema_version}")
    except ExrInspectorError as error:
        print(f"vast_db_persistence: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
