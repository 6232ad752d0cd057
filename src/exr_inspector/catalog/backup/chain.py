"""A backup with the backups that it completes, down to a whole one; and the rows of all of them as one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import BackupError, CatalogSchemaError, SourceNotFoundError
from ...sources.output import below
from ...sources.uris import is_object, local_path
from ..columns import typed
from ..migrations import MIGRATIONS, AddColumns, Recompute
from ..schema import TABLES, VECTOR_COLUMNS, VERSION
from .keys import all_keys, batch_keys, distinct, vector_keys, vector_values, where
from .manifest import Base, Manifest, read_manifest
from .parquet import Hashed, has_type, hash_of, opened_rows, read_rows, readable

if TYPE_CHECKING:
    from ...settings import S3Access

# The tables whose rows are changed, so that every increment has all of them; `files` without vectors of its base.
WHOLE = ("files", "parts", "ingest_errors", "schema_version")

REMOVED = "removed"  # the file of an increment with batches of its base that the catalog does not have any more
REMOVED_SCHEMA = pa.schema([pa.field("table", pa.string(), False), pa.field("batch", pa.string(), False)])


@dataclass(frozen=True, slots=True)
class Member:
    """One backup of a chain."""

    folder: str
    manifest: Manifest
    sha256: str  # of the manifest

    def files(self) -> Sequence[str]:
        """The names of the files that the backup needs; an older one may have fewer tables."""
        is_older = self.manifest.schema_version < VERSION
        tables = [table for table in TABLES if table in self.manifest.tables or not is_older]
        return [*tables, REMOVED] if self.manifest.base else tables


class Chain:
    """The backup in a folder, and its bases. Raises BackupError if one is missing, changed or of a newer version."""

    def __init__(self, folder: str, s3: S3Access | None) -> None:
        self._s3 = s3
        self._verified: dict[str, Hashed] = {}  # by the path of the file
        members = [Member(folder, *read_manifest(folder, s3))]
        while (base := members[0].manifest.base) is not None:
            members.insert(0, self._base(members[0].folder, base))
        self.members: Sequence[Member] = members  # the whole backup first
        self.newest = members[-1]
        version = self.newest.manifest.schema_version
        if version > VERSION:
            raise CatalogSchemaError(
                f"{folder} has table version {version}, and this release supports {VERSION}; upgrade to a release "
                f"that supports it, such as {self.newest.manifest.product}"
            )

    def _base(self, folder: str, base: Base) -> Member:
        path = base.path
        if not is_object(path) and not os.path.isabs(local_path(path) or path):
            path = os.path.normpath(os.path.join(local_path(folder) or folder, path))
        try:
            member = Member(path, *read_manifest(path, self._s3))
        except (BackupError, SourceNotFoundError) as error:
            raise BackupError(folder, f"completes the backup {path}, which is missing: {error.reason}") from error
        if member.sha256 != base.sha256:
            raise BackupError(folder, f"completes the backup {path}, which was replaced by another one")
        if member.manifest.schema_version > VERSION:
            raise BackupError(folder, f"completes the backup {path}, which has a newer table version")
        return member

    def reference_from(self, folder: str) -> Base:
        """The reference to the newest backup in the manifest of an increment in `folder`."""
        path = self.newest.folder
        if not is_object(path):
            path = os.path.abspath(local_path(path) or path)
            if not is_object(folder):
                path = os.path.relpath(path, local_path(folder) or folder)
        return Base(path=path, sha256=self.newest.sha256)

    def damage(self) -> Iterator[str]:
        """What is wrong with the files of the backups: missing, other bytes, rows or columns."""
        for member in self.members:
            for table in member.files():
                path = below(member.folder, f"{table}.parquet")
                entry = member.manifest.tables.get(table)
                if entry is None:
                    yield f"{member.folder}: the manifest lacks {table}"
                    continue
                try:
                    hashed = hash_of(member.folder, table, self._s3)
                except SourceNotFoundError:
                    yield f"{path}: missing"
                    continue
                if (hashed.bytes, hashed.sha256) != (entry.bytes, entry.sha256):
                    sizes = f"{hashed.bytes:,} bytes, expected {entry.bytes:,}"
                    is_same = hashed.bytes == entry.bytes
                    yield f"{path}: changed, {'same size, other content (SHA-256)' if is_same else sizes}"
                    continue
                self._verified[path] = hashed
                try:
                    with opened_rows(member.folder, table, self._s3, hashed) as file:
                        rows, columns = file.metadata.num_rows, file.schema_arrow
                except BackupError as error:
                    yield str(error)
                    continue
                if rows != entry.rows:
                    yield f"{path}: {rows:,} rows, expected {entry.rows:,}"
                for column in _columns(table, member.manifest.schema_version):
                    index = columns.get_field_index(column.name)
                    if index < 0 or not has_type(columns.field(index), column.type):
                        found = "missing" if index < 0 else f"{columns.field(index).type}, expected {column.type}"
                        yield f"{path}: the column {column.name} is {found}"

    def _read(self, member: Member, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        verified = self._verified.get(below(member.folder, f"{table}.parquet"))
        return read_rows(member.folder, table, self._s3, columns, verified)

    def batch_keys(self, table: str) -> set[str]:
        """The batches of a child table that the backups have."""
        found: set[str] = set()
        for member in self.members:
            found -= self._removed(member, table)
            found |= all_keys(self._read(member, table, ["file_id", "batch_id"]), batch_keys)
        return found

    def vector_values(self) -> set[str]:
        """The vectors that the backups restore. Those of a backup without vectors have no version."""
        pages = self._read(self.newest, "files", ["file_id", "embedding_version"])
        wanted = all_keys((page.filter(page["embedding_version"].is_valid()) for page in pages), vector_keys)
        found: set[str] = set()
        for member in reversed(self.members):
            for page in self._vectors_of(member):
                keys = vector_keys(page)
                found.update(vector_values(page.filter(where(keys, wanted.__contains__))).to_pylist())
                wanted.difference_update(keys.to_pylist())
        return found

    def _vectors_of(self, member: Member) -> Iterator[pa.Table]:
        """The rows with vectors, and only the key of these."""
        schema = pa.schema([TABLES["files"].field(name) for name in ("file_id", "embedding_version", *VECTOR_COLUMNS)])
        for page in self._read(member, "files", schema.names):
            with readable(member.folder, "files"):
                rows = typed(page.filter(page[VECTOR_COLUMNS[0]].is_valid()), schema)
            yield rows

    def newest_times(self, table: str, columns: Sequence[str]) -> dict[str, datetime | None]:
        """The last time in each of the columns; None without one."""
        newest: dict[str, datetime | None] = dict.fromkeys(columns)
        for page in self._read(self.newest, table, columns) if columns else ():
            for name in columns:
                times = [time for time in (newest[name], pc.max(page[name]).as_py()) if time is not None]
                newest[name] = max(times, default=None)
        return newest

    def rows(self, table: str) -> Iterator[pa.Table]:
        """The rows of a table in this version, in pages; always in the same order."""
        if table == "files" and len(self.members) > 1:
            yield from self._files()
        elif table in WHOLE or len(self.members) == 1:
            yield from self._pages(self.newest, table)
        else:
            yield from self._children(table)

    def _pages(self, member: Member, table: str) -> Iterator[pa.Table]:
        for page in self._read(member, table) if table in member.files() else ():
            with readable(member.folder, table):
                rows = _in_this_version(page, table, self.newest.manifest)
            yield rows

    def _children(self, table: str) -> Iterator[pa.Table]:
        """The rows of all backups; those of a batch from the newest backup that has it."""
        newer: set[str] = set()
        for member in reversed(self.members):
            of_member: set[str] = set()
            for page in self._pages(member, table):
                batches = batch_keys(page)
                of_member.update(distinct(batches))
                yield page.filter(pc.invert(where(batches, newer.__contains__)))
            newer |= of_member | self._removed(member, table)

    def _removed(self, member: Member, table: str) -> set[str]:
        if member.manifest.base is None:
            return set()
        pages = self._read(member, REMOVED)
        return {batch for page in pages for batch in page.filter(pc.equal(page["table"], table))["batch"].to_pylist()}

    def _files(self) -> Iterator[pa.Table]:
        """The rows of the newest backup, with vectors of its bases. Those rows are in memory, without vectors."""
        lacking: list[pa.Table] = []
        for page in self._pages(self.newest, "files"):
            is_lacking = pc.and_(page["embedding_version"].is_valid(), page[VECTOR_COLUMNS[0]].is_null())
            yield page.filter(pc.invert(is_lacking))
            lacking.append(page.filter(is_lacking).drop_columns([*VECTOR_COLUMNS]))
        rows = pa.concat_tables(lacking).combine_chunks() if lacking else TABLES["files"].empty_table()
        wanted = vector_keys(rows)
        is_left = np.ones(len(wanted), np.bool_)
        for member in reversed(self.members[:-1]):
            for page in self._vectors_of(member):
                found = pc.index_in(vector_keys(page), wanted)
                stored, indices = page.filter(found.is_valid()), found.drop_null().to_numpy()
                is_new = is_left[indices]
                is_left[indices] = False
                yield _with_vectors(rows.take(pa.array(indices[is_new])), stored.filter(pa.array(is_new)))
        rest = rows.filter(pa.array(is_left))
        nulls = {name: pa.nulls(rest.num_rows, TABLES["files"].field(name).type) for name in VECTOR_COLUMNS}
        yield _with_vectors(rest, nulls)


def _columns(table: str, version: int) -> Sequence[pa.Field]:
    """The columns that the file of a table of a version has: those that no later migration adds."""
    later = [migration for migration in MIGRATIONS if migration.version > version]
    added = {
        column
        for migration in later
        for step in migration.steps
        if isinstance(step, AddColumns) and step.table == table
        for column in step.columns.names
    }
    return [column for column in (REMOVED_SCHEMA if table == REMOVED else TABLES[table]) if column.name not in added]


def _with_vectors(rows: pa.Table, vectors: pa.Table | dict[str, pa.Array]) -> pa.Table:
    for name in VECTOR_COLUMNS:
        rows = rows.append_column(name, vectors[name])
    return typed(rows, TABLES["files"])


def _in_this_version(page: pa.Table, table: str, manifest: Manifest) -> pa.Table:
    """The page with the columns of this version: missing ones are null, and migrations have computed the others."""
    for migration in MIGRATIONS:
        if migration.version > manifest.schema_version:
            for step in migration.steps:
                if isinstance(step, Recompute) and step.table == table:
                    computed = step.compute(page.select(step.reads))
                    page = page.select([name for name in page.column_names if name not in computed.column_names])
                    for name in computed.column_names:
                        page = page.append_column(name, computed[name])
    return typed(page, TABLES[table])
