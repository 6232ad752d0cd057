"""Restores a backup into an empty catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ...errors import BackupError
from .. import load
from ..schema import TABLES, VERSION, version_row
from . import parquet
from .chain import Chain
from .keys import where

if TYPE_CHECKING:
    from ...settings import S3Access, VastConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The rows that were restored, by table, and the number of files whose vectors are to be recomputed."""

    rows: dict[str, int]
    without_vectors: int


def restore(
    folder: str,
    uri: str,
    *,
    wait_s: float = 0,
    s3: S3Access | None = None,
    connection: VastConnection | None = None,
) -> Restored:
    """Restore the backup in a folder into a catalog without files, which is created if it is missing.

    Every value is that of the backup. Files of the backup and of its bases are verified before. Raises BackupError for
    a damaged backup, and SettingsError for a catalog with rows.
    """
    chain = Chain(folder, s3)
    if damage := next(chain.damage(), None):
        raise BackupError(folder, f"damaged, nothing was restored: {damage}")
    counted = _Counted(chain)
    # The rows of a page depend on these numbers.
    name = f"{chain.newest.sha256} as table version {VERSION} in pages of {parquet.ROWS} rows"
    load(uri, counted.pages(), name, wait_s=wait_s, connection=connection)
    return Restored(rows=counted.rows, without_vectors=counted.without_vectors)


def without_superseded(files: pa.Table, superseded: Collection[str]) -> pa.Table:
    """Rows of `files` where these file_ids are not current."""
    is_current = pc.and_(files["is_current"], pc.invert(where(files["file_id"], superseded.__contains__)))
    index = files.schema.get_field_index("is_current")
    return files.set_column(index, files.schema.field(index), is_current)


class _Counted:
    """The rows of a chain, counted when they are read."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.rows = dict.fromkeys(TABLES, 0)
        self.without_vectors = 0

    def pages(self) -> Iterator[tuple[str, pa.Table]]:
        """The pages of all tables, each with the name of its table; `schema_version` last."""
        for table in TABLES:
            for page in self._pages(table):
                self.rows[table] += page.num_rows
                if table == "files":
                    self.without_vectors += page["embedding_version"].null_count
                if page.num_rows:
                    yield table, page

    def _pages(self, table: str) -> Iterator[pa.Table]:
        manifest = self._chain.newest.manifest
        superseded = set(manifest.superseded)
        for page in self._chain.rows(table):
            yield without_superseded(page, superseded) if table == "files" and superseded else page
        if table == "schema_version" and manifest.schema_version < VERSION:
            yield version_row()
