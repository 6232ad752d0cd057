"""Run by the program of commit 480c423, which has version 1 of the tables: opens a catalog, then handles lines of JSON.

    {"persist": [[uri, bytes in hex], …]}    {"read": [path, …]}    {"fail": uri}    {"delete": uri}

Each is answered with a line. Imports nothing of this repository.
"""

import json
import sys

import exr_inspector
from exr_inspector import inspect, open_catalog
from exr_inspector.catalog import IngestError
from exr_inspector.errors import CatalogError
from exr_inspector.sources import MemorySource


def handle(catalog, command, value):
    if command == "persist":
        outcomes = catalog.persist([inspect(MemorySource(bytes.fromhex(data), uri)) for uri, data in value])
        return [outcome.inserted for outcome in outcomes]
    if command == "read":
        return [outcome.inserted for outcome in catalog.persist([inspect(path) for path in value])]
    if command == "delete":
        return catalog.mark_deleted([value])
    error = IngestError(
        file_path_normalized=value, size_bytes=7, mtime=None, code="truncated", message="cut", byte_offset=7
    )
    return catalog.record_errors([error])


def main():
    if ".zip" not in exr_inspector.__file__:
        sys.exit(f"{exr_inspector.__file__} is not the program of version 1")
    try:
        with open_catalog(sys.argv[1]) as catalog:
            print(json.dumps("open"), flush=True)
            for line in sys.stdin:
                ((command, value),) = json.loads(line).items()
                print(json.dumps(handle(catalog, command, value)), flush=True)
    except CatalogError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
