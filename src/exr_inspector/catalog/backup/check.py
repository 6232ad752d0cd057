"""Checks whether a backup can be restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import BackupError
from ...inspection.value_text import plural
from ..schema import CHILD_TABLES, TABLES, VERSION
from .chain import Chain
from .keys import where
from .restore import without_superseded

if TYPE_CHECKING:
    from ...settings import S3Access
    from ..protocol import Catalog


# The columns that are set when a stored row is changed.
_TIMES = {"files": ("last_inspected", "deleted_at"), "ingest_errors": ("last_seen",)}


def check(folder: str, s3: S3Access | None = None) -> list[str]:
    """What is wrong with the backup in a folder, and with its bases; empty if it can be restored.

    Bytes and rows of its files against the manifest, one row for each file, one current version for each path, and a
    file for each child row. Raises BackupError if it is incomplete, or if a base is missing or was replaced.
    """
    chain = Chain(folder, s3)
    try:
        return list(chain.damage()) or list(_inconsistencies(chain))
    except BackupError as error:  # rows that cannot be read
        return [str(error)]


def changed_since(catalog: Catalog, folder: str, s3: S3Access | None = None) -> list[str]:
    """The tables of a catalog that have changed since the whole backup in a folder: in their rows, or newest times.

    Raises BackupError for an increment, whose own rows are only some of the saved ones, and for another table version.
    """
    chain = Chain(folder, s3)
    manifest = chain.newest.manifest
    if manifest.base is not None or manifest.schema_version != VERSION:
        raise BackupError(folder, f"not a whole backup of table version {VERSION}; make one without --since")
    changed = []
    for table in TABLES:
        entry = manifest.tables[table]
        times = _TIMES.get(table, ())
        selected = ", ".join(["count(*) AS rows", *(f"max({time}) AS {time}" for time in times)])
        (stored,) = catalog.sql(f"SELECT {selected} FROM {table}").to_pylist()  # noqa: S608 (our names)
        saved: dict[str, object] = {"rows": entry.rows + entry.dropped, **chain.newest_times(table, times)}
        if stored != saved:
            changed.append(table)
    return changed


def _inconsistencies(chain: Chain) -> Iterator[str]:
    file_ids: set[str] = set()
    current: set[str] = set()
    superseded = set(chain.newest.manifest.superseded)
    for page in chain.rows("files"):
        for file_id in page["file_id"].to_pylist():
            if file_id in file_ids:
                yield f"files: {file_id} has several rows"
            file_ids.add(file_id)
        versions = without_superseded(page, superseded)
        for path in versions.filter(versions["is_current"])["file_path_normalized"].to_pylist():
            if path in current:
                yield f"files: {path} has several current versions"
            current.add(path)
    with_parts: set[str] = set()
    for table in CHILD_TABLES:
        orphans = 0
        for page in chain.rows(table):
            orphans += pc.sum(pa.array(pc.invert(where(page["file_id"], file_ids.__contains__)))).as_py() or 0
            if table == "parts":
                with_parts.update(page["file_id"].to_pylist())
        if orphans:
            yield f"{table}: {orphans:,} {plural(orphans, 'row')} of files that the backup does not have"
    if without := len(file_ids - with_parts):
        yield f"parts: missing for {without:,} {plural(without, 'file')}"
