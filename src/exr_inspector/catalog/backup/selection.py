"""The rows of a catalog that belong to a backup: one of each file, and the child rows of these files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import VECTOR_COLUMNS, child_key
from .keys import batch_id_of, batch_keys, distinct, vector_values, where

_CURRENT = ("file_id", "file_path_normalized", "last_inspected")


@dataclass(slots=True)
class Files:
    """The rows of `files` that were selected, and what the selection of other rows needs of them.

    Of a file_id that concurrent writers stored twice, the first row is kept.
    """

    batches: dict[str, int | None] = field(default_factory=dict)  # of the kept row of each file_id
    copies: dict[str, set[int | None]] = field(default_factory=lambda: defaultdict(set))  # batches of rows left out
    dropped: int = 0
    _current: list[pa.Table] = field(default_factory=list)

    def select(self, pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The rows with one row for each file_id."""
        for page in pages:
            batches = zip(page["file_id"].to_pylist(), page["batch_id"].to_pylist(), strict=True)
            kept = [self._is_first(*row) for row in batches]
            self.dropped += kept.count(False)
            selected = page if all(kept) else page.filter(pa.array(kept))
            self._current.append(selected.filter(selected["is_current"]).select(_CURRENT))
            yield selected

    def _is_first(self, file_id: str, batch_id: int | None) -> bool:
        if file_id not in self.batches:
            self.batches[file_id] = batch_id
            return True
        self.copies[file_id].add(batch_id)
        return False

    def superseded(self) -> tuple[str, ...]:
        """The file_ids of current versions of paths that have another, newer one: it was stored meanwhile."""
        if not self._current:
            return ()
        current = pa.concat_tables(self._current)
        counts = current.group_by("file_path_normalized").aggregate([([], "count_all")])
        paths = counts.filter(pc.greater(counts["count_all"], 1))["file_path_normalized"]
        versions = current.filter(pc.is_in(current["file_path_normalized"], paths.combine_chunks()))
        newest: dict[str, str] = {}
        rows = sorted(versions.to_pylist(), key=lambda row: row["last_inspected"])
        for row in rows:
            newest[row["file_path_normalized"]] = row["file_id"]
        return tuple(row["file_id"] for row in rows if newest[row["file_path_normalized"]] != row["file_id"])


def without_vectors(page: pa.Table, known: Collection[str] | None = None) -> pa.Table:
    """Rows of `files` with null for vectors: for those in `known`, else for all, also in `embedding_version`."""
    if known is None:
        lacking, columns = None, [*VECTOR_COLUMNS, "embedding_version"]
    else:
        lacking, columns = where(vector_values(page), known.__contains__), [*VECTOR_COLUMNS]
    for name in columns:
        index, column = page.schema.get_field_index(name), page[name]
        empty = pa.nulls(page.num_rows, column.type)
        values = empty if lacking is None else pc.if_else(lacking, pa.scalar(None, column.type), column)
        page = page.set_column(index, page.schema.field(name), values)
    return page


class Children:
    """Selects the rows of a child table that belong to the selected files, and that a base lacks."""

    def __init__(self, table: str, files: Files, known: Collection[str], whole_before: int) -> None:
        """`known` are batches of the base; only those before the batch `whole_before` are certain to be whole."""
        self._files, self._known, self._whole_before = files, known, whole_before
        self._key = child_key(table)
        self._copies: set[tuple[Any, ...]] = set()
        self.dropped = 0
        self.present: set[str] = set()  # the batches in the catalog, if a base has some

    def select(self, pages: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The rows without those of other files, which were stored after `files` had been read."""
        for page in pages:
            of_files = page.filter(where(page["file_id"], self._files.batches.__contains__))
            merged = self._merged(of_files) if self._files.copies else of_files
            self.dropped += page.num_rows - merged.num_rows
            if self._known:
                batches = batch_keys(merged)
                self.present.update(distinct(batches))
                merged = merged.filter(pc.invert(where(batches, self._is_whole)))
            yield merged

    def _is_whole(self, batch: str) -> bool:
        return batch in self._known and batch_id_of(batch) < self._whole_before

    def _merged(self, page: pa.Table) -> pa.Table:
        """The rows with those of files that were stored twice once, in the batch of the file that is kept."""
        twice = where(page["file_id"], self._files.copies.__contains__)
        rows = []
        for row in page.filter(twice).to_pylist():
            if row["batch_id"] in self._files.copies[row["file_id"]]:
                row["batch_id"] = self._files.batches[row["file_id"]]
            key = tuple(row[name] for name in (*self._key, "batch_id"))
            if row["batch_id"] != self._files.batches[row["file_id"]] or key not in self._copies:
                self._copies.add(key)
                rows.append(row)
        return pa.concat_tables([page.filter(pc.invert(twice)), pa.Table.from_pylist(rows, schema=page.schema)])
