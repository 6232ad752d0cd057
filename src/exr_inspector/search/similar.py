"""Similarity search: the files whose header vectors are nearest to those of a reference file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..catalog import Catalog, FileStat, expect_catalog
from ..errors import ExrFormatError, QueryError
from ..exr import Limits
from ..inspection.inspector import inspect
from ..inspection.model import Inspection
from ..sources.listing import ListedFile, list_files
from ..sources.uris import is_object, normalize_path
from ..vectors import VERSION, Vector, embed
from ..vectors import explain as compare_groups

if TYPE_CHECKING:
    import pyarrow as pa

    from ..catalog.similarity import By
    from ..settings import S3Access

_FILE_ID = re.compile(r"[0-9a-f]{4,32}")
_COLUMNS = "file_id, file_path_normalized, sequence, embedding_version, metadata_embedding, channel_fingerprint"
_BY_ID = f"SELECT {_COLUMNS} FROM files WHERE starts_with(file_id, ?) LIMIT 2"  # noqa: S608 (our columns)
_BY_PATH = f"""
    SELECT {_COLUMNS} FROM files WHERE file_path_normalized = ? AND is_current AND deleted_at IS NULL
"""  # noqa: S608 (our columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The file that others are compared with, and its vectors."""

    file_path_normalized: str
    sequence: str | None
    metadata: Vector | list[float]
    channels: Vector | list[float]
    has_changed: bool = False  # the catalog has another version of the file; the vectors are those of the file now


def reference(
    catalog: Catalog,
    file: str | os.PathLike[str],
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    s3: S3Access | None = None,
) -> Reference:
    """The vectors of a file: from the catalog, or from an inspection if the catalog does not have this version of it.

    `file` is a path, a URI, a file_id or the first digits of one (at least four). `limits` and `s3` are those of
    `inspect`; without `s3`, the catalog is not compared with the store. Of a file that cannot be listed now, the
    catalog's vectors are returned. Raises QueryError for an unknown or ambiguous file_id, and the errors of `inspect`.
    """
    file = os.fsdecode(file)
    if _FILE_ID.fullmatch(file) and not os.path.exists(file):
        rows = catalog.sql(_BY_ID, [file]).to_pylist()
        if not rows:
            raise QueryError(f"{file}: no such file, and no file_id in the catalog begins with it")
        if len(rows) > 1:
            raise QueryError(f"{file}: several file_ids begin with it; give more digits")
        return _stored(rows[0])
    rows = catalog.sql(_BY_PATH, [normalize_path(file)]).to_pylist()
    has_changed = bool(rows) and _has_changed(catalog, file, s3)
    if rows and rows[0]["embedding_version"] == VERSION and not has_changed:
        return _stored(rows[0])
    try:
        inspection = inspect(file, limits=limits, s3=s3)
    except ExrFormatError as error:
        raise ExrFormatError(error.code, error.offset, f"{file}: {error.message}") from error
    return replace(_inspected(inspection), has_changed=has_changed)


def _has_changed(catalog: Catalog, file: str, s3: S3Access | None) -> bool:
    """Whether a file that can be listed has another size, etag or time than in the catalog."""
    if s3 is None and is_object(file):
        return False
    stats = [
        FileStat(file_path_normalized=now.uri, size_bytes=now.size_bytes, mtime=now.mtime, etag=now.etag)
        for now in list_files([file], s3=s3)
        if isinstance(now, ListedFile) and now.mtime is not None
    ]
    return any(not seen.is_unchanged for seen in catalog.seen(stats).values())


def _inspected(inspection: Inspection) -> Reference:
    embedding = embed(inspection)
    return Reference(
        file_path_normalized=inspection.file.file_path_normalized,
        sequence=inspection.file.sequence,
        metadata=embedding.metadata,
        channels=embedding.channels,
    )


def _stored(row: dict[str, Any]) -> Reference:
    if row["embedding_version"] != VERSION:
        version = row["embedding_version"] or "none"
        raise QueryError(
            f"{row['file_id']}: its vectors have version {version}, version {VERSION} is needed; "
            "recompute them with: exr-inspector db reembed"
        )
    return Reference(
        file_path_normalized=row["file_path_normalized"],
        sequence=row["sequence"],
        metadata=row["metadata_embedding"],
        channels=row["channel_fingerprint"],
    )


def similar(
    catalog: Catalog,
    to: str | os.PathLike[str] | Inspection | Reference,
    *,
    by: By = "metadata",
    k: int = 10,
    where: str | None = None,
    per_sequence: bool = False,
    explain: bool = False,
) -> pa.Table:
    """The k files most similar to a file, without the file itself; per sequence, without its own sequence.

    >>> from exr_inspector import open_catalog, similar
    >>> with open_catalog("shows.duckdb", read_only=True) as catalog:
    ...     nearest = similar(catalog, "shows/beauty.1001.exr", k=1, explain=True).to_pylist()
    >>> nearest[0]["file_path_normalized"], nearest[0]["similarity"]
    ('file:///.../shows/beauty.1003.exr', 1.0)

    The file is a path, a URI, a file_id or the first digits of one, or an inspection. Of a path, the catalog's vectors
    are used, unless a local file has changed since. Columns as in `Catalog.similar`, without the vectors.
    `explain` adds `differs`, the vector groups that differ, as text. Raises QueryError, and the errors of `inspect`;
    ValueError for another `by`.
    """
    import pyarrow as pa

    from ..catalog.similarity import VECTOR_COLUMNS

    expect_catalog(catalog)
    if by not in VECTOR_COLUMNS:
        raise ValueError(f"by={by!r} is not a kind of vector; expected {' or '.join(map(repr, VECTOR_COLUMNS))}")
    if isinstance(to, Inspection):
        to = _inspected(to)
    elif not isinstance(to, Reference):
        to = reference(catalog, to)
    vector = getattr(to, by)
    nearest = catalog.similar(vector, by=by, k=k + 1, where=where, per_sequence=per_sequence)
    others = [row for row in nearest.to_pylist() if not _is_reference(row, to, per_sequence)][:k]
    if explain:
        for row in others:
            row["differs"] = differing_groups(vector, row["vector"])
    columns = [name for name in nearest.column_names if name != "vector"]
    schema = pa.schema([nearest.schema.field(name) for name in columns], nearest.schema.metadata)
    if explain:
        schema = schema.append(pa.field("differs", pa.list_(pa.string())))
    return pa.Table.from_pylist(others, schema)


def _is_reference(row: dict[str, Any], to: Reference, per_sequence: bool) -> bool:
    """Whether a row is the reference file, or of its sequence when one file per sequence is returned."""
    if per_sequence and to.sequence is not None and to.sequence == row["sequence"]:
        return True
    return bool(to.file_path_normalized == row["file_path_normalized"])


def differing_groups(a: Vector | list[float], b: Vector | list[float]) -> list[str]:
    """The vector groups that differ, as text, the largest contribution to the distance first."""
    groups = [group for group in compare_groups(a, b) if group.verdict != "the same"]
    groups.sort(key=lambda group: -group.share * (1 - group.similarity))
    return [str(group) for group in groups]
