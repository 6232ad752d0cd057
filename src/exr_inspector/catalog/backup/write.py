"""Writes a backup of an open catalog, whole or as the increment of another one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from ...errors import BackupError, CatalogSchemaError, SettingsError
from ...sources.output import create_folder
from ...vectors.codes import VERSION as EMBEDDING_VERSION
from ..columns import typed
from ..schema import CHILD_TABLES, TABLES, VECTOR_COLUMNS, VERSION
from .chain import REMOVED, REMOVED_SCHEMA, WHOLE, Chain
from .manifest import NAME, Manifest, TableFile, utc_now, write_manifest
from .parquet import write_rows
from .selection import Children, Files, without_vectors

if TYPE_CHECKING:
    from ...settings import S3Access
    from ..protocol import Catalog, ReadTable

# A batch has the time at which its transaction began. If it was committed while the base was written, the base may have
# a part of it: batches of this time before the base are saved again.
LATEST_COMMIT_US = 3_600_000_000


def backup(
    catalog: Catalog, folder: str, *, vectors: bool = True, since: str | None = None, s3: S3Access | None = None
) -> Manifest:
    """Write a backup of a catalog to a new or empty folder, or prefix of the store `s3`.

    Others may write to the catalog meanwhile. Without `vectors`, `reembed` recomputes them after a restore. With
    `since`, the folder of another backup, only rows that it lacks are written. Raises BackupError, CatalogError,
    SourceError, and SettingsError for a folder with files.
    """
    version = catalog.status().schema_version
    if version > VERSION:
        raise CatalogSchemaError(
            f"{catalog.uri} has table version {version}, and this release would back up only the columns of {VERSION}; "
            "upgrade exr-inspector"
        )
    base = None if since is None else Chain(since, s3)
    if base is not None and base.newest.manifest.schema_version != version:
        raise BackupError(
            base.newest.folder,
            f"has table version {base.newest.manifest.schema_version}, and {catalog.uri} {version}; "
            "make a backup without --since",
        )
    _expect_empty(folder, create_folder(folder, s3))
    started = utc_now()
    writer = _Writer(folder, base, vectors, s3)
    with catalog.reading() as read:
        files = writer.write_files(read)
        for table in CHILD_TABLES:
            writer.write_children(read, table, files)
        for table in ("ingest_errors", "schema_version"):
            writer.write(read, table)
        writer.write_removed()
    manifest = Manifest(
        schema_version=version,
        embedding_version=EMBEDDING_VERSION,
        catalog=catalog.uri,
        started=started,
        finished=utc_now(),
        vectors=vectors,
        base=base.reference_from(folder) if base else None,
        superseded=files.superseded(),
        tables=writer.tables,
    )
    write_manifest(manifest, folder, s3)
    return manifest


def _expect_empty(folder: str, names: Collection[str]) -> None:
    """Raises SettingsError if a folder has files with these names."""
    if not names:
        return
    tables = {f"{table}.parquet" for table in (*TABLES, REMOVED)}
    if NAME not in names and all(name.removesuffix(".partial") in tables for name in names):
        what = "has the files of a backup that was interrupted; delete them"
    else:
        what = "has a backup" if NAME in names else "not empty"
    raise SettingsError(f"{folder}: {what}{', or' if 'delete' in what else ';'} give a new or empty folder")


class _Writer:
    """Writes the files of the tables."""

    def __init__(self, folder: str, base: Chain | None, vectors: bool, s3: S3Access | None) -> None:
        self._folder, self._base, self._vectors, self._s3 = folder, base, vectors, s3
        self._removed: list[pa.Table] = []
        self.tables: dict[str, TableFile] = {}

    def write_files(self, read: ReadTable) -> Files:
        known = self._base.vector_values() if self._base else set()
        columns = TABLES["files"].names
        if not self._vectors:
            columns = [name for name in columns if name not in VECTOR_COLUMNS]

        def write(pages: Iterator[pa.Table]) -> Files:
            files = Files()
            selected = files.select(typed(page, TABLES["files"]) for page in pages)
            if not self._vectors:
                selected = map(without_vectors, selected)
            elif known:
                selected = (without_vectors(page, known) for page in selected)
            self._write("files", selected, lambda: files.dropped)
            return files

        return read("files", columns, write)

    def write_children(self, read: ReadTable, table: str, files: Files) -> None:
        known = self._base.batch_keys(table) if self._base and table not in WHOLE else set()
        whole_before = self._base.newest.manifest.started_us - LATEST_COMMIT_US if self._base else 0

        def write(pages: Iterator[pa.Table]) -> Children:
            children = Children(table, files, known, whole_before)
            self._write(table, children.select(pages), lambda: children.dropped)
            return children

        removed = known - read(table, TABLES[table].names, write).present
        rows = {"table": [table] * len(removed), "batch": sorted(removed)}
        self._removed.append(pa.table(rows, schema=REMOVED_SCHEMA))

    def write(self, read: ReadTable, table: str) -> None:
        read(table, TABLES[table].names, lambda pages: self._write(table, pages, lambda: 0))

    def write_removed(self) -> None:
        """Write the batches of the base that the catalog does not have any more."""
        if self._base:
            self._write(REMOVED, iter(self._removed), lambda: 0, REMOVED_SCHEMA)

    def _write(
        self, table: str, pages: Iterator[pa.Table], dropped: Callable[[], int], schema: pa.Schema | None = None
    ) -> None:
        rows, size, sha256 = write_rows(self._folder, table, schema or TABLES[table], pages, self._s3)
        self.tables[table] = TableFile(rows=rows, dropped=dropped(), bytes=size, sha256=sha256)
